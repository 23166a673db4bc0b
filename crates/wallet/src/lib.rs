//! Keys, addresses, coins and payments: everything about holding and sending BLOOM but the chain itself.

pub mod balance;
pub mod book;
pub mod build;
mod error;
pub mod history;
pub mod keys;
pub mod message;
pub mod mnemonic;
pub mod names;
mod node;
mod random;
pub mod replace;
pub mod scan;
pub mod secrets;
pub mod select;
mod signing;
pub mod size;
pub mod uri;
pub mod vault;
mod wallet;
mod wallet_file;
pub mod watch;

pub use balance::Balance;
pub use error::{BuildError, WalletError};
pub use keys::{AccountPublic, KeyChain, KeyPath, Seed};
pub use message::MessageSignature;
pub use mnemonic::{WordCount, Words, WordsError};
pub use names::WalletName;
pub use node::{Node, Place, Waiting};
pub use random::NoRandomness;
pub use secrets::WalletKeys;
pub use uri::{PaymentUri, UriError};
pub use vault::{Cost, Vault, VaultError};
pub use wallet::{Note, Remark, Sent, Wallet};
pub use wallet_file::{WalletFile, WalletFileError};

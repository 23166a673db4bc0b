//! Keys, addresses, coins and payments: everything about holding and sending BLOOM but the chain itself.

pub mod book;
pub mod build;
mod contents;
mod error;
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
mod wallet_file;
pub mod watch;

pub use contents::Contents;
pub use error::BuildError;
pub use keys::{AccountPublic, KeyChain, KeyPath, Seed};
pub use message::MessageSignature;
pub use mnemonic::{WordCount, Words, WordsError};
pub use names::WalletName;
pub use node::{Node, Place, Waiting};
pub use random::NoRandomness;
pub use secrets::WalletKeys;
pub use uri::{PaymentUri, UriError};
pub use vault::{Cost, Vault, VaultError};
pub use wallet_file::{WalletFile, WalletFileError};

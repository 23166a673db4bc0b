//! The consensus law but for the oscillators themselves: pure functions over values, without disk, clock, randomness,
//! threads or floats.
//!
//! - Values: [`types`], [`Amount`], [`transaction`], [`Coinbase`], [`header`], [`Block`], each with its one encoding.
//! - Networks: [`Params`] with the three genesis blocks and parameter files, [`genesis`] for new ones, [`address`].
//! - Difficulty: [`difficulty`] retargets, [`ticket`] weighs a block, [`proof`] re-runs its attempt.
//! - [`rules`] split by what they may know: a value in isolation, a header in its ancestors' context, a block in the
//!   context of unspent outputs, a clock. [`error`] says what a violation condemns.
//! - [`Draft`] builds a block from its parent, for miners.
#![cfg_attr(
    not(test),
    deny(
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::iter_over_hash_type
    )
)]

pub mod address;
mod amount;
mod block;
pub mod codec;
mod coinbase;
pub mod constants;
pub mod difficulty;
mod draft;
pub mod error;
pub mod genesis;
mod hash;
pub mod header;
pub mod inclusion;
pub mod merkle;
pub mod network;
pub mod network_file;
pub mod payment_proof;
pub mod proof;
pub mod reward;
pub mod rules;
pub mod signing;
pub mod ticket;
pub mod transaction;
pub mod types;

pub use amount::{Amount, AmountError};
pub use block::{Block, Contents};
pub use bloom_kernel::{Difficulty, DifficultyOutOfRange, Seal};
pub use codec::DecodeError;
pub use coinbase::Coinbase;
pub use difficulty::{Ancestor, Ancestors, Retarget};
pub use draft::Draft;
pub use error::{CheckError, CopyFault, FalseProof, Rejection, RuleViolation, TransactionViolation};
pub use header::{Header, Parent, Template};
pub use inclusion::{MerklePath, PathError};
pub use network::Params;
pub use network_file::{NetworkFile, ParamsError};
pub use payment_proof::{Included, PaymentProof, PaymentProofError, Proven};
pub use rules::clock::ClockVerdict;
pub use rules::utxo::{BlockEffect, Coin, CoinView, Spending};
pub use transaction::{Body, Outpoint, Output, OutputKey, ShapeError, Transaction};
pub use types::{BlockHash, Challenge, Height, MerkleRoot, NetworkId, Timestamp, Txid, Work, Wtxid};

//! Why a transaction was not taken: one variant for every rule.

use bloom_consensus::{Amount, Outpoint, TransactionViolation, Txid, Wtxid};
use thiserror::Error;

use super::policy::{DUST_UNITS, MAX_CHAIN, MAX_CHAIN_BYTES, MAX_REPLACED, MAX_TRANSACTION_BYTES};
use crate::{FeeRate, StoreError};

/// Why the mempool did not take a transaction. All but [`AdmitError::Invalid`] and [`AdmitError::Store`] are policy: a
/// block may hold it all the same.
#[derive(Debug, Error)]
pub enum AdmitError {
    /// No block at the next height may hold it.
    #[error("no next block may hold it: {0}")]
    Invalid(#[from] TransactionViolation),
    /// One with the same body waits, under other signatures, which were found good.
    #[error("transaction {txid} waits already, with other signatures: got witness {got}, have {expected}")]
    OtherSignatures {
        /// The id of both.
        txid: Txid,
        /// Of what was handed in.
        got: Wtxid,
        /// Of what waits.
        expected: Wtxid,
    },
    /// Longer than what is relayed.
    #[error("transaction too long: got {got} bytes, expected at most {MAX_TRANSACTION_BYTES}; split it")]
    TooLong {
        /// Encoded bytes.
        got: usize,
    },
    /// An output that costs more to spend than it is worth.
    #[error("output {position} is dust: got {} units, expected at least {DUST_UNITS}; pay more or leave it to the fee", got.units())]
    Dust {
        /// Which output.
        position: u32,
        /// What it pays.
        got: Amount,
    },
    /// It pays too little for its bytes, at present.
    #[error("fee rate: got {got}, expected at least {} at present; offer a higher fee", expected.a_byte())]
    FeeRate {
        /// What it pays.
        got: FeeRate,
        /// What is asked: for relaying, or to be above what had to leave for lack of room.
        expected: FeeRate,
    },
    /// It stands on too many waiting transactions.
    #[error("it would stand on more than {} waiting transactions; wait for a block", MAX_CHAIN - 1)]
    TooManyAncestors,
    /// It and what it stands on are too long.
    #[error("it and what it stands on: got {got} bytes, expected at most {MAX_CHAIN_BYTES}; wait for a block")]
    AncestorBytes {
        /// Encoded bytes, its own included.
        got: u64,
    },
    /// Too many waiting transactions would stand on one.
    #[error(
        "{got} waiting transactions would stand on {ancestor}, itself included, expected at most {MAX_CHAIN}; wait for a block"
    )]
    TooManyDescendants {
        /// The one that carries them.
        ancestor: Txid,
        /// With this one.
        got: u32,
    },
    /// What stands on one would be too long.
    #[error(
        "what stands on {ancestor}: got {got} bytes, itself included, expected at most {MAX_CHAIN_BYTES}; wait for a block"
    )]
    DescendantBytes {
        /// The one that carries them.
        ancestor: Txid,
        /// With this one.
        got: u64,
    },
    /// A replacement removes too much.
    #[error("it would replace more than {MAX_REPLACED} waiting transactions; replace fewer at a time")]
    ReplacesTooMany,
    /// It spends what it would replace.
    #[error("it spends from {txid}, which it would replace")]
    SpendsReplaced {
        /// The parent.
        txid: Txid,
    },
    /// A replacement spends from a waiting transaction that none of the replaced spends from.
    #[error(
        "a replacement may not spend {outpoint}: it waits itself, and nothing replaced spends from it; use confirmed coins"
    )]
    NewUnconfirmedInput {
        /// The input.
        outpoint: Outpoint,
    },
    /// A replacement that does not pay for what it replaces and for itself.
    #[error(
        "replacement fee: got {got} BLOOM, expected at least {expected}, all that it replaces and its own relaying"
    )]
    ReplacementFee {
        /// What it pays.
        got: Amount,
        /// The fees of all that it removes and the relay minimum for its own bytes.
        expected: Amount,
    },
    /// A replacement that is worth less to a miner than what it replaces.
    #[error(
        "replacement fee rate: got {}, expected more than the {than} of {txid} and what stands on it", got.a_byte()
    )]
    ReplacementRate {
        /// What it pays, with what it stands on if the other did not stand on that and it pays less.
        got: FeeRate,
        /// What it must be above.
        than: FeeRate,
        /// What conflicts with it.
        txid: Txid,
    },
    /// It conflicts with what waits and came without the right to replace it: from a file or a branch that lost.
    #[error("{outpoint} is spent by {by}, which waits already")]
    Conflict {
        /// What both spend.
        outpoint: Outpoint,
        /// What waits.
        by: Txid,
    },
    /// There is no room, and all that waits pays more.
    #[error("the mempool is full of what pays more: got {}; offer a higher fee", got.a_byte())]
    Full {
        /// What it pays.
        got: FeeRate,
    },
    /// The files fail, not the transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
}

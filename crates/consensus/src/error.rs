//! What can be wrong with a block, one variant per rule, in types that say what it condemns (law §5 and §7).
//!
//! | type | condemns |
//! |---|---|
//! | [`CopyFault`] | this copy and its sender; the header may yet be good |
//! | [`RuleViolation`] | the header and all its descendants, for good |
//! | [`FalseProof`] | the same, and the peer that sent it at once |
//! | [`crate::ClockVerdict`] | nothing: it is a verdict on now, not an error |

use std::fmt;

use bloom_kernel::{Difficulty, Order};

use crate::codec::DecodeError;
use crate::{Amount, BlockHash, Height, MerkleRoot, Outpoint, OutputKey, Timestamp};

/// What is wrong with a message about a block, not with the block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyFault {
    /// Bytes that are not in the one encoding.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    /// A body that is not this header's.
    #[error("merkle root: the body's is {got}, the header's {expected}")]
    MerkleRoot {
        /// The root over the body that came.
        got: MerkleRoot,
        /// The root in the header.
        expected: MerkleRoot,
    },
    /// A certificate handed along that the re-run does not yield.
    #[error("certificate differs from the re-run at byte {at}")]
    Certificate {
        /// The first byte that differs, or the length of the shorter.
        at: usize,
    },
}

/// A seal whose attempt does not end as it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FalseProof {
    /// No bloom by the round claimed.
    #[error("false proof: no bloom by round {expected}, where one is claimed")]
    NoBloom {
        /// bloom_end as claimed.
        expected: u32,
    },
    /// A bloom before the round claimed.
    #[error("false proof: claims a bloom at round {got}, the attempt blooms at {expected}")]
    BloomEnd {
        /// bloom_end as claimed.
        got: u32,
        /// The attempt's.
        expected: u32,
    },
    /// Another mean field at bloom_end.
    #[error("false proof: claims (C, S) = ({}, {}), the attempt has ({}, {})", .got.cos, .got.sin, .expected.cos, .expected.sin)]
    Order {
        /// C and S as claimed.
        got: Order,
        /// The attempt's.
        expected: Order,
    },
    /// Another certificate.
    #[error("false proof: claims certificate {}, the attempt has {}", Hex(.got), Hex(.expected))]
    CertificateHash {
        /// certificate_hash as claimed.
        got: [u8; 32],
        /// The attempt's.
        expected: [u8; 32],
    },
}

/// A rule that a header, or a block whose body is its header's own, violates for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleViolation {
    /// bloom_end outside 6 … 5777.
    #[error("bloom_end out of range: got {got}, expected 6 to 5777")]
    BloomEnd {
        /// As in the seal.
        got: u32,
    },
    /// version ≠ 1.
    #[error("header version: got {got}, expected 1")]
    Version {
        /// As in the template.
        got: u32,
    },
    /// prev_hash is not the parent's hash.
    #[error("prev_hash: got {got}, expected {expected}")]
    PrevHash {
        /// As in the template.
        got: BlockHash,
        /// The parent's.
        expected: BlockHash,
    },
    /// height ≠ parent's + 1.
    #[error("height: got {got}, expected one above the parent's {parent}")]
    Height {
        /// As in the template.
        got: Height,
        /// The parent's.
        parent: Height,
    },
    /// nonce outside the 24 Lucas values.
    #[error("nonce: got {got}, expected one of the 24 Lucas nonces")]
    Nonce {
        /// As in the seal.
        got: u32,
    },
    /// Not the difficulty that the ancestors demand.
    #[error("difficulty: got {}/2^24, expected {}/2^24", .got.q24(), .expected.q24())]
    Difficulty {
        /// As in the template.
        got: Difficulty,
        /// By the network's retarget rule.
        expected: Difficulty,
    },
    /// timestamp ≤ parent's.
    #[error("timestamp: got {got}, expected more than the parent's {parent}")]
    Timestamp {
        /// As in the template.
        got: Timestamp,
        /// The parent's.
        parent: Timestamp,
    },
    /// U·D·5778 ≥ rounds·2²⁸⁰.
    #[error("ticket {hash} of {rounds} rounds does not meet difficulty {difficulty}")]
    Ticket {
        /// The block's hash.
        hash: BlockHash,
        /// bloom_end + 1.
        rounds: u32,
        /// As in the template.
        difficulty: Difficulty,
    },
    /// More than 1 MiB.
    #[error("block too long: got {got} bytes, expected at most {most}")]
    BlockTooLong {
        /// Encoded bytes.
        got: usize,
        /// [`crate::constants::MAX_BLOCK_BYTES`].
        most: usize,
    },
    /// The height in the coinbase is not the block's.
    #[error("coinbase height: got {got}, expected {expected}")]
    CoinbaseHeight {
        /// As in the coinbase.
        got: Height,
        /// As in the header.
        expected: Height,
    },
    /// A coinbase output of nothing.
    #[error("coinbase output {position}: got amount 0, expected more")]
    CoinbaseZeroOutput {
        /// Which output.
        position: u32,
    },
    /// A coinbase output that nobody could spend.
    #[error("coinbase output {position}: key {got} is not on the curve")]
    CoinbaseKeyNotOnCurve {
        /// Which output.
        position: u32,
        /// Its key.
        got: OutputKey,
    },
    /// Coinbase outputs of 2⁶⁴ units or more.
    #[error("sum of coinbase outputs: expected less than 2^64 units")]
    CoinbaseSum,
    /// Coinbase outputs above reward and fees.
    #[error("coinbase: got {got} BLOOM, expected at most {expected}, reward and fees")]
    CoinbaseAmount {
        /// Sum of its outputs.
        got: Amount,
        /// reward(h) + fees.
        expected: Amount,
    },
    /// Reward and fees of 2⁶⁴ units or more.
    #[error("sum of reward and fees: expected less than 2^64 units")]
    FeeSum,
    /// Two transactions of one block spend the same output.
    #[error("transaction {position}: {outpoint} is spent by an earlier transaction of the block")]
    DoubleSpend {
        /// Which transaction, from 0 after the coinbase.
        position: usize,
        /// What is spent again.
        outpoint: Outpoint,
    },
    /// A transaction that no block at this place may hold.
    #[error("transaction {position}: {violation}")]
    Transaction {
        /// Which transaction, from 0 after the coinbase.
        position: usize,
        /// What is wrong with it.
        #[source]
        violation: TransactionViolation,
    },
}

/// A rule that a transaction violates, by itself or against the outputs that it spends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionViolation {
    /// Inputs that do not ascend.
    #[error("input {position}: got {got}, expected one after {previous}")]
    InputsOutOfOrder {
        /// Which input.
        position: usize,
        /// Its outpoint.
        got: Outpoint,
        /// The one before it.
        previous: Outpoint,
    },
    /// The same outpoint twice (CVE-2018-17144).
    #[error("input {position}: {got} is spent twice")]
    DuplicateInput {
        /// Which input repeats the one before it.
        position: usize,
        /// Its outpoint.
        got: Outpoint,
    },
    /// An output of nothing.
    #[error("output {position}: got amount 0, expected more")]
    ZeroOutput {
        /// Which output.
        position: u32,
    },
    /// A key with x at or above the field's prime or off the curve.
    #[error("output {position}: key {got} is not on the curve")]
    KeyNotOnCurve {
        /// Which output (for a spent one: which input).
        position: u32,
        /// Its key.
        got: OutputKey,
    },
    /// Outputs of 2⁶⁴ units or more (CVE-2010-5139).
    #[error("sum of outputs: expected less than 2^64 units")]
    OutputSum,
    /// not_before above the height of the block.
    #[error("not_before: got a block at height {got}, expected {expected} or above")]
    NotBefore {
        /// The block's height.
        got: Height,
        /// not_before.
        expected: Height,
    },
    /// An output that does not exist on this branch, or no longer, or not yet.
    #[error("input {outpoint} does not exist or is spent on this branch")]
    MissingInput {
        /// What was to be spent.
        outpoint: Outpoint,
    },
    /// A coinbase's output before its time.
    #[error("input {outpoint}: coinbase spent at height {got}, expected {expected} or above")]
    Immature {
        /// What was to be spent.
        outpoint: Outpoint,
        /// The block's height.
        got: Height,
        /// The first height at which it may be spent.
        expected: Height,
    },
    /// Inputs of 2⁶⁴ units or more.
    #[error("sum of inputs: expected less than 2^64 units")]
    InputSum,
    /// Outputs above inputs.
    #[error("outputs: got {got} BLOOM, expected at most {expected}, the inputs")]
    Overspend {
        /// Sum of outputs.
        got: Amount,
        /// Sum of inputs.
        expected: Amount,
    },
    /// Not one spent output for each input.
    #[error("spent outputs: got {got}, expected {expected}, one for each input")]
    SpentCount {
        /// Outputs given.
        got: usize,
        /// Inputs.
        expected: usize,
    },
    /// A signature that is not the key's over this digest.
    #[error("input {position}: signature is not that of key {key}")]
    Signature {
        /// Which input.
        position: u32,
        /// The key that must have signed.
        key: OutputKey,
    },
}

/// Why a block was not taken, by what that condemns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// This copy and its sender.
    #[error(transparent)]
    Copy(#[from] CopyFault),
    /// The header and its descendants.
    #[error(transparent)]
    Rule(#[from] RuleViolation),
    /// The header and its descendants, and the peer.
    #[error(transparent)]
    Proof(#[from] FalseProof),
}

impl Rejection {
    /// Whether no block with this header can ever be valid. Otherwise another copy from another peer may be: forgetting
    /// the difference lets anybody censor a good block (attacks 16 and 20).
    #[must_use]
    pub fn condemns_header(&self) -> bool {
        match self {
            Self::Copy(_) => false,
            Self::Rule(_) | Self::Proof(_) => true,
        }
    }
}

/// A check that had to ask a store: either a rule is violated or the store had no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError<E> {
    /// The block's fault.
    #[error(transparent)]
    Rule(#[from] RuleViolation),
    /// The store's: nothing is known about the block.
    #[error("{0}")]
    Store(E),
}

struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

//! What a peer may be blamed for, and how much of it is too much.

use thiserror::Error;

use crate::wire::WireError;

/// The score at which a peer is banned.
pub const BAN_SCORE: u32 = 100;

/// What a peer did. A peer is blamed for what it served on request as validated and for what nobody honest sends, never for
/// what it may have been given itself (attacks 30).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Bytes that are no message.
    #[error("malformed message: {0}")]
    Malformed(WireError),
    /// A proof that is false. It costs its maker less than it costs to check.
    #[error("a header with a false proof")]
    FalseProof,
    /// A header that breaks a rule that needs no proof to see.
    #[error("an invalid header: {0}")]
    InvalidHeader(String),
    /// Headers that do not stand on each other or on what was asked for.
    #[error("headers that do not connect")]
    Unconnected,
    /// A block that was served whole, on request, and is of another root than its header's.
    #[error("an invalid block: {0}")]
    InvalidBlock(String),
    /// A transaction that no chain could hold.
    #[error("an invalid transaction: {0}")]
    InvalidTransaction(String),
    /// An answer to another question.
    #[error("an answer that was not asked for")]
    WrongAnswer,
    /// What it said it had, or must have, did not come in time.
    #[error("it stalled")]
    Stalled,
    /// More than a peer needs to say.
    #[error("too much: {0}")]
    Flood(&'static str),
    /// Anything before hello, or hello twice.
    #[error("it spoke out of turn")]
    OutOfTurn,
}

impl Fault {
    /// What it adds to a peer's score; [`BAN_SCORE`] bans.
    #[must_use]
    pub fn points(&self) -> u32 {
        match self {
            Self::Malformed(_) | Self::FalseProof | Self::InvalidHeader(_) | Self::InvalidBlock(_) => BAN_SCORE,
            Self::Unconnected | Self::WrongAnswer | Self::OutOfTurn => 20,
            Self::InvalidTransaction(_) | Self::Flood(_) => 10,
            Self::Stalled => 5,
        }
    }
}

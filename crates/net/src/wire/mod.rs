//! The messages, each with its bounds. A list is never longer than its bound says, whatever the bytes claim, and no more is
//! allocated than a small multiple of what was sent.

mod codec;
mod frame;
mod parts;
#[cfg(test)]
mod tests;

use bloom_consensus::constants::{MAX_BLOCK_BYTES, MIN_TRANSACTION_BYTES};
use bloom_consensus::{
    Block, BlockHash, Coinbase, DecodeError, Header, Height, NetworkId, Timestamp, Transaction, Work, Wtxid,
};
use thiserror::Error;

use crate::address::PeerAddr;

pub use frame::{
    ADDRESS_BYTES, FRAME_HEADER_BYTES, FrameHeader, MAX_GOODBYE_BYTES, MAX_HELLO_BYTES, Protocol, body_bound,
};

/// Most hashes in a locator: 10 in a row, then doubling steps back, reach 2⁶⁴ blocks with 74.
pub const MAX_LOCATOR: usize = 80;
/// Most headers in an answer (law: attacks 5).
pub const MAX_HEADERS: usize = 2_000;
/// Most headers in an announcement: a reorganisation of more is asked about.
pub const MAX_ANNOUNCED: usize = 8;
/// Most blocks asked for at a time.
pub const MAX_BLOCKS_ASKED: usize = 128;
/// Most bytes of blocks in an answer; the first block comes whatever its length.
pub const MAX_BLOCKS_BYTES: usize = 2 * MAX_BLOCK_BYTES;
/// Most transactions in a block, by their least length.
pub const MAX_BLOCK_TRANSACTIONS: usize = MAX_BLOCK_BYTES / MIN_TRANSACTION_BYTES;
/// Bytes of a short id.
pub const SHORT_ID_BYTES: usize = 6;
/// Most transaction ids in an announcement.
pub const MAX_TRANSACTIONS_ANNOUNCED: usize = 1_000;
/// Most transactions asked for at a time.
pub const MAX_TRANSACTIONS_ASKED: usize = 256;
/// Most bytes of transactions in an answer.
pub const MAX_TRANSACTIONS_BYTES: usize = MAX_BLOCK_BYTES;
/// Most addresses in an answer.
pub const MAX_ADDRESSES: usize = 256;
/// Most addresses told unasked.
pub const MAX_ADDRESSES_TOLD: usize = 10;
/// Most bytes of what a node calls itself.
pub const MAX_AGENT_BYTES: usize = 64;
/// The version of these messages.
pub const WIRE_VERSION: u32 = 1;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// A part that is not in its encoding.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A kind of message that there is not, or not here.
    #[error("kind of message: got {got}, expected one of this protocol's")]
    Kind {
        /// The byte.
        got: u8,
    },
    /// A message or list above its bound.
    #[error("{what} too long: got {got}, expected at most {most}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// As claimed.
        got: usize,
        /// The bound.
        most: usize,
    },
    /// A value that its place does not allow.
    #[error("{what}: {why}")]
    Value {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// The first thing said, by both: who dialled asks with it, the other answers with its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// [`WIRE_VERSION`] or later. A hello has the same layout in all versions.
    pub version: u32,
    /// Of another network: goodbye.
    pub network_id: NetworkId,
    /// The tip.
    pub tip: BlockHash,
    /// Its height, as claimed.
    pub height: Height,
    /// Its work, as claimed: whom to ask first, nothing else.
    pub work: Work,
    /// The sender's clock.
    pub time: Timestamp,
    /// Drawn once a process: a node that hears its own has dialled itself.
    pub nonce: u64,
    /// The port that it can be reached at, or 0.
    pub listen_port: u16,
    /// Whether it has every block since genesis.
    pub is_archive: bool,
    /// Software and version: at most [`MAX_AGENT_BYTES`] of printable ASCII.
    pub agent: String,
}

/// Why a hello was not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// Of another network.
    OtherNetwork(NetworkId),
    /// No room for another peer.
    Full,
    /// Kept out.
    Banned,
    /// It has dialled itself.
    Myself,
    /// Its messages are of a version that is not known here.
    Version(u32),
}

/// A block without what its receiver has: the proof, the new coins, and short ids of the transactions in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactBlock {
    /// The header.
    pub header: Header,
    /// What the short ids are keyed with, beside the block's hash.
    pub salt: u64,
    /// The coinbase, which nobody else has.
    pub coinbase: Coinbase,
    /// Of each transaction's wtxid.
    pub short_ids: Vec<[u8; SHORT_ID_BYTES]>,
}

/// An address as peers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAddress {
    /// Where.
    pub address: PeerAddr,
    /// When it was last seen there, by whoever tells.
    pub seen: Timestamp,
}

/// What wants an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// See [`Hello`]; answered by [`Response::Hello`] or [`Response::Goodbye`]. Spoken under a name that all networks share.
    Hello(Hello),
    /// The headers after the first hash of the locator that is on the chain of who is asked; answered by
    /// [`Response::Headers`].
    Headers {
        /// From the asker's tip back, at most [`MAX_LOCATOR`].
        locator: Vec<BlockHash>,
    },
    /// Whole blocks; answered by [`Response::Blocks`].
    Blocks {
        /// At most [`MAX_BLOCKS_ASKED`].
        hashes: Vec<BlockHash>,
    },
    /// A compact block; answered by [`Response::Compact`].
    Compact {
        /// Which.
        hash: BlockHash,
    },
    /// Transactions of a block by position; answered by [`Response::Transactions`], all of them or none.
    BlockTransactions {
        /// Which block.
        hash: BlockHash,
        /// Ascending, at most [`MAX_BLOCK_TRANSACTIONS`].
        positions: Vec<u32>,
    },
    /// Transactions that wait; answered by [`Response::Transactions`] with those that are known, in this order.
    Transactions {
        /// At most [`MAX_TRANSACTIONS_ASKED`].
        wtxids: Vec<Wtxid>,
    },
    /// Addresses; answered by [`Response::Addresses`].
    Addresses,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Welcome.
    Hello(Hello),
    /// Not welcome.
    Goodbye(Goodbye),
    /// At most [`MAX_HEADERS`], each on the one before.
    Headers(Vec<Header>),
    /// A beginning of what was asked for, in order; it ends before the first that is not had and at
    /// [`MAX_BLOCKS_BYTES`].
    Blocks(Vec<Block>),
    /// The block.
    Compact(Box<CompactBlock>),
    /// At most [`MAX_TRANSACTIONS_BYTES`] of them.
    Transactions(Vec<Transaction>),
    /// At most [`MAX_ADDRESSES`].
    Addresses(Vec<KnownAddress>),
    /// It is not had.
    NotFound,
    /// Not now: the asker has used up what it is given.
    Busy,
}

/// What wants no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// New blocks on the sender's chain, each on the one before: 1 to [`MAX_ANNOUNCED`].
    Blocks(Vec<Header>),
    /// A new block.
    Compact(Box<CompactBlock>),
    /// Transactions that wait at the sender's: 1 to [`MAX_TRANSACTIONS_ANNOUNCED`].
    Transactions(Vec<Wtxid>),
    /// Addresses: 1 to [`MAX_ADDRESSES_TOLD`].
    Addresses(Vec<KnownAddress>),
    /// Whether the sender wants new blocks compact at once, rather than their headers.
    PushBlocks(bool),
}

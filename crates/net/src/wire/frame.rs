//! Frames: what is known of a message before a byte of its body is read.

use bloom_consensus::constants::{HEADER_BYTES, MAX_BLOCK_BYTES};

use super::{
    MAX_ADDRESSES, MAX_ADDRESSES_TOLD, MAX_ANNOUNCED, MAX_BLOCK_TRANSACTIONS, MAX_BLOCKS_ASKED, MAX_BLOCKS_BYTES,
    MAX_HEADERS, MAX_LOCATOR, MAX_TRANSACTIONS_ANNOUNCED, MAX_TRANSACTIONS_ASKED, MAX_TRANSACTIONS_BYTES, WireError,
};

/// Bytes before a body: kind ‖ length, the length a u32, little-endian.
pub const FRAME_HEADER_BYTES: usize = 5;
/// Most bytes of a hello.
pub const MAX_HELLO_BYTES: usize = 256;
/// Most bytes of a goodbye.
pub const MAX_GOODBYE_BYTES: usize = 64;
/// Bytes of an address: IPv6 or IPv4-mapped ‖ port ‖ seen.
pub const ADDRESS_BYTES: usize = 16 + 2 + 8;

pub(super) const COUNT_BYTES: usize = 4;
pub(super) const HASH_BYTES: usize = 32;
pub(super) const SALT_BYTES: usize = 8;

/// The bytes that say what a body is.
pub(super) mod kind {
    pub(in crate::wire) const HELLO: u8 = 0x00;
    pub(in crate::wire) const GOODBYE: u8 = 0x01;
    pub(in crate::wire) const ASK_HEADERS: u8 = 0x10;
    pub(in crate::wire) const ASK_BLOCKS: u8 = 0x11;
    pub(in crate::wire) const ASK_COMPACT: u8 = 0x12;
    pub(in crate::wire) const ASK_BLOCK_TRANSACTIONS: u8 = 0x13;
    pub(in crate::wire) const ASK_TRANSACTIONS: u8 = 0x14;
    pub(in crate::wire) const ASK_ADDRESSES: u8 = 0x15;
    pub(in crate::wire) const NOTE_BLOCKS: u8 = 0x40;
    pub(in crate::wire) const NOTE_COMPACT: u8 = 0x41;
    pub(in crate::wire) const NOTE_TRANSACTIONS: u8 = 0x42;
    pub(in crate::wire) const NOTE_ADDRESSES: u8 = 0x43;
    pub(in crate::wire) const NOTE_PUSH_BLOCKS: u8 = 0x44;
    pub(in crate::wire) const HEADERS: u8 = 0x90;
    pub(in crate::wire) const BLOCKS: u8 = 0x91;
    pub(in crate::wire) const COMPACT: u8 = 0x92;
    pub(in crate::wire) const TRANSACTIONS: u8 = 0x93;
    pub(in crate::wire) const ADDRESSES: u8 = 0x95;
    pub(in crate::wire) const NOT_FOUND: u8 = 0xf0;
    pub(in crate::wire) const BUSY: u8 = 0xf1;
}

/// What is spoken on a substream, and in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Hello and its answer: a hello or a goodbye.
    Hello,
    /// What wants an answer.
    Ask,
    /// An answer to it.
    Answer,
    /// What wants none.
    Note,
}

/// What stands before a body, within its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Of the message.
    pub kind: u8,
    /// Bytes of the body that follows, at most [`body_bound`].
    pub length: usize,
}

impl FrameHeader {
    /// Reads what stands before a body.
    ///
    /// # Errors
    /// [`WireError::Kind`] and [`WireError::TooLong`].
    pub fn parse(bytes: [u8; FRAME_HEADER_BYTES], protocol: Protocol) -> Result<Self, WireError> {
        let [kind, length @ ..] = bytes;
        let most = body_bound(protocol, kind)?;
        let got = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        at_most("message", got, most)?;
        Ok(Self { kind, length: got })
    }
}

/// Most bytes of a body, before a byte of it is read.
///
/// # Errors
/// [`WireError::Kind`] for what this protocol does not carry.
pub fn body_bound(protocol: Protocol, kind: u8) -> Result<usize, WireError> {
    let bound = match (protocol, kind) {
        (Protocol::Hello, kind::HELLO) => MAX_HELLO_BYTES,
        (Protocol::Hello, kind::GOODBYE) => MAX_GOODBYE_BYTES,
        (Protocol::Ask, kind::ASK_HEADERS) => list_bound(MAX_LOCATOR, HASH_BYTES),
        (Protocol::Ask, kind::ASK_BLOCKS) => list_bound(MAX_BLOCKS_ASKED, HASH_BYTES),
        (Protocol::Ask, kind::ASK_COMPACT) => HASH_BYTES,
        (Protocol::Ask, kind::ASK_BLOCK_TRANSACTIONS) => HASH_BYTES + list_bound(MAX_BLOCK_TRANSACTIONS, 4),
        (Protocol::Ask, kind::ASK_TRANSACTIONS) => list_bound(MAX_TRANSACTIONS_ASKED, HASH_BYTES),
        (Protocol::Ask, kind::ASK_ADDRESSES) => 0,
        (Protocol::Answer, kind::HEADERS) => list_bound(MAX_HEADERS, HEADER_BYTES),
        (Protocol::Answer, kind::BLOCKS) => list_bound(MAX_BLOCKS_ASKED, COUNT_BYTES) + MAX_BLOCKS_BYTES,
        // The longest has no transactions and a coinbase that fills its block: a short id is less than what it is for.
        (Protocol::Answer, kind::COMPACT) | (Protocol::Note, kind::NOTE_COMPACT) => MAX_BLOCK_BYTES + SALT_BYTES,
        (Protocol::Answer, kind::TRANSACTIONS) => COUNT_BYTES + MAX_TRANSACTIONS_BYTES,
        (Protocol::Answer, kind::ADDRESSES) => list_bound(MAX_ADDRESSES, ADDRESS_BYTES),
        (Protocol::Answer, kind::NOT_FOUND | kind::BUSY) => 0,
        (Protocol::Note, kind::NOTE_BLOCKS) => list_bound(MAX_ANNOUNCED, HEADER_BYTES),
        (Protocol::Note, kind::NOTE_TRANSACTIONS) => list_bound(MAX_TRANSACTIONS_ANNOUNCED, HASH_BYTES),
        (Protocol::Note, kind::NOTE_ADDRESSES) => list_bound(MAX_ADDRESSES_TOLD, ADDRESS_BYTES),
        (Protocol::Note, kind::NOTE_PUSH_BLOCKS) => 1,
        (_, got) => return Err(WireError::Kind { got }),
    };
    Ok(bound)
}

pub(super) fn at_most(what: &'static str, got: usize, most: usize) -> Result<(), WireError> {
    if got > most {
        return Err(WireError::TooLong { what, got, most });
    }
    Ok(())
}

const fn list_bound(most: usize, item_bytes: usize) -> usize {
    COUNT_BYTES + most * item_bytes
}

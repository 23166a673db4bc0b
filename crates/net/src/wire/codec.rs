//! Bytes to messages and back: one encoding for a message, nothing left over, nothing allocated for what was not sent.

use bloom_consensus::codec::{Reader, count_bytes};
use bloom_consensus::constants::{HEADER_BYTES, MAX_BLOCK_BYTES, MIN_TRANSACTION_BYTES};
use bloom_consensus::{Block, BlockHash, Header, Transaction, Wtxid};

use super::frame::{ADDRESS_BYTES, COUNT_BYTES, FRAME_HEADER_BYTES, HASH_BYTES, at_most, kind};
use super::parts::{list_len, not_empty, read_flag, read_list, write_list};
use super::{
    CompactBlock, Goodbye, Hello, KnownAddress, MAX_ADDRESSES, MAX_ADDRESSES_TOLD, MAX_ANNOUNCED,
    MAX_BLOCK_TRANSACTIONS, MAX_BLOCKS_ASKED, MAX_BLOCKS_BYTES, MAX_HEADERS, MAX_LOCATOR, MAX_TRANSACTIONS_ANNOUNCED,
    MAX_TRANSACTIONS_ASKED, MAX_TRANSACTIONS_BYTES, Note, Request, Response, WireError,
};

/// Bytes of a block without transactions and coins, behind its length.
const MIN_BLOCK_BYTES: usize = COUNT_BYTES + HEADER_BYTES + 20 + COUNT_BYTES;

/// What every kind of message has in common: frames around its bodies.
macro_rules! framed {
    ($message:ident, $what:literal) => {
        impl $message {
            /// The whole frame: kind ‖ length ‖ body.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                frame(self.kind(), self.body_len(), |out| self.write(out))
            }

            /// Bytes of the whole frame.
            #[must_use]
            pub fn encoded_len(&self) -> usize {
                FRAME_HEADER_BYTES.saturating_add(self.body_len())
            }

            /// Reads a body, all of it. Which protocol may carry the kind is for [`super::body_bound`] to say.
            ///
            /// # Errors
            /// [`WireError`] for anything but the one encoding of such a message within its bounds.
            pub fn decode(kind: u8, body: &[u8]) -> Result<Self, WireError> {
                let mut reader = Reader::new(body);
                let message = Self::read(kind, &mut reader)?;
                reader.finish($what)?;
                Ok(message)
            }
        }
    };
}

framed!(Note, "note");
framed!(Request, "request");
framed!(Response, "answer");

impl Note {
    fn kind(&self) -> u8 {
        match self {
            Self::Blocks(_) => kind::NOTE_BLOCKS,
            Self::Compact(_) => kind::NOTE_COMPACT,
            Self::Transactions(_) => kind::NOTE_TRANSACTIONS,
            Self::Addresses(_) => kind::NOTE_ADDRESSES,
            Self::PushBlocks(_) => kind::NOTE_PUSH_BLOCKS,
        }
    }

    fn body_len(&self) -> usize {
        match self {
            Self::Blocks(headers) => list_len(headers.len(), HEADER_BYTES),
            Self::Compact(compact) => compact.body_len(),
            Self::Transactions(wtxids) => list_len(wtxids.len(), HASH_BYTES),
            Self::Addresses(addresses) => list_len(addresses.len(), ADDRESS_BYTES),
            Self::PushBlocks(_) => 1,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Blocks(headers) => write_list(out, headers.iter().map(Header::to_bytes)),
            Self::Compact(compact) => compact.write(out),
            Self::Transactions(wtxids) => write_list(out, wtxids.iter().map(|wtxid| wtxid.0)),
            Self::Addresses(addresses) => write_list(out, addresses.iter().map(|address| address.to_bytes())),
            Self::PushBlocks(wanted) => out.push(u8::from(*wanted)),
        }
    }

    fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match kind {
            kind::NOTE_BLOCKS => Ok(Self::Blocks(not_empty("new block", read_headers(reader, MAX_ANNOUNCED)?)?)),
            kind::NOTE_COMPACT => Ok(Self::Compact(Box::new(CompactBlock::read(reader)?))),
            kind::NOTE_TRANSACTIONS => {
                let wtxids = read_hashes(reader, "new transaction", MAX_TRANSACTIONS_ANNOUNCED, Wtxid)?;
                Ok(Self::Transactions(not_empty("new transaction", wtxids)?))
            }
            kind::NOTE_ADDRESSES => {
                Ok(Self::Addresses(not_empty("address", read_addresses(reader, MAX_ADDRESSES_TOLD)?)?))
            }
            kind::NOTE_PUSH_BLOCKS => Ok(Self::PushBlocks(read_flag(reader, "push of blocks")?)),
            got => Err(WireError::Kind { got }),
        }
    }
}

impl Request {
    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => kind::HELLO,
            Self::Headers { .. } => kind::ASK_HEADERS,
            Self::Blocks { .. } => kind::ASK_BLOCKS,
            Self::Compact { .. } => kind::ASK_COMPACT,
            Self::BlockTransactions { .. } => kind::ASK_BLOCK_TRANSACTIONS,
            Self::Transactions { .. } => kind::ASK_TRANSACTIONS,
            Self::Addresses => kind::ASK_ADDRESSES,
        }
    }

    fn body_len(&self) -> usize {
        match self {
            Self::Hello(hello) => hello.body_len(),
            Self::Headers { locator: hashes } | Self::Blocks { hashes } => list_len(hashes.len(), HASH_BYTES),
            Self::Compact { .. } => HASH_BYTES,
            Self::BlockTransactions { positions, .. } => HASH_BYTES.saturating_add(list_len(positions.len(), 4)),
            Self::Transactions { wtxids } => list_len(wtxids.len(), HASH_BYTES),
            Self::Addresses => 0,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => hello.write(out),
            Self::Headers { locator: hashes } | Self::Blocks { hashes } => {
                write_list(out, hashes.iter().map(|hash| hash.0));
            }
            Self::Compact { hash } => out.extend(hash.0),
            Self::BlockTransactions { hash, positions } => {
                out.extend(hash.0);
                write_list(out, positions.iter().map(|position| position.to_le_bytes()));
            }
            Self::Transactions { wtxids } => write_list(out, wtxids.iter().map(|wtxid| wtxid.0)),
            Self::Addresses => {}
        }
    }

    fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match kind {
            kind::HELLO => Ok(Self::Hello(Hello::read(reader)?)),
            kind::ASK_HEADERS => Ok(Self::Headers { locator: read_hashes(reader, "locator", MAX_LOCATOR, BlockHash)? }),
            kind::ASK_BLOCKS => {
                Ok(Self::Blocks { hashes: read_hashes(reader, "block hash", MAX_BLOCKS_ASKED, BlockHash)? })
            }
            kind::ASK_COMPACT => Ok(Self::Compact { hash: BlockHash(reader.array("block hash")?) }),
            kind::ASK_BLOCK_TRANSACTIONS => {
                let hash = BlockHash(reader.array("block hash")?);
                Ok(Self::BlockTransactions { hash, positions: read_positions(reader)? })
            }
            kind::ASK_TRANSACTIONS => {
                Ok(Self::Transactions { wtxids: read_hashes(reader, "wtxid", MAX_TRANSACTIONS_ASKED, Wtxid)? })
            }
            kind::ASK_ADDRESSES => Ok(Self::Addresses),
            got => Err(WireError::Kind { got }),
        }
    }
}

impl Response {
    fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => kind::HELLO,
            Self::Goodbye(_) => kind::GOODBYE,
            Self::Headers(_) => kind::HEADERS,
            Self::Blocks(_) => kind::BLOCKS,
            Self::Compact(_) => kind::COMPACT,
            Self::Transactions(_) => kind::TRANSACTIONS,
            Self::Addresses(_) => kind::ADDRESSES,
            Self::NotFound => kind::NOT_FOUND,
            Self::Busy => kind::BUSY,
        }
    }

    fn body_len(&self) -> usize {
        match self {
            Self::Hello(hello) => hello.body_len(),
            Self::Goodbye(goodbye) => goodbye.body_len(),
            Self::Headers(headers) => list_len(headers.len(), HEADER_BYTES),
            Self::Blocks(blocks) => {
                blocks.iter().map(Block::encoded_len).fold(list_len(blocks.len(), COUNT_BYTES), usize::saturating_add)
            }
            Self::Compact(compact) => compact.body_len(),
            Self::Transactions(transactions) => {
                transactions.iter().map(Transaction::encoded_len).fold(COUNT_BYTES, usize::saturating_add)
            }
            Self::Addresses(addresses) => list_len(addresses.len(), ADDRESS_BYTES),
            Self::NotFound | Self::Busy => 0,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => hello.write(out),
            Self::Goodbye(goodbye) => goodbye.write(out),
            Self::Headers(headers) => write_list(out, headers.iter().map(Header::to_bytes)),
            Self::Blocks(blocks) => {
                out.extend(count_bytes(blocks.len()));
                for block in blocks {
                    let bytes = block.encode();
                    out.extend(count_bytes(bytes.len()));
                    out.extend(bytes);
                }
            }
            Self::Compact(compact) => compact.write(out),
            Self::Transactions(transactions) => {
                out.extend(count_bytes(transactions.len()));
                for transaction in transactions {
                    transaction.write(out);
                }
            }
            Self::Addresses(addresses) => write_list(out, addresses.iter().map(|address| address.to_bytes())),
            Self::NotFound | Self::Busy => {}
        }
    }

    fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match kind {
            kind::HELLO => Ok(Self::Hello(Hello::read(reader)?)),
            kind::GOODBYE => Ok(Self::Goodbye(Goodbye::read(reader)?)),
            kind::HEADERS => Ok(Self::Headers(read_headers(reader, MAX_HEADERS)?)),
            kind::BLOCKS => Ok(Self::Blocks(read_blocks(reader)?)),
            kind::COMPACT => Ok(Self::Compact(Box::new(CompactBlock::read(reader)?))),
            kind::TRANSACTIONS => Ok(Self::Transactions(read_transactions(reader)?)),
            kind::ADDRESSES => Ok(Self::Addresses(read_addresses(reader, MAX_ADDRESSES)?)),
            kind::NOT_FOUND => Ok(Self::NotFound),
            kind::BUSY => Ok(Self::Busy),
            got => Err(WireError::Kind { got }),
        }
    }
}

fn frame(kind: u8, body_len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(FRAME_HEADER_BYTES.saturating_add(body_len));
    out.push(kind);
    out.extend(count_bytes(body_len));
    write(&mut out);
    out
}

fn read_headers(reader: &mut Reader<'_>, most: usize) -> Result<Vec<Header>, WireError> {
    read_list(reader, "header", HEADER_BYTES, most, |reader| Ok(Header::read(reader)?))
}

fn read_addresses(reader: &mut Reader<'_>, most: usize) -> Result<Vec<KnownAddress>, WireError> {
    read_list(reader, "address", ADDRESS_BYTES, most, KnownAddress::read)
}

fn read_hashes<T>(
    reader: &mut Reader<'_>,
    what: &'static str,
    most: usize,
    hash: fn([u8; HASH_BYTES]) -> T,
) -> Result<Vec<T>, WireError> {
    read_list(reader, what, HASH_BYTES, most, |reader| Ok(hash(reader.array(what)?)))
}

/// Ascending, so that none is asked for twice.
fn read_positions(reader: &mut Reader<'_>) -> Result<Vec<u32>, WireError> {
    let what = "position";
    let mut least = 0;
    read_list(reader, what, 4, MAX_BLOCK_TRANSACTIONS, |reader| {
        let position = reader.u32(what)?;
        if position < least {
            return Err(WireError::Value { what, why: "not above the one before" });
        }
        if usize::try_from(position).is_ok_and(|position| position >= MAX_BLOCK_TRANSACTIONS) {
            return Err(WireError::Value { what, why: "beyond what fits in a block" });
        }
        least = position + 1;
        Ok(position)
    })
}

fn read_blocks(reader: &mut Reader<'_>) -> Result<Vec<Block>, WireError> {
    let mut sum: usize = 0;
    read_list(reader, "block", MIN_BLOCK_BYTES, MAX_BLOCKS_ASKED, |reader| {
        let length = reader.count("block bytes", 1)?;
        at_most("block", length, MAX_BLOCK_BYTES)?;
        sum = sum.saturating_add(length);
        at_most("blocks of an answer", sum, MAX_BLOCKS_BYTES)?;
        Ok(Block::decode(reader.bytes("block", length)?)?)
    })
}

fn read_transactions(reader: &mut Reader<'_>) -> Result<Vec<Transaction>, WireError> {
    let mut sum: usize = 0;
    read_list(reader, "transaction", MIN_TRANSACTION_BYTES, MAX_BLOCK_TRANSACTIONS, |reader| {
        let transaction = Transaction::read(reader)?;
        sum = sum.saturating_add(transaction.encoded_len());
        at_most("transactions of an answer", sum, MAX_TRANSACTIONS_BYTES)?;
        Ok(transaction)
    })
}

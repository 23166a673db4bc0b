//! How rows are written: fixed widths, little-endian in values, big-endian in keys.

use bloom_consensus::constants::{HEADER_BYTES, MAX_BLOCK_BYTES, OUTPUT_BYTES};
use bloom_consensus::{BlockHash, Coin, Header, Height, Outpoint, Output, Txid, Work};

/// A number as a key: sorts as the number does.
pub(crate) fn be64(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The inverse of [`be64`].
pub(crate) fn number(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// What is known of a header, with or without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The header.
    pub(crate) header: Header,
    /// The work of the branch from genesis to this block.
    pub(crate) work: Work,
    /// Its place in the order in which blocks were taken.
    pub(crate) arrival: u64,
    /// It or an ancestor has an invalid body: condemned for good (law §7).
    pub(crate) condemned: bool,
    /// The operator marked it: neither it nor what stands on it is followed until the mark is taken back.
    pub(crate) invalidated: bool,
    /// An ancestor of it is marked so.
    pub(crate) shunned: bool,
}

/// The bits of an entry's last byte. Format 1 knew the first alone.
const CONDEMNED: u8 = 1;
const INVALIDATED: u8 = 2;
const SHUNNED: u8 = 4;

impl Entry {
    const BYTES: usize = HEADER_BYTES + 32 + 8 + 1;

    /// The block's height.
    pub(crate) fn height(&self) -> Height {
        self.header.template.height
    }

    /// Whether its branch may be the chain, as far as is known.
    pub(crate) fn may_be_followed(&self) -> bool {
        !self.condemned && !self.is_marked()
    }

    /// Whether the operator has marked it or an ancestor of it.
    pub(crate) fn is_marked(&self) -> bool {
        self.invalidated || self.shunned
    }

    /// header ‖ work ‖ arrival ‖ bits: condemned, invalidated, shunned.
    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (header, rest) = bytes.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&self.header.to_bytes());
        let (work, rest) = rest.split_at_mut(32);
        work.copy_from_slice(&self.work.to_be_bytes());
        let (arrival, bits) = rest.split_at_mut(8);
        arrival.copy_from_slice(&self.arrival.to_le_bytes());
        let flags = [(self.condemned, CONDEMNED), (self.invalidated, INVALIDATED), (self.shunned, SHUNNED)];
        bits.fill(flags.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum());
        bytes
    }

    /// The inverse of [`Entry::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk()?;
        let (work, rest) = rest.split_first_chunk()?;
        let (arrival, rest) = rest.split_first_chunk()?;
        let bits = match *rest {
            [bits] if bits & !(CONDEMNED | INVALIDATED | SHUNNED) == 0 => bits,
            _ => return None,
        };
        Some(Self {
            header: Header::from_bytes(header).ok()?,
            work: Work::from_be_bytes(*work),
            arrival: u64::from_le_bytes(*arrival),
            condemned: bits & CONDEMNED != 0,
            invalidated: bits & INVALIDATED != 0,
            shunned: bits & SHUNNED != 0,
        })
    }
}

/// Opens every stored body, so that a damaged file can be searched for them byte by byte. The last byte is
/// the version of this layout.
pub(super) const MAGIC: &[u8; 16] = b"\xb1\x00mcoin block\xf0\x0d\x01";

/// A body as it is stored: magic ‖ arrival ‖ length ‖ checksum of arrival and block ‖ block.
pub(crate) struct Record {
    /// The block's place in the order of arrivals.
    pub(crate) arrival: u64,
    /// The block in its one encoding.
    pub(crate) block: Vec<u8>,
}

impl Record {
    pub(super) const HEAD_BYTES: usize = MAGIC.len() + 8 + 4 + 32;

    /// The record of a block.
    pub(crate) fn encode(arrival: u64, block: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::HEAD_BYTES + block.len());
        bytes.extend(MAGIC);
        bytes.extend(arrival.to_le_bytes());
        bytes.extend(u32::try_from(block.len()).expect("a block is at most 1 MiB").to_le_bytes());
        bytes.extend(Self::checksum(arrival, block));
        bytes.extend(block);
        bytes
    }

    /// The length that a record's head tells, if it is one.
    pub(super) fn body_len(head: &[u8]) -> Option<usize> {
        let rest = head.strip_prefix(MAGIC)?.get(8..)?;
        let len = usize::try_from(u32::from_le_bytes(*rest.first_chunk()?)).ok()?;
        (len <= MAX_BLOCK_BYTES).then_some(len)
    }

    /// Reads a record that fills `bytes` exactly; none if a single bit is wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let len = Self::body_len(bytes)?;
        let (arrival, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (checksum, block) = rest.split_first_chunk::<32>()?;
        let arrival = u64::from_le_bytes(*arrival);
        (block.len() == len && *checksum == Self::checksum(arrival, block))
            .then(|| Self { arrival, block: block.to_vec() })
    }

    fn checksum(arrival: u64, block: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("bloomcoin v1 stored block");
        hasher.update(&arrival.to_le_bytes()).update(block);
        *hasher.finalize().as_bytes()
    }
}

const COIN_BYTES: usize = OUTPUT_BYTES + 8 + 1;
const OUTPOINT_BYTES: usize = 32 + 4;

/// txid ‖ index, which sorts as outpoints do.
pub(crate) fn outpoint_key(outpoint: &Outpoint) -> [u8; OUTPOINT_BYTES] {
    let mut key = [0; OUTPOINT_BYTES];
    let (txid, index) = key.split_at_mut(32);
    txid.copy_from_slice(&outpoint.txid.0);
    index.copy_from_slice(&outpoint.index.to_be_bytes());
    key
}

/// The outpoint of a key.
pub(crate) fn decode_outpoint(key: &[u8; OUTPOINT_BYTES]) -> Option<Outpoint> {
    let (txid, index) = key.split_first_chunk()?;
    Some(Outpoint { txid: Txid(*txid), index: u32::from_be_bytes(index.try_into().ok()?) })
}

/// output ‖ height ‖ whether a coinbase made it.
pub(crate) fn encode_coin(coin: &Coin) -> [u8; COIN_BYTES] {
    let mut bytes = [0; COIN_BYTES];
    let (output, rest) = bytes.split_at_mut(OUTPUT_BYTES);
    output.copy_from_slice(&coin.output.to_bytes());
    let (height, coinbase) = rest.split_at_mut(8);
    height.copy_from_slice(&coin.height.0.to_le_bytes());
    coinbase.fill(u8::from(coin.is_coinbase));
    bytes
}

/// The inverse of [`encode_coin`].
pub(crate) fn decode_coin(bytes: &[u8]) -> Option<Coin> {
    let (output, rest) = bytes.split_first_chunk::<OUTPUT_BYTES>()?;
    let (height, coinbase) = rest.split_first_chunk()?;
    let is_coinbase = match coinbase {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    let height = Height(u64::from_le_bytes(*height));
    Some(Coin { output: Output::from_bytes(output), height, is_coinbase })
}

/// What a block of the active branch spent: enough, with its body, to disconnect it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    /// The block, so that a record can't be taken for another's.
    pub(crate) block: BlockHash,
    /// The coins as they were.
    pub(crate) spent: Vec<(Outpoint, Coin)>,
}

impl Undo {
    const ROW_BYTES: usize = OUTPOINT_BYTES + COIN_BYTES;

    /// block ‖ rows of outpoint and coin.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.block.0.to_vec();
        for (outpoint, coin) in &self.spent {
            bytes.extend(outpoint_key(outpoint));
            bytes.extend(encode_coin(coin));
        }
        bytes
    }

    /// The inverse of [`Undo::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (block, rows) = bytes.split_first_chunk()?;
        let (rows, trailing) = rows.as_chunks::<{ Self::ROW_BYTES }>();
        let row = |row: &[u8; Self::ROW_BYTES]| {
            let (outpoint, coin) = row.split_first_chunk()?;
            Some((decode_outpoint(outpoint)?, decode_coin(coin)?))
        };
        let spent = rows.iter().map(row).collect::<Option<_>>()?;
        trailing.is_empty().then_some(Self { block: BlockHash(*block), spent })
    }
}

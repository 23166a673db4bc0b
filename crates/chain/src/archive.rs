//! Archives: a line of blocks in one stream, to be carried to another machine and judged there anew.
//!
//! An archive is a heading and then one record for each block, from a height on, parents before children:
//!
//! ```text
//! heading = magic 16 ‖ version u32 = 1 ‖ network_id 32 ‖ first height u64 ‖ count u64 ‖ checksum 32
//! record  = length u32 ‖ checksum 32 ‖ block
//! ```
//!
//! Numbers are little-endian. The heading's checksum is over all before it, a record's over the block's height and the
//! block. Nothing follows the last record. Reader and writer hold one block at a time.

use std::io::{self, Read, Write};

use bloom_consensus::constants::{HEADER_BYTES, MAX_BLOCK_BYTES};
use bloom_consensus::{DecodeError, Height, NetworkId};
use thiserror::Error;

const MAGIC: &[u8; 16] = b"\xb1\x00mcoin chain\r\n\x1a";
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;
const HEADING_BYTES: usize = MAGIC.len() + 4 + 32 + 8 + 8;

/// A stream that is no archive of this network, or not a whole one.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It begins otherwise.
    #[error("not an archive of blocks; expected what `bloom chain export` wrote")]
    NotAnArchive,
    /// A later program wrote it.
    #[error("the archive has version {got}, this program knows up to {VERSION}; update the program")]
    NewerVersion {
        /// The version in it.
        got: u32,
    },
    /// It holds another network's blocks.
    #[error("the archive is of network {got}, expected {expected}; choose the network that it was exported from")]
    OtherNetwork {
        /// The network id in it.
        got: NetworkId,
        /// The network id asked for.
        expected: NetworkId,
    },
    /// Its heading is not what was written.
    #[error("the archive's heading is damaged; export it again")]
    HeadingDamaged,
    /// It ends too early.
    #[error("the archive ends within the block at height {height}, expected {expected} blocks more; copy it again")]
    Truncated {
        /// The first height that is not wholly there.
        height: Height,
        /// Blocks missing, that one included.
        expected: u64,
    },
    /// A length that no block has.
    #[error(
        "the archive is damaged at height {height}: a block of {got} bytes, expected {HEADER_BYTES} to {MAX_BLOCK_BYTES}; copy it again"
    )]
    Length {
        /// The height of the record.
        height: Height,
        /// Its length.
        got: u32,
    },
    /// A record is not what was written.
    #[error("the archive is damaged at height {height}: got another block than was exported; copy it again")]
    Damaged {
        /// The height of the record.
        height: Height,
    },
    /// What was written there is no block.
    #[error("the archive has no block at height {height}: {source}; export it again")]
    NotABlock {
        /// The height of the record.
        height: Height,
        /// Why.
        source: DecodeError,
    },
    /// Something follows the last block.
    #[error("the archive goes on after its last block; copy it again")]
    Trailing,
    /// The system's failure.
    #[error("the archive cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

/// What an archive says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Whose blocks.
    pub network_id: NetworkId,
    /// The height of the first block.
    pub first: Height,
    /// How many blocks.
    pub count: u64,
}

impl Heading {
    fn encode(&self) -> [u8; HEADING_BYTES] {
        let Self { network_id, first, count } = self;
        let parts: [&[u8]; 5] =
            [MAGIC, &VERSION.to_le_bytes(), &network_id.0, &first.0.to_le_bytes(), &count.to_le_bytes()];
        parts.concat().try_into().expect("the parts are as long as the heading")
    }

    fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
        blake3::derive_key("bloomcoin v1 archive heading", bytes)
    }

    /// Reads magic and version before all else: a later version's heading may be of any form.
    fn read(stream: &mut impl Read, expected: &NetworkId) -> Result<Self, ArchiveError> {
        let cut = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::NotAnArchive,
            _ => error.into(),
        };
        let magic: [u8; MAGIC.len()] = read_array(stream).map_err(cut)?;
        if magic != *MAGIC {
            return Err(ArchiveError::NotAnArchive);
        }
        let got = u32::from_le_bytes(read_array(stream).map_err(cut)?);
        if got != VERSION {
            return Err(ArchiveError::NewerVersion { got });
        }
        let network_id = NetworkId(read_array(stream).map_err(cut)?);
        let first = Height(u64::from_le_bytes(read_array(stream).map_err(cut)?));
        let heading = Self { network_id, first, count: u64::from_le_bytes(read_array(stream).map_err(cut)?) };
        let checksum: [u8; CHECKSUM_BYTES] = read_array(stream).map_err(cut)?;
        if checksum != Self::checksum(&heading.encode()) || first.0.checked_add(heading.count).is_none() {
            return Err(ArchiveError::HeadingDamaged);
        }
        if network_id != *expected {
            return Err(ArchiveError::OtherNetwork { got: network_id, expected: *expected });
        }
        Ok(heading)
    }
}

/// Writes an archive.
pub struct ArchiveWriter<W> {
    stream: W,
    next: Height,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive with its heading.
    ///
    /// # Errors
    /// The stream's.
    pub fn new(mut stream: W, heading: &Heading) -> io::Result<Self> {
        let bytes = heading.encode();
        stream.write_all(&bytes)?;
        stream.write_all(&Heading::checksum(&bytes))?;
        Ok(Self { stream, next: heading.first })
    }

    /// Adds the encoding of the next block.
    ///
    /// # Errors
    /// The stream's.
    pub fn write(&mut self, block: &[u8]) -> io::Result<()> {
        let length = u32::try_from(block.len()).map_err(|_| io::Error::other("a block is at most 1 MiB"))?;
        self.stream.write_all(&length.to_le_bytes())?;
        self.stream.write_all(&checksum(self.next, block))?;
        self.stream.write_all(block)?;
        self.next = Height(self.next.0.saturating_add(1));
        Ok(())
    }

    /// Hands the stream back with everything in it.
    ///
    /// # Errors
    /// The stream's.
    pub fn finish(mut self) -> io::Result<W> {
        self.stream.flush()?;
        Ok(self.stream)
    }
}

/// Reads an archive block by block.
pub struct ArchiveReader<R> {
    stream: R,
    heading: Heading,
    read: u64,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads the heading of an archive that is to be of this network.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn new(mut stream: R, expected: &NetworkId) -> Result<Self, ArchiveError> {
        let heading = Heading::read(&mut stream, expected)?;
        Ok(Self { stream, heading, read: 0 })
    }

    /// What the archive says of itself.
    #[must_use]
    pub fn heading(&self) -> Heading {
        self.heading
    }

    /// The height and the encoding of the next block, which is as it was written and at least as long as a header; none
    /// after the last.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn next_block(&mut self) -> Result<Option<(Height, Vec<u8>)>, ArchiveError> {
        if self.read == self.heading.count {
            return match read_array::<1>(&mut self.stream) {
                Ok(_) => Err(ArchiveError::Trailing),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        let height = Height(self.heading.first.0.saturating_add(self.read));
        let expected = self.heading.count - self.read;
        let cut = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::Truncated { height, expected },
            _ => error.into(),
        };
        let got = u32::from_le_bytes(read_array(&mut self.stream).map_err(cut)?);
        let length = usize::try_from(got).unwrap_or(usize::MAX);
        if !(HEADER_BYTES..=MAX_BLOCK_BYTES).contains(&length) {
            return Err(ArchiveError::Length { height, got });
        }
        let written: [u8; CHECKSUM_BYTES] = read_array(&mut self.stream).map_err(cut)?;
        let mut block = vec![0; length];
        self.stream.read_exact(&mut block).map_err(cut)?;
        if written != checksum(height, &block) {
            return Err(ArchiveError::Damaged { height });
        }
        self.read += 1;
        Ok(Some((height, block)))
    }
}

fn read_array<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Bound to the height, so that records in another order are noticed as such.
fn checksum(height: Height, block: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("bloomcoin v1 archived block");
    hasher.update(&height.0.to_le_bytes()).update(block);
    *hasher.finalize().as_bytes()
}

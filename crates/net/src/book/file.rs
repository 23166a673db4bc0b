//! The book as a file: versioned, checksummed, and never trusted.

use bloom_consensus::codec::{Reader, count_bytes};
use bloom_consensus::{DecodeError, Timestamp};

use super::entry::Entry;
use super::place::{self, Key, PLACES, Place};
use super::{Book, MAX_ANCHORS};
use crate::address::{NetGroup, PeerAddr};

const MAGIC: [u8; 12] = *b"bloom book\r\n"; // \r\n: what was carried as text is no book any more
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;
/// Tried or not ‖ address ‖ source ‖ seen ‖ tried ‖ answered ‖ attempts.
const ENTRY_BYTES: usize = 1 + place::ADDRESS_BYTES + place::GROUP_BYTES + 8 + 8 + 8 + 4;
/// Most bytes of a book: of a longer file no more need be read.
pub const MAX_BOOK_BYTES: usize =
    MAGIC.len() + 4 + 32 + 4 + MAX_ANCHORS * place::ADDRESS_BYTES + 4 + PLACES as usize * ENTRY_BYTES + CHECKSUM_BYTES;

/// Bytes that are no book. One is begun anew then: addresses are found again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Longer than a full one.
    #[error("address book too long: got {got} bytes, expected at most {MAX_BOOK_BYTES}")]
    TooLong {
        /// Bytes given.
        got: usize,
    },
    /// Another kind of file.
    #[error("not an address book: expected it to begin with \"bloom book\"")]
    Magic,
    /// Of a later program.
    #[error("address book of format {got}, expected {VERSION}: a later version of this program wrote it")]
    Version {
        /// As read.
        got: u32,
    },
    /// Changed or cut since it was written.
    #[error("address book damaged: its checksum is not that of its contents")]
    Checksum,
    /// A part that is not in its encoding.
    #[error("address book: {0}")]
    Decode(#[from] DecodeError),
    /// More anchors than there can be.
    #[error("address book anchors: got {got}, expected at most {MAX_ANCHORS}")]
    Anchors {
        /// As counted.
        got: usize,
    },
    /// A part that its place does not allow.
    #[error("address book: {what}")]
    Value {
        /// What is wrong.
        what: &'static str,
    },
}

impl Book {
    /// The book's one encoding: magic ‖ version ‖ key ‖ anchors ‖ entries in the order of their places ‖ checksum. Who waits
    /// for a tried place is not part of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.key.0);
        out.extend(count_bytes(self.anchors.len()));
        out.extend(self.anchors.iter().flat_map(place::address_bytes));
        out.extend(count_bytes(self.entries.len()));
        for (place, entry) in &self.entries {
            write_entry(&mut out, *place, entry);
        }
        out.extend(blake3::hash(&out).as_bytes());
        out
    }

    /// Reads a book.
    ///
    /// # Errors
    /// [`BookError`] for anything but the one encoding of a book.
    pub fn decode(bytes: &[u8]) -> Result<Self, BookError> {
        let mut reader = Reader::new(checked(bytes)?);
        let mut book = Self::new(reader.array("key")?);
        let anchors = reader.count("anchor", place::ADDRESS_BYTES)?;
        if anchors > MAX_ANCHORS {
            return Err(BookError::Anchors { got: anchors });
        }
        for _ in 0..anchors {
            book.anchors.push(read_address(&mut reader)?);
        }
        let mut before = None;
        for _ in 0..reader.count("entry", ENTRY_BYTES)? {
            let (place, entry) = read_entry(&mut reader, &book.key)?;
            if before >= Some(place) {
                return Err(BookError::Value { what: "addresses out of order" });
            }
            if book.places.contains_key(&entry.address) {
                return Err(BookError::Value { what: "an address twice" });
            }
            before = Some(place);
            book.put(place, entry);
        }
        reader.finish("address book")?;
        Ok(book)
    }
}

/// What is between version and checksum, if both are right.
fn checked(bytes: &[u8]) -> Result<&[u8], BookError> {
    if bytes.len() > MAX_BOOK_BYTES {
        return Err(BookError::TooLong { got: bytes.len() });
    }
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { return Err(BookError::Magic) };
    let mut reader = Reader::new(rest);
    let got = reader.u32("version")?;
    if got != VERSION {
        return Err(BookError::Version { got });
    }
    let (contents, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(BookError::Checksum)?;
    if blake3::hash(contents) != *checksum {
        return Err(BookError::Checksum);
    }
    contents.get(MAGIC.len() + 4..).ok_or(BookError::Checksum)
}

fn write_entry(out: &mut Vec<u8>, place: Place, entry: &Entry) {
    out.push(u8::from(place.is_tried()));
    out.extend(place::address_bytes(&entry.address));
    out.extend(place::group_bytes(entry.source));
    for time in [entry.seen, entry.tried, entry.answered] {
        out.extend(time.0.to_le_bytes());
    }
    out.extend(entry.attempts.to_le_bytes());
}

/// An entry, and the place that the key gives it.
fn read_entry(reader: &mut Reader<'_>, key: &Key) -> Result<(Place, Entry), BookError> {
    let is_tried = match reader.array("shelf")? {
        [0] => false,
        [1] => true,
        [_] => return Err(BookError::Value { what: "a shelf that there is not" }),
    };
    let entry = Entry {
        address: read_address(reader)?,
        source: read_group(reader)?,
        seen: Timestamp(reader.u64("seen")?),
        tried: Timestamp(reader.u64("tried")?),
        answered: Timestamp(reader.u64("answered")?),
        attempts: reader.u32("attempts")?,
    };
    let place = if is_tried { key.tried_place(&entry.address) } else { key.new_place(&entry.address, entry.source) };
    Ok((place, entry))
}

fn read_address(reader: &mut Reader<'_>) -> Result<PeerAddr, BookError> {
    let ip: [u8; 16] = reader.array("address")?;
    let port = u16::from_le_bytes(reader.array("port")?);
    Ok(PeerAddr::new(std::net::Ipv6Addr::from(ip).into(), port))
}

fn read_group(reader: &mut Reader<'_>) -> Result<NetGroup, BookError> {
    let [kind] = reader.array("group")?;
    let bytes = reader.bytes("group", place::ADDRESS_BYTES)?;
    let mut rest = Reader::new(bytes);
    let group = match kind {
        4 => NetGroup::V4(rest.array("group")?),
        6 => NetGroup::V6(rest.array("group")?),
        0 => NetGroup::Local(read_address(&mut rest)?),
        _ => return Err(BookError::Value { what: "a group that there is not" }),
    };
    match place::group_bytes(group).split_first() {
        Some((_, only)) if only == bytes => Ok(group),
        _ => Err(BookError::Value { what: "bytes after a group" }),
    }
}

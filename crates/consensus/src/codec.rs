//! Reading the one encoding (law §7): little-endian, counts as u32, every count held against the bytes that are there
//! before anything is allocated, and no byte left over.

use bloom_kernel::DifficultyOutOfRange;

use crate::transaction::ShapeError;

/// Bytes that are not in the one encoding. It condemns the copy and its sender, never a header (law §7).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end within a part.
    #[error("{what} cut short: got {got} bytes, expected {expected}")]
    Truncated {
        /// The part that was being read.
        what: &'static str,
        /// Bytes left.
        got: usize,
        /// Bytes the part needs.
        expected: usize,
    },
    /// Bytes follow the last part.
    #[error("trailing bytes after {what}: got {got}, expected none")]
    TrailingBytes {
        /// What had been read.
        what: &'static str,
        /// Bytes left.
        got: usize,
    },
    /// A count that the bytes left cannot hold.
    #[error("{what} count beyond the bytes: got {got}, expected at most {most}")]
    CountBeyondBytes {
        /// What was counted.
        what: &'static str,
        /// The count as read.
        got: u32,
        /// How many the bytes left can hold.
        most: usize,
    },
    /// A version of a transaction or coinbase other than 1.
    #[error("{what} version: got {got}, expected 1")]
    Version {
        /// Whose version.
        what: &'static str,
        /// The version as read.
        got: u32,
    },
    /// More bytes than a block may have.
    #[error("block too long: got {got} bytes, expected at most {most}")]
    BlockTooLong {
        /// Bytes given.
        got: usize,
        /// [`crate::constants::MAX_BLOCK_BYTES`].
        most: usize,
    },
    /// Counts that no transaction or coinbase may have.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A header's difficulty outside ¼ … 2⁶⁴.
    #[error(transparent)]
    Difficulty(#[from] DifficultyOutOfRange),
}

/// The bytes not read yet.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// All of them.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let cut = DecodeError::Truncated { what, got: self.0.len(), expected: N };
        let (head, rest) = self.0.split_first_chunk().ok_or(cut)?;
        self.0 = rest;
        Ok(*head)
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn bytes(&mut self, what: &'static str, length: usize) -> Result<&'a [u8], DecodeError> {
        let cut = DecodeError::Truncated { what, got: self.0.len(), expected: length };
        let (head, rest) = self.0.split_at_checked(length).ok_or(cut)?;
        self.0 = rest;
        Ok(head)
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A count of items that take at least `item_bytes` each: never more than the bytes left can hold, so that what is
    /// allocated for it is bounded by what was sent.
    ///
    /// # Errors
    /// [`DecodeError::CountBeyondBytes`].
    pub fn count(&mut self, what: &'static str, item_bytes: usize) -> Result<usize, DecodeError> {
        let got = self.u32(what)?;
        let most = self.0.len().checked_div(item_bytes).expect("items have bytes");
        let count = usize::try_from(got).unwrap_or(usize::MAX);
        if count > most {
            return Err(DecodeError::CountBeyondBytes { what, got, most });
        }
        Ok(count)
    }

    /// The version, which is 1.
    ///
    /// # Errors
    /// [`DecodeError::Version`].
    pub fn version(&mut self, what: &'static str) -> Result<(), DecodeError> {
        let got = self.u32(what)?;
        if got != crate::constants::VERSION {
            return Err(DecodeError::Version { what, got });
        }
        Ok(())
    }

    /// Ends the reading of `what`.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`].
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        if !self.0.is_empty() {
            return Err(DecodeError::TrailingBytes { what, got: self.0.len() });
        }
        Ok(())
    }
}

/// A count on the wire.
#[must_use]
pub fn count_bytes(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("2³² parts of a block do not fit in memory").to_le_bytes()
}

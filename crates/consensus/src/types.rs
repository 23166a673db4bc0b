//! The units of the law: heights, times, work, and the several kinds of 32 bytes that must never be confused.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use bloom_kernel::Difficulty;
use ruint::aliases::U256;

/// A string that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 32 bytes of hex: got {got:?}, expected 64 digits 0-9 a-f")]
pub struct HexError {
    /// The string that was given.
    pub got: String,
}

fn first_eight(bytes: &[u8; 32]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().expect("8 of 32 bytes"))
}

macro_rules! bytes_32 {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub [u8; 32]);

        impl Ord for $name {
            /// The order of the bytes. The first eight nearly always tell, and are compared as one number.
            fn cmp(&self, other: &Self) -> Ordering {
                first_eight(&self.0).cmp(&first_eight(&other.0)).then_with(|| self.0.cmp(&other.0))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError { got: text.to_owned() })?;
                Ok(Self(bytes))
            }
        }
    )*};
}

bytes_32! {
    /// The hash of a block's challenge and seal, its ticket when read as a big-endian integer (law §3).
    BlockHash;
    /// The hash of a template: what an attempt is seeded by.
    Challenge;
    /// The hash of a transaction's body, or of a whole coinbase: what an outpoint names.
    Txid;
    /// The hash of a transaction with its signatures: what a block commits to.
    Wtxid;
    /// The root of a block's Merkle tree.
    MerkleRoot;
    /// The block hash of a network's genesis, bound into every signature.
    NetworkId;
}

impl BlockHash {
    /// What a genesis block names as its parent.
    pub const ZERO: Self = Self([0; 32]);
}

/// Blocks between a block and its genesis, which is at height 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u64);

impl Height {
    /// The height of genesis.
    pub const GENESIS: Self = Self(0);

    /// The height of a child; `None` above 2⁶⁴ − 1, where a chain ends.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Seconds since 1970-01-01 00:00 UTC, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The sum of D_q24 over a chain's blocks; the chain with the most wins (law §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(pub U256);

impl Work {
    /// No blocks.
    pub const ZERO: Self = Self(U256::ZERO);

    /// This and one more block's work. 2⁶⁴ blocks of 2⁸⁸ fit: only a sum that never was a chain's could saturate.
    #[must_use]
    pub fn plus(self, difficulty: Difficulty) -> Self {
        Self(self.0.saturating_add(U256::from(difficulty.q24())))
    }

    /// 32 bytes whose order as strings is the order of work.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`Work::to_be_bytes`].
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_print_as_hex_and_read_back() {
        let hash = BlockHash(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        let text = hash.to_string();
        assert_eq!(text, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        assert_eq!(text.parse(), Ok(hash));
        for bad in [&text[1..], &format!("{text}00"), &text.replace('f', "g"), ""] {
            assert_eq!(bad.parse::<BlockHash>(), Err(HexError { got: (*bad).to_owned() }));
        }
    }

    #[test]
    fn hashes_sort_as_their_bytes() {
        let hash = |at: usize, byte: u8| {
            let mut bytes = [7; 32];
            bytes[at] = byte;
            Txid(bytes)
        };
        let all: Vec<_> = (0..32).flat_map(|at| [0, 6, 7, 8, 128, 255].map(|byte| hash(at, byte))).collect();
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            assert_eq!(one.cmp(other), one.0.cmp(&other.0), "{one} and {other}");
        }
    }

    #[test]
    fn work_adds_beyond_128_bits_and_sorts_as_bytes() {
        let one = Work::ZERO.plus(Difficulty::MAX);
        let two = one.plus(Difficulty::MIN);
        assert_eq!(two.0, (U256::from(1) << 88) + (U256::from(1) << 22));
        assert!(one < two && one.to_be_bytes() < two.to_be_bytes());
        assert_eq!(Work::from_be_bytes(two.to_be_bytes()), two);
        assert_eq!(Work(U256::MAX).plus(Difficulty::ONE), Work(U256::MAX));
    }

    #[test]
    fn nothing_follows_the_last_height() {
        assert_eq!(Height(7).next(), Some(Height(8)));
        assert_eq!(Height(u64::MAX).next(), None);
    }
}

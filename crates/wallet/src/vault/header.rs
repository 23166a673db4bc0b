//! What a vault begins with, readable by everybody: magic, format, cost, salt, nonce. All of it is authenticated with
//! the content.

use std::path::Path;

use super::VaultError;
use crate::random::{self, NoRandomness};

const MAGIC: &[u8; 16] = b"bloomcoin wallet";
/// A greater one is refused.
const FORMAT: u32 = 1;
const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
pub(super) const HEADER_BYTES: usize = MAGIC.len() + 4 + 3 * 4 + SALT_BYTES + NONCE_BYTES;

/// What trying one password costs (Argon2id).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Below, or above, and a header is refused before anything is allocated.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = Cost::LEAST.memory_kib..=1 << 20;
const PASSES: std::ops::RangeInclusive<u32> = Cost::LEAST.passes..=32;
const LANES: std::ops::RangeInclusive<u32> = 1..=16;

impl Cost {
    /// What new wallets take: 128 MiB and 4 passes, some 0.4 s of a core.
    pub const DEFAULT: Self = Self { memory_kib: 128 << 10, passes: 4, lanes: 1 };

    /// The least that is accepted: 19 MiB and 2 passes, what OWASP's password storage cheat sheet asks at least.
    pub const LEAST: Self = Self { memory_kib: 19 << 10, passes: 2, lanes: 1 };

    /// Memory in KiB, passes over it, and lanes.
    pub(super) fn params(self) -> argon2::Params {
        argon2::Params::new(self.memory_kib, self.passes, self.lanes, None).expect("within Argon2's ranges")
    }

    pub(super) const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    fn check(self) -> Result<Self, String> {
        let limits = [
            ("memory in KiB", self.memory_kib, MEMORY_KIB),
            ("passes", self.passes, PASSES),
            ("lanes", self.lanes, LANES),
        ];
        match limits.into_iter().find(|(_, got, range)| !range.contains(got)) {
            Some((what, got, range)) => {
                Err(format!("{what} of the key derivation: got {got}, expected {} to {}", range.start(), range.end()))
            }
            None => Ok(self),
        }
    }
}

pub(super) struct Header {
    pub(super) cost: Cost,
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) nonce: [u8; NONCE_BYTES],
}

impl Header {
    /// A new salt; the nonce comes with what is sealed.
    pub(super) fn new(cost: Cost) -> Result<Self, NoRandomness> {
        let mut salt = [0; SALT_BYTES];
        random::fill(&mut salt)?;
        Ok(Self { cost, salt, nonce: [0; NONCE_BYTES] })
    }

    pub(super) fn with_new_nonce(&self) -> Result<Self, NoRandomness> {
        let mut nonce = [0; NONCE_BYTES];
        random::fill(&mut nonce)?;
        Ok(Self { cost: self.cost, salt: self.salt, nonce })
    }

    pub(super) fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let Cost { memory_kib, passes, lanes } = self.cost;
        let numbers = [FORMAT, memory_kib, passes, lanes].map(u32::to_le_bytes);
        let parts = MAGIC.iter().chain(numbers.as_flattened()).chain(&self.salt).chain(&self.nonce);
        for (byte, part) in bytes.iter_mut().zip(parts) {
            *byte = *part;
        }
        bytes
    }

    /// The header of a file and the rest of it.
    pub(super) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), VaultError> {
        let mut rest = bytes;
        let not_a_vault = || VaultError::NotAVault { path: path.to_owned() };
        let magic: [u8; MAGIC.len()] = take(&mut rest).ok_or_else(not_a_vault)?;
        if magic != *MAGIC {
            return Err(not_a_vault());
        }
        let mut number = || take(&mut rest).map(u32::from_le_bytes).ok_or_else(not_a_vault);
        match number()? {
            FORMAT => {}
            got if got > FORMAT => {
                return Err(VaultError::Newer { path: path.to_owned(), got, expected: FORMAT });
            }
            _ => return Err(not_a_vault()),
        }
        let cost = Cost { memory_kib: number()?, passes: number()?, lanes: number()? };
        let cost = cost.check().map_err(|what| VaultError::Cost { path: path.to_owned(), what })?;
        let salt = take(&mut rest).ok_or_else(not_a_vault)?;
        let nonce = take(&mut rest).ok_or_else(not_a_vault)?;
        Ok((Self { cost, salt, nonce }, rest))
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

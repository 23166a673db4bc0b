//! Difficulty as a function of a block's ancestors and of nothing else (law §4).

use std::fmt;
use std::str::FromStr;

use bloom_kernel::Difficulty;
use bloom_kernel::fixed::{exp2_q32, log2_q32};
use bloom_kernel::params::TAU_Q32;

use crate::constants::{BLOCK_TIME_SECS, LOG2PHI_Q32, RETARGET_INTERVAL, RETARGET_SPAN_SECS};
use crate::{Height, Params, Timestamp};

/// One in Q32.
const ONE_Q32: i128 = 1 << 32;

/// A network's retarget rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retarget {
    /// Difficulty never changes.
    None,
    /// Every 123 blocks by the golden power of the last span, the default.
    Golden,
    /// Every block by the time since genesis.
    AsertPhi,
}

/// A name of no retarget rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown retarget rule: got {got:?}, expected none, golden or asert-phi")]
pub struct UnknownRetarget {
    /// The name that was given.
    pub got: String,
}

impl Retarget {
    /// Its byte in a parameter file's canonical form (law §6).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Golden => 1,
            Self::AsertPhi => 2,
        }
    }
}

impl fmt::Display for Retarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Golden => "golden",
            Self::AsertPhi => "asert-phi",
        })
    }
}

impl FromStr for Retarget {
    type Err = UnknownRetarget;

    fn from_str(name: &str) -> Result<Self, UnknownRetarget> {
        match name {
            "none" => Ok(Self::None),
            "golden" => Ok(Self::Golden),
            "asert-phi" => Ok(Self::AsertPhi),
            _ => Err(UnknownRetarget { got: name.to_owned() }),
        }
    }
}

/// What the retarget rules read of an ancestor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Its difficulty.
    pub difficulty: Difficulty,
}

/// The ancestors of a block, on its own branch, from genesis to its parent.
pub trait Ancestors {
    /// Why an ancestor could not be read; [`std::convert::Infallible`] in memory.
    type Error;

    /// The ancestor at a height, at most the parent's.
    ///
    /// # Errors
    /// The store's own.
    fn at(&self, height: Height) -> Result<Ancestor, Self::Error>;
}

/// The difficulty of the block after `parent`, by the network's rule.
///
/// # Errors
/// Those of `ancestors`.
pub fn next_difficulty<A: Ancestors>(params: &Params, parent: Height, ancestors: &A) -> Result<Difficulty, A::Error> {
    match params.retarget {
        Retarget::None => Ok(params.genesis_difficulty()),
        Retarget::Golden => next_golden(params.min_difficulty, parent, ancestors),
        Retarget::AsertPhi => {
            let genesis = ancestors.at(Height::GENESIS)?;
            let elapsed = elapsed(ancestors.at(parent)?.timestamp, genesis.timestamp);
            Ok(asert_phi(genesis.difficulty, parent.0.saturating_add(1), elapsed, params.min_difficulty))
        }
    }
}

/// The golden rule: D·clamp((target/average)^τ, ¼, 4) for `intervals` block intervals that took `elapsed_secs`.
#[must_use]
pub fn golden(difficulty: Difficulty, intervals: u64, elapsed_secs: u64, lowest: Difficulty) -> Difficulty {
    let target = u128::from(BLOCK_TIME_SECS).wrapping_mul(u128::from(intervals));
    let elapsed = u128::from(elapsed_secs.max(1));
    // Both logarithms are below 74·2³², so their difference times τ is far below 2¹²⁷.
    let octaves = i128::from(log2_q32(target)).wrapping_sub(i128::from(log2_q32(elapsed)));
    let exponent = i128::from(TAU_Q32).wrapping_mul(octaves) >> 32;
    Difficulty::clamped(exp2_q32(clamp_q32(exponent, 2), difficulty.q24()), lowest)
}

/// asert-phi: the difficulty at `height` ≥ 1 whose parent was made `elapsed_secs` after genesis.
#[must_use]
pub fn asert_phi(genesis: Difficulty, height: u64, elapsed_secs: u64, lowest: Difficulty) -> Difficulty {
    // Below 2⁶⁴·420 < 2⁷³, and times 2·LOG2PHI < 2¹⁰⁶: nothing wraps in 128 bits.
    let due = i128::from(height.saturating_sub(1)).wrapping_mul(i128::from(BLOCK_TIME_SECS));
    let ahead = due.wrapping_sub(i128::from(elapsed_secs));
    let growth = ahead.wrapping_mul(i128::from(LOG2PHI_Q32)).wrapping_mul(2);
    let exponent = growth.div_euclid(RETARGET_SPAN_SECS);
    Difficulty::clamped(exp2_q32(clamp_q32(exponent, 100), genesis.q24()), lowest)
}

/// At each positive multiple of 123, from the span that starts at the last block of the interval before: measured inside
/// one interval instead, a majority could drive difficulty to nothing within two days (law §4, attacks 11).
fn next_golden<A: Ancestors>(lowest: Difficulty, parent: Height, ancestors: &A) -> Result<Difficulty, A::Error> {
    let last = ancestors.at(parent)?;
    let height = parent.0.saturating_add(1);
    if !height.is_multiple_of(RETARGET_INTERVAL) {
        return Ok(last.difficulty);
    }
    let first = Height(parent.0.saturating_sub(RETARGET_INTERVAL)); // max(0, h − 124)
    let intervals = parent.0.saturating_sub(first.0);
    let elapsed = elapsed(last.timestamp, ancestors.at(first)?.timestamp);
    Ok(golden(last.difficulty, intervals, elapsed, lowest))
}

/// Timestamps of a branch ascend, so nothing saturates on one.
fn elapsed(later: Timestamp, earlier: Timestamp) -> u64 {
    later.0.saturating_sub(earlier.0)
}

/// An exponent in Q32 within ±`limit`.
fn clamp_q32(exponent: i128, limit: i128) -> i64 {
    let limit = limit.wrapping_mul(ONE_Q32);
    i64::try_from(exponent.clamp(limit.wrapping_neg(), limit)).expect("100·2³² fits 64 bits")
}

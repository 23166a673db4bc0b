//! Difficulty: a Q24 number between ¼ and 2⁶⁴ (law §4).

use core::fmt;

use ruint::aliases::U256;

use crate::params::DIFFICULTY_BITS;

/// Difficulty D as Q24 fixed point: the integer D·2²⁴, from 2²² (¼) to 2⁸⁸ (2⁶⁴).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Difficulty(u128);

/// A Q24 integer that is no difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("difficulty out of range: got {got}/2^24, expected 2^22 to 2^88 (¼ to 2^64)")]
pub struct DifficultyOutOfRange {
    /// The Q24 integer that was given.
    pub got: u128,
}

impl Difficulty {
    /// ¼, the lowest there is.
    pub const MIN: Self = Self(1 << (DIFFICULTY_BITS - 2));
    /// 1, where a full ticket is 5778 rounds.
    pub const ONE: Self = Self(1 << DIFFICULTY_BITS);
    /// 2⁶⁴, the highest there is.
    pub const MAX: Self = Self(1 << (DIFFICULTY_BITS + 64));

    /// The difficulty `q24`/2²⁴.
    ///
    /// # Errors
    /// [`DifficultyOutOfRange`] outside ¼ … 2⁶⁴.
    pub const fn from_q24(q24: u128) -> Result<Self, DifficultyOutOfRange> {
        if q24 < Self::MIN.0 || q24 > Self::MAX.0 {
            return Err(DifficultyOutOfRange { got: q24 });
        }
        Ok(Self(q24))
    }

    /// The integer D·2²⁴.
    #[must_use]
    pub const fn q24(self) -> u128 {
        self.0
    }

    /// `q24`/2²⁴ brought into [`lowest`, 2⁶⁴], the last step of both retarget rules.
    #[must_use]
    pub fn clamped(q24: U256, lowest: Self) -> Self {
        let q24 = u128::try_from(q24).unwrap_or(u128::MAX);
        Self(q24.clamp(lowest.0, Self::MAX.0))
    }
}

impl fmt::Display for Difficulty {
    /// D as a decimal, exactly, with trailing zeros cut: `1048576`, `0.25`, `1.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 >> DIFFICULTY_BITS)?;
        let mask = (1_u128 << DIFFICULTY_BITS).wrapping_sub(1);
        let mut rest = self.0 & mask;
        if rest != 0 {
            f.write_str(".")?;
        }
        while rest != 0 {
            let tens = rest.wrapping_mul(10); // below 10·2²⁴
            write!(f, "{}", tens >> DIFFICULTY_BITS)?;
            rest = tens & mask;
        }
        Ok(())
    }
}

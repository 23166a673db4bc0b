//! Fee rates: what a transaction pays for its bytes, as policy compares it. No rule of the law knows them.

use std::fmt;
use std::str::FromStr;

use bloom_consensus::Amount;

/// Units for every 1 000 bytes. People write units a byte, with at most three decimals: `1`, `2.5`, `0.001`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeeRate(u64);

/// A string that is no fee rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fee rate: got {got:?}, expected units a byte from 0 to {most} with at most 3 decimals, such as 1.5", most = FeeRate::MOST_WHOLE)]
pub struct FeeRateError {
    /// As given.
    pub got: String,
}

impl FeeRate {
    /// Nothing for any number of bytes.
    pub const ZERO: Self = Self(0);
    /// The most units a byte that people may write: a hundred thousand times what is common is a mistake.
    const MOST_WHOLE: u64 = 1_000_000;

    /// A rate of units for every 1 000 bytes.
    #[must_use]
    pub const fn per_kilobyte(units: u64) -> Self {
        Self(units)
    }

    /// Units for every 1 000 bytes.
    #[must_use]
    pub const fn units_per_kilobyte(self) -> u64 {
        self.0
    }

    /// The rate of a fee for a number of bytes, rounded down.
    #[must_use]
    pub fn of(fee: Amount, bytes: usize) -> Self {
        let rate = u128::from(fee.units()) * 1_000 / (bytes.max(1) as u128);
        Self(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// In words: `1 unit a byte`, `1.5 units a byte`.
    #[must_use]
    pub fn a_byte(self) -> String {
        let plural = if self == Self(1_000) { "" } else { "s" };
        format!("{self} unit{plural} a byte")
    }

    /// The least fee of at least this rate for a number of bytes.
    #[must_use]
    pub fn fee(self, bytes: usize) -> Amount {
        let units = (u128::from(self.0) * bytes as u128).div_ceil(1_000);
        Amount::from_units(u64::try_from(units).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for FeeRate {
    /// In units a byte, without needless zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000, self.0 % 1_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{rest:03}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl FromStr for FeeRate {
    type Err = FeeRateError;

    fn from_str(text: &str) -> Result<Self, FeeRateError> {
        let bad = || FeeRateError { got: text.to_owned() };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 3 {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let rest: u64 = format!("{decimals:0<3}").parse().map_err(|_| bad())?;
        if whole > Self::MOST_WHOLE {
            return Err(bad());
        }
        Ok(Self(whole * 1_000 + rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_print_in_units_a_byte_and_read_back() {
        for (rate, text) in [(0, "0"), (1, "0.001"), (1_000, "1"), (2_500, "2.5"), (1_000_000_000, "1000000")] {
            assert_eq!(FeeRate(rate).to_string(), text);
            assert_eq!(text.parse(), Ok(FeeRate(rate)));
        }
        assert_eq!(
            [1, 1_000, 1_001].map(|rate| FeeRate(rate).a_byte()),
            ["0.001 units a byte", "1 unit a byte", "1.001 units a byte"]
        );
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "1.0001", "1000001", "99999999999999999999", "NaN", " 1"] {
            assert_eq!(bad.parse::<FeeRate>(), Err(FeeRateError { got: bad.to_owned() }));
        }
    }

    proptest! {
        #[test]
        fn a_rates_fee_is_the_least_that_reaches_it(rate in 0..10_000_000_u64, bytes in 1..1_048_576_usize) {
            let fee = FeeRate(rate).fee(bytes);
            prop_assert!(FeeRate::of(fee, bytes) >= FeeRate(rate));
            if let Some(less) = fee.checked_sub(Amount::from_units(1)) {
                prop_assert!(FeeRate::of(less, bytes) < FeeRate(rate));
            }
        }
    }
}

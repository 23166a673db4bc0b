//! Amounts: units as integers, BLOOM as decimals of at most eight places.

use std::fmt;
use std::str::FromStr;

use crate::constants::UNITS_PER_BLOOM;

const DECIMALS: usize = 8;

const _: () = assert!(UNITS_PER_BLOOM == 10_u64.pow(DECIMALS as u32));

/// An amount in units; 10⁸ of them are one BLOOM, as which it prints and parses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

/// A string that is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point between them.
    #[error("not an amount: got {got:?}, expected digits with at most one point, such as 1.5")]
    NotDecimal {
        /// The string that was given.
        got: String,
    },
    /// Finer than a unit.
    #[error("amount {got:?} has more than 8 decimals")]
    TooFine {
        /// The string that was given.
        got: String,
    },
    /// 2⁶⁴ units or more.
    #[error("amount {got:?} is too large, expected at most 184467440737.09551615")]
    TooLarge {
        /// The string that was given.
        got: String,
    },
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of units.
    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// The number of units.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The exact sum; `None` from 2⁶⁴ units on (law §7: all sums are exact and below 2⁶⁴).
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The exact difference; `None` below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The exact sum of many; `None` from 2⁶⁴ units on.
    #[must_use]
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl fmt::Display for Amount {
    /// In BLOOM, without needless zeros: `6.85410196`, `1.5`, `12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / UNITS_PER_BLOOM, self.0 % UNITS_PER_BLOOM);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{rest:0DECIMALS$}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    /// Reads BLOOM. No sign, exponent, space or separator; digits on both sides of a point.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let got = || text.to_owned();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) {
            return Err(AmountError::NotDecimal { got: got() });
        }
        if decimals.len() > DECIMALS {
            return Err(AmountError::TooFine { got: got() });
        }
        let too_large = |_| AmountError::TooLarge { got: got() };
        let whole: u64 = whole.parse().map_err(too_large)?;
        let rest: u64 = format!("{decimals:0<DECIMALS$}").parse().map_err(too_large)?;
        let units = whole.checked_mul(UNITS_PER_BLOOM).and_then(|units| units.checked_add(rest));
        units.map(Self).ok_or_else(|| AmountError::TooLarge { got: got() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_print_in_bloom() {
        for (units, text) in [
            (0, "0"),
            (1, "0.00000001"),
            (685_410_196, "6.85410196"),
            (150_000_000, "1.5"),
            (1_200_000_000, "12"),
            (u64::MAX, "184467440737.09551615"),
        ] {
            assert_eq!(Amount::from_units(units).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_for_its_own_reason() {
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e8", "1,5", " 1", "1 ", "0x1", "1.2.3", "١"] {
            assert_eq!(bad.parse::<Amount>(), Err(AmountError::NotDecimal { got: bad.to_owned() }));
        }
        let fine = "0.000000001";
        assert_eq!(fine.parse::<Amount>(), Err(AmountError::TooFine { got: fine.to_owned() }));
        for large in ["184467440737.09551616", "184467440738", "99999999999999999999999"] {
            assert_eq!(large.parse::<Amount>(), Err(AmountError::TooLarge { got: large.to_owned() }));
        }
    }

    #[test]
    fn sums_are_exact_or_none() {
        let max = Amount::from_units(u64::MAX);
        let one = Amount::from_units(1);
        assert_eq!(max.checked_add(one), None);
        assert_eq!(Amount::checked_sum([max, Amount::ZERO]), Some(max));
        assert_eq!(Amount::checked_sum([one, max]), None);
        assert_eq!(one.checked_sub(max), None);
        assert_eq!(max.checked_sub(one), Some(Amount::from_units(u64::MAX - 1)));
    }

    proptest! {
        #[test]
        fn print_then_parse_is_identity(units: u64) {
            let amount = Amount::from_units(units);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }
}

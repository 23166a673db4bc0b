//! The guide's golden adjustment of a nonce, in exact integers.
//!
//! ⌊n·τ⌋ and ⌊n·φ⌋ are had from ⌊√(5n²)⌋: 5n² is a square for n = 0 only, so halving the floored root and flooring
//! again loses nothing.

/// ⌊n·τ⌋, which is below 2³²: the nonce's place in the golden partition of the nonce space.
#[must_use]
pub fn golden_adjust(nonce: u32) -> u32 {
    ((root_of_five_squares(nonce) - u64::from(nonce)) / 2) as u32
}

/// ⌊m·φ⌋ mod 2³². It brings `golden_adjust(n)` back to n − 1 or n − 2, and 0 to 0: with m = nτ − ε and 0 < ε < 1,
/// m·φ = n − φε lies above n − 1.62 and below n.
#[must_use]
pub fn inverse_golden_adjust(nonce: u32) -> u32 {
    ((root_of_five_squares(nonce) + u64::from(nonce)) / 2) as u32 // drops multiples of 2³²
}

/// ⌊√(5n²)⌋.
fn root_of_five_squares(n: u32) -> u64 {
    let root = (5 * u128::from(n).pow(2)).isqrt();
    u64::try_from(root).expect("√5·2³² is below 2³⁴")
}

#[cfg(test)]
mod tests {
    use super::{golden_adjust, inverse_golden_adjust};
    use proptest::prelude::*;

    /// n·τ lies in [m, m+1) iff m² + m·n ≤ n² and (m+1)² + (m+1)·n > n², since τ² + τ = 1.
    fn is_floor_of_golden_part(m: u128, n: u128) -> bool {
        m * m + m * n <= n * n && (m + 1) * (m + 1) + (m + 1) * n > n * n
    }

    proptest! {
        #[test]
        fn adjusts_exactly(n: u32) {
            prop_assert!(is_floor_of_golden_part(golden_adjust(n).into(), n.into()));
        }

        #[test]
        fn comes_back_one_or_two_short(n in 1..=u32::MAX) {
            let back = inverse_golden_adjust(golden_adjust(n));
            prop_assert!(back == n - 1 || n >= 2 && back == n - 2, "{n} came back as {back}");
        }

        #[test]
        fn inverse_is_the_golden_multiple(m: u32) {
            // m·φ = m + m·τ.
            prop_assert_eq!(inverse_golden_adjust(m), m.wrapping_add(golden_adjust(m)));
        }
    }

    #[test]
    fn at_the_ends() {
        assert_eq!((golden_adjust(0), inverse_golden_adjust(0)), (0, 0));
        assert_eq!(golden_adjust(1), 0);
        assert_eq!(golden_adjust(u32::MAX), 2_654_435_768);
        assert_eq!(inverse_golden_adjust(2_654_435_768), u32::MAX - 2);
    }
}

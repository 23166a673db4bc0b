//! How many confirmations an amount deserves.

use bloom_consensus::reward::reward;
use bloom_consensus::{Amount, Height};

/// Fewer are never advised: short races are won by luck, whatever they cost.
pub const LEAST_CONFIRMATIONS: u64 = 6;

/// More would take years; who is to be paid that much in one payment should not be paid in one.
const MOST_CONFIRMATIONS: u64 = 1_000_000;

/// The number of blocks, the payment's own included, after which taking an amount back costs more than it brings: whoever
/// rewrites them makes as many in secret, and forgoes their rewards if the rewriting fails. Fees are not counted, so
/// this errs to more blocks. `None` if a million do not suffice.
///
/// `height` is that of the payment's block. The answer is no promise: it weighs one payment against an attacker who
/// gambles with his own rewards, not one who is paid by somebody else.
#[must_use]
pub fn confirmations(amount: Amount, height: Height) -> Option<u64> {
    let mut forgone = 0_u64;
    for count in 1..=MOST_CONFIRMATIONS {
        let at = Height(height.0.saturating_add(count - 1));
        forgone = forgone.saturating_add(reward(at).units());
        if count >= LEAST_CONFIRMATIONS && forgone > amount.units() {
            return Some(count);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewriting_costs_more_than_the_amount_and_never_fewer_than_six_blocks() {
        let one = reward(Height(1)).units();
        let advice = |units| confirmations(Amount::from_units(units), Height(1));
        assert_eq!(advice(0), Some(6));
        assert_eq!(advice(6 * one - 1), Some(6));
        assert_eq!(advice(6 * one), Some(7), "as much as it brings is not more");
        assert_eq!(advice(100 * one), Some(101));
    }

    #[test]
    fn a_halving_counts() {
        use bloom_consensus::constants::HALVING_INTERVAL;
        let one = reward(Height(HALVING_INTERVAL - 1)).units();
        let amount = Amount::from_units(10 * one);
        assert_eq!(
            confirmations(amount, Height(HALVING_INTERVAL - 1)),
            Some(20),
            "one whole reward and nineteen halves"
        );
    }

    #[test]
    fn what_no_number_covers_is_said() {
        assert_eq!(confirmations(Amount::from_units(1), Height(u64::MAX)), None, "there are no rewards any more");
    }
}

//! The coins a block may make (law §7).

use crate::constants::{HALVING_INTERVAL, INITIAL_REWARD};
use crate::{Amount, Height};

/// INITIAL_REWARD halved every 271 443 blocks, floored; nothing at genesis and from 64 halvings on.
#[must_use]
pub fn reward(height: Height) -> Amount {
    if height == Height::GENESIS {
        return Amount::ZERO;
    }
    let halvings = u32::try_from(height.0 / HALVING_INTERVAL).unwrap_or(u32::MAX);
    Amount::from_units(INITIAL_REWARD.checked_shr(halvings).unwrap_or(0))
}

/// The sum of all rewards from genesis up to a height: what can be unspent there at most.
#[must_use]
pub fn issued(height: Height) -> Amount {
    let last_era = height.0 / HALVING_INTERVAL;
    let of_era = |era: u64| {
        let first = era.saturating_mul(HALVING_INTERVAL).max(1); // genesis has no reward
        let end = era.saturating_add(1).saturating_mul(HALVING_INTERVAL).min(height.0.saturating_add(1));
        reward(Height(first)).units().saturating_mul(end.saturating_sub(first))
    };
    // From era 64 on there is no reward. The sum stays below 2⁶⁴ by an assertion on the constants.
    Amount::from_units((0..=last_era.min(63)).map(of_era).fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issued_is_the_sum_of_rewards_across_halvings() {
        assert_eq!(issued(Height::GENESIS), Amount::ZERO);
        let mut sum = 0;
        for height in 1..=3 * HALVING_INTERVAL + 5 {
            sum += reward(Height(height)).units();
            let near = height % HALVING_INTERVAL;
            if !(3..=HALVING_INTERVAL - 3).contains(&near) {
                assert_eq!(issued(Height(height)).units(), sum, "height {height}");
            }
        }
        let all = issued(Height(64 * HALVING_INTERVAL));
        assert_eq!(issued(Height(u64::MAX)), all);
        assert!(all.units() < 2 * INITIAL_REWARD * HALVING_INTERVAL);
    }
}

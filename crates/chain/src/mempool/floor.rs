//! The rolling minimum: what was evicted for lack of room paid less than this, and the memory of it fades with time.

use bloom_consensus::Timestamp;

use super::policy::{FLOOR_HALF_LIFE_SECS, MIN_RELAY_RATE};
use crate::FeeRate;

/// A rate with 32 binary places, so that many small steps of fading lose nothing that matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Floor {
    rate_q32: u128,
    since: Timestamp,
}

impl Floor {
    pub(crate) fn new(rate: FeeRate, since: Timestamp) -> Self {
        Self { rate_q32: u128::from(rate.units_per_kilobyte()) << 32, since }
    }

    /// Never below the minimum for relaying.
    pub(crate) fn rate(&self) -> FeeRate {
        let rate = u64::try_from(self.rate_q32.div_ceil(1 << 32)).unwrap_or(u64::MAX);
        FeeRate::per_kilobyte(rate).max(MIN_RELAY_RATE)
    }

    /// The rate, and since when it fades.
    pub(crate) fn parts(&self) -> (FeeRate, Timestamp) {
        let rate = u64::try_from(self.rate_q32 >> 32).unwrap_or(u64::MAX);
        (FeeRate::per_kilobyte(rate), self.since)
    }

    /// Somebody who paid this had to leave: whoever comes next pays that and for relaying on top.
    pub(crate) fn raise(&mut self, evicted: FeeRate) {
        let next = evicted.units_per_kilobyte().saturating_add(MIN_RELAY_RATE.units_per_kilobyte());
        self.rate_q32 = self.rate_q32.max(u128::from(next) << 32);
    }

    /// Lets it fade up to `now`, for a pool that is `used` full of `most`. A clock that goes back changes nothing.
    pub(crate) fn fade(&mut self, now: Timestamp, used: usize, most: usize) {
        let elapsed = now.0.saturating_sub(self.since.0);
        self.since = self.since.max(now);
        let half_life = match (used < most / 4, used < most / 2) {
            (true, _) => FLOOR_HALF_LIFE_SECS / 4,
            (false, true) => FLOOR_HALF_LIFE_SECS / 2,
            (false, false) => FLOOR_HALF_LIFE_SECS,
        };
        let halvings = u32::try_from(elapsed / half_life).unwrap_or(u32::MAX);
        let halved = self.rate_q32.checked_shr(halvings).unwrap_or(0);
        // Between two halvings along the chord.
        let rest = u128::from(elapsed % half_life);
        self.rate_q32 = halved - halved * rest / (2 * u128::from(half_life));
        if self.rate_q32 < u128::from(MIN_RELAY_RATE.units_per_kilobyte()) << 31 {
            self.rate_q32 = 0; // below half of what is asked anyway it has had its effect
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_with_time_and_faster_where_there_is_room() {
        for (used, half_life) in [(100, 43_200), (49, 21_600), (24, 10_800)] {
            let mut floor = Floor::new(FeeRate::per_kilobyte(64_000), Timestamp(5));
            let mut gradually = floor;
            floor.fade(Timestamp(5 + half_life), used, 100);
            assert_eq!(floor.rate(), FeeRate::per_kilobyte(32_000));
            for step in 1..=1_000 {
                gradually.fade(Timestamp(5 + half_life * step / 1_000), used, 100);
            }
            let rate = gradually.rate().units_per_kilobyte();
            assert!((32_000..40_000).contains(&rate) || (31_000..=32_000).contains(&rate), "{rate}");
            floor.fade(Timestamp(5 + 20 * half_life), used, 100);
            assert_eq!(floor.rate(), MIN_RELAY_RATE);
            assert_eq!(floor.rate_q32, 0);
        }
    }

    #[test]
    fn clocks_that_jump_neither_raise_nor_break_it() {
        let mut floor = Floor::new(FeeRate::per_kilobyte(9_000), Timestamp(1_000_000));
        floor.fade(Timestamp(0), 1, 1);
        assert_eq!(floor.rate(), FeeRate::per_kilobyte(9_000));
        floor.raise(FeeRate::per_kilobyte(u64::MAX));
        floor.fade(Timestamp(u64::MAX), 1, 1);
        assert_eq!(floor.rate(), MIN_RELAY_RATE);
    }
}

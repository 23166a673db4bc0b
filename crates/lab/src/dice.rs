//! All chance there is: seeded, in integers, the same on every machine.

use std::time::Duration;

use bloom_kernel::fixed::log2_q32;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::time::nanos;

/// ⌊ln 2 · 2³²⌋.
const LN2_Q32: u128 = 2_977_044_471;
/// A millionth: shares are told in these, so that no float decides anything.
pub const MILLION: u64 = 1_000_000;

/// A source of chance. Streams of one seed do not know each other: what one part draws does not move another's.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of that number.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self(random)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, or 0 below 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.any()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// An index below a length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True in so many of a million cases.
    pub fn chance(&mut self, millionths: u64) -> bool {
        self.below(MILLION) < millionths
    }

    /// A time until something that has no memory, of this mean.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        let uniform = u128::from(self.any() | 1);
        let octaves = (64_i64 << 32) - log2_q32(uniform);
        let times = (u128::try_from(octaves).unwrap_or(0) * LN2_Q32) >> 32;
        let while_ = (u128::from(nanos(mean)) * times) >> 32;
        Duration::from_nanos(u64::try_from(while_).unwrap_or(u64::MAX))
    }

    /// Another order of the same things.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = self.index(last + 1);
            things.swap(last, other);
        }
    }

    /// Bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean is the mean, and the share above it e⁻¹: over 100 000 draws both are within a percent.
    #[test]
    fn waiting_times_have_their_mean_and_no_memory() {
        let mut dice = Dice::new(7, 0);
        let mean = Duration::from_secs(420);
        let draws: Vec<Duration> = (0..100_000).map(|_| dice.exponential(mean)).collect();
        let sum: u128 = draws.iter().map(Duration::as_nanos).sum();
        let average = sum / 100_000;
        assert!(average.abs_diff(mean.as_nanos()) < mean.as_nanos() / 100, "{average}");
        let above = draws.iter().filter(|draw| **draw > mean).count();
        assert!(above.abs_diff(36_788) < 600, "{above}");
    }

    #[test]
    fn streams_of_one_seed_differ_and_seeds_repeat() {
        let draw = |seed, stream| Dice::new(seed, stream).any();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }
}

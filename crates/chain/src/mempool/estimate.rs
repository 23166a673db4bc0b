//! What to offer for a block soon: learnt from how long transactions of each rate have waited.
//!
//! Rates are sorted into ranges, each a fifth above the one below. For every range and every class of waiting times it is
//! counted how many transactions were confirmed after so many blocks; counts fade with every block. What still
//! waits counts as not confirmed in the time that it has waited. The estimate is the lowest range from which on, all the
//! way up, at least 85 in 100 made it.

use std::sync::LazyLock;

use bloom_consensus::Height;

use super::policy::MIN_RELAY_RATE;
use crate::FeeRate;

/// Up to a million units a byte.
pub(crate) const RANGES: usize = 77;
/// One transaction that was just confirmed: counts are whole numbers, and fade without being lost at once.
const ONE: u64 = 1 << 20;
/// A count loses a 512th with every block: it halves in a day and a half.
const FADING: u64 = 512;
/// So many transactions in ranges side by side are enough to judge by.
const ENOUGH: u64 = 10 * ONE;

/// Waiting times by range of rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimator {
    /// Of each range, how many waited for as many blocks as each class has.
    counts: Vec<[u64; CLASSES]>,
}

/// Waiting times are told apart up to these numbers of blocks; the last class is all that waited longer.
const CLASS_BLOCKS: [u64; CLASSES - 1] = [1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 144, 300];
pub(crate) const CLASSES: usize = 15;

impl Default for Estimator {
    fn default() -> Self {
        Self { counts: vec![[0; CLASSES]; RANGES] }
    }
}

impl Estimator {
    /// A block came: what is known grows older.
    pub(crate) fn fade(&mut self) {
        for count in self.counts.iter_mut().flatten() {
            *count -= count.div_ceil(FADING).min(*count);
        }
    }

    /// A transaction of this rate that came when the tip was at `added` is in the block at `confirmed`.
    pub(crate) fn confirmed(&mut self, rate: FeeRate, added: Height, confirmed: Height) {
        let waited = confirmed.0.saturating_sub(added.0);
        let range = self.counts.get_mut(range(rate)).expect("there are as many");
        let count = range.get_mut(class(waited)).expect("there are as many");
        *count = count.saturating_add(ONE);
    }

    /// The least rate that should do for one of the next `blocks` blocks; none if too little is known. `waiting` are the
    /// rates of what waits, with the number of blocks that it has waited for.
    pub(crate) fn estimate(&self, blocks: u32, waiting: impl Iterator<Item = (FeeRate, u64)>) -> Option<FeeRate> {
        let target = class(u64::from(blocks.max(1))).min(CLASSES - 2);
        let most = *CLASS_BLOCKS.get(target).expect("it is below the last");
        let mut late = vec![0_u64; RANGES];
        for (rate, _) in waiting.filter(|(_, waited)| *waited >= most) {
            *late.get_mut(range(rate)).expect("there are as many") += ONE;
        }
        let mut found = None;
        let (mut made, mut all) = (0_u64, 0_u64);
        for (number, (counts, late)) in self.counts.iter().zip(&late).enumerate().rev() {
            made = made.saturating_add(counts.iter().take(target + 1).sum());
            all = all.saturating_add(counts.iter().sum::<u64>()).saturating_add(*late);
            if all < ENOUGH {
                continue;
            }
            if u128::from(made) * 100 < u128::from(all) * 85 {
                break;
            }
            found = Some(lowest(number));
            (made, all) = (0, 0);
        }
        found
    }

    /// The counts, range by range.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().flatten().copied()
    }

    /// The inverse of [`Estimator::counts`].
    pub(crate) fn from_counts(mut next: impl FnMut() -> Option<u64>) -> Option<Self> {
        let mut estimator = Self::default();
        for count in estimator.counts.iter_mut().flatten() {
            // Whatever a file says, sums stay far below 2⁶⁴.
            *count = next()?.min(ONE << 24);
        }
        Some(estimator)
    }
}

fn class(waited: u64) -> usize {
    CLASS_BLOCKS.iter().position(|blocks| waited <= *blocks).unwrap_or(CLASSES - 1)
}

/// The lowest rates of all ranges: looked up for every transaction of every block.
static LOWEST: LazyLock<[FeeRate; RANGES]> = LazyLock::new(|| {
    let rates = std::iter::successors(Some(MIN_RELAY_RATE.units_per_kilobyte()), |rate| Some(rate + rate / 5));
    let mut rates = rates.map(FeeRate::per_kilobyte);
    std::array::from_fn(|_| rates.next().expect("there is always a next one"))
});

/// The lowest rate of a range.
fn lowest(range: usize) -> FeeRate {
    *LOWEST.get(range).expect("there are as many")
}

/// The range of a rate; what is below the lowest is counted with it.
fn range(rate: FeeRate) -> usize {
    LOWEST.partition_point(|lowest| *lowest <= rate).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(units_a_byte: u64) -> FeeRate {
        FeeRate::per_kilobyte(units_a_byte * 1_000)
    }

    /// A hundred blocks in which what pays 10 is confirmed at once and what pays 2 after ten.
    fn learnt() -> Estimator {
        let mut estimator = Estimator::default();
        for height in 100..200 {
            estimator.fade();
            for _ in 0..5 {
                estimator.confirmed(rate(10), Height(height - 1), Height(height));
                estimator.confirmed(rate(2), Height(height - 10), Height(height));
            }
        }
        estimator
    }

    #[test]
    fn who_hurries_is_told_more_than_who_can_wait() {
        let estimator = learnt();
        let soon = estimator.estimate(1, std::iter::empty()).unwrap();
        assert!(rate(8) < soon && soon <= rate(10), "{soon}");
        let late = estimator.estimate(24, std::iter::empty()).unwrap();
        assert!(late <= rate(2), "{late}");
        for (blocks, next) in (1..300).zip(2..=300) {
            let [sooner, later] = [blocks, next].map(|blocks| estimator.estimate(blocks, std::iter::empty()));
            assert!(sooner >= later, "{blocks}");
        }
    }

    #[test]
    fn what_still_waits_counts_as_not_confirmed() {
        let estimator = learnt();
        let stuck = std::iter::repeat_n((rate(10), 3), 1_000);
        assert!(estimator.estimate(1, stuck.clone()).is_none_or(|told| told > rate(10)));
        assert!(estimator.estimate(4, stuck).is_some(), "it has not waited for four blocks yet");
    }

    #[test]
    fn little_or_old_knowledge_is_none() {
        let mut estimator = Estimator::default();
        for _ in 0..9 {
            estimator.confirmed(rate(10), Height(1), Height(2));
        }
        assert_eq!(estimator.estimate(1, std::iter::empty()), None);
        let mut estimator = learnt();
        (0..10_000).for_each(|_| estimator.fade());
        assert_eq!(estimator, Estimator::default(), "all of it is forgotten in the end");
    }

    #[test]
    fn ranges_cover_all_rates_and_counts_come_back() {
        for number in 0..RANGES {
            assert_eq!(range(lowest(number)), number);
        }
        assert_eq!((range(FeeRate::ZERO), range(FeeRate::per_kilobyte(u64::MAX))), (0, RANGES - 1));
        assert!(lowest(RANGES - 1) > FeeRate::per_kilobyte(900_000_000));
        let estimator = learnt();
        let mut counts = estimator.counts();
        assert_eq!(Estimator::from_counts(|| counts.next()), Some(estimator.clone()));
        assert_eq!(Estimator::from_counts(|| None), None);
    }
}

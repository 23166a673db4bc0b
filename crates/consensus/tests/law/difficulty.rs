//! Retargets: which ancestors they read, what majorities and hash that comes and goes can do to them, and extremes
//! (attacks 9 to 12).

use bloom_consensus::difficulty::{asert_phi, golden, next_difficulty};
use bloom_consensus::{Ancestor, Ancestors, Difficulty, Height, Params, Retarget, Timestamp};
use proptest::prelude::*;

use crate::common::{Branch, q24};

fn params(retarget: Retarget) -> Params {
    Params { retarget, ..Params::dev() }
}

/// A branch of `blocks` at difficulty 1, one every 420 s.
fn steady(blocks: u64) -> Branch {
    let mut branch = Branch::default();
    (0..blocks).for_each(|height| branch.push(height * 420, Difficulty::ONE));
    branch
}

#[test]
fn golden_measures_from_the_last_block_of_the_interval_before() {
    for (height, first) in [(123, 0), (246, 122), (369, 245), (1230, 1106)] {
        let branch = steady(height);
        next_difficulty(&params(Retarget::Golden), branch.tip(), &branch).expect("in memory");
        let mut asked = branch.asked.take();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked, [first, height - 1], "height {height}");
    }
}

#[test]
fn golden_changes_at_positive_multiples_of_123_only() {
    let mut branch = steady(1);
    for height in 1..500_u64 {
        let next = next_difficulty(&params(Retarget::Golden), branch.tip(), &branch).expect("in memory");
        let before = branch.ancestors[branch.tip().0 as usize].difficulty;
        assert_eq!(next != before, height % 123 == 0, "height {height}");
        branch.push(height * 100, next);
    }
}

#[test]
fn golden_is_exact_on_time_at_both_span_lengths() {
    // 122 block times up to the first retarget, 123 up to the others.
    for height in [123, 246, 369] {
        let branch = steady(height);
        assert_eq!(next_difficulty(&params(Retarget::Golden), branch.tip(), &branch), Ok(Difficulty::ONE));
    }
}

#[test]
fn golden_changes_at_most_fourfold() {
    let hundred = q24(100 << 24);
    assert_eq!(golden(hundred, 123, 0, Difficulty::MIN), q24(400 << 24));
    assert_eq!(golden(hundred, 123, u64::MAX, Difficulty::MIN), q24(25 << 24));
}

#[test]
fn asert_phi_reads_genesis_and_parent() {
    let branch = steady(200);
    assert_eq!(next_difficulty(&params(Retarget::AsertPhi), branch.tip(), &branch), Ok(Difficulty::ONE));
    assert_eq!(branch.asked.take(), [0, 199]);
    let mut slow = steady(199);
    slow.push(199 * 420 + 51_660, Difficulty::MAX);
    // One interval of silence leaves D₀·φ⁻² = 0.381966…, whatever the difficulty of the parent.
    let next = next_difficulty(&params(Retarget::AsertPhi), Height(199), &slow).expect("in memory");
    assert_eq!(next, q24(6_408_326)); // ⌊2²⁴·φ⁻²⌋
}

#[test]
fn none_keeps_the_difficulty_of_genesis() {
    let mut branch = steady(1);
    branch.push(1, Difficulty::MAX);
    assert_eq!(next_difficulty(&params(Retarget::None), Height(1), &branch), Ok(Difficulty::MIN));
}

#[test]
fn retargets_stop_at_the_networks_lowest_difficulty() {
    let lowest = q24(65_536 << 24);
    assert_eq!(golden(lowest, 123, u64::MAX, lowest), lowest);
    assert_eq!(asert_phi(q24(1 << 60), 2, u64::MAX, lowest), lowest);
}

/// Difficulties under a majority that gives every block its parent's time + 1 but one in each interval, which it dates as
/// late as it can; and the seconds that it all took.
fn time_warp(late: u64, intervals: u64) -> (Vec<u128>, u128) {
    let rule = params(Retarget::Golden);
    let start = q24(1 << (24 + 20));
    let mut branch = Branch::default();
    let mut now = 1_000_000_u128;
    branch.push(1_000_000, start);
    for height in 1..=123 * intervals {
        let difficulty = next_difficulty(&rule, branch.tip(), &branch).expect("in memory");
        now += 420 * difficulty.q24() / start.q24(); // its hash rate is constant
        let least = branch.ancestors[branch.tip().0 as usize].timestamp.0 + 1;
        let most = u64::try_from(now).expect("a time") + 840;
        branch.push(if height % 123 == late { most.max(least) } else { least }, difficulty);
    }
    (branch.ancestors.iter().map(|ancestor| ancestor.difficulty.q24()).collect(), now - 1_000_000)
}

#[test]
fn time_warp_by_a_majority_does_not_lower_difficulty() {
    let start = q24(1 << (24 + 20)).q24();
    for late in [0, 1, 61, 121, 122] {
        let intervals = 60;
        let (difficulties, secs) = time_warp(late, intervals);
        let lowest = difficulties.iter().min().expect("blocks");
        assert!(*lowest > start / 2, "late at {late}: fell to {lowest} of {start}");
        // What swings there were are gone, and the blocks took the time that honest ones take.
        let settled = difficulties.last().expect("blocks");
        assert!(settled.abs_diff(start) < start / 50, "late at {late}: {settled} of {start}");
        let due = u128::from(intervals * 123 * 420);
        assert!(secs > due * 98 / 100, "late at {late}: {secs} s instead of {due} s");
    }
}

#[test]
fn every_second_of_chain_time_is_measured_once() {
    // Spans abut: each starts where the one before ended, so that no gap between them hides time.
    let spans = [123, 246, 369, 492].map(|height| {
        let branch = steady(height);
        next_difficulty(&params(Retarget::Golden), branch.tip(), &branch).expect("in memory");
        let asked = branch.asked.take();
        (*asked.iter().min().expect("two"), *asked.iter().max().expect("two"))
    });
    assert_eq!(spans[0].0, 0);
    assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "{spans:?}");
}

/// Hours from the moment at which the hash rate changes to `numerator/denominator` of what it was, in the middle of an
/// interval, until difficulty stays within a tenth of what the new rate deserves. Every block takes the time that it is
/// expected to take.
fn hours_until_settled(retarget: Retarget, numerator: u128, denominator: u128) -> u64 {
    let (rule, before) = (params(retarget), 1_u128 << 44);
    let after = before * numerator / denominator;
    let (mut branch, mut millis) = (Branch::default(), 0);
    branch.push(0, q24(before));
    let (mut changed, mut settled) = (0, 0);
    for height in 1..3_000 {
        let difficulty = next_difficulty(&rule, branch.tip(), &branch).expect("in memory").q24();
        let rate = if height < 430 { before } else { after };
        millis += 420_000 * difficulty / rate;
        let now = u64::try_from(millis / 1_000).expect("a time");
        branch.push(now.max(branch.ancestors[branch.tip().0 as usize].timestamp.0 + 1), q24(difficulty));
        if height < 430 {
            changed = now;
        } else if difficulty.abs_diff(after) > after / 10 {
            settled = now;
        }
    }
    settled.saturating_sub(changed) / 3_600
}

#[test]
fn hash_that_arrives_leaves_or_was_misjudged_at_the_start_is_followed() {
    // Ten times, a hundred times and a thousand times the hash rate, and the same gone again. The golden rule follows
    // arrivals within two days and is slow when miners leave: that is its price (law §8).
    let days = 24;
    for (numerator, denominator, golden, asert_phi) in [
        (10, 1, 34, 33),
        (100, 1, 25, 35),
        (1_000, 1, 31, 35),
        (1, 10, 7 * days, 3 * days),
        (1, 100, 52 * days, 5 * days),
        (1, 1_000, 502 * days, 6 * days),
    ] {
        for (retarget, most) in [(Retarget::Golden, golden), (Retarget::AsertPhi, asert_phi)] {
            let hours = hours_until_settled(retarget, numerator, denominator);
            assert!(hours <= most, "{retarget}, {numerator}/{denominator}: {hours} h instead of at most {most} h");
        }
    }
}

/// Ancestors of any time at any height.
struct Extremes(u64);

impl Ancestors for Extremes {
    type Error = std::convert::Infallible;

    fn at(&self, height: Height) -> Result<Ancestor, Self::Error> {
        let timestamp = Timestamp(height.0.wrapping_mul(self.0).rotate_left(17));
        Ok(Ancestor { timestamp, difficulty: Difficulty::MAX })
    }
}

proptest! {
    #[test]
    fn no_time_or_height_panics(parent: u64, seed: u64) {
        for retarget in [Retarget::None, Retarget::Golden, Retarget::AsertPhi] {
            for parent in [parent, parent / 123 * 123, (parent / 123 * 123).saturating_sub(1), u64::MAX, 0] {
                let next = next_difficulty(&params(retarget), Height(parent), &Extremes(seed)).expect("in memory");
                prop_assert!(Difficulty::MIN <= next && next <= Difficulty::MAX);
            }
        }
    }

    #[test]
    fn functions_are_total_and_monotone(
        d in Difficulty::MIN.q24()..=Difficulty::MAX.q24(), height: u64, elapsed: u64, more: u64,
    ) {
        let (d, later) = (q24(d), elapsed.saturating_add(more));
        let fast = golden(d, height, elapsed, Difficulty::MIN);
        prop_assert!(golden(d, height, later, Difficulty::MIN) <= fast);
        prop_assert!(fast.q24() <= d.q24() * 4 && fast.q24() >= (d.q24() / 4).max(Difficulty::MIN.q24()));
        let early = asert_phi(d, height, elapsed, Difficulty::MIN);
        prop_assert!(asert_phi(d, height, later, Difficulty::MIN) <= early);
    }
}

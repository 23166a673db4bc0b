//! Where a round becomes coherent, to the unit, and lanes that forget: on every backend of this machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use bloom_kernel::{Batch, Bloom, CouplingTable, Difficulty, Feed, Order, Solo, Start, params, reference};
use common::backends;

/// The least R2 from the threshold on that is a sum of two squares at all, and the greatest below it.
const COHERENT: Order = Order { cos: 587_479, sin: 1_688_471 };
const INCOHERENT: Order = Order { cos: 183_015, sin: 1_778_362 };

/// The same start again and again, more often than a batch has lanes.
struct Repeated<'a> {
    start: &'a Start,
    left: usize,
    blooms: Vec<Option<Bloom>>,
}

impl Feed for Repeated<'_> {
    fn next(&mut self) -> Option<Start> {
        self.left = self.left.checked_sub(1)?;
        Some(self.start.clone())
    }

    fn finish(&mut self, _: u64, bloom: Option<Bloom>) {
        self.blooms.push(bloom);
    }
}

/// What an attempt comes to by the reference, after every backend has come to the same, alone and in refilled lanes.
fn outcome(phases: [u32; 63]) -> Bloom {
    let difficulty = Difficulty::ONE;
    let start = Start { phases, difficulty, last_round: params::ROUNDS_MAX - 1, tag: 0 };
    let bloom = reference::run(&phases, &CouplingTable::new(difficulty), start.last_round);
    for backend in backends() {
        assert_eq!(Solo::new(backend).run(&phases, difficulty, start.last_round), bloom, "{backend}");
        let mut feed = Repeated { start: &start, left: 100, blooms: Vec::new() };
        let mut batch = Box::new(Batch::new(backend));
        while batch.run(5, &mut feed).live > 0 {}
        assert_eq!(feed.blooms.len(), 100);
        assert!(feed.blooms.iter().all(|other| *other == bloom), "{backend}, side by side");
    }
    bloom.unwrap()
}

#[test]
fn a_lane_forgets_the_attempt_before() {
    // Coherent from the first round on, as a lane that has just bloomed would be if it kept its streak.
    assert_eq!(outcome([0; 63]).end, 6);
}

/// Phases whose mean field at round 0 is exactly this: spread about its angle, the fast behind and the slow ahead so
/// that they close up, and the last two chosen to fit.
fn phases_of(target: Order) -> [u32; 63] {
    let unit = |upper: u32| Order { cos: reference::cos(upper << 16).into(), sin: reference::sin(upper << 16).into() };
    let known: BTreeMap<(i32, i32), u32> =
        (0..1 << 16).map(|upper| (unit(upper), upper)).map(|(order, upper)| ((order.cos, order.sin), upper)).collect();
    let turn = f64::from(target.sin).atan2(f64::from(target.cos)) / std::f64::consts::TAU * 65_536.0;
    for width in 18_000..20_000 {
        let mut uppers: [u32; 63] = std::array::from_fn(|i| {
            let offset = f64::from(width) * (31.0 - i as f64) / 62.0;
            (turn + offset).rem_euclid(65_536.0) as u32
        });
        let others = uppers[..31].iter().chain(&uppers[33..]).map(|upper| unit(*upper));
        let rest = others.fold(target, |rest, one| Order { cos: rest.cos - one.cos, sin: rest.sin - one.sin });
        for ((cos, sin), upper) in &known {
            if let Some(other) = known.get(&(rest.cos - cos, rest.sin - sin)) {
                (uppers[31], uppers[32]) = (*upper, *other);
                return uppers.map(|upper| upper << 16);
            }
        }
    }
    panic!("no such phases");
}

#[test]
fn coherence_begins_at_the_threshold_to_the_unit() {
    assert!(COHERENT.r2() >= params::COHERENT_R2 && COHERENT.is_coherent());
    assert!(INCOHERENT.r2() < params::COHERENT_R2 && !INCOHERENT.is_coherent());
    for (order, end) in [(COHERENT, 6), (INCOHERENT, 7)] {
        let bloom = outcome(phases_of(order));
        assert_eq!(bloom.end, end, "{order:?}");
        assert_eq!(bloom.order[0] == order, end == 6);
    }
}

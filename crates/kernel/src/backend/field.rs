//! 32 attempts side by side, one per lane, round after round: the inner loop of mining.
//!
//! One round of one lane, for oscillators i = 1 … 63, in a single sweep over memory:
//!
//! ```text
//! phase_i += ω_i + (dot((c_i, s_i), (S', −C')) >> 6)       with c, s of the round before
//! (s_i, c_i) = sin_cos(phase_i)
//! C += c_i, S += s_i
//! ```
//!
//! then C and S give R2, the streak, and S', C' for the next sweep. A new attempt enters its lane with phases − ω and no
//! pull, so that the first sweep brings it to its initial phases.
//!
//! C and S need 22 bits and the lanes have 16: a sweep sums them modulo 2¹⁶. That is enough, since in one round they move
//! by less than 2¹⁵, and so the round before gives the rest. An oscillator moves by ω_i and by a·sin(ψ − θ_i) for the
//! mean field's angle ψ, a = K·gain(r)·r·dt; the squares of those sines sum to at most 63·(1 − r²), the sines therefore to
//! 63·√(1 − r²), and 63·32780·a·√(1 − r²) over the tables is at most 17 420, at r = 0.82 and D = ¼. The ω_i add 4 330; the
//! curvature, and the errors of phases and waves, less than 63·40. A new attempt brings the C and S of its initial phases
//! with it.

use super::portable::Portable;
use super::solo::mean_field;
use super::vector::{Row, Vector, pull};
use crate::bloom::Order;
use crate::coupling::CouplingTable;
use crate::params::{BLOOM_ROUNDS, COHERENT_R2, OSCILLATORS};
use crate::tables::OMEGA;

/// Attempts in a batch.
pub(crate) const LANES: usize = Row::LEN;

const HISTORY: usize = 8;
const _: () = assert!(HISTORY >= BLOOM_ROUNDS as usize && HISTORY.is_power_of_two());

/// One oscillator of 32 attempts.
#[derive(Clone, Copy, Debug)]
struct Oscillator {
    phases: Row,
    /// (c, s), c in the lower half.
    waves: Row,
}

/// C and S of 32 attempts.
#[derive(Clone, Copy, Debug)]
struct Means {
    cos: Row,
    sin: Row,
}

/// The state of 32 attempts.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    oscillators: [Oscillator; OSCILLATORS],
    /// (S', −C') of each attempt.
    pull: Row,
    /// The last rounds' mean fields, at `round % HISTORY`.
    means: [Means; HISTORY],
    /// Coherent rounds in a row.
    streak: Row,
    /// Rounds done since the field began; each lane counts from where it entered.
    pub(crate) round: u64,
}

impl Field {
    pub(crate) const EMPTY: Self = Self {
        oscillators: [Oscillator { phases: Row::ZERO, waves: Row::ZERO }; OSCILLATORS],
        pull: Row::ZERO,
        means: [Means { cos: Row::ZERO, sin: Row::ZERO }; HISTORY],
        streak: Row::ZERO,
        round: 0,
    };

    /// Puts a new attempt in a lane; the next round is its round 0.
    pub(crate) fn enter(&mut self, lane: usize, phases: &[u32; OSCILLATORS]) {
        for ((oscillator, phase), omega) in self.oscillators.iter_mut().zip(phases).zip(OMEGA) {
            oscillator.phases.set(lane, phase.wrapping_sub(omega.cast_unsigned()));
        }
        let order = mean_field(Portable, phases);
        let before = self.means_mut(self.round.wrapping_sub(1));
        before.cos.set(lane, order.cos.cast_unsigned());
        before.sin.set(lane, order.sin.cast_unsigned());
        self.pull.set(lane, 0);
        self.streak.set(lane, 0);
    }

    /// Whether the last round made a lane's attempt bloom.
    pub(crate) fn has_bloomed(&self, lane: usize) -> bool {
        self.streak.get(lane) == BLOOM_ROUNDS
    }

    /// The phases of a lane at the start of the last round.
    pub(crate) fn phases(&self, lane: usize) -> [u32; OSCILLATORS] {
        let mut phases = [0; OSCILLATORS];
        for (phase, oscillator) in phases.iter_mut().zip(&self.oscillators) {
            *phase = oscillator.phases.get(lane);
        }
        phases
    }

    /// The mean field of a lane in its last seven rounds, in order.
    pub(crate) fn orders(&self, lane: usize) -> [Order; BLOOM_ROUNDS as usize] {
        let mut orders = [Order::default(); BLOOM_ROUNDS as usize];
        for (back, order) in (1..).zip(orders.iter_mut().rev()) {
            *order = self.order_before(lane, back);
        }
        orders
    }

    /// The mean field of a lane `back` rounds ago; 1 is the last round, `HISTORY` the earliest.
    pub(crate) fn order_before(&self, lane: usize, back: u64) -> Order {
        let means = self.means(self.round.wrapping_sub(back));
        Order { cos: means.cos.get(lane).cast_signed(), sin: means.sin.get(lane).cast_signed() }
    }

    #[inline(always)]
    fn means(&self, round: u64) -> &Means {
        self.means.get(slot(round)).expect("a slot is below HISTORY")
    }

    #[inline(always)]
    fn means_mut(&mut self, round: u64) -> &mut Means {
        self.means.get_mut(slot(round)).expect("a slot is below HISTORY")
    }
}

fn slot(round: u64) -> usize {
    round as usize & (HISTORY - 1)
}

/// Evolves all lanes for `limit` rounds, or fewer: it stops after a round in which a lane bloomed. A lane that has
/// bloomed must be refilled before the next call, and `tables` has each lane's.
#[inline(always)]
pub(crate) fn evolve<V: Vector>(v: V, field: &mut Field, tables: &[&CouplingTable; LANES], limit: u64) {
    for _ in 0..limit {
        let mut bloomed = false;
        for lane in (0..LANES).step_by(V::WORDS) {
            let mut sums = Row::ZERO;
            sweep(v, field, lane, &mut sums);
            for lane in (lane..lane.wrapping_add(V::WORDS)).step_by(8) {
                bloomed |= couple(field, lane, &sums, tables);
            }
        }
        field.round = field.round.wrapping_add(1);
        if bloomed {
            break;
        }
    }
}

/// One round of the oscillators of `V::WORDS` lanes from `lane` on; (C, S) modulo 2¹⁶ go to `sums`.
///
/// An oscillator's waves are computed while the next one turns: the two are independent, and a processor that looks
/// only some sixty instructions ahead finds enough to do.
#[inline(always)]
fn sweep<V: Vector>(v: V, field: &mut Field, lane: usize, sums: &mut Row) {
    let next = lane.wrapping_add(V::WORDS / 2);
    let pull = (v.load(&field.pull, lane), v.load(&field.pull, next));
    let mut total = (v.words(0), v.words(0));
    let [first, rest @ ..] = &mut field.oscillators;
    let [omega, omegas @ ..] = &OMEGA;
    let mut x = turn(v, first, lane, *omega, pull);
    let mut before = first;
    for (oscillator, omega) in rest.iter_mut().zip(omegas) {
        let next_x = turn(v, oscillator, lane, *omega, pull);
        wave(v, before, lane, x, &mut total);
        (before, x) = (oscillator, next_x);
    }
    wave(v, before, lane, x, &mut total);
    let (low, high) = v.interleave(total.0, total.1);
    v.store(sums, lane, low);
    v.store(sums, next, high);
}

/// Euler's step of an oscillator; gives its new phases as fractions of a turn.
#[inline(always)]
fn turn<V: Vector>(
    v: V,
    oscillator: &mut Oscillator,
    lane: usize,
    omega: i32,
    pull: (V::Dwords, V::Dwords),
) -> V::Words {
    let next = lane.wrapping_add(V::WORDS / 2);
    let Oscillator { phases, waves } = oscillator;
    let omega = v.dwords(omega);
    let free = v.add32(v.load(phases, lane), omega);
    let low = v.add32(free, v.shift_right_6(v.dot(v.load(waves, lane), pull.0)));
    let free = v.add32(v.load(phases, next), omega);
    let high = v.add32(free, v.shift_right_6(v.dot(v.load(waves, next), pull.1)));
    v.store(phases, lane, low);
    v.store(phases, next, high);
    v.turns(low, high)
}

/// The waves of an oscillator, and their part of (C, S).
#[inline(always)]
fn wave<V: Vector>(v: V, oscillator: &mut Oscillator, lane: usize, x: V::Words, total: &mut (V::Words, V::Words)) {
    let (sin, cos) = v.sin_cos(x);
    let (low, high) = v.interleave(cos, sin);
    v.store(&mut oscillator.waves, lane, low);
    v.store(&mut oscillator.waves, lane.wrapping_add(V::WORDS / 2), high);
    *total = (v.add(total.0, cos), v.add(total.1, sin));
}

/// The end of a round for the eight lanes from `lane` on, as many as compilers keep in registers: C, S, streaks and the
/// next pull. Says whether a lane bloomed.
#[inline(always)]
fn couple(field: &mut Field, lane: usize, sums: &Row, tables: &[&CouplingTable; LANES]) -> bool {
    let before = field.means(field.round.wrapping_sub(1));
    let (mut cos, mut sin) = (*before.cos.eight(lane), *before.sin.eight(lane));
    for ((cos, sin), sum) in cos.iter_mut().zip(&mut sin).zip(sums.eight(lane)) {
        *cos = nearest(*cos, *sum as u16);
        *sin = nearest(*sin, (sum >> 16) as u16);
    }
    let now = field.means_mut(field.round);
    *now.cos.eight_mut(lane) = cos;
    *now.sin.eight_mut(lane) = sin;

    let mut r2 = [0; 8];
    for ((r2, cos), sin) in r2.iter_mut().zip(cos).zip(sin) {
        *r2 = Order { cos: cos.cast_signed(), sin: sin.cast_signed() }.r2();
    }
    let mut bloomed = 0;
    for (streak, r2) in field.streak.eight_mut(lane).iter_mut().zip(r2) {
        // Signed comparison is the one that vectors have; R2 is below 2⁶³.
        let coherent = u32::from(r2.cast_signed() >= COHERENT_R2.cast_signed()).wrapping_neg();
        *streak = streak.wrapping_add(1) & coherent;
        bloomed |= u32::from(*streak == BLOOM_ROUNDS);
    }
    let mut steps = [0; 8];
    let tables = tables.as_chunks::<8>().0.get(lane / 8).expect("there are four times eight lanes");
    for ((step, table), r2) in steps.iter_mut().zip(tables).zip(r2) {
        *step = table.at(r2);
    }
    for (((next, cos), sin), step) in field.pull.eight_mut(lane).iter_mut().zip(cos).zip(sin).zip(steps) {
        *next = pull(cos.cast_signed(), sin.cast_signed(), step);
    }
    bloomed != 0
}

/// The integer nearest to `before` that is `sum` modulo 2¹⁶.
#[inline(always)]
fn nearest(before: u32, sum: u16) -> u32 {
    let moved = sum.wrapping_sub(before as u16).cast_signed();
    before.wrapping_add_signed(i32::from(moved))
}

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
//! C and S need 22 bits and the lanes have 16. They are summed twice: exactly modulo 2¹⁶ (L), and without their six low
//! bits (H), which fits 16 bits since 63·512 < 2¹⁵. Σ(c mod 64) < 2¹⁶, so the sum is 64·H + ((L − 64·H) mod 2¹⁶).

use super::vector::{Row, Vector, pull, sin_cos};
use crate::bloom::Order;
use crate::coupling::CouplingTable;
use crate::params::{BLOOM_ROUNDS, COHERENT_R2, OSCILLATORS};
use crate::tables::OMEGA;

/// Attempts in a batch.
pub(crate) const LANES: usize = Row::LEN;

const HISTORY: usize = 8;
const _: () = assert!(HISTORY >= BLOOM_ROUNDS as usize && HISTORY.is_power_of_two());
const _: () = assert!(OSCILLATORS * 512 < 1 << 15 && OSCILLATORS * 63 < 1 << 16);

/// The state of 32 attempts.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Phases of each oscillator, a lane per attempt.
    phases: [Row; OSCILLATORS],
    /// (c, s) of each oscillator, c in the lower half.
    waves: [Row; OSCILLATORS],
    /// (S', −C') of each attempt.
    pull: Row,
    /// C and S of the last rounds, at `round % HISTORY`.
    cos: [Row; HISTORY],
    sin: [Row; HISTORY],
    /// Coherent rounds in a row.
    streak: Row,
    /// Rounds done since the field began; each lane counts from where it entered.
    pub(crate) round: u64,
}

impl Field {
    pub(crate) const EMPTY: Self = Self {
        phases: [Row::ZERO; OSCILLATORS],
        waves: [Row::ZERO; OSCILLATORS],
        pull: Row::ZERO,
        cos: [Row::ZERO; HISTORY],
        sin: [Row::ZERO; HISTORY],
        streak: Row::ZERO,
        round: 0,
    };

    /// Puts a new attempt in a lane; the next round is its round 0.
    pub(crate) fn enter(&mut self, lane: usize, phases: &[u32; OSCILLATORS]) {
        for ((row, phase), omega) in self.phases.iter_mut().zip(phases).zip(OMEGA) {
            row.set(lane, phase.wrapping_sub(omega.cast_unsigned()));
        }
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
        for (phase, row) in phases.iter_mut().zip(&self.phases) {
            *phase = row.get(lane);
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
        let at = slot(self.round.wrapping_sub(back));
        let (cos, sin) = (self.cos.get(at), self.sin.get(at));
        let value = |row: Option<&Row>| row.map_or(0, |row| row.get(lane).cast_signed());
        Order { cos: value(cos), sin: value(sin) }
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
        let at = slot(field.round);
        let mut sums = (Row::ZERO, Row::ZERO);
        for lane in (0..LANES).step_by(V::WORDS) {
            sweep(v, field, lane, &mut sums);
        }
        let bloomed = couple(field, &sums.0, &sums.1, tables);
        let (cos, sin) = sums;
        if let (Some(c), Some(s)) = (field.cos.get_mut(at), field.sin.get_mut(at)) {
            (*c, *s) = (cos, sin);
        }
        field.round = field.round.wrapping_add(1);
        if bloomed {
            break;
        }
    }
}

/// One round of the oscillators of `V::WORDS` lanes from `lane` on; C and S go to `sums`.
#[inline(always)]
fn sweep<V: Vector>(v: V, field: &mut Field, lane: usize, sums: &mut (Row, Row)) {
    let half = V::WORDS / 2;
    let next = lane.wrapping_add(half);
    let pull = (v.load(&field.pull, lane), v.load(&field.pull, next));
    let zero = v.words(0);
    let (mut cos, mut sin) = ((zero, zero), (zero, zero));
    for ((phases, waves), omega) in field.phases.iter_mut().zip(&mut field.waves).zip(&OMEGA) {
        let omega = v.dwords(*omega);
        let turn = |phase, wave, pull| v.add32(v.add32(phase, omega), v.shift_right_32::<6>(v.dot(wave, pull)));
        let low = turn(v.load(phases, lane), v.load(waves, lane), pull.0);
        let high = turn(v.load(phases, next), v.load(waves, next), pull.1);
        v.store(phases, lane, low);
        v.store(phases, next, high);
        let (s, c) = sin_cos(v, v.pack_upper(low, high));
        let (low, high) = v.interleave(c, s);
        v.store(waves, lane, low);
        v.store(waves, next, high);
        cos = (v.add(cos.0, c), v.add(cos.1, v.shift_right_6(c)));
        sin = (v.add(sin.0, s), v.add(sin.1, v.shift_right_6(s)));
    }
    let (low, high) = widen(v, cos);
    v.store(&mut sums.0, lane, low);
    v.store(&mut sums.0, next, high);
    let (low, high) = widen(v, sin);
    v.store(&mut sums.1, lane, low);
    v.store(&mut sums.1, next, high);
}

/// 64·H + ((L − 64·H) mod 2¹⁶), see above.
#[inline(always)]
fn widen<V: Vector>(v: V, (exact, upper): (V::Words, V::Words)) -> (V::Dwords, V::Dwords) {
    let zero = v.words(0);
    let (exact_low, exact_high) = v.interleave(exact, zero);
    let (upper_low, upper_high) = v.interleave(zero, upper);
    let mask = v.dwords(0xffff);
    let whole = |exact, upper| {
        let upper = v.shift_right_32::<10>(upper); // (H·2¹⁶) >> 10 = 64·H
        v.add32(upper, v.and32(v.sub32(exact, upper), mask))
    };
    (whole(exact_low, upper_low), whole(exact_high, upper_high))
}

/// The end of a round: streaks and the next pull of every lane. Says whether a lane bloomed.
#[inline(always)]
fn couple(field: &mut Field, cos: &Row, sin: &Row, tables: &[&CouplingTable; LANES]) -> bool {
    let mut r2 = [0; LANES];
    for ((r2, cos), sin) in r2.iter_mut().zip(cos.0).zip(sin.0) {
        *r2 = Order { cos: cos.cast_signed(), sin: sin.cast_signed() }.r2();
    }
    let mut bloomed = 0;
    for (streak, r2) in field.streak.0.iter_mut().zip(r2) {
        let coherent = u32::from(r2 >= COHERENT_R2).wrapping_neg();
        *streak = streak.wrapping_add(1) & coherent;
        bloomed |= u32::from(*streak == BLOOM_ROUNDS);
    }
    let mut steps = [0; LANES];
    for ((step, table), r2) in steps.iter_mut().zip(tables).zip(r2) {
        *step = table.at(r2);
    }
    for (((next, cos), sin), step) in field.pull.0.iter_mut().zip(cos.0).zip(sin.0).zip(steps) {
        *next = pull(cos.cast_signed(), sin.cast_signed(), step);
    }
    bloomed != 0
}

//! One attempt alone, its oscillators across the lanes: the least time to a verdict.
//!
//! Lane 63 is idle: its stored waves are masked to zero, so that nothing moves it, and what it adds to C and S is taken off.

use super::Backend;
use super::portable::Portable;
use super::vector::{Row, Vector};
use crate::bloom::{Bloom, Order};
use crate::coupling::CouplingTable;
use crate::difficulty::Difficulty;
use crate::params::{BLOOM_ROUNDS, COHERENT_R2, OSCILLATORS, ROUNDS_MAX};
use crate::tables::OMEGA;

/// Rounds whose mean field is kept; a power of two is cheap to index.
const HISTORY: usize = 8;
const _: () = assert!(HISTORY >= BLOOM_ROUNDS as usize);
const _: () = assert!(OSCILLATORS == 2 * Row::LEN - 1);

/// Evolves one attempt at a time on one backend; keeps the last coupling table.
#[derive(Clone, Debug)]
pub struct Solo {
    backend: Backend,
    difficulty: Option<Difficulty>,
    table: CouplingTable,
}

impl Solo {
    /// A runner on this backend.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self { backend, difficulty: None, table: CouplingTable::UNCOUPLED }
    }

    /// The backend it runs on.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Evolves an attempt from its initial phases until it blooms, at most to round `last_round`.
    #[must_use]
    pub fn run(&mut self, phases: &[u32; OSCILLATORS], difficulty: Difficulty, last_round: u32) -> Option<Bloom> {
        if self.difficulty != Some(difficulty) {
            self.table = CouplingTable::new(difficulty);
            self.difficulty = Some(difficulty);
        }
        self.run_with(phases, &self.table, last_round)
    }

    /// As [`Solo::run`], with any coupling table.
    #[must_use]
    pub fn run_with(&self, phases: &[u32; OSCILLATORS], table: &CouplingTable, last_round: u32) -> Option<Bloom> {
        match self.backend {
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Backend::Avx2 => super::avx2::Avx2::required().evolve_one(phases, table, last_round),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Backend::Avx512 => super::avx512::Avx512::required().evolve_one(phases, table, last_round),
            _ => evolve(Portable, phases, table, last_round),
        }
    }
}

/// What a round reads and writes: 63 oscillators and an idle one.
struct State {
    /// phase + ω: where an oscillator would go by itself.
    free: [Row; 2],
    /// (c, s), c in the lower half.
    waves: [Row; 2],
}

impl State {
    fn new(phases: &[u32; OSCILLATORS]) -> Self {
        Self { free: rows(phases), waves: [Row::ZERO; 2] }
    }

    /// The phases before the last step's ω was added.
    fn phases(&self) -> [u32; OSCILLATORS] {
        let mut phases = [0; OSCILLATORS];
        let rows = self.free.iter().zip(&OMEGAS).flat_map(|(free, omegas)| free.0.iter().zip(&omegas.0));
        for (phase, (free, omega)) in phases.iter_mut().zip(rows) {
            *phase = free.wrapping_sub(*omega);
        }
        phases
    }
}

/// The natural frequencies as two rows.
const OMEGAS: [Row; 2] = rows(&{
    let mut omegas = [0; OSCILLATORS];
    let mut i = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while i < OSCILLATORS {
        omegas[i] = OMEGA[i].cast_unsigned();
        i += 1;
    }
    omegas
});

/// 63 values as two rows, the last value 0.
const fn rows(values: &[u32; OSCILLATORS]) -> [Row; 2] {
    let mut rows = [Row::ZERO; 2];
    let [Row(first), Row(second)] = &mut rows;
    let (low, high) = values.split_at(Row::LEN);
    let (present, _) = second.split_at_mut(Row::LEN - 1);
    first.copy_from_slice(low);
    present.copy_from_slice(high);
    rows
}

#[inline(always)]
pub(crate) fn evolve<V: Vector>(
    v: V,
    phases: &[u32; OSCILLATORS],
    table: &CouplingTable,
    last_round: u32,
) -> Option<Bloom> {
    let mut state = State::new(phases);
    let mut pull = v.dwords(0);
    let mut recent = [v.mean(v.dwords(0), v.dwords(0)); HISTORY];
    let mut streak = 0_u32;
    for round in 0..=last_round.min(ROUNDS_MAX.wrapping_sub(1)) {
        let mean = sweep(v, &mut state, pull);
        *slot(&mut recent, round) = mean;
        let r2 = v.r2(mean);
        pull = v.pull(mean, table.at(r2));
        streak = if r2 >= COHERENT_R2 { streak.wrapping_add(1) } else { 0 };
        if streak == BLOOM_ROUNDS {
            let mut order = [Order::default(); BLOOM_ROUNDS as usize];
            for (order, back) in order.iter_mut().rev().zip(0..) {
                *order = v.order(*slot(&mut recent, round.wrapping_sub(back)));
            }
            return Some(Bloom { end: round, order, phases: state.phases() });
        }
    }
    None
}

#[inline(always)]
fn slot<T>(recent: &mut [T; HISTORY], round: u32) -> &mut T {
    recent.get_mut(round as usize % HISTORY).expect("a remainder is below HISTORY")
}

/// The mean field of an attempt's phases.
#[inline(always)]
pub(crate) fn mean_field<V: Vector>(v: V, phases: &[u32; OSCILLATORS]) -> Order {
    let mut state = State::new(phases);
    v.order(sweep(v, &mut state, v.dwords(0)))
}

/// Euler's step under a pull, and the new mean field.
#[inline(always)]
fn sweep<V: Vector>(v: V, state: &mut State, pull: V::Dwords) -> V::Mean {
    let (mut cos, mut sin) = (v.load(&IDLE.0, 0), v.load(&IDLE.1, 0));
    for (((free, waves), omegas), present) in state.free.iter_mut().zip(&mut state.waves).zip(&OMEGAS).zip(&PRESENT) {
        for at in (0..Row::LEN).step_by(V::WORDS) {
            let next = at.wrapping_add(V::WORDS / 2);
            let low = v.add32(v.load(free, at), v.shift_right_6(v.dot(v.load(waves, at), pull)));
            let high = v.add32(v.load(free, next), v.shift_right_6(v.dot(v.load(waves, next), pull)));
            v.store(free, at, v.add32(low, v.load(omegas, at)));
            v.store(free, next, v.add32(high, v.load(omegas, next)));
            let (s, c) = v.sin_cos(v.turns(low, high));
            cos = v.add32(cos, v.pair_sums(c));
            sin = v.add32(sin, v.pair_sums(s));
            let (low, high) = v.interleave(c, s);
            v.store(waves, at, low);
            v.store(waves, next, v.and32(high, v.load(present, next)));
        }
    }
    v.mean(cos, sin)
}

/// All ones where there is an oscillator.
const PRESENT: [Row; 2] = rows(&[u32::MAX; OSCILLATORS]);

/// What the idle oscillator, which stays at phase 0, adds to C and S, taken off beforehand.
const IDLE: (Row, Row) = {
    let (mut cos, mut sin) = (Row::ZERO, Row::ZERO);
    cos.0[0] = 0_u32.wrapping_sub(32_766);
    sin.0[0] = 0_u32.wrapping_sub(3);
    (cos, sin)
};

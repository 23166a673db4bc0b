//! One attempt alone, its oscillators across the lanes: the least time to a verdict.
//!
//! Lane 63 is idle: its waves are masked to zero, so that it adds nothing to C and S.

use super::Backend;
use super::portable::Portable;
use super::vector::{Row, Vector, pull, sin_cos};
use crate::bloom::{Bloom, Order};
use crate::coupling::CouplingTable;
use crate::difficulty::Difficulty;
use crate::params::{BLOOM_ROUNDS, OSCILLATORS, ROUNDS_MAX};
use crate::tables::OMEGA;

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

/// The oscillators in two rows, with the natural frequencies beside them.
const OMEGAS: [Row; 2] = {
    let mut rows = [Row::ZERO; 2];
    let mut i = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while i < OSCILLATORS {
        rows[i / Row::LEN].0[i % Row::LEN] = OMEGA[i].cast_unsigned();
        i += 1;
    }
    rows
};

/// All ones where there is an oscillator.
const PRESENT: Row = {
    let mut row = [u32::MAX; Row::LEN];
    row[Row::LEN - 1] = 0;
    Row(row)
};
const ALL: Row = Row([u32::MAX; Row::LEN]);

#[inline(always)]
pub(crate) fn evolve<V: Vector>(
    v: V,
    phases: &[u32; OSCILLATORS],
    table: &CouplingTable,
    last_round: u32,
) -> Option<Bloom> {
    let mut state = [Row::ZERO; 2];
    for (row, phases) in state.iter_mut().zip(phases.chunks(Row::LEN)) {
        for (to, phase) in row.0.iter_mut().zip(phases) {
            *to = *phase;
        }
    }
    let mut recent = [Order::default(); 8];
    let mut streak = 0_u32;
    for round in 0..=last_round.min(ROUNDS_MAX.wrapping_sub(1)) {
        let mut waves = [Row::ZERO; 2];
        let order = sense(v, &state, &mut waves);
        if let Some(slot) = recent.get_mut(round as usize & 7) {
            *slot = order;
        }
        let r2 = order.r2();
        streak = if order.is_coherent() { streak.wrapping_add(1) } else { 0 };
        if streak == BLOOM_ROUNDS {
            return Some(bloom(round, &recent, &state));
        }
        step(v, &mut state, &waves, pull(order.cos, order.sin, table.at(r2)));
    }
    None
}

/// Waves and mean field of the phases.
#[inline(always)]
fn sense<V: Vector>(v: V, phases: &[Row; 2], waves: &mut [Row; 2]) -> Order {
    let half = V::WORDS / 2;
    let ones = v.dwords(0x0001);
    let uppers = v.dwords(0x0001_0000);
    let (mut cos, mut sin) = (v.dwords(0), v.dwords(0));
    for ((phases, waves), present) in phases.iter().zip(waves).zip([&ALL, &PRESENT]) {
        for at in (0..Row::LEN).step_by(V::WORDS) {
            let next = at.wrapping_add(half);
            let (s, c) = sin_cos(v, v.pack_upper(v.load(phases, at), v.load(phases, next)));
            let (low, high) = v.interleave(c, s);
            let high = v.and32(high, v.load(present, next));
            v.store(waves, at, low);
            v.store(waves, next, high);
            cos = v.add32(cos, v.add32(v.dot(low, ones), v.dot(high, ones)));
            sin = v.add32(sin, v.add32(v.dot(low, uppers), v.dot(high, uppers)));
        }
    }
    let (cos, sin) = v.sums(cos, sin);
    Order { cos, sin }
}

/// Euler's step.
#[inline(always)]
fn step<V: Vector>(v: V, phases: &mut [Row; 2], waves: &[Row; 2], pull: u32) {
    let pull = v.dwords(pull.cast_signed());
    for ((phases, waves), omegas) in phases.iter_mut().zip(waves).zip(&OMEGAS) {
        for at in (0..Row::LEN).step_by(V::WORDS / 2) {
            let free = v.add32(v.load(phases, at), v.load(omegas, at));
            let pulled = v.shift_right_32::<6>(v.dot(v.load(waves, at), pull));
            v.store(phases, at, v.add32(free, pulled));
        }
    }
}

fn bloom(end: u32, recent: &[Order; 8], state: &[Row; 2]) -> Bloom {
    let mut phases = [0; OSCILLATORS];
    for (phase, value) in phases.iter_mut().zip(state.iter().flat_map(|row| row.0)) {
        *phase = value;
    }
    let first = end.wrapping_sub(BLOOM_ROUNDS - 1);
    let mut rounds = first..;
    let order = core::array::from_fn(|_| {
        let at = rounds.next().unwrap_or_default() as usize & 7;
        recent.get(at).copied().unwrap_or_default()
    });
    Bloom { end, order, phases }
}

//! The law's section 2 once more, as plainly as it can be said: one attempt, one oscillator after the other.
//!
//! Nothing fast is built on this file. Tests and self-tests compare every backend with it, and a miner re-runs each
//! block that it finds here before the block leaves it.

use crate::bloom::{Bloom, Order};
use crate::coupling::CouplingTable;
use crate::params::{BLOOM_ROUNDS, OSCILLATORS, ROUNDS_MAX};
use crate::tables::OMEGA;

/// Evolves one attempt from its initial phases until it blooms, at most to round `last_round`.
#[must_use]
pub fn run(phases: &[u32; OSCILLATORS], table: &CouplingTable, last_round: u32) -> Option<Bloom> {
    trace(phases, table, last_round, |_, _| {})
}

/// As [`run`], and shows `observe` the mean field of every round.
pub fn trace(
    phases: &[u32; OSCILLATORS],
    table: &CouplingTable,
    last_round: u32,
    mut observe: impl FnMut(u32, Order),
) -> Option<Bloom> {
    let mut phases = *phases;
    let mut streak = 0_u32;
    let mut recent = [Order::default(); BLOOM_ROUNDS as usize];
    for round in 0..=last_round.min(ROUNDS_MAX.wrapping_sub(1)) {
        let (sin, cos) = (phases.map(sin), phases.map(cos));
        let order = Order { cos: sum(&cos), sin: sum(&sin) };
        observe(round, order);
        recent.rotate_left(1);
        let [.., newest] = &mut recent;
        *newest = order;
        streak = if order.is_coherent() { streak.wrapping_add(1) } else { 0 };
        if streak == BLOOM_ROUNDS {
            return Some(Bloom { end: round, order: recent, phases });
        }
        let step = i64::from(table.at(order.r2()));
        let pull_sin = (i64::from(order.sin).wrapping_mul(step) >> 28) as i32; // fits 16 bits
        let pull_cos = (i64::from(order.cos).wrapping_mul(step) >> 28) as i32;
        for (((phase, sin), cos), omega) in phases.iter_mut().zip(sin).zip(cos).zip(OMEGA) {
            let pull = pull_sin.wrapping_mul(i32::from(cos)).wrapping_sub(pull_cos.wrapping_mul(i32::from(sin)));
            *phase = phase.wrapping_add_signed(omega.wrapping_add(pull >> 6));
        }
    }
    None
}

fn sum(waves: &[i16; OSCILLATORS]) -> i32 {
    waves.iter().fold(0, |sum, wave| sum.wrapping_add(i32::from(*wave)))
}

/// Sine of a phase, in Q15. It depends on the upper 15 bits alone.
#[must_use]
pub fn sin(phase: u32) -> i16 {
    quarter_sine(16_384_i16.wrapping_sub(turn(phase).wrapping_sub(16_384).wrapping_abs()))
}

/// Cosine of a phase, likewise.
#[must_use]
pub fn cos(phase: u32) -> i16 {
    quarter_sine(16_384_i16.wrapping_sub(turn(phase).wrapping_abs()))
}

/// A phase as an odd signed 16-bit fraction of a turn.
fn turn(phase: u32) -> i16 {
    (phase >> 16) as i16 | 1
}

/// sin(π/2 · w/2¹⁴) in Q15 for |w| < 2¹⁴, by an odd polynomial of degree 5.
fn quarter_sine(w: i16) -> i16 {
    let z = w.wrapping_mul(2);
    let z2 = mulhrs(z, z);
    let p = 21_024_i16.wrapping_sub(mulhrs(z2, 2_338));
    let q = 18_684_i16.wrapping_sub(mulhrs(z2, p));
    z.wrapping_add(mulhrs(z, q))
}

/// (a·b + 2¹⁴) >> 15: a rounded product of two Q15 numbers.
fn mulhrs(a: i16, b: i16) -> i16 {
    (i32::from(a).wrapping_mul(i32::from(b)).wrapping_add(1 << 14) >> 15) as i16
}

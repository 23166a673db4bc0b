//! The law's section 2 once more, as plainly as it can be said: one attempt, one oscillator after the other.
//!
//! Nothing fast is built on this file. Tests and self-tests compare every backend with it, and a miner re-runs each
//! block that it finds here before the block leaves it.

use core::hint::black_box;

use crate::bloom::{Bloom, Order};
use crate::coupling::CouplingTable;
use crate::params::{BLOOM_ROUNDS, OSCILLATORS, ROUNDS_MAX};
use crate::tables::OMEGA;

/// The oscillators and one that does not count: compilers like round numbers.
const PADDED: usize = 64;
type Words = [i16; PADDED];
const OMEGAS: [i32; PADDED] = {
    let mut omegas = [0; PADDED];
    let (head, _) = omegas.split_at_mut(OSCILLATORS);
    head.copy_from_slice(&OMEGA);
    omegas
};
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
    let mut state = [0; PADDED];
    for (to, phase) in state.iter_mut().zip(phases) {
        *to = *phase;
    }
    let mut streak = 0_u32;
    let mut recent = [Order::default(); BLOOM_ROUNDS as usize];
    for round in 0..=last_round.min(ROUNDS_MAX.wrapping_sub(1)) {
        let (sines, cosines) = sin_cos(&state);
        let order = Order { cos: sum(&cosines), sin: sum(&sines) };
        observe(round, order);
        recent.rotate_left(1);
        let [.., newest] = &mut recent;
        *newest = order;
        streak = if order.is_coherent() { streak.wrapping_add(1) } else { 0 };
        if streak == BLOOM_ROUNDS {
            let [phases @ .., _] = state;
            return Some(Bloom { end: round, order: recent, phases });
        }
        let step = i64::from(table.at(order.r2()));
        let pull_sin = (i64::from(order.sin).wrapping_mul(step) >> 28) as i16; // |S'|, |C'| ≤ 24 800
        let pull_cos = (i64::from(order.cos).wrapping_mul(step) >> 28) as i16;
        turn(&mut state, &[pull_sin; PADDED], &cosines, &[pull_cos; PADDED], &sines);
    }
    None
}

/// The sum of the waves of 63 oscillators.
fn sum(waves: &Words) -> i32 {
    let [.., idle] = waves;
    waves.iter().fold(i32::from(*idle).wrapping_neg(), |sum, wave| sum.wrapping_add(i32::from(*wave)))
}

/// Sine of a phase, in Q15.
#[must_use]
pub fn sin(phase: u32) -> i16 {
    let ([sin, ..], _) = sin_cos(&[phase; PADDED]);
    sin
}

/// Cosine of a phase, in Q15.
#[must_use]
pub fn cos(phase: u32) -> i16 {
    let (_, [cos, ..]) = sin_cos(&[phase; PADDED]);
    cos
}

/// Sines and cosines of phases, in Q15.
fn sin_cos(phases: &[u32; PADDED]) -> (Words, Words) {
    let (mut sines, mut cosines) = ([0; PADDED], [0; PADDED]);
    waves(&phases.map(|phase| (phase >> 16) as i16 | 1), &mut sines, &mut cosines);
    (sines, cosines)
}

/// Sines and cosines of x, odd signed fractions of a turn in 16 bits.
///
/// The compiler is kept from knowing most constants: where it can tell that a factor is not negative it leaves the
/// 16-bit products of every instruction set for longer ones.
#[inline(never)]
fn waves(x: &Words, sines: &mut Words, cosines: &mut Words) {
    let constants = black_box([16_384_i16, 18_684, 21_024, 2]);
    let [quarter, ..] = constants;
    for ((s, c), x) in sines.iter_mut().zip(cosines).zip(x) {
        *s = quarter_sine(quarter.wrapping_sub(x.wrapping_sub(quarter).wrapping_abs()), constants);
        *c = quarter_sine(quarter.wrapping_sub(x.wrapping_abs()), constants);
    }
}

/// sin(π/2 · w/2¹⁴) in Q15 for |w| < 2¹⁴, by an odd polynomial of degree 5.
fn quarter_sine(w: i16, [_, a, b, two]: [i16; 4]) -> i16 {
    let z = w.wrapping_mul(2);
    let z2 = mulhrs(z, z, two);
    let p = b.wrapping_sub(mulhrs(z2, 2_338, two));
    let q = a.wrapping_sub(mulhrs(z2, p, two));
    z.wrapping_add(mulhrs(z, q, two))
}

/// (a·b + 2¹⁴) >> 15: a rounded product of two Q15 numbers, from the halves 2¹⁶·high + low of the product. `two` is 2, a
/// value the compiler does not know, lest it put the halves together again.
fn mulhrs(a: i16, b: i16, two: i16) -> i16 {
    let high = (product(a, b) >> 16) as i16;
    let low = a.wrapping_mul(b).cast_unsigned();
    let rounded = (low >> 1).wrapping_add(1 << 13) >> 14;
    high.wrapping_mul(two).wrapping_add_unsigned(rounded)
}

/// Euler's step: phase_i += ω_i + ((S'·c_i − C'·s_i) >> 6).
#[inline(never)]
fn turn(phases: &mut [u32; PADDED], pull_sin: &Words, cosines: &Words, pull_cos: &Words, sines: &Words) {
    let waves = pull_sin.iter().zip(cosines).zip(pull_cos.iter().zip(sines));
    for ((phase, omega), ((pull_sin, cos), (pull_cos, sin))) in phases.iter_mut().zip(&OMEGAS).zip(waves) {
        let pull = product(*pull_sin, *cos).wrapping_sub(product(*pull_cos, *sin));
        *phase = phase.wrapping_add_signed(omega.wrapping_add(pull >> 6));
    }
}

fn product(a: i16, b: i16) -> i32 {
    i32::from(a).wrapping_mul(i32::from(b))
}

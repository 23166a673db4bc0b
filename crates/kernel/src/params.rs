//! Every constant of the oscillators (law §1 and §2), and what they must have to do with one another.

/// N: oscillators of one attempt.
pub const OSCILLATORS: usize = 63;
/// L4: consecutive coherent rounds that make a bloom.
pub const BLOOM_ROUNDS: u32 = 7;
/// L18: an attempt without a bloom by then is void; also the rounds of a full ticket at difficulty 1.
pub const ROUNDS_MAX: u32 = 5778;
/// The amplitude of a unit vector in Q15: 63·32767 is N·r at r = 1.
pub const AMPLITUDE: u64 = 32_767;
/// A round is coherent iff R2 = C² + S² is at least this: 4·R2 ≥ 3·(63·32767)², z_c² = 3/4.
pub const COHERENT_R2: u64 = 3_196_065_893_281;
/// Entries of the gain and coupling tables, indexed by R2 >> 32.
pub const GAIN_ENTRIES: usize = 1024;
/// ⌊K_floor·2³²⌋, K_floor = τ: the coupling as difficulty → ∞.
pub const K_FLOOR_Q32: u64 = 2_654_435_769;
/// ⌊K_base·2³²⌋ − ⌊K_floor·2³²⌋, K_base = √(1−φ⁻⁴): what difficulty 1 adds to the floor.
pub const K_SPAN_Q32: u64 = 1_314_871_523;
/// ⌊τ·2³²⌋, τ = 1/φ.
pub const TAU_Q32: u64 = 2_654_435_769;
/// round(dt/(2πN)·2⁴⁸): one Euler step of the mean field, dt = 0.01.
pub const STEP: u64 = 7_110_814_905;
/// Fraction bits of a difficulty.
pub const DIFFICULTY_BITS: u32 = 24;
/// Distinct Lucas nonces, L_{L_0} … L_{L_23} mod 2³².
pub const NONCES: usize = 24;

const FULL_R2: u64 = {
    let full = OSCILLATORS as u64 * AMPLITUDE;
    full * full
};
// z_c² = 3/4 as the least integer that satisfies it.
const _: () = assert!(4 * COHERENT_R2 >= 3 * FULL_R2 && 4 * (COHERENT_R2 - 1) < 3 * FULL_R2);
// Every reachable R2 has a table entry: |(c, s)| exceeds 32767 by less than 1 %.
const _: () = assert!((FULL_R2 / 100 * 102) >> 32 < GAIN_ENTRIES as u64);
const _: () = assert!(ROUNDS_MAX == lucas(18) && BLOOM_ROUNDS == lucas(4));
const _: () = assert!(K_FLOOR_Q32 == TAU_Q32);

#[expect(clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn lucas(n: u32) -> u32 {
    let (mut a, mut b, mut i) = (2, 1, 0);
    while i < n {
        (a, b) = (b, a + b);
        i += 1;
    }
    a
}

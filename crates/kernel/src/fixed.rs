//! Logarithm and exponential to base 2 in Q32, exact to the bit (law §2). Floats never reach a validity decision.

use ruint::aliases::U256;

/// 2^(2^−k) in Q62 for k = 0 … 32, by repeated floored square roots: c_k = isqrt(c_{k−1}·2⁶²).
const ROOTS: [u64; 33] = {
    let mut roots = [0; 33];
    let mut c: u128 = 2 << 62;
    let mut k = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while k < 33 {
        roots[k] = c as u64;
        c = (c << 62).isqrt();
        k += 1;
    }
    roots
};

/// log2(x) in Q32, floored bit by bit. Zero is treated as one, so that the function is total.
#[must_use]
pub fn log2_q32(x: u128) -> i64 {
    let x = x.max(1);
    let top = x.ilog2();
    // The mantissa in Q63: x·2^(63−top), floored.
    let mut mantissa =
        if top <= 63 { x.wrapping_shl(63_u32.wrapping_sub(top)) } else { x.wrapping_shr(top.wrapping_sub(63)) };
    let mut log = i64::from(top);
    for _ in 0..32 {
        mantissa = mantissa.wrapping_mul(mantissa) >> 63; // below 2⁶⁴, so the square fits
        let bit = mantissa >> 64;
        mantissa >>= bit;
        log = log << 1 | i64::from(bit != 0);
    }
    log
}

/// ⌊base·2^(e/2³²)⌋, for exponents that fit 256 bits with the base; beyond that `U256::MAX`.
///
/// The retargets keep |e| ≤ 100·2³² and base ≤ 2⁸⁸, which is well inside.
#[must_use]
pub fn exp2_q32(e: i64, base: u128) -> U256 {
    let fraction = e as u32;
    let mut mantissa: u128 = 1 << 62;
    for (k, root) in (1_u32..).zip(ROOTS.iter().skip(1)) {
        if fraction.wrapping_shr(32_u32.wrapping_sub(k)) & 1 == 1 {
            mantissa = mantissa.wrapping_mul(u128::from(*root)) >> 62; // both below 2⁶³
        }
    }
    let product = U256::from(base).saturating_mul(U256::from(mantissa)); // below 2¹⁹¹
    let shift = (e >> 32).saturating_sub(62);
    let bits = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
    if shift < 0 { product.wrapping_shr(bits) } else { product.saturating_shl(bits) }
}

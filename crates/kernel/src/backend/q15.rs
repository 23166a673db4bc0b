//! Sine and cosine where an instruction set has rounded products of Q15 numbers and signs that follow another's: shorter
//! than the law says it, to the same bits.

use super::vector::Vector;

/// What [`sin_cos`] needs beside the vocabulary.
pub(crate) trait Q15: Vector {
    /// a − b.
    fn sub(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// (a·b + 2¹⁴) >> 15.
    fn mulhrs(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// a where b > 0, −a where b < 0; b is never 0.
    fn sign(self, a: Self::Words, b: Self::Words) -> Self::Words;
}

/// Sine and cosine of odd fractions x of a turn.
///
/// The law's arguments z = 2·(16384 − |x|) and 2·(16384 − |x − 16384|) in fewer steps: y = 2x wraps at half a turn, so
/// that it is the sine's z where the cosine is positive and −z where it is negative; likewise, a quarter turn on, for
/// the cosine's z and the sine's sign, which is x's.
#[inline(always)]
pub(crate) fn sin_cos<V: Q15>(v: V, x: V::Words) -> (V::Words, V::Words) {
    let y = v.add(x, x);
    let z_cos = v.sign(v.sub(v.words(i16::MIN), y), x);
    let z_sin = v.sign(y, z_cos);
    let z2 = (v.mulhrs(z_sin, z_sin), v.mulhrs(z_cos, z_cos));
    let p = |z2| v.sub(v.words(21_024), v.mulhrs(z2, v.words(2_338)));
    let p = (p(z2.0), p(z2.1));
    let q = |z2, p| v.sub(v.words(18_684), v.mulhrs(z2, p));
    let q = (q(z2.0, p.0), q(z2.1, p.1));
    (v.add(z_sin, v.mulhrs(z_sin, q.0)), v.add(z_cos, v.mulhrs(z_cos, q.1)))
}

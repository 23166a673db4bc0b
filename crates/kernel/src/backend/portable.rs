//! The vocabulary on every machine: eight words a vector, in whatever the target is compiled for (SSE2 on x86-64, NEON
//! on Arm, SIMD128 on WASM, plain integers elsewhere), through the `wide` crate.

use bytemuck::cast;
use wide::{i16x8, i32x4, u16x8, u32x4};

use super::vector::{Row, Vector, pull};
use crate::bloom::Order;

/// Needs nothing, so that anybody may have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

const UPPER: i32 = -0x1_0000;

#[expect(clippy::arithmetic_side_effects, reason = "the operators of `wide` wrap in every build")]
impl Vector for Portable {
    const WORDS: usize = 8;
    type Words = i16x8;
    type Dwords = i32x4;

    #[inline(always)]
    fn words(self, value: i16) -> i16x8 {
        i16x8::splat(value)
    }

    #[inline(always)]
    fn dwords(self, value: i32) -> i32x4 {
        i32x4::splat(value)
    }

    #[inline(always)]
    fn load(self, row: &Row, at: usize) -> i32x4 {
        row.0.as_chunks::<4>().0.get(at / 4).map_or(i32x4::ZERO, |four| cast(*four))
    }

    #[inline(always)]
    fn store(self, row: &mut Row, at: usize, value: i32x4) {
        if let Some(four) = row.0.as_chunks_mut::<4>().0.get_mut(at / 4) {
            *four = cast(value);
        }
    }

    /// Words of `low` and `high` alternate.
    #[inline(always)]
    fn turns(self, low: i32x4, high: i32x4) -> i16x8 {
        let low: i32x4 = cast(cast::<_, u32x4>(low) >> 16_u32);
        cast(low | high & i32x4::splat(UPPER) | i32x4::splat(0x0001_0001))
    }

    /// Not the vocabulary's: SSE2 has no rounded product, which would be six instructions. Here z2 comes as 2·z2, from
    /// upper halves of unsigned products: ⌊4·a·b / 2¹⁶⌋ rounded to even steps is twice the rounded a·b / 2¹⁵. As
    /// |z_sin| = 32768 − |z_cos|, the sine's z2 is the cosine's + 32768 − 2·|z_cos|, and one square is enough.
    #[inline(always)]
    fn sin_cos(self, x: i16x8) -> (i16x8, i16x8) {
        let quarter = i16x8::splat(16_384);
        let cos = quarter - abs(x);
        let sin = quarter - abs(x - quarter);
        let twice: u16x8 = cast(abs(cos) << 2_u32);
        let cos_z2 = (twice.mul_keep_high(twice) + u16x8::splat(1)) & u16x8::splat(!1);
        let sin_z2 = cos_z2 - twice - twice;
        (wave(sin, sin_z2), wave(cos, cos_z2))
    }

    #[inline(always)]
    fn interleave(self, a: i16x8, b: i16x8) -> (i32x4, i32x4) {
        let (a, b): (i32x4, i32x4) = (cast(a), cast(b));
        let upper = i32x4::splat(UPPER);
        let odd: i32x4 = cast(cast::<_, u32x4>(a) >> 16_u32);
        (a & !upper | b << 16_u32, odd | b & upper)
    }

    #[inline(always)]
    fn add(self, a: i16x8, b: i16x8) -> i16x8 {
        a + b
    }

    #[inline(always)]
    fn add32(self, a: i32x4, b: i32x4) -> i32x4 {
        a + b
    }

    #[inline(always)]
    fn and32(self, a: i32x4, b: i32x4) -> i32x4 {
        a & b
    }

    #[inline(always)]
    fn shift_right_6(self, a: i32x4) -> i32x4 {
        a >> 6_u32
    }

    #[inline(always)]
    fn dot(self, a: i32x4, b: i32x4) -> i32x4 {
        cast::<_, i16x8>(a).dot(cast(b))
    }

    #[inline(always)]
    fn pair_sums(self, a: i16x8) -> i32x4 {
        a.dot(i16x8::splat(1))
    }

    type Mean = Order;

    #[inline(always)]
    fn mean(self, cos: i32x4, sin: i32x4) -> Order {
        Order { cos: cos.reduce_add(), sin: sin.reduce_add() }
    }

    #[inline(always)]
    fn order(self, mean: Order) -> Order {
        mean
    }

    #[inline(always)]
    fn r2(self, mean: Order) -> u64 {
        mean.r2()
    }

    #[inline(always)]
    fn pull(self, mean: Order, step: u32) -> i32x4 {
        i32x4::splat(pull(mean.cos, mean.sin, step).cast_signed())
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "the operators of `wide` wrap in every build")]
#[inline(always)]
fn abs(a: i16x8) -> i16x8 {
    a.max(i16x8::ZERO - a)
}

/// Quarter sine of w, given 2·z2. `p` is the law's doubled; `q` is 2q − 32768, which is signed, and what it takes from
/// the product with z = 2w, namely w, is given back at the end.
#[expect(clippy::arithmetic_side_effects, reason = "the operators of `wide` wrap in every build")]
#[inline(always)]
fn wave(w: i16x8, z2: u16x8) -> i16x8 {
    let even = u16x8::splat(!1);
    let p = (u16x8::splat(42_048) - z2.mul_keep_high(u16x8::splat(4_676))) & even;
    let q: i16x8 = cast((u16x8::splat(4_600) - z2.mul_keep_high(p)) & even);
    let z = w + w;
    let rounding: i16x8 = cast(cast::<_, u16x8>(z * q) >> 15_u32);
    z + w + z.mul_keep_high(q) + rounding
}

//! The vocabulary on every machine: eight words a vector, in whatever the target is compiled for (SSE2 on x86-64, NEON
//! on Arm, SIMD128 on WASM, plain integers elsewhere), through the `wide` crate.

use bytemuck::cast;
use wide::{i16x8, i32x4, u32x4};

use super::vector::{Row, Vector};

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
    fn pack_upper(self, low: i32x4, high: i32x4) -> i16x8 {
        let low: i32x4 = cast(cast::<_, u32x4>(low) >> 16_u32);
        cast(low | high & i32x4::splat(UPPER))
    }

    #[inline(always)]
    fn interleave(self, a: i16x8, b: i16x8) -> (i32x4, i32x4) {
        let (a, b): (i32x4, i32x4) = (cast(a), cast(b));
        let upper = i32x4::splat(UPPER);
        let odd: i32x4 = cast(cast::<_, u32x4>(a) >> 16_u32);
        (a & !upper | b << 16_u32, odd | b & upper)
    }

    /// The product's halves apart, since that is what SSE2 multiplies:
    /// (65536·h + l + 2¹⁴) >> 15 = 2·h + (((l >> 14) + 1) >> 1).
    #[inline(always)]
    fn mulhrs(self, a: i16x8, b: i16x8) -> i16x8 {
        a.mul_scale_round(b)
    }

    #[inline(always)]
    fn add(self, a: i16x8, b: i16x8) -> i16x8 {
        a + b
    }

    #[inline(always)]
    fn sub(self, a: i16x8, b: i16x8) -> i16x8 {
        a - b
    }

    #[inline(always)]
    fn abs(self, a: i16x8) -> i16x8 {
        a.abs()
    }

    #[inline(always)]
    fn or(self, a: i16x8, b: i16x8) -> i16x8 {
        a | b
    }

    #[inline(always)]
    fn shift_right_6(self, a: i16x8) -> i16x8 {
        a >> 6_u32
    }

    #[inline(always)]
    fn add32(self, a: i32x4, b: i32x4) -> i32x4 {
        a + b
    }

    #[inline(always)]
    fn sub32(self, a: i32x4, b: i32x4) -> i32x4 {
        a - b
    }

    #[inline(always)]
    fn and32(self, a: i32x4, b: i32x4) -> i32x4 {
        a & b
    }

    #[inline(always)]
    fn shift_right_32<const N: i32>(self, a: i32x4) -> i32x4 {
        a >> N
    }

    #[inline(always)]
    fn dot(self, a: i32x4, b: i32x4) -> i32x4 {
        cast::<_, i16x8>(a).dot(cast(b))
    }

    #[inline(always)]
    fn sums(self, a: i32x4, b: i32x4) -> (i32, i32) {
        (a.reduce_add(), b.reduce_add())
    }
}

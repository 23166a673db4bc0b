//! The vocabulary: what a backend must be able to say. [`super::field`] and [`super::solo`] are written in it.
//!
//! A value of a `Vector` type is the proof that its instructions exist: it is had by detection alone, so that the
//! algorithms need no `unsafe`.

/// A row of 32-bit values, one per attempt of a batch (or half of the oscillators of a single attempt).
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Row(pub(crate) [u32; Row::LEN]);

impl Row {
    pub(crate) const LEN: usize = 32;
    pub(crate) const ZERO: Self = Self([0; Self::LEN]);

    #[inline(always)]
    pub(crate) fn get(&self, lane: usize) -> u32 {
        #[expect(clippy::indexing_slicing, reason = "the lane is masked to the row's length")]
        self.0[lane & (Self::LEN - 1)]
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, lane: usize, value: u32) {
        #[expect(clippy::indexing_slicing, reason = "the lane is masked to the row's length")]
        {
            self.0[lane & (Self::LEN - 1)] = value;
        }
    }
}

/// Operations on vectors of 16-bit words and of 32-bit double words, all lane by lane and wrapping.
///
/// `pack` and `interleave` may permute lanes, as long as the one undoes the other.
pub(crate) trait Vector: Copy {
    /// 16-bit words in a vector. Twice as many bytes, half as many double words.
    const WORDS: usize;
    /// `WORDS` × i16.
    type Words: Copy;
    /// `WORDS / 2` × i32.
    type Dwords: Copy;

    /// All words `value`.
    fn words(self, value: i16) -> Self::Words;
    /// All double words `value`.
    fn dwords(self, value: i32) -> Self::Dwords;
    /// The double words `at ..` of a row; `at` is a multiple of their number.
    fn load(self, row: &Row, at: usize) -> Self::Dwords;
    /// Writes what [`Vector::load`] would read.
    fn store(self, row: &mut Row, at: usize, value: Self::Dwords);

    /// The upper halves of two vectors of double words, as words.
    fn pack_upper(self, low: Self::Dwords, high: Self::Dwords) -> Self::Words;
    /// Double words with `a` in their lower and `b` in their upper halves.
    fn interleave(self, a: Self::Words, b: Self::Words) -> (Self::Dwords, Self::Dwords);

    /// (a·b + 2¹⁴) >> 15.
    fn mulhrs(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// a + b.
    fn add(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// a − b.
    fn sub(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// |a|.
    fn abs(self, a: Self::Words) -> Self::Words;
    /// a | b.
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// a >> 6, arithmetic.
    fn shift_right_6(self, a: Self::Words) -> Self::Words;

    /// a + b.
    fn add32(self, a: Self::Dwords, b: Self::Dwords) -> Self::Dwords;
    /// a − b.
    fn sub32(self, a: Self::Dwords, b: Self::Dwords) -> Self::Dwords;
    /// a & b.
    fn and32(self, a: Self::Dwords, b: Self::Dwords) -> Self::Dwords;
    /// a >> `N`, arithmetic.
    fn shift_right_32<const N: i32>(self, a: Self::Dwords) -> Self::Dwords;
    /// lower(a)·lower(b) + upper(a)·upper(b) of the signed halves of each double word.
    fn dot(self, a: Self::Dwords, b: Self::Dwords) -> Self::Dwords;
    /// The sums of all double words of `a` and of `b`.
    fn sums(self, a: Self::Dwords, b: Self::Dwords) -> (i32, i32);
}

/// Sine and cosine of the phases x, the upper halves of 32-bit phases (law §2).
#[inline(always)]
pub(crate) fn sin_cos<V: Vector>(v: V, upper: V::Words) -> (V::Words, V::Words) {
    let x = v.or(upper, v.words(1));
    let quarter = v.words(16_384);
    let cos = quarter_sine(v, v.sub(quarter, v.abs(x)));
    let sin = quarter_sine(v, v.sub(quarter, v.abs(v.sub(x, quarter))));
    (sin, cos)
}

#[inline(always)]
fn quarter_sine<V: Vector>(v: V, w: V::Words) -> V::Words {
    let z = v.add(w, w);
    let z2 = v.mulhrs(z, z);
    let p = v.sub(v.words(21_024), v.mulhrs(z2, v.words(2_338)));
    let q = v.sub(v.words(18_684), v.mulhrs(z2, p));
    v.add(z, v.mulhrs(z, q))
}

/// S' and −C' as the halves of a double word: its [`Vector::dot`] with (c, s) is S'·c − C'·s (law §2, steps 4 and 5).
#[inline(always)]
pub(crate) fn pull(cos: i32, sin: i32, step: u32) -> u32 {
    let step = i64::from(step);
    let sin = (i64::from(sin).wrapping_mul(step) >> 28) as u16; // |S'|, |C'| ≤ 24 800
    let cos = (i64::from(cos).wrapping_mul(step) >> 28) as u16;
    u32::from(sin) | u32::from(cos.wrapping_neg()) << 16
}

//! The vocabulary: what a backend must be able to say. [`super::field`] and [`super::solo`] are written in it.
//!
//! A value of a `Vector` type is the proof that its instructions exist: it is had by detection alone, so that the
//! algorithms need no `unsafe`.

use crate::bloom::Order;

/// A row of 32-bit values, one per attempt of a batch (or half of the oscillators of a single attempt).
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Row(pub(crate) [u32; Row::LEN]);

impl Row {
    pub(crate) const LEN: usize = 32;
    pub(crate) const ZERO: Self = Self([0; Self::LEN]);

    /// The eight values from `at` on, a multiple of eight.
    #[inline(always)]
    pub(crate) fn eight(&self, at: usize) -> &[u32; 8] {
        self.0.as_chunks().0.get(at / 8).expect("a row has four times eight values")
    }

    /// As [`Row::eight`].
    #[inline(always)]
    pub(crate) fn eight_mut(&mut self, at: usize) -> &mut [u32; 8] {
        self.0.as_chunks_mut().0.get_mut(at / 8).expect("a row has four times eight values")
    }

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
/// `turns` and `interleave` may permute lanes, as long as the one undoes the other.
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

    /// The upper halves of two vectors of phases, lowest bit set: odd fractions of a turn.
    fn turns(self, low: Self::Dwords, high: Self::Dwords) -> Self::Words;
    /// Sine and cosine of odd fractions of a turn (law §2).
    fn sin_cos(self, turns: Self::Words) -> (Self::Words, Self::Words);
    /// Double words with `a` in their lower and `b` in their upper halves.
    fn interleave(self, a: Self::Words, b: Self::Words) -> (Self::Dwords, Self::Dwords);

    /// a + b.
    fn add(self, a: Self::Words, b: Self::Words) -> Self::Words;

    /// a + b.
    fn add32(self, a: Self::Dwords, b: Self::Dwords) -> Self::Dwords;
    /// a & b.
    fn and32(self, a: Self::Dwords, b: Self::Dwords) -> Self::Dwords;
    /// a >> 6, arithmetic.
    fn shift_right_6(self, a: Self::Dwords) -> Self::Dwords;
    /// lower(a)·lower(b) + upper(a)·upper(b) of the signed halves of each double word.
    fn dot(self, a: Self::Dwords, b: Self::Dwords) -> Self::Dwords;
    /// The sums of neighbouring words.
    fn pair_sums(self, a: Self::Words) -> Self::Dwords;

    /// C and S in the form that [`Vector::r2`] and [`Vector::pull`] want.
    type Mean: Copy;
    /// The sums of all double words of `cos` and of `sin`.
    fn mean(self, cos: Self::Dwords, sin: Self::Dwords) -> Self::Mean;
    /// C and S as numbers.
    fn order(self, mean: Self::Mean) -> Order;
    /// R2 = C² + S².
    fn r2(self, mean: Self::Mean) -> u64;
    /// [`pull`] in all double words.
    fn pull(self, mean: Self::Mean, step: u32) -> Self::Dwords;
}

/// S' and −C' as the halves of a double word: its [`Vector::dot`] with (c, s) is S'·c − C'·s (law §2, steps 4 and 5).
#[inline(always)]
pub(crate) fn pull(cos: i32, sin: i32, step: u32) -> u32 {
    let step = i64::from(step.cast_signed()); // below 2³¹
    let sin = (i64::from(sin).wrapping_mul(step) >> 28) as u16; // |S'|, |C'| ≤ 24 800
    let cos = (i64::from(cos).wrapping_mul(step) >> 28) as u16;
    u32::from(sin) | u32::from(cos.wrapping_neg()) << 16
}

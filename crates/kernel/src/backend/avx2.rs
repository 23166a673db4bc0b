//! The vocabulary in AVX2: sixteen words a vector.
#![expect(
    unsafe_code,
    reason = "an instruction set is reached through intrinsics; `Avx2` is the proof that it is there"
)]

use core::arch::x86_64::*;

use super::field::{self, Field, LANES};
use super::q15::{Q15, sin_cos};
use super::solo;
use super::vector::{Row, Vector};
use crate::bloom::{Bloom, Order};
use crate::coupling::CouplingTable;
use crate::params::OSCILLATORS;

/// Exists only where AVX2 does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// For a backend that was checked when it was chosen.
    pub(crate) fn required() -> Self {
        Self::detect().expect("the caller chose the AVX2 backend on a machine that lacks it")
    }

    pub(crate) fn evolve_field(self, field: &mut Field, tables: &[&CouplingTable; LANES], limit: u64) {
        #[target_feature(enable = "avx2")]
        fn shell(v: Avx2, field: &mut Field, tables: &[&CouplingTable; LANES], limit: u64) {
            field::evolve(v, field, tables, limit);
        }
        // SAFETY: `self` exists, so AVX2 was detected.
        unsafe { shell(self, field, tables, limit) }
    }

    pub(crate) fn evolve_one(self, phases: &[u32; OSCILLATORS], table: &CouplingTable, last: u32) -> Option<Bloom> {
        #[target_feature(enable = "avx2")]
        fn shell(v: Avx2, phases: &[u32; OSCILLATORS], table: &CouplingTable, last: u32) -> Option<Bloom> {
            solo::evolve(v, phases, table, last)
        }
        // SAFETY: `self` exists, so AVX2 was detected.
        unsafe { shell(self, phases, table, last) }
    }
}

/// Calls an intrinsic of this file's instruction set.
macro_rules! avx2 {
    ($call:expr) => {
        // SAFETY: a value of `Avx2` exists, so AVX2 was detected; the intrinsics have no other condition.
        unsafe { $call }
    };
}

impl Vector for Avx2 {
    const WORDS: usize = 16;
    type Words = __m256i;
    type Dwords = __m256i;

    #[inline(always)]
    fn words(self, value: i16) -> __m256i {
        avx2!(_mm256_set1_epi16(value))
    }

    #[inline(always)]
    fn dwords(self, value: i32) -> __m256i {
        avx2!(_mm256_set1_epi32(value))
    }

    #[inline(always)]
    fn load(self, row: &Row, at: usize) -> __m256i {
        assert!(at.is_multiple_of(8) && at < Row::LEN, "eight double words of a row");
        // SAFETY: a row is 64-byte aligned and 32 long; `at` is a multiple of 8 below that.
        unsafe { _mm256_load_si256(row.0.as_ptr().add(at).cast()) }
    }

    #[inline(always)]
    fn store(self, row: &mut Row, at: usize, value: __m256i) {
        assert!(at.is_multiple_of(8) && at < Row::LEN, "eight double words of a row");
        // SAFETY: a row is 64-byte aligned and 32 long; `at` is a multiple of 8 below that.
        unsafe { _mm256_store_si256(row.0.as_mut_ptr().add(at).cast(), value) }
    }

    #[inline(always)]
    fn turns(self, low: __m256i, high: __m256i) -> __m256i {
        avx2!({
            let upper = _mm256_packs_epi32(_mm256_srai_epi32::<16>(low), _mm256_srai_epi32::<16>(high));
            _mm256_or_si256(upper, _mm256_set1_epi16(1))
        })
    }

    #[inline(always)]
    fn sin_cos(self, turns: __m256i) -> (__m256i, __m256i) {
        sin_cos(self, turns)
    }

    #[inline(always)]
    fn interleave(self, a: __m256i, b: __m256i) -> (__m256i, __m256i) {
        avx2!((_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)))
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_add_epi16(a, b))
    }

    #[inline(always)]
    fn add32(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_add_epi32(a, b))
    }

    #[inline(always)]
    fn and32(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_and_si256(a, b))
    }

    #[inline(always)]
    fn shift_right_6(self, a: __m256i) -> __m256i {
        avx2!(_mm256_srai_epi32::<6>(a))
    }

    #[inline(always)]
    fn dot(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_madd_epi16(a, b))
    }

    #[inline(always)]
    fn pair_sums(self, a: __m256i) -> __m256i {
        avx2!(_mm256_madd_epi16(a, _mm256_set1_epi16(1)))
    }

    /// C C S S | C C S S
    type Mean = __m256i;

    #[inline(always)]
    fn mean(self, cos: __m256i, sin: __m256i) -> __m256i {
        avx2!({
            let quarters = _mm256_add_epi32(_mm256_unpacklo_epi64(cos, sin), _mm256_unpackhi_epi64(cos, sin));
            let halves = _mm256_add_epi32(quarters, _mm256_permute2x128_si256::<0x01>(quarters, quarters));
            _mm256_add_epi32(halves, _mm256_shuffle_epi32::<0b10_11_00_01>(halves))
        })
    }

    #[inline(always)]
    fn order(self, mean: __m256i) -> Order {
        avx2!({
            let mean = _mm256_castsi256_si128(mean);
            Order { cos: _mm_cvtsi128_si32(mean), sin: _mm_extract_epi32::<2>(mean) }
        })
    }

    #[inline(always)]
    fn r2(self, mean: __m256i) -> u64 {
        avx2!({
            let mean = _mm256_castsi256_si128(mean);
            let squares = _mm_mul_epi32(mean, mean);
            _mm_cvtsi128_si64(_mm_add_epi64(squares, _mm_unpackhi_epi64(squares, squares))).cast_unsigned()
        })
    }

    #[inline(always)]
    fn pull(self, mean: __m256i, step: u32) -> __m256i {
        avx2!({
            let step = _mm256_set1_epi32(step.cast_signed());
            let pull = _mm256_srli_epi64::<28>(_mm256_mul_epi32(mean, step)); // C' … S' … | C' … S' …
            let pull = _mm256_sign_epi32(pull, _mm256_setr_epi32(-1, 1, 1, 1, -1, 1, 1, 1));
            _mm256_shuffle_epi8(pull, _mm256_set1_epi32(0x0100_0908))
        })
    }
}

impl Q15 for Avx2 {
    #[inline(always)]
    fn sub(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_sub_epi16(a, b))
    }

    #[inline(always)]
    fn mulhrs(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_mulhrs_epi16(a, b))
    }

    #[inline(always)]
    fn sign(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_sign_epi16(a, b))
    }
}

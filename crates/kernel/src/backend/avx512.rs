//! The vocabulary in AVX-512BW: thirty-two words a vector.
#![expect(
    unsafe_code,
    reason = "an instruction set is reached through intrinsics; `Avx512` is the proof that it is there"
)]

use core::arch::x86_64::*;

use super::field::{self, Field, LANES};
use super::q15::{Q15, sin_cos};
use super::solo;
use super::vector::{Row, Vector};
use crate::bloom::{Bloom, Order};
use crate::coupling::CouplingTable;
use crate::params::OSCILLATORS;

/// Exists only where AVX-512BW does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        (std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512bw")).then_some(Self(()))
    }

    /// For a backend that was checked when it was chosen.
    pub(crate) fn required() -> Self {
        Self::detect().expect("the caller chose the AVX-512BW backend on a machine that lacks it")
    }

    pub(crate) fn evolve_field(self, field: &mut Field, tables: &[&CouplingTable; LANES], limit: u64) {
        #[target_feature(enable = "avx512f,avx512bw")]
        fn shell(v: Avx512, field: &mut Field, tables: &[&CouplingTable; LANES], limit: u64) {
            field::evolve(v, field, tables, limit);
        }
        // SAFETY: `self` exists, so AVX-512BW was detected.
        unsafe { shell(self, field, tables, limit) }
    }

    pub(crate) fn evolve_one(self, phases: &[u32; OSCILLATORS], table: &CouplingTable, last: u32) -> Option<Bloom> {
        #[target_feature(enable = "avx512f,avx512bw")]
        fn shell(v: Avx512, phases: &[u32; OSCILLATORS], table: &CouplingTable, last: u32) -> Option<Bloom> {
            solo::evolve(v, phases, table, last)
        }
        // SAFETY: `self` exists, so AVX-512BW was detected.
        unsafe { shell(self, phases, table, last) }
    }
}

/// Calls an intrinsic of this file's instruction set.
macro_rules! avx512 {
    ($call:expr) => {
        // SAFETY: a value of `Avx512` exists, so AVX-512BW was detected; the intrinsics have no other condition.
        unsafe { $call }
    };
}

impl Vector for Avx512 {
    const WORDS: usize = 32;
    type Words = __m512i;
    type Dwords = __m512i;

    #[inline(always)]
    fn words(self, value: i16) -> __m512i {
        avx512!(_mm512_set1_epi16(value))
    }

    #[inline(always)]
    fn dwords(self, value: i32) -> __m512i {
        avx512!(_mm512_set1_epi32(value))
    }

    #[inline(always)]
    fn load(self, row: &Row, at: usize) -> __m512i {
        assert!(at.is_multiple_of(16) && at < Row::LEN, "sixteen double words of a row");
        // SAFETY: a row is 64-byte aligned and 32 long; `at` is a multiple of 16 below that.
        unsafe { _mm512_load_si512(row.0.as_ptr().add(at).cast()) }
    }

    #[inline(always)]
    fn store(self, row: &mut Row, at: usize, value: __m512i) {
        assert!(at.is_multiple_of(16) && at < Row::LEN, "sixteen double words of a row");
        // SAFETY: a row is 64-byte aligned and 32 long; `at` is a multiple of 16 below that.
        unsafe { _mm512_store_si512(row.0.as_mut_ptr().add(at).cast(), value) }
    }

    #[inline(always)]
    fn turns(self, low: __m512i, high: __m512i) -> __m512i {
        avx512!({
            let upper = _mm512_packs_epi32(_mm512_srai_epi32::<16>(low), _mm512_srai_epi32::<16>(high));
            _mm512_or_si512(upper, _mm512_set1_epi16(1))
        })
    }

    #[inline(always)]
    fn sin_cos(self, turns: __m512i) -> (__m512i, __m512i) {
        sin_cos(self, turns)
    }

    #[inline(always)]
    fn interleave(self, a: __m512i, b: __m512i) -> (__m512i, __m512i) {
        avx512!((_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b)))
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_add_epi16(a, b))
    }

    #[inline(always)]
    fn add32(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_add_epi32(a, b))
    }

    #[inline(always)]
    fn and32(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_and_si512(a, b))
    }

    #[inline(always)]
    fn shift_right_6(self, a: __m512i) -> __m512i {
        avx512!(_mm512_srai_epi32::<6>(a))
    }

    #[inline(always)]
    fn dot(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_madd_epi16(a, b))
    }

    #[inline(always)]
    fn pair_sums(self, a: __m512i) -> __m512i {
        avx512!(_mm512_madd_epi16(a, _mm512_set1_epi16(1)))
    }

    /// C C S S in each quarter.
    type Mean = __m512i;

    #[inline(always)]
    fn mean(self, cos: __m512i, sin: __m512i) -> __m512i {
        avx512!({
            let eighths = _mm512_add_epi32(_mm512_unpacklo_epi64(cos, sin), _mm512_unpackhi_epi64(cos, sin));
            let quarters = _mm512_add_epi32(eighths, _mm512_shuffle_i64x2::<0b01_00_11_10>(eighths, eighths));
            let halves = _mm512_add_epi32(quarters, _mm512_shuffle_i64x2::<0b10_11_00_01>(quarters, quarters));
            _mm512_add_epi32(halves, _mm512_shuffle_epi32::<0b10_11_00_01>(halves))
        })
    }

    #[inline(always)]
    fn order(self, mean: __m512i) -> Order {
        avx512!({
            let mean = _mm512_castsi512_si128(mean);
            Order { cos: _mm_cvtsi128_si32(mean), sin: _mm_cvtsi128_si32(_mm_unpackhi_epi64(mean, mean)) }
        })
    }

    #[inline(always)]
    fn r2(self, mean: __m512i) -> u64 {
        avx512!({
            let squares = _mm512_castsi512_si128(_mm512_mul_epi32(mean, mean));
            _mm_cvtsi128_si64(_mm_add_epi64(squares, _mm_unpackhi_epi64(squares, squares))).cast_unsigned()
        })
    }

    #[inline(always)]
    fn pull(self, mean: __m512i, step: u32) -> __m512i {
        avx512!({
            let step = _mm512_set1_epi32(step.cast_signed());
            let pull = _mm512_srli_epi64::<28>(_mm512_mul_epi32(mean, step)); // C' S' in each quarter
            let pull = _mm512_mask_sub_epi64(pull, 0b0101_0101, _mm512_setzero_si512(), pull);
            _mm512_shuffle_epi8(pull, _mm512_set1_epi32(0x0100_0908))
        })
    }
}

impl Q15 for Avx512 {
    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_sub_epi16(a, b))
    }

    #[inline(always)]
    fn mulhrs(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_mulhrs_epi16(a, b))
    }

    #[inline(always)]
    fn sign(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_mask_sub_epi16(a, _mm512_movepi16_mask(b), _mm512_setzero_si512(), a))
    }
}

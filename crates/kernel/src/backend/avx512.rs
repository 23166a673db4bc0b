//! The vocabulary in AVX-512BW: thirty-two words a vector.
#![expect(
    unsafe_code,
    reason = "an instruction set is reached through intrinsics; `Avx512` is the proof that it is there"
)]

use core::arch::x86_64::*;

use super::field::{self, Field, LANES};
use super::solo;
use super::vector::{Row, Vector};
use crate::bloom::Bloom;
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
    fn pack_upper(self, low: __m512i, high: __m512i) -> __m512i {
        avx512!(_mm512_packs_epi32(_mm512_srai_epi32::<16>(low), _mm512_srai_epi32::<16>(high)))
    }

    #[inline(always)]
    fn interleave(self, a: __m512i, b: __m512i) -> (__m512i, __m512i) {
        avx512!((_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b)))
    }

    #[inline(always)]
    fn mulhrs(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_mulhrs_epi16(a, b))
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_add_epi16(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_sub_epi16(a, b))
    }

    #[inline(always)]
    fn abs(self, a: __m512i) -> __m512i {
        avx512!(_mm512_abs_epi16(a))
    }

    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_or_si512(a, b))
    }

    #[inline(always)]
    fn shift_right_6(self, a: __m512i) -> __m512i {
        avx512!(_mm512_srai_epi16::<6>(a))
    }

    #[inline(always)]
    fn add32(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_add_epi32(a, b))
    }

    #[inline(always)]
    fn sub32(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_sub_epi32(a, b))
    }

    #[inline(always)]
    fn and32(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_and_si512(a, b))
    }

    #[inline(always)]
    fn shift_right_32<const N: i32>(self, a: __m512i) -> __m512i {
        avx512!(_mm512_sra_epi32(a, _mm_cvtsi32_si128(N)))
    }

    #[inline(always)]
    fn dot(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_madd_epi16(a, b))
    }

    #[inline(always)]
    fn sums(self, a: __m512i, b: __m512i) -> (i32, i32) {
        avx512!({
            // a a b b in each quarter, then the quarters folded onto one another.
            let pairs = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
            let quarters = _mm512_add_epi32(pairs, _mm512_shuffle_i64x2::<0b01_00_11_10>(pairs, pairs));
            let quarter = _mm512_castsi512_si128(quarters);
            let halves = _mm_add_epi32(quarter, _mm512_extracti32x4_epi32::<1>(quarters));
            let both = _mm_add_epi32(halves, _mm_shuffle_epi32::<0b10_11_00_01>(halves));
            (_mm_cvtsi128_si32(both), _mm_cvtsi128_si32(_mm_unpackhi_epi64(both, both)))
        })
    }
}

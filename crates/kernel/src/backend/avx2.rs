//! The vocabulary in AVX2: sixteen words a vector.
#![expect(
    unsafe_code,
    reason = "an instruction set is reached through intrinsics; `Avx2` is the proof that it is there"
)]

use core::arch::x86_64::*;

use super::field::{self, Field, LANES};
use super::solo;
use super::vector::{Row, Vector};
use crate::bloom::Bloom;
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
    fn pack_upper(self, low: __m256i, high: __m256i) -> __m256i {
        avx2!(_mm256_packs_epi32(_mm256_srai_epi32::<16>(low), _mm256_srai_epi32::<16>(high)))
    }

    #[inline(always)]
    fn interleave(self, a: __m256i, b: __m256i) -> (__m256i, __m256i) {
        avx2!((_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)))
    }

    #[inline(always)]
    fn mulhrs(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_mulhrs_epi16(a, b))
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_add_epi16(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_sub_epi16(a, b))
    }

    #[inline(always)]
    fn abs(self, a: __m256i) -> __m256i {
        avx2!(_mm256_abs_epi16(a))
    }

    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_or_si256(a, b))
    }

    #[inline(always)]
    fn shift_right_6(self, a: __m256i) -> __m256i {
        avx2!(_mm256_srai_epi16::<6>(a))
    }

    #[inline(always)]
    fn add32(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_add_epi32(a, b))
    }

    #[inline(always)]
    fn sub32(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_sub_epi32(a, b))
    }

    #[inline(always)]
    fn and32(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_and_si256(a, b))
    }

    #[inline(always)]
    fn shift_right_32<const N: i32>(self, a: __m256i) -> __m256i {
        avx2!(_mm256_srai_epi32::<N>(a))
    }

    #[inline(always)]
    fn dot(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_madd_epi16(a, b))
    }

    #[inline(always)]
    fn sums(self, a: __m256i, b: __m256i) -> (i32, i32) {
        avx2!({
            let pairs = _mm256_hadd_epi32(a, b); // a a b b | a a b b
            let halves = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
            let both = _mm_add_epi32(halves, _mm_shuffle_epi32::<0b10_11_00_01>(halves)); // a a b b
            (_mm_cvtsi128_si32(both), _mm_extract_epi32::<2>(both))
        })
    }
}

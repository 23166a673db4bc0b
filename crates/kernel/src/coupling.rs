//! Coupling from difficulty, and the table of adaptive steps that one attempt uses (law §2).

use crate::difficulty::Difficulty;
use crate::fixed::{exp2_q32, log2_q32};
use crate::params::{DIFFICULTY_BITS, GAIN_ENTRIES, K_FLOOR_Q32, K_SPAN_Q32, STEP, TAU_Q32};
use crate::tables::GAIN;

/// κ(D): the coupling K_floor + (K_base − K_floor)·D^−τ in Q32.
#[must_use]
pub fn coupling_q32(difficulty: Difficulty) -> u64 {
    let log2 = log2_q32(difficulty.q24()).wrapping_sub(i64::from(DIFFICULTY_BITS) << 32);
    let exponent = i128::from(TAU_Q32).wrapping_mul(i128::from(log2)) >> 32; // |log2 D| ≤ 64·2³²
    let exponent = i64::try_from(exponent).expect("|τ·log2 D| is below 2³⁸");
    let above_floor = exp2_q32(exponent.wrapping_neg(), u128::from(K_SPAN_Q32));
    let above_floor = u64::try_from(above_floor).expect("D ≥ ¼ raises the span at most 2.4-fold");
    K_FLOOR_Q32.wrapping_add(above_floor)
}

/// kq: the mean field's step at each coherence R2 >> 32, adaptive gain included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouplingTable([u32; GAIN_ENTRIES]);

impl CouplingTable {
    /// No coupling at all: every oscillator runs at its own frequency.
    pub const UNCOUPLED: Self = Self([0; GAIN_ENTRIES]);

    /// `kq[m] = (κ(D)·gain[m]·STEP) >> 59` for every m.
    #[must_use]
    pub fn new(difficulty: Difficulty) -> Self {
        let per_gain = u128::from(coupling_q32(difficulty)).wrapping_mul(u128::from(STEP)); // below 2⁶⁶
        Self(GAIN.map(|gain| {
            let step = per_gain.wrapping_mul(u128::from(gain)) >> 59;
            u32::try_from(step).expect("κ·gain·STEP is below 2⁸³ at the lowest difficulty")
        }))
    }

    /// The step for a round with this R2 = C² + S².
    #[inline(always)]
    #[must_use]
    pub fn at(&self, r2: u64) -> u32 {
        #[expect(clippy::indexing_slicing, reason = "the index is masked to the table's length")]
        self.0[(r2 >> 32) as usize & (GAIN_ENTRIES - 1)]
    }

    /// The 1024 entries.
    #[must_use]
    pub fn entries(&self) -> &[u32; GAIN_ENTRIES] {
        &self.0
    }
}

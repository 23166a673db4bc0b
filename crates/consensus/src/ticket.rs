//! The work-weighted ticket: from difficulty 1 on, each simulated round is worth the same chance (law §4).

use bloom_kernel::{Difficulty, ROUNDS_MAX};
use ruint::aliases::U512;

use crate::{BlockHash, Work};

/// Whether U·D_q24·5778 < rounds·2²⁸⁰, U the block's hash as a big-endian integer: exact in 512 bits, where neither
/// side exceeds 2³⁵⁷.
#[must_use]
pub fn meets(hash: &BlockHash, rounds: u32, difficulty: Difficulty) -> bool {
    let mut wide = [0; 64];
    let (_, low) = wide.split_at_mut(32);
    low.copy_from_slice(&hash.0);
    let price = U512::from(difficulty.q24()).wrapping_mul(U512::from(ROUNDS_MAX));
    U512::from_be_bytes(wide).wrapping_mul(price) < U512::from(rounds).wrapping_shl(280)
}

/// A block's work: its difficulty.
#[must_use]
pub fn work(difficulty: Difficulty) -> Work {
    Work::ZERO.plus(difficulty)
}

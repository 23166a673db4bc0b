//! Every constant of the rules outside the oscillators (law §1, §4, §6 and §7), and what they have to do with one another.

use bloom_kernel::{Difficulty, OSCILLATORS, ROUNDS_MAX, SEAL_BYTES};

/// The only version of headers, transactions and coinbases: every change of rules is a new network or a hard fork.
pub const VERSION: u32 = 1;
/// L4 minutes: the time a block should take.
pub const BLOCK_TIME_SECS: u64 = 420;
/// L10: blocks between two retargets of the golden rule.
pub const RETARGET_INTERVAL: u64 = 123;
/// L26: blocks between two halvings of the reward, 3.6 years.
pub const HALVING_INTERVAL: u64 = 271_443;
/// L10: blocks before a coinbase's outputs may be spent.
pub const COINBASE_MATURITY: u64 = 123;
/// Units of one BLOOM.
pub const UNITS_PER_BLOOM: u64 = 100_000_000;
/// ⌊φ⁴·10⁸⌋ units: the reward until the first halving.
pub const INITIAL_REWARD: u64 = 685_410_196;
/// ⌊log2(φ)·2³²⌋: asert-phi's exponent for one retarget interval of silence is twice this.
pub const LOG2PHI_Q32: i64 = 2_981_746_314;
/// RETARGET_INTERVAL block times, over which asert-phi lets an error shrink to φ⁻².
pub const RETARGET_SPAN_SECS: i128 = 51_660;
/// How far ahead of the node's clock a block may be (law §4, time).
pub const FUTURE_LIMIT_SECS: u64 = 840;
/// A block further ahead than this is dropped rather than set aside.
pub const FUTURE_DROP_SECS: u64 = 7_200;
/// Bytes of an encoded template.
pub const TEMPLATE_BYTES: usize = 100;
/// Bytes of an encoded header.
pub const HEADER_BYTES: usize = TEMPLATE_BYTES + SEAL_BYTES;
/// Most bytes of an encoded block.
pub const MAX_BLOCK_BYTES: usize = 1_048_576;
/// Most bytes of free data in a coinbase.
pub const MAX_COINBASE_DATA: usize = 96;
/// Bytes of an encoded outpoint.
pub const OUTPOINT_BYTES: usize = 32 + 4;
/// Bytes of an encoded output.
pub const OUTPUT_BYTES: usize = 8 + 32;
/// Bytes of a BIP-340 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of the least transaction: one input, one output, one signature.
pub const MIN_TRANSACTION_BYTES: usize = 4 + 8 + 4 + OUTPOINT_BYTES + 4 + OUTPUT_BYTES + SIGNATURE_BYTES;

/// Difficulty of main's genesis, 2²⁰.
pub const MAIN_GENESIS_DIFFICULTY: Difficulty = difficulty(1 << (24 + 20));
/// Lowest difficulty of main, 2¹⁶.
pub const MAIN_MIN_DIFFICULTY: Difficulty = difficulty(1 << (24 + 16));
/// Difficulty of test's genesis and its lowest, 2¹².
pub const TEST_DIFFICULTY: Difficulty = difficulty(1 << (24 + 12));
/// Difficulty of every dev block, ¼.
pub const DEV_DIFFICULTY: Difficulty = Difficulty::MIN;

const _: () = assert!(BLOCK_TIME_SECS == lucas(4) * 60);
const _: () = assert!(RETARGET_INTERVAL == lucas(10) && COINBASE_MATURITY == lucas(10));
const _: () = assert!(HALVING_INTERVAL == lucas(26) && ROUNDS_MAX as u64 == lucas(18) && OSCILLATORS == 63);
const _: () = assert!(RETARGET_SPAN_SECS == RETARGET_INTERVAL as i128 * BLOCK_TIME_SECS as i128);
const _: () = assert!(FUTURE_LIMIT_SECS == 2 * BLOCK_TIME_SECS && FUTURE_LIMIT_SECS < FUTURE_DROP_SECS);
const _: () = assert!(TEMPLATE_BYTES == 4 + 8 + 32 + 32 + 8 + 16 && HEADER_BYTES == 156);
const _: () = assert!(MAX_BLOCK_BYTES == 1 << 20 && MIN_TRANSACTION_BYTES == 160);
// All coins ever made stay below 2⁶⁴ units: a geometric series of halvings, below twice its first term.
const _: () = assert!(INITIAL_REWARD as u128 * HALVING_INTERVAL as u128 * 2 < 1 << 64);
// ¼ ≤ D_min ≤ D at genesis ≤ 2⁶⁴ (law §6).
const _: () = assert!(ordered(MAIN_MIN_DIFFICULTY, MAIN_GENESIS_DIFFICULTY));
const _: () = assert!(ordered(TEST_DIFFICULTY, TEST_DIFFICULTY) && ordered(DEV_DIFFICULTY, DEV_DIFFICULTY));

const fn difficulty(q24: u128) -> Difficulty {
    match Difficulty::from_q24(q24) {
        Ok(difficulty) => difficulty,
        Err(_) => panic!("a constant difficulty lies within ¼ … 2⁶⁴"),
    }
}

const fn ordered(lowest: Difficulty, genesis: Difficulty) -> bool {
    Difficulty::MIN.q24() <= lowest.q24()
        && lowest.q24() <= genesis.q24()
        && genesis.q24() <= Difficulty::MAX.q24()
        && Difficulty::MIN.q24() == 1 << 22
        && Difficulty::MAX.q24() == 1 << 88
}

#[expect(clippy::arithmetic_side_effects, reason = "evaluated by the compiler, which refuses to overflow")]
const fn lucas(n: u32) -> u64 {
    let (mut a, mut b, mut i) = (2, 1, 0);
    while i < n {
        (a, b) = (b, a + b);
        i += 1;
    }
    a
}

#[cfg(test)]
mod tests {
    //! Constants that come from real numbers, again from φ in exact integers.

    use ruint::aliases::U512;

    use super::*;

    /// ⌊√n⌋ by Newton's method.
    fn isqrt(n: U512) -> U512 {
        let mut x = U512::from(1) << n.bit_len().div_ceil(2);
        loop {
            let next = (x + n / x) >> 1;
            if next >= x {
                return x;
            }
            x = next;
        }
    }

    #[test]
    fn initial_reward_is_phi_to_the_fourth_in_units() {
        // φ⁴ = (7 + 3√5)/2, so ⌊φ⁴·u⌋ = ⌊(7u + ⌊√(45u²)⌋)/2⌋: halving an integer part floors the same.
        let units = U512::from(UNITS_PER_BLOOM);
        let root = isqrt(U512::from(45) * units * units);
        assert_eq!((U512::from(7) * units + root) >> 1, U512::from(INITIAL_REWARD));
    }

    #[test]
    fn log2_phi_from_nested_bounds() {
        // φ = (1 + √5)/2 with 240 fraction bits from below and above; squared 32 times, each time keeping x in [1, 2).
        // Both bounds must yield the same 32 bits of the binary logarithm.
        const BITS: usize = 240;
        let one = U512::from(1) << BITS;
        let root = isqrt(U512::from(5) << (2 * BITS));
        let bits_of = |mut x: U512, round_up: bool| {
            (0..32).fold(0_i64, |bits, _| {
                x = (x * x + if round_up { one - U512::from(1) } else { U512::ZERO }) >> BITS;
                let bit = x >= one << 1;
                if bit {
                    x = (x + U512::from(round_up)) >> 1;
                }
                bits << 1 | i64::from(bit)
            })
        };
        assert_eq!(bits_of((one + root) >> 1, false), LOG2PHI_Q32);
        assert_eq!(bits_of((one + root + U512::from(2)) >> 1, true), LOG2PHI_Q32);
    }
}

//! The mempool's policy in numbers. None of it is law: a block is never refused by it (docs/decisions/0007).

use crate::FeeRate;

/// The least that is asked for relaying: one unit a byte. A replacement pays this for its own bytes on top of all that it
/// replaces.
pub const MIN_RELAY_RATE: FeeRate = FeeRate::per_kilobyte(1_000);
/// An output below this many units is dust: at three units a byte its own 40 bytes and the 100 of spending it cost more.
pub const DUST_UNITS: u64 = 3 * (40 + 100);
/// The longest transaction that is taken, in bytes: about a tenth of a block, so that none blocks the packing of one.
pub const MAX_TRANSACTION_BYTES: usize = 100_000;
/// Most transactions in a chain of unconfirmed ones: what any stands on, itself included, and what stands on any.
pub const MAX_CHAIN: u32 = 25;
/// Most bytes of such a chain, unless it is a single transaction.
pub const MAX_CHAIN_BYTES: u64 = 101_000;
/// Most transactions that one replacement may remove.
pub const MAX_REPLACED: usize = 100;
/// What waits for longer than two weeks is forgotten: whoever made it has long offered more or given up.
pub const EXPIRY_SECS: u64 = 14 * 86_400;
/// The rolling minimum halves in this time: twice as fast when the pool is less than half full, four times below a quarter.
pub const FLOOR_HALF_LIFE_SECS: u64 = 12 * 3_600;

/// How much a mempool keeps and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MempoolLimits {
    /// Most bytes of memory that its transactions take up, all that is kept about them included.
    pub max_bytes: usize,
    /// Seconds after which a transaction that was not confirmed is forgotten.
    pub expiry_secs: u64,
}

impl Default for MempoolLimits {
    /// 64 MB and two weeks.
    fn default() -> Self {
        Self { max_bytes: 64_000_000, expiry_secs: EXPIRY_SECS }
    }
}

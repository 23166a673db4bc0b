//! A waiting transaction and what is known about its relatives.

use std::mem::size_of;

use bloom_consensus::{Amount, Height, Outpoint, Timestamp, Transaction, Txid, Wtxid};

use crate::FeeRate;

/// A place in the graph's table. It is given to another transaction once its own has left.
pub(crate) type Slot = u32;

/// Fee for bytes as one number that sorts: units a byte with 32 binary places. What pays more than 2³² units a byte is
/// all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score(u64);

impl Score {
    pub(crate) fn of(fee: u64, bytes: u64) -> Self {
        let score = (u128::from(fee) << 32) / u128::from(bytes.max(1));
        Self(u64::try_from(score).unwrap_or(u64::MAX))
    }
}

/// Several transactions taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub count: u32,
    /// The bytes of their encodings.
    pub bytes: u64,
    /// What they pay.
    pub fees: Amount,
}

impl Totals {
    /// What they pay for their bytes.
    #[must_use]
    pub fn rate(&self) -> FeeRate {
        FeeRate::of(self.fees, usize::try_from(self.bytes).unwrap_or(usize::MAX))
    }

    pub(crate) fn score(&self) -> Score {
        Score::of(self.fees.units(), self.bytes)
    }

    /// Fees of distinct coins: their sum is below 2⁶⁴ as that of all coins is.
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.fees = Amount::from_units(self.fees.units().saturating_add(other.fees.units()));
    }

    pub(crate) fn remove(&mut self, other: Self) {
        self.count -= other.count;
        self.bytes -= other.bytes;
        self.fees = Amount::from_units(self.fees.units().saturating_sub(other.fees.units()));
    }
}

/// A transaction that passed every check on its way into the mempool.
#[derive(Clone, Debug)]
pub struct MempoolEntry {
    pub(crate) transaction: Transaction,
    pub(crate) fee: Amount,
    /// Of its encoding.
    pub(crate) bytes: u32,
    pub(crate) added: Timestamp,
    pub(crate) height: Height,
    pub(crate) ancestors: Totals,
    pub(crate) descendants: Totals,
    pub(crate) parents: Vec<Slot>,
    pub(crate) children: Vec<Slot>,
    /// Rises with every entry: parents come before their children.
    pub(crate) sequence: u64,
    /// The highest block that made a coin it spends; 0 if all of them are made by waiting transactions.
    pub(crate) newest_coin: Height,
    /// The first height at which a block may hold it: its own not_before and its coinbases' maturity.
    pub(crate) earliest: Height,
    /// Whether it came without waiting parents.
    pub(crate) came_alone: bool,
}

impl MempoolEntry {
    /// The transaction.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Inputs less outputs.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// When it came, by the clock of whoever handed it in.
    #[must_use]
    pub fn added(&self) -> Timestamp {
        self.added
    }

    /// The height of the tip when it came.
    #[must_use]
    pub fn height(&self) -> Height {
        self.height
    }

    /// All waiting transactions that it stands on, itself included.
    #[must_use]
    pub fn ancestors(&self) -> Totals {
        self.ancestors
    }

    /// All waiting transactions that stand on it, itself included.
    #[must_use]
    pub fn descendants(&self) -> Totals {
        self.descendants
    }

    /// The bytes of its encoding.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// What it pays for its own bytes.
    #[must_use]
    pub fn rate(&self) -> FeeRate {
        FeeRate::of(self.fee, self.bytes())
    }

    /// Whether its own rate is all that a miner looks at.
    pub(crate) fn speaks_for_its_rate(&self) -> bool {
        self.came_alone && self.descendants.count == 1
    }

    pub(crate) fn own(&self) -> Totals {
        Totals { count: 1, bytes: self.bytes.into(), fees: self.fee }
    }

    /// What the eviction goes by: what would leave is worth at least this to a miner.
    pub(crate) fn keep_score(&self) -> Score {
        self.own().score().max(self.descendants.score())
    }
}

/// Bytes of memory that a transaction takes up with all that is kept about it. Allocations are rounded up to 16 bytes and
/// carry 16 of the allocator's; hash tables are between 7/16 and 7/8 full, B-trees about two thirds.
pub(crate) fn memory(transaction: &Transaction) -> usize {
    const HEAP: usize = 16;
    let body = transaction.body();
    let (inputs, outputs) = (body.inputs().len(), body.outputs().len());
    let shared = HEAP + 16 + 3 * size_of::<Vec<u8>>() + size_of::<Height>() + 2 * size_of::<Txid>();
    let parts = 3 * HEAP + inputs * (size_of::<Outpoint>() + 64) + outputs * 40;
    let slot = size_of::<Option<MempoolEntry>>() * 3 / 2;
    let edges = 2 * HEAP + inputs * 2 * size_of::<Slot>();
    let by_txid = (size_of::<Txid>() + size_of::<Slot>() + 1) * 2;
    let by_wtxid = (size_of::<Wtxid>() + size_of::<Slot>() + 1) * 2;
    let spenders = inputs * (size_of::<Outpoint>() + size_of::<Slot>() + 1) * 2;
    let ranks = 2 * 24 * 3 / 2;
    shared + parts + slot + edges + by_txid + by_wtxid + spenders + ranks
}

//! Transactions that wait for a block: checked in full when they come, kept in step with the tip, bounded in memory.
//!
//! - What is here could be in the next block, all of it and in the order of [`Mempool::iter`]: coins are there, mature
//!   and spent once, sums hold, signatures are good ([`Mempool::audit`] recomputes it from nothing).
//! - Who came is decided by rate and fee alone: a full pool drops the package that pays least, a spender of the same
//!   coins must pay more than all that it replaces.
//! - Every number of it is policy ([`policy`]), so that nodes may differ: a block is never refused by it.

mod admit;
mod audit;
mod entry;
mod error;
mod estimate;
mod file;
mod floor;
mod follow;
mod graph;
pub(crate) mod packing;
pub mod policy;
mod replace;
mod template;

use bloom_consensus::{BlockHash, Height, Outpoint, Timestamp, Txid, Wtxid};

pub use admit::Admitted;
pub(crate) use admit::Origin;
pub use audit::Inconsistency;
pub use entry::{MempoolEntry, Totals};
pub use error::AdmitError;
pub use file::{Loaded, MempoolFault};
pub use policy::MempoolLimits;

use crate::{FeeRate, Tip};
use estimate::Estimator;
use floor::Floor;
use graph::Graph;

/// The transactions that wait.
#[derive(Debug)]
pub struct Mempool {
    graph: Graph,
    limits: MempoolLimits,
    floor: Floor,
    estimator: Estimator,
    /// The tip that everything here was checked against, and its height.
    tip: BlockHash,
    height: Height,
    /// Rises whenever something comes or goes.
    revision: u64,
    /// Before this nothing needs to be looked through for what has expired.
    next_expiry: Timestamp,
}

/// Looking through everything for what has expired is done at most this often.
const EXPIRY_ROUND_SECS: u64 = 600;

impl Mempool {
    pub(crate) fn new(limits: MempoolLimits, tip: Tip) -> Self {
        let (graph, floor, estimator) = (Graph::default(), Floor::default(), Estimator::default());
        let Tip { hash: tip, height, .. } = tip;
        Self { graph, limits, floor, estimator, tip, height, revision: 0, next_expiry: Timestamp(0) }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that they take up, all that is kept about them included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.graph.memory()
    }

    /// How much is kept and for how long.
    #[must_use]
    pub fn limits(&self) -> MempoolLimits {
        self.limits
    }

    /// The transaction of this id.
    #[must_use]
    pub fn get(&self, txid: &Txid) -> Option<&MempoolEntry> {
        Some(self.graph.at(self.graph.slot(txid)?))
    }

    /// Whether a transaction of this id waits, under whatever signatures.
    #[must_use]
    pub fn contains(&self, txid: &Txid) -> bool {
        self.graph.slot(txid).is_some()
    }

    /// The transaction of this witness id: under these signatures and no others.
    #[must_use]
    pub fn get_by_witness(&self, wtxid: &Wtxid) -> Option<&MempoolEntry> {
        Some(self.graph.at(self.graph.slot_of_witness(wtxid)?))
    }

    /// All that wait, in no order that means anything: it costs less than [`Mempool::iter`].
    pub fn entries(&self) -> impl Iterator<Item = &MempoolEntry> {
        self.graph.occupied().map(|(_, entry)| entry)
    }

    /// All that wait, by what each pays with all that it stands on, the best first.
    pub fn best_first(&self) -> impl Iterator<Item = &MempoolEntry> {
        self.graph.best.iter().rev().map(|rank| self.graph.at(rank.slot))
    }

    /// All that wait, each after those that it spends from.
    pub fn iter(&self) -> impl Iterator<Item = &MempoolEntry> {
        self.graph.in_order().into_iter()
    }

    /// The waiting transaction that spends an output.
    #[must_use]
    pub fn spender_of(&self, outpoint: &Outpoint) -> Option<Txid> {
        self.graph.spender(outpoint).map(|slot| self.graph.at(slot).transaction.txid())
    }

    /// The waiting transactions that one spends from.
    pub fn parents_of(&self, txid: &Txid) -> impl Iterator<Item = Txid> {
        self.relatives(txid, |entry| &entry.parents)
    }

    /// The waiting transactions that spend from one.
    pub fn children_of(&self, txid: &Txid) -> impl Iterator<Item = Txid> {
        self.relatives(txid, |entry| &entry.children)
    }

    fn relatives(&self, txid: &Txid, of: impl Fn(&MempoolEntry) -> &Vec<u32>) -> impl Iterator<Item = Txid> {
        let slots = self.get(txid).map(of).into_iter().flatten();
        slots.map(|slot| self.graph.at(*slot).transaction.txid())
    }

    /// What is asked of a transaction at present, at least: the relay minimum, or more after some had to leave for lack
    /// of room. As of the last transaction or block.
    #[must_use]
    pub fn min_fee_rate(&self) -> FeeRate {
        self.floor.rate()
    }

    /// A fee rate that should bring a transaction into one of the next `blocks` blocks, by what was confirmed of late;
    /// where that tells nothing, and never less, what is asked at present.
    #[must_use]
    pub fn estimate(&self, blocks: u32) -> FeeRate {
        let alone = self.graph.occupied().map(|(_, entry)| entry).filter(|entry| entry.speaks_for_its_rate());
        let waiting = alone.map(|entry| (entry.rate(), self.height.0.saturating_sub(entry.height.0)));
        let learnt = self.estimator.estimate(blocks, waiting);
        learnt.unwrap_or_default().max(self.min_fee_rate())
    }

    /// A number that changes whenever a transaction comes or goes.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What time does to it: the rolling minimum fades, old transactions leave.
    pub(crate) fn pass_time(&mut self, now: Timestamp) {
        self.floor.fade(now, self.graph.memory(), self.limits.max_bytes);
        if now < self.next_expiry {
            return;
        }
        let is_old = |added: Timestamp| now.0.saturating_sub(added.0) > self.limits.expiry_secs;
        let old: Vec<_> =
            self.graph.occupied().filter(|(_, entry)| is_old(entry.added)).map(|(slot, _)| slot).collect();
        if !old.is_empty() {
            self.graph.remove_with_descendants(&old);
            self.revision += 1;
        }
        let oldest = self.graph.occupied().map(|(_, entry)| entry.added).min().unwrap_or(now);
        let due = oldest.0.saturating_add(self.limits.expiry_secs);
        self.next_expiry = Timestamp(due.max(now.0.saturating_add(EXPIRY_ROUND_SECS)));
    }

    /// Drops the package that pays least until the rest has room. Yields what left.
    fn make_room(&mut self) -> Vec<Txid> {
        let mut evicted = Vec::new();
        while self.graph.memory() > self.limits.max_bytes {
            let Some(rank) = self.graph.worst.first().copied() else { break };
            let entry = self.graph.at(rank.slot);
            self.floor.raise(entry.own().rate().max(entry.descendants.rate()));
            let left = self.graph.remove_with_descendants(&[rank.slot]);
            evicted.extend(left.iter().map(|entry| entry.transaction.txid()));
            self.revision += 1;
        }
        evicted
    }
}

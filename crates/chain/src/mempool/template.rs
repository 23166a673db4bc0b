//! What the next block holds of what waits.

use bloom_consensus::{Amount, Transaction};

use super::Mempool;
use super::entry::{Slot, Totals};
use super::graph::{Graph, Rank};
use super::packing::{Pool, pack};

impl Pool for Graph {
    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn own(&self, item: Slot) -> Totals {
        self.at(item).own()
    }

    fn package(&self, item: Slot) -> Totals {
        self.at(item).ancestors
    }

    fn parents(&self, item: Slot) -> &[Slot] {
        &self.at(item).parents
    }

    fn children(&self, item: Slot) -> &[Slot] {
        &self.at(item).children
    }

    fn sequence(&self, item: Slot) -> u64 {
        self.at(item).sequence
    }

    fn best_first(&self) -> impl Iterator<Item = Rank> {
        self.best.iter().rev().copied()
    }
}

impl Mempool {
    /// What pays best of all that wait, at most `cap` bytes of it, in the order in which a block can hold it, and what it
    /// pays.
    pub(crate) fn best(&self, cap: usize) -> (Vec<Transaction>, Amount) {
        let slots = pack(&self.graph, cap as u64);
        let mut totals = Totals::default();
        let take = |slot: Slot| {
            let entry = self.graph.at(slot);
            totals.add(entry.own());
            entry.transaction.clone()
        };
        let transactions = slots.into_iter().map(take).collect();
        (transactions, totals.fees)
    }
}

//! Waiting transactions as a graph: who spends whom, what every one stands on and carries, and two orders that are always
//! kept: the best to mine first and the worst to keep first.

use std::collections::{BTreeSet, HashMap};

use bloom_consensus::{Amount, Height, Outpoint, Timestamp, Transaction, Txid, Wtxid};

use super::entry::{MempoolEntry, Score, Slot, Totals, memory};

/// A place in an order: by score, and among equals the older above the younger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) score: Score,
    /// 2⁶⁴ − 1 less the sequence.
    pub(crate) age: u64,
    pub(crate) slot: Slot,
}

impl Rank {
    pub(crate) fn new(score: Score, sequence: u64, slot: Slot) -> Self {
        Self { score, age: u64::MAX - sequence, slot }
    }
}

/// A transaction that was found good, on its way in.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) transaction: Transaction,
    pub(crate) fee: Amount,
    pub(crate) added: Timestamp,
    pub(crate) height: Height,
    pub(crate) newest_coin: Height,
    pub(crate) earliest: Height,
}

impl From<MempoolEntry> for Candidate {
    fn from(entry: MempoolEntry) -> Self {
        let MempoolEntry { transaction, fee, added, height, newest_coin, earliest, .. } = entry;
        Self { transaction, fee, added, height, newest_coin, earliest }
    }
}

/// The entries and their indexes. A transaction comes after its parents and before its children, always: whatever
/// stands on one that comes back is taken out first.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    slots: Vec<Option<MempoolEntry>>,
    free: Vec<Slot>,
    by_txid: HashMap<Txid, Slot>,
    by_wtxid: HashMap<Wtxid, Slot>,
    spenders: HashMap<Outpoint, Slot>,
    pub(crate) best: BTreeSet<Rank>,
    pub(crate) worst: BTreeSet<Rank>,
    memory: usize,
    next_sequence: u64,
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.by_txid.len()
    }

    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Places in the table, free ones included.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn slot(&self, txid: &Txid) -> Option<Slot> {
        self.by_txid.get(txid).copied()
    }

    pub(crate) fn slot_of_witness(&self, wtxid: &Wtxid) -> Option<Slot> {
        self.by_wtxid.get(wtxid).copied()
    }

    pub(crate) fn spender(&self, outpoint: &Outpoint) -> Option<Slot> {
        self.spenders.get(outpoint).copied()
    }

    pub(crate) fn at(&self, slot: Slot) -> &MempoolEntry {
        self.slots.get(slot as usize).and_then(Option::as_ref).expect("an index names it, so it is there")
    }

    fn at_mut(&mut self, slot: Slot) -> &mut MempoolEntry {
        self.slots.get_mut(slot as usize).and_then(Option::as_mut).expect("an index names it, so it is there")
    }

    /// Every entry, in the order of the table.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = (Slot, &MempoolEntry)> {
        (0..).zip(&self.slots).filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }

    /// Every entry, parents before children.
    pub(crate) fn in_order(&self) -> Vec<&MempoolEntry> {
        let mut entries: Vec<_> = self.slots.iter().flatten().collect();
        entries.sort_unstable_by_key(|entry| entry.sequence);
        entries
    }

    /// The waiting transactions that these inputs spend from, each once.
    pub(crate) fn parents(&self, inputs: &[Outpoint]) -> Vec<Slot> {
        if self.by_txid.is_empty() {
            return Vec::new();
        }
        let mut parents: Vec<_> = inputs.iter().filter_map(|input| self.slot(&input.txid)).collect();
        parents.sort_unstable();
        parents.dedup();
        parents
    }

    /// These and all that they stand on; none if that is more than `most`.
    pub(crate) fn with_ancestors(&self, slots: &[Slot], most: usize) -> Option<Vec<Slot>> {
        self.closure(slots, most, |entry| &entry.parents)
    }

    /// These and all that stands on them; none if that is more than `most`.
    pub(crate) fn with_descendants(&self, slots: &[Slot], most: usize) -> Option<Vec<Slot>> {
        self.closure(slots, most, |entry| &entry.children)
    }

    fn closure(&self, slots: &[Slot], most: usize, next: impl Fn(&MempoolEntry) -> &Vec<Slot>) -> Option<Vec<Slot>> {
        let mut seen: BTreeSet<Slot> = BTreeSet::new();
        let mut open = slots.to_vec();
        let mut found = Vec::new();
        while let Some(slot) = open.pop() {
            if !seen.insert(slot) {
                continue;
            }
            if found.len() == most {
                return None;
            }
            found.push(slot);
            open.extend(next(self.at(slot)));
        }
        Some(found)
    }

    fn ancestors_of(&self, slot: Slot) -> Vec<Slot> {
        self.with_ancestors(&self.at(slot).parents, usize::MAX).expect("no limit is given")
    }

    fn descendants_of(&self, slot: Slot) -> Vec<Slot> {
        self.with_descendants(&self.at(slot).children, usize::MAX).expect("no limit is given")
    }

    /// Takes a transaction in, none of whose inputs is spent here and none of whose outputs is.
    pub(crate) fn insert(&mut self, candidate: Candidate) -> Slot {
        let Candidate { transaction, fee, added, height, newest_coin, earliest } = candidate;
        let inputs = transaction.body().inputs();
        let parents = self.parents(inputs);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("fewer entries than 2³² fit in memory")
        });
        for input in inputs {
            self.spenders.insert(*input, slot);
        }
        self.by_txid.insert(transaction.txid(), slot);
        self.by_wtxid.insert(transaction.wtxid(), slot);
        self.memory += memory(&transaction);
        let bytes = u32::try_from(transaction.encoded_len()).expect("policy, or the block it was in, bounds it");
        let own = Totals { count: 1, bytes: bytes.into(), fees: fee };
        let mut ancestors = own;
        let above = self.with_ancestors(&parents, usize::MAX).expect("no limit is given");
        for ancestor in above {
            ancestors.add(self.at(ancestor).own());
            self.change_descendants(ancestor, |totals| totals.add(own));
        }
        for parent in &parents {
            self.at_mut(*parent).children.push(slot);
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let entry = MempoolEntry {
            came_alone: parents.is_empty(),
            ancestors,
            descendants: own,
            parents,
            children: Vec::new(),
            sequence,
            transaction,
            fee,
            bytes,
            added,
            height,
            newest_coin,
            earliest,
        };
        self.best.insert(Rank::new(entry.ancestors.score(), sequence, slot));
        self.worst.insert(Rank::new(entry.keep_score(), sequence, slot));
        *self.slots.get_mut(slot as usize).expect("made above") = Some(entry);
        slot
    }

    /// Takes out one that the block at a height holds; its parents have left before it, and its children spend coins of
    /// that height from now on.
    pub(crate) fn remove_confirmed(&mut self, slot: Slot, height: Height) -> MempoolEntry {
        if !self.at(slot).children.is_empty() {
            let own = self.at(slot).own();
            for descendant in self.descendants_of(slot) {
                self.change_ancestors(descendant, |totals| totals.remove(own));
            }
            for child in self.at(slot).children.clone() {
                let child = self.at_mut(child);
                child.parents.retain(|parent| *parent != slot);
                child.newest_coin = child.newest_coin.max(height);
            }
        }
        self.forget(slot)
    }

    /// Takes out these and all that stands on them; parents before children.
    pub(crate) fn remove_with_descendants(&mut self, slots: &[Slot]) -> Vec<MempoolEntry> {
        let mut all = self.with_descendants(slots, usize::MAX).expect("no limit is given");
        all.sort_unstable_by_key(|slot| self.at(*slot).sequence);
        let mut removed: Vec<_> = all.into_iter().rev().map(|slot| self.remove_childless(slot)).collect();
        removed.reverse();
        removed
    }

    fn remove_childless(&mut self, slot: Slot) -> MempoolEntry {
        let own = self.at(slot).own();
        for ancestor in self.ancestors_of(slot) {
            self.change_descendants(ancestor, |totals| totals.remove(own));
        }
        for parent in self.at(slot).parents.clone() {
            self.at_mut(parent).children.retain(|child| *child != slot);
        }
        self.forget(slot)
    }

    fn forget(&mut self, slot: Slot) -> MempoolEntry {
        let entry =
            self.slots.get_mut(slot as usize).and_then(Option::take).expect("an index names it, so it is there");
        self.best.remove(&Rank::new(entry.ancestors.score(), entry.sequence, slot));
        self.worst.remove(&Rank::new(entry.keep_score(), entry.sequence, slot));
        for input in entry.transaction.body().inputs() {
            self.spenders.remove(input);
        }
        self.by_txid.remove(&entry.transaction.txid());
        self.by_wtxid.remove(&entry.transaction.wtxid());
        self.memory -= memory(&entry.transaction);
        self.free.push(slot);
        entry
    }

    fn change_ancestors(&mut self, slot: Slot, change: impl FnOnce(&mut Totals)) {
        let entry = self.at_mut(slot);
        let before = Rank::new(entry.ancestors.score(), entry.sequence, slot);
        change(&mut entry.ancestors);
        let after = Rank::new(entry.ancestors.score(), entry.sequence, slot);
        self.best.remove(&before);
        self.best.insert(after);
    }

    fn change_descendants(&mut self, slot: Slot, change: impl FnOnce(&mut Totals)) {
        let entry = self.at_mut(slot);
        let before = Rank::new(entry.keep_score(), entry.sequence, slot);
        change(&mut entry.descendants);
        let after = Rank::new(entry.keep_score(), entry.sequence, slot);
        self.worst.remove(&before);
        self.worst.insert(after);
    }
}

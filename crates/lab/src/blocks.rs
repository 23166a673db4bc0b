//! The blocks that were made: when each reached whom, which are on the chain, and who had to leave some.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bloom_consensus::BlockHash;

use crate::record::NewTip;
use crate::time::Moment;

/// A block.
#[derive(Clone, Debug)]
struct Made {
    parent: Option<usize>,
    height: u64,
    at: Moment,
    transactions: usize,
    /// How long it took to nodes that ran when it was made.
    delays: Vec<Duration>,
}

/// All blocks since the simulation began, genesis and history before them.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    made: Vec<Made>,
    by_hash: BTreeMap<BlockHash, usize>,
    /// Of each node: the blocks that are or were on its chain, and its tip.
    had: BTreeMap<usize, BTreeSet<usize>>,
    tips: BTreeMap<usize, usize>,
    first_found: usize,
    /// How often nodes left so many blocks for others.
    pub(crate) reorganisations: BTreeMap<u64, u64>,
}

impl Blocks {
    /// Takes down a block.
    pub(crate) fn add(&mut self, hash: BlockHash, parent: &BlockHash, height: u64, at: Moment, transactions: usize) {
        let parent = self.by_hash.get(parent).copied();
        self.by_hash.insert(hash, self.made.len());
        self.made.push(Made { parent, height, at, transactions, delays: Vec::new() });
    }

    /// What was added until now was there before the simulation began.
    pub(crate) fn begin(&mut self) {
        self.first_found = self.made.len();
    }

    /// Takes down that a node has a tip; `since` is when the node was started.
    pub(crate) fn reached(&mut self, tip: NewTip, since: Option<Moment>) {
        let Some(index) = self.by_hash.get(&tip.hash).copied() else { return };
        if let Some(old) = self.tips.insert(tip.node, index) {
            let left = self.left(old, index);
            if left > 0 {
                *self.reorganisations.entry(left).or_default() += 1;
            }
        }
        let had = self.had.entry(tip.node).or_default();
        let mut next = Some(index);
        while let Some(index) = next {
            let Some(made) = self.made.get_mut(index) else { break };
            if index < self.first_found || !had.insert(index) {
                break;
            }
            if since.is_some_and(|since| since <= made.at) {
                made.delays.push(tip.at.since(made.at));
            }
            next = made.parent;
        }
    }

    /// Blocks that are not on the way back from `new` and are on that from `old`.
    fn left(&self, old: usize, new: usize) -> u64 {
        let (mut a, mut b) = (Some(old), Some(new));
        let mut left = 0;
        while let (Some(x), Some(y)) = (a, b) {
            let (Some(old), Some(new)) = (self.made.get(x), self.made.get(y)) else { break };
            if x == y {
                break;
            }
            if old.height >= new.height {
                a = old.parent;
                left += 1;
            }
            if new.height >= old.height {
                b = new.parent;
            }
        }
        left
    }

    /// How many were found.
    pub(crate) fn found(&self) -> usize {
        self.made.len() - self.first_found
    }

    /// Those of the found that are on the chain that ends there: how many, with how many transactions, and their delays,
    /// ascending.
    pub(crate) fn on_chain(&self, tip: &BlockHash) -> (usize, usize, Vec<Vec<Duration>>) {
        let (mut count, mut transactions, mut delays) = (0, 0, Vec::new());
        let mut next = self.by_hash.get(tip).copied();
        while let Some(made) = next.filter(|index| *index >= self.first_found).and_then(|index| self.made.get(index)) {
            count += 1;
            transactions += made.transactions;
            let mut sorted = made.delays.clone();
            sorted.sort_unstable();
            delays.push(sorted);
            next = made.parent;
        }
        (count, transactions, delays)
    }

    /// The height of a block that was made here.
    pub(crate) fn height(&self, hash: &BlockHash) -> Option<u64> {
        self.by_hash.get(hash).and_then(|index| self.made.get(*index)).map(|made| made.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> BlockHash {
        BlockHash([number; 32])
    }

    /// 0 ← 1 ← 2 ← 3 and 1 ← 4 ← 5 ← 6.
    #[test]
    fn what_is_left_for_another_branch_is_counted_and_each_block_reaches_a_node_once() {
        let mut blocks = Blocks::default();
        blocks.add(hash(0), &BlockHash::ZERO, 0, Moment(0), 0);
        blocks.begin();
        for (number, parent, height) in [(1, 0, 1), (2, 1, 2), (3, 2, 3), (4, 1, 2), (5, 4, 3), (6, 5, 4)] {
            blocks.add(hash(number), &hash(parent), height, Moment(u64::from(number) * 1_000), 1);
        }
        for (node, at, number) in [(1, 3_500, 3), (1, 7_000, 6), (2, 9_000, 6)] {
            blocks.reached(NewTip { at: Moment(at), node, hash: hash(number) }, Some(Moment(0)));
        }
        assert_eq!(blocks.reorganisations, BTreeMap::from([(2, 1)]));
        let (count, transactions, delays) = blocks.on_chain(&hash(6));
        assert_eq!((count, transactions, blocks.found()), (4, 4, 6));
        let nanos = |delays: &[Duration]| delays.iter().map(Duration::as_nanos).collect::<Vec<_>>();
        let all: Vec<_> = delays.iter().map(|delays| nanos(delays)).collect();
        assert_eq!(all, [vec![1_000, 3_000], vec![2_000, 4_000], vec![3_000, 5_000], vec![2_500, 8_000]]);
    }
}

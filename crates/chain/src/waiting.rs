//! Blocks that cannot be judged yet: orphans, whose parent is unknown, and blocks ahead of the clock.
//!
//! Both pools are bounded in number and in bytes. A flood from one source costs that source its own blocks
//! first: the orphan that gives way is the oldest of the source that holds most.

use std::collections::BTreeMap;

use bloom_consensus::{BlockHash, Timestamp};

/// A block that waits, in its encoding.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) hash: BlockHash,
    pub(crate) parent: BlockHash,
    pub(crate) timestamp: Timestamp,
    pub(crate) source: u64,
    pub(crate) block: Vec<u8>,
}

/// How much a pool holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) blocks: usize,
    pub(crate) per_source: usize,
    pub(crate) bytes: usize,
}

/// Orphans: their number and their bytes are this program's choice, the law has none.
pub(crate) const ORPHANS: Bounds = Bounds { blocks: 1024, per_source: 1024, bytes: 16 << 20 };

/// Blocks ahead of the clock: 64 per peer and 1 024 in all by law §4, their bytes by choice.
pub(crate) const SET_ASIDE: Bounds = Bounds { blocks: 1024, per_source: 64, bytes: 16 << 20 };

/// Waiting blocks in the order of their arrival. Searched from end to end: there are few.
#[derive(Debug)]
pub(crate) struct Pool {
    bounds: Bounds,
    waiting: Vec<Waiting>,
    bytes: usize,
}

impl Pool {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, waiting: Vec::new(), bytes: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn contains(&self, hash: &BlockHash) -> bool {
        self.waiting.iter().any(|waiting| waiting.hash == *hash)
    }

    /// Whether there is room for one more without a loss.
    pub(crate) fn has_room(&self, source: u64, bytes: usize) -> bool {
        self.waiting.len() < self.bounds.blocks
            && self.bytes + bytes <= self.bounds.bytes
            && self.waiting.iter().filter(|waiting| waiting.source == source).count() < self.bounds.per_source
    }

    /// Adds a block if there is room; whether it was added.
    pub(crate) fn add(&mut self, waiting: Waiting) -> bool {
        let room = self.has_room(waiting.source, waiting.block.len());
        if room {
            self.bytes += waiting.block.len();
            self.waiting.push(waiting);
        }
        room
    }

    /// Adds a block; others give way.
    pub(crate) fn force(&mut self, waiting: Waiting) {
        while !self.has_room(waiting.source, waiting.block.len()) && !self.waiting.is_empty() {
            let greediest = self.greediest();
            let mut kept = false;
            self.take(|other| other.source == greediest && !std::mem::replace(&mut kept, true));
        }
        self.add(waiting);
    }

    /// Takes out the blocks that stand on this one.
    pub(crate) fn take_children(&mut self, parent: &BlockHash) -> Vec<Waiting> {
        self.take(|waiting| waiting.parent == *parent)
    }

    /// Takes out the blocks that are from `latest` or before.
    pub(crate) fn take_until(&mut self, latest: Timestamp) -> Vec<Waiting> {
        self.take(|waiting| waiting.timestamp <= latest)
    }

    fn take(&mut self, mut wanted: impl FnMut(&Waiting) -> bool) -> Vec<Waiting> {
        let taken: Vec<_> = self.waiting.extract_if(.., |waiting| wanted(waiting)).collect();
        self.bytes -= taken.iter().map(|waiting| waiting.block.len()).sum::<usize>();
        taken
    }

    /// The source that holds most bytes.
    fn greediest(&self) -> u64 {
        let mut held = BTreeMap::<u64, usize>::new();
        for waiting in &self.waiting {
            *held.entry(waiting.source).or_default() += waiting.block.len();
        }
        held.into_iter().max_by_key(|(_, bytes)| *bytes).map_or(0, |(source, _)| source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { blocks: 4, per_source: 3, bytes: 100 };

    fn waiting(number: u8, source: u64, bytes: usize) -> Waiting {
        Waiting {
            hash: BlockHash([number; 32]),
            parent: BlockHash([number - 1; 32]),
            timestamp: Timestamp(u64::from(number)),
            source,
            block: vec![0; bytes],
        }
    }

    fn numbers(pool: &Pool) -> Vec<u8> {
        pool.waiting.iter().map(|waiting| waiting.hash.0[0]).collect()
    }

    #[test]
    fn refuses_beyond_each_bound() {
        let mut pool = Pool::new(SMALL);
        assert!(pool.add(waiting(1, 7, 10)) && pool.add(waiting(2, 7, 10)) && pool.add(waiting(3, 7, 10)));
        assert!(!pool.add(waiting(4, 7, 10)), "a fourth of one source");
        assert!(!pool.add(waiting(4, 8, 71)), "101 bytes");
        assert!(pool.add(waiting(4, 8, 70)));
        assert!(!pool.add(waiting(5, 9, 0)), "a fifth in all");
        assert_eq!(pool.take_until(Timestamp(2)).len(), 2);
        assert_eq!((pool.len(), pool.bytes), (2, 80));
    }

    #[test]
    fn the_greediest_source_loses_its_oldest() {
        let mut pool = Pool::new(SMALL);
        for (number, source) in [(1, 8), (2, 7), (3, 7), (4, 7)] {
            pool.force(waiting(number, source, 10));
        }
        pool.force(waiting(5, 8, 10));
        assert_eq!(numbers(&pool), [1, 3, 4, 5], "source 7 held three");
        pool.force(waiting(6, 8, 70));
        assert_eq!(numbers(&pool), [3, 4, 5, 6], "on a tie the higher number of source pays: {pool:?}");
    }

    #[test]
    fn children_are_found_by_their_parent() {
        let mut pool = Pool::new(SMALL);
        pool.force(waiting(9, 1, 1));
        pool.force(waiting(5, 1, 1));
        assert!(pool.contains(&BlockHash([5; 32])));
        let children = pool.take_children(&BlockHash([4; 32]));
        assert_eq!(children.len(), 1);
        assert!(!pool.contains(&BlockHash([5; 32])) && pool.contains(&BlockHash([9; 32])));
    }
}

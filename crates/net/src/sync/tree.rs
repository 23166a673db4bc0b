//! Proven headers beyond the chain. Each stands on a block that the chain knows or on another of these.

use std::collections::{BTreeMap, BTreeSet};

use bloom_chain::{Chain, StoreError};
use bloom_consensus::{Ancestor, Ancestors, BlockHash, Header, Height, Work};

use crate::event::ConnId;
use crate::wire::MAX_HEADERS;

/// How many headers are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// That one peer showed first.
    pub(super) of_peer: usize,
    /// In all.
    pub(super) in_all: usize,
    /// Of an answer: one with fewer is all there is.
    pub(super) in_answer: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { of_peer: 65_536, in_all: 262_144, in_answer: MAX_HEADERS }
    }
}

/// A header whose proof is true.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) header: Header,
    /// Of its branch up to it.
    pub(super) work: Work,
    /// Who showed it first, and pays for its place.
    pub(super) owner: ConnId,
}

const _: () = assert!(size_of::<BlockHash>() + size_of::<Node>() < 300);

impl Node {
    pub(super) fn height(&self) -> Height {
        self.header.template.height
    }

    pub(super) fn parent(&self) -> BlockHash {
        self.header.template.prev_hash
    }
}

/// See above.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) bounds: Bounds,
    nodes: BTreeMap<BlockHash, Node>,
    held: BTreeMap<ConnId, usize>,
}

impl Tree {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn get(&self, hash: &BlockHash) -> Option<&Node> {
        self.nodes.get(hash)
    }

    pub(super) fn contains(&self, hash: &BlockHash) -> bool {
        self.nodes.contains_key(hash)
    }

    /// Whether a peer showed any of these first.
    pub(super) fn is_owner(&self, peer: ConnId) -> bool {
        self.held.contains_key(&peer)
    }

    /// The most work of a header that this peer showed first. Looks at every header.
    pub(super) fn heaviest_of(&self, peer: ConnId) -> Option<Work> {
        self.nodes.values().filter(|node| node.owner == peer).map(|node| node.work).max()
    }

    /// How many more headers of this peer there is room for.
    pub(super) fn room(&self, peer: ConnId) -> usize {
        self.room_of(peer).min(self.bounds.in_all.saturating_sub(self.nodes.len()))
    }

    /// The same, were it alone.
    pub(super) fn room_of(&self, peer: ConnId) -> usize {
        self.bounds.of_peer.saturating_sub(self.held.get(&peer).copied().unwrap_or(0))
    }

    /// Adds a header that stands on what is here or on the chain, if there is room; whether it is here now.
    pub(super) fn insert(&mut self, hash: BlockHash, node: Node) -> bool {
        if self.nodes.contains_key(&hash) {
            return true;
        }
        if self.room(node.owner) == 0 {
            return false;
        }
        *self.held.entry(node.owner).or_default() += 1;
        self.nodes.insert(hash, node);
        true
    }

    /// Takes out a header that the chain knows now, so that those on it stand on the chain.
    pub(super) fn remove(&mut self, hash: &BlockHash) {
        let Some(node) = self.nodes.remove(hash) else { return };
        if let Some(held) = self.held.get_mut(&node.owner) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&node.owner);
            }
        }
    }

    /// Takes out a header and all that stands on it; yields them. Looks at every header: it costs whoever causes it a block.
    pub(super) fn cut(&mut self, hash: &BlockHash) -> BTreeSet<BlockHash> {
        let mut by_height: Vec<_> =
            self.nodes.iter().map(|(hash, node)| (node.height(), node.parent(), *hash)).collect();
        by_height.sort_unstable();
        let mut cut = BTreeSet::from([*hash]);
        for (_, parent, hash) in by_height {
            if cut.contains(&parent) {
                cut.insert(hash);
            }
        }
        cut.iter().for_each(|hash| self.remove(hash));
        cut
    }

    /// Takes out all but these headers and what they stand on.
    pub(super) fn keep_only(&mut self, ends: impl IntoIterator<Item = BlockHash>) {
        let mut kept = BTreeSet::new();
        for end in ends {
            let mut hash = end;
            while let Some(node) = self.nodes.get(&hash)
                && kept.insert(hash)
            {
                hash = node.parent();
            }
        }
        let gone: Vec<_> = self.nodes.keys().filter(|hash| !kept.contains(hash)).copied().collect();
        gone.iter().for_each(|hash| self.remove(hash));
    }
}

/// The ancestors of a header: through those judged with it, through the tree, then on the chain.
pub(super) struct Line<'a> {
    pub(super) judged: &'a [(BlockHash, Header)],
    pub(super) tree: &'a Tree,
    pub(super) chain: &'a Chain,
    pub(super) parent: BlockHash,
}

impl Ancestors for Line<'_> {
    type Error = StoreError;

    fn at(&self, height: Height) -> Result<Ancestor, StoreError> {
        let ancestor =
            |header: &Header| Ancestor { timestamp: header.template.timestamp, difficulty: header.template.difficulty };
        if height == Height::GENESIS {
            return Ok(ancestor(&self.chain.params().genesis.header));
        }
        let mut hash = self.parent;
        if let Some((_, first)) = self.judged.first() {
            let above = height.0.checked_sub(first.template.height.0).and_then(|above| usize::try_from(above).ok());
            if let Some((_, header)) = above.and_then(|above| self.judged.get(above)) {
                return Ok(ancestor(header));
            }
            hash = first.template.prev_hash;
        }
        while let Some(node) = self.tree.get(&hash) {
            if node.height() == height {
                return Ok(ancestor(&node.header));
            }
            hash = node.parent();
        }
        // The chain forgets no block while it is open, so that it still knows what the tree stands on.
        self.chain.ancestors_of(&hash)?.ok_or(StoreError::Closed)?.at(height)
    }
}

#[cfg(test)]
mod tests;

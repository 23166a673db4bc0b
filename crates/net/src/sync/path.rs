//! The branch that is worth its bodies: proven headers with more work than the tip, that a peer has shown as its own.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bloom_consensus::{BlockHash, Height, Work};

use super::CatchUp;
use super::tree::{Node, Tree};
use crate::event::ConnId;
use crate::hub::Hub;

/// Blocks that a peer's branch is followed back to find where it leaves the path.
const FORK_SEARCH: usize = 4_096;

/// What lacks bodies, in order: the first stands on a block that the chain knows.
#[derive(Debug, Default)]
pub(super) struct Path {
    hashes: VecDeque<BlockHash>,
    first: Height,
    /// The parent of the last one.
    before_target: Option<BlockHash>,
}

impl Path {
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn first(&self) -> Option<BlockHash> {
        self.hashes.front().copied()
    }

    /// The last one.
    pub(super) fn target(&self) -> Option<BlockHash> {
        self.hashes.back().copied()
    }

    pub(super) fn before_target(&self) -> Option<BlockHash> {
        self.before_target
    }

    pub(super) fn target_height(&self) -> Option<Height> {
        self.hashes.len().checked_sub(1).map(|last| self.height_of(last))
    }

    pub(super) fn get(&self, index: usize) -> Option<BlockHash> {
        self.hashes.get(index).copied()
    }

    pub(super) fn height_of(&self, index: usize) -> Height {
        Height(self.first.0.saturating_add(index as u64))
    }

    /// Whether nothing so low is on it.
    fn is_below(&self, height: Height) -> bool {
        height < self.first
    }

    pub(super) fn index_of(&self, height: Height, hash: &BlockHash) -> Option<usize> {
        let index = usize::try_from(height.0.checked_sub(self.first.0)?).ok()?;
        (self.hashes.get(index) == Some(hash)).then_some(index)
    }

    /// The first one was filed by the chain.
    fn pop(&mut self) {
        if self.hashes.pop_front().is_some() {
            self.first = Height(self.first.0.saturating_add(1));
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    /// Leads to another header; whether it does so by another way than before.
    fn lead_to(&mut self, tree: &Tree, target: BlockHash) -> bool {
        let (mut back, mut hash) = (Vec::new(), target);
        self.before_target = tree.get(&target).map(Node::parent);
        while let Some(node) = tree.get(&hash) {
            if self.target() == Some(hash) {
                self.hashes.extend(back.into_iter().rev());
                return false;
            }
            back.push(hash);
            self.first = if self.hashes.is_empty() { node.height() } else { self.first };
            hash = node.parent();
        }
        self.hashes = back.into_iter().rev().collect();
        self.first = self.hashes.front().and_then(|first| tree.get(first)).map_or(Height::GENESIS, Node::height);
        true
    }
}

impl CatchUp {
    /// Follows the branch with most work that somebody has; of equals the one that is followed already.
    pub(super) fn choose_path(&mut self, hub: &Hub) {
        let tip = hub.chain.chain().tip().work;
        let current = self.path.target();
        let worth = |hash: BlockHash| -> Option<(Work, bool, BlockHash)> {
            let work = self.tree.get(&hash)?.work;
            (work > tip).then_some((work, current == Some(hash), hash))
        };
        let usable = self.sources.values().filter(|source| source.is_usable(hub.now.elapsed));
        let best = usable.filter_map(|source| worth(source.best?)).max();
        let is_other_way = match best {
            Some((.., target)) => current != Some(target) && self.path.lead_to(&self.tree, target),
            None => {
                self.path.clear();
                current.is_some()
            }
        };
        if is_other_way {
            let on_path: BTreeSet<_> = self.path.hashes.iter().collect();
            self.bodies.keep_only(|hash| on_path.contains(hash));
            self.ahead_until = None;
        }
    }

    /// The chain has filed a block; whether that was news.
    pub(super) fn filed(&mut self, hash: &BlockHash) -> bool {
        let is_known = self.tree.contains(hash);
        self.tree.remove(hash);
        for source in self.sources.values_mut() {
            source.best.take_if(|best| best == hash);
        }
        if self.path.first() == Some(*hash) {
            self.path.pop();
            self.bodies.filed(hash);
            return true;
        }
        is_known
    }

    /// How far along the path a peer has the bodies, by the headers that it has shown: a number of blocks.
    pub(super) fn reach(&self, best: Option<BlockHash>) -> usize {
        let mut at = best;
        for _ in 0..FORK_SEARCH {
            let Some(hash) = at else { return 0 };
            let Some(node) = self.tree.get(&hash) else { return 0 };
            if let Some(index) = self.path.index_of(node.height(), &hash) {
                return index + 1;
            }
            if self.path.is_below(node.height()) {
                return 0;
            }
            at = Some(node.parent());
        }
        0
    }

    /// Whether a peer has not shown that it has the first bodies that are still to be asked for.
    pub(super) fn is_short_of(&self, peer: ConnId, now: Duration) -> bool {
        let Some(source) = self.sources.get(&peer) else { return false };
        let needed = self.bodies.first_free(&self.path);
        source.is_usable(now) && needed.is_some_and(|needed| self.reach(source.best) <= needed)
    }

    /// A block was found invalid: it and all that stands on it is forgotten, and who has it for its chain is let go, not
    /// banned: it may have been fooled by an older rule.
    pub(super) fn cut(&mut self, hub: &mut Hub, hash: &BlockHash) {
        let cut = self.tree.cut(hash);
        let has_it = |source: &super::Source| source.best.is_some_and(|best| cut.contains(&best));
        let fooled: Vec<_> = self.sources.iter().filter(|(_, source)| has_it(source)).map(|(peer, _)| *peer).collect();
        fooled
            .into_iter()
            .for_each(|peer| self.let_go(hub, peer, "its chain has an invalid block, or cannot be followed"));
        self.path.clear();
        self.bodies.keep_only(|_| false);
    }
}

//! What a chain says of itself and of its blocks.

use bloom_consensus::{Amount, BlockHash, Difficulty, Header, Height, Parent, Timestamp, Work};

use crate::store::Entry;

/// The last block of the active branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// The work of its branch, genesis included.
    pub work: Work,
    /// When it was made.
    pub timestamp: Timestamp,
    /// Its own difficulty, not the next one's.
    pub difficulty: Difficulty,
}

impl Tip {
    /// The tip as the parent of a draft.
    #[must_use]
    pub fn as_parent(&self) -> Parent {
        Parent { hash: self.hash, height: self.height }
    }

    pub(crate) fn new(hash: BlockHash, entry: &Entry) -> Self {
        let template = entry.header.template;
        Self {
            hash,
            height: template.height,
            work: entry.work,
            timestamp: template.timestamp,
            difficulty: template.difficulty,
        }
    }
}

/// What a miner must know of the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateFacts {
    /// The tip's hash.
    pub parent: BlockHash,
    /// One above the tip's.
    pub height: Height,
    /// What the ancestors demand.
    pub difficulty: Difficulty,
    /// The first second after the tip's.
    pub min_timestamp: Timestamp,
}

/// A block without a child, or the tip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// The work of its branch.
    pub work: Work,
    /// How many blocks of its branch are not on the chain.
    pub branch: u64,
    /// What is known about its branch.
    pub status: LeafStatus,
}

/// What is known about a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafStatus {
    /// It is the chain.
    Active,
    /// It has no more work than the chain: its spending was not, or not to its end, judged.
    Side,
    /// A block in it is invalid.
    Condemned,
    /// A block in it was marked by [`crate::Chain::invalidate`].
    Invalidated,
}

/// What is unspent at the tip, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoinsState {
    /// The tip.
    pub tip: Tip,
    /// As of [`crate::Chain::state_digest`].
    pub digest: [u8; 32],
    /// How many outputs.
    pub coins: u64,
    /// Their sum.
    pub total: Amount,
    /// The rewards of all blocks up to the tip.
    pub issued: Amount,
    /// Rewards and fees that no coinbase claimed: issued less total.
    pub burnt: Amount,
}

/// What is known of a block that was filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its header.
    pub header: Header,
    /// The work of its branch up to it.
    pub work: Work,
    /// It or an ancestor is invalid, for good.
    pub condemned: bool,
    /// It or an ancestor is marked by [`crate::Chain::invalidate`].
    pub shunned: bool,
}

//! The way from a leaf of a block's Merkle tree up to its root (law §7).
//!
//! Position and count say where a node has a neighbour, on which side, and where it is carried up as it is, so that a path
//! has exactly the siblings that it needs. Leaves are hashed under a context of their own: whatever a path claims, what it
//! ends at was a leaf. The count itself is the maker's word: a path for another count may lead to the same root.

use thiserror::Error;

use crate::merkle::{leaf, node};
use crate::{Block, MerkleRoot};

/// As many leaves as a block can have: 160 bytes are the least that a transaction takes.
pub const MOST_LEAVES: u32 = 6_554;

/// A path that leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// More leaves than a block can have, or none.
    #[error("merkle path in a tree of {got} leaves, expected 1 to {MOST_LEAVES}")]
    Count {
        /// As claimed.
        got: u32,
    },
    /// A position that the tree does not have.
    #[error("merkle path from position {got}, expected below {count}")]
    Position {
        /// As claimed.
        got: u32,
        /// Leaves of the tree.
        count: u32,
    },
    /// Too few or too many siblings.
    #[error("merkle path of {got} siblings, expected {expected} at that position")]
    Length {
        /// Siblings given.
        got: usize,
        /// Siblings that the position has.
        expected: usize,
    },
}

/// Where a leaf stands, and what it takes to reckon the root from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerklePath {
    /// Position among the leaves: 0 is the coinbase.
    pub position: u32,
    /// Leaves of the tree.
    pub count: u32,
    /// The neighbours on the way, the leaf's first.
    pub siblings: Vec<[u8; 32]>,
}

/// What stands beside a node.
#[derive(Clone, Copy)]
enum Neighbour {
    Left,
    Right,
    /// It is the odd one, and carried up.
    None,
}

impl MerklePath {
    /// The path of a block's coinbase, at 0, or of a transaction, from 1 on; none at a position that it doesn't have.
    #[must_use]
    pub fn of(block: &Block, position: u32) -> Option<Self> {
        let transactions = block.transactions.iter().map(|transaction| transaction.wtxid().0);
        let mut level: Vec<_> =
            std::iter::once(block.coinbase.id().0).chain(transactions).map(|id| leaf(&id)).collect();
        let count = u32::try_from(level.len()).ok()?;
        let mut siblings = Vec::new();
        for (at, neighbour) in way(position, count)? {
            let beside = match neighbour {
                Neighbour::Left => at.checked_sub(1),
                Neighbour::Right => at.checked_add(1),
                Neighbour::None => None,
            };
            if let Some(beside) = beside {
                siblings.push(*level.get(usize::try_from(beside).ok()?)?);
            }
            level = level.chunks(2).map(crate::merkle::parent).collect();
        }
        Some(Self { position, count, siblings })
    }

    /// The root of the tree in which a leaf of this id, a coinbase's or a wtxid, stands there.
    ///
    /// # Errors
    /// [`PathError`] unless there are exactly as many siblings as the position has.
    pub fn root(&self, id: &[u8; 32]) -> Result<MerkleRoot, PathError> {
        let Self { position, count, siblings } = self;
        if !(1..=MOST_LEAVES).contains(count) {
            return Err(PathError::Count { got: *count });
        }
        let way = way(*position, *count).ok_or(PathError::Position { got: *position, count: *count })?;
        let expected = way.iter().filter(|(_, neighbour)| !matches!(neighbour, Neighbour::None)).count();
        if siblings.len() != expected {
            return Err(PathError::Length { got: siblings.len(), expected });
        }
        let mut siblings = siblings.iter();
        let mut beside = || siblings.next().expect("they were counted");
        let climb = |below: [u8; 32], (_, neighbour): &(u32, Neighbour)| match neighbour {
            Neighbour::Left => node(beside(), &below),
            Neighbour::Right => node(&below, beside()),
            Neighbour::None => below,
        };
        Ok(MerkleRoot(way.iter().fold(leaf(id), climb)))
    }
}

/// Position and neighbour on each level below the root; none if the tree has no such position.
fn way(position: u32, count: u32) -> Option<Vec<(u32, Neighbour)>> {
    if position >= count {
        return None;
    }
    let (mut at, mut width, mut way) = (position, count, Vec::new());
    while width > 1 {
        let neighbour = match at.checked_add(1) {
            _ if !at.is_multiple_of(2) => Neighbour::Left,
            Some(next) if next < width => Neighbour::Right,
            _ => Neighbour::None,
        };
        way.push((at, neighbour));
        (at, width) = (at / 2, width.div_ceil(2));
    }
    Some(way)
}

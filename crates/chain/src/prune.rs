//! Old bodies dropped: headers and the set of unspent outputs stay, bodies and undo records do for the last blocks alone,
//! for they are what a reorganisation takes blocks off by.
//!
//! A directory that was pruned once stays so and says so. From then on every block that extends the chain drops those
//! that fall behind, in its own commit. What it frees in the file is used again by the blocks that come; [`Chain::prune`]
//! gives it back to the disk at once.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use bloom_consensus::{BlockHash, Height};
use thiserror::Error;

use crate::branch;
use crate::chain::Chain;
use crate::error::StoreError;
use crate::failpoints::kill_point;
use crate::store::Scan;

/// Heights that a commit of [`Chain::prune`] drops.
const STEP: u64 = 512;
/// Heights that a block drops at most: more than one when there is something to make up for.
const CATCH_UP: u64 = 16;

/// How many blocks below the tip keep their bodies: 1 000 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep(u64);

/// Fewer blocks than must be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("got {got} blocks to keep, expected at least {}: what is dropped can never be reorganised", Keep::LEAST.0)]
pub struct KeepError {
    /// As asked for.
    pub got: u64,
}

impl Keep {
    /// As deep a reorganisation as must remain possible.
    pub const LEAST: Self = Self(1_000);

    /// To keep so many blocks.
    ///
    /// # Errors
    /// [`KeepError`] below [`Keep::LEAST`].
    pub const fn new(blocks: u64) -> Result<Self, KeepError> {
        if blocks < Self::LEAST.0 { Err(KeepError { got: blocks }) } else { Ok(Self(blocks)) }
    }

    /// The number of blocks.
    #[must_use]
    pub const fn blocks(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a directory is pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruning {
    /// What is kept below the tip.
    pub keep: Keep,
    /// The lowest height, genesis aside, whose body and undo record are there.
    pub horizon: Height,
    /// The first arrival that may have a body below the horizon.
    pub(crate) cursor: u64,
}

impl Pruning {
    /// keep ‖ horizon ‖ cursor.
    pub(crate) fn encode(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let (words, _) = bytes.as_chunks_mut::<8>();
        for (to, from) in words.iter_mut().zip([self.keep.0, self.horizon.0, self.cursor]) {
            *to = from.to_le_bytes();
        }
        bytes
    }

    /// The inverse of [`Pruning::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let words: [_; 3] = bytes.as_chunks::<8>().0.try_into().ok()?;
        let [keep, horizon, cursor] = words.map(u64::from_le_bytes);
        (bytes.len() == 24).then_some(Self { keep: Keep::new(keep).ok()?, horizon: Height(horizon), cursor })
    }
}

/// How far a pruning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PruneProgress {
    /// Heights done.
    pub done: u64,
    /// Heights to do.
    pub total: u64,
}

impl Chain {
    /// How the directory is pruned, if it is.
    #[must_use]
    pub fn pruning(&self) -> Option<Pruning> {
        self.pruning
    }

    /// Drops the bodies and undo records of all but the last blocks, on all branches, now and from now on, and gives the
    /// space back to the disk. What was dropped before stays dropped, however many are to be kept now. When told to stop
    /// it stops between two commits, and the rest is dropped as blocks come or when it is called again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn prune(
        &mut self,
        keep: Keep,
        progress: &mut dyn FnMut(PruneProgress),
        cancel: &AtomicBool,
    ) -> Result<Pruning, StoreError> {
        self.flush()?;
        if let Some(directory) = &self.directory {
            directory.mark_pruned()?;
        }
        let before = self.pruning.map_or(Height(1), |pruning| pruning.horizon);
        let mut pruning = Pruning { keep, horizon: before, cursor: self.pruning.map_or(0, |pruning| pruning.cursor) };
        let total = self.due(&pruning).0 - before.0;
        loop {
            pruning = self.drop_below(Height(self.due(&pruning).0.min(pruning.horizon.0 + STEP)), &pruning)?;
            kill_point!("prune.before-commit");
            self.flush()?;
            self.pruning = Some(pruning);
            progress(PruneProgress { done: pruning.horizon.0 - before.0, total });
            if pruning.horizon == self.due(&pruning) || cancel.load(Ordering::Relaxed) {
                break;
            }
        }
        // Bodies of side branches that arrived late lie behind the cursor's way.
        self.drop_stragglers(&pruning)?;
        self.flush()?;
        self.ledger.compact().inspect_err(|_| self.closed = true)?;
        Ok(pruning)
    }

    /// Drops what falls behind when the tip rises to a height, without a commit. Yields what is to be remembered once
    /// there was one.
    pub(crate) fn prune_behind(&mut self, tip: Height) -> Result<Option<Pruning>, StoreError> {
        let Some(pruning) = self.pruning else { return Ok(None) };
        let due = horizon(tip, &pruning).0.min(pruning.horizon.0 + CATCH_UP);
        if due == pruning.horizon.0 { Ok(Some(pruning)) } else { self.drop_below(Height(due), &pruning).map(Some) }
    }

    fn due(&self, pruning: &Pruning) -> Height {
        horizon(self.tip.height, pruning)
    }

    /// Moves the horizon up.
    fn drop_below(&mut self, horizon: Height, pruning: &Pruning) -> Result<Pruning, StoreError> {
        for height in pruning.horizon.0..horizon.0 {
            self.ledger.remove_undo(Height(height))?;
        }
        let (bodies, cursor) = self.bodies_below(horizon, pruning.cursor, Scan::Stop)?;
        bodies.into_iter().try_for_each(|arrival| self.ledger.remove_body(arrival))?;
        let pruning = Pruning { horizon, cursor, ..*pruning };
        self.ledger.set_pruning(&pruning)?;
        Ok(pruning)
    }

    fn drop_stragglers(&mut self, pruning: &Pruning) -> Result<(), StoreError> {
        let (bodies, _) = self.bodies_below(pruning.horizon, pruning.cursor, Scan::Continue)?;
        bodies.into_iter().try_for_each(|arrival| self.ledger.remove_body(arrival))
    }

    /// The arrivals from one on whose blocks are below a height, up to the first that is not or to the last of all; and
    /// that first one.
    fn bodies_below(&self, horizon: Height, from: u64, then: Scan) -> Result<(Vec<u64>, u64), StoreError> {
        let (mut bodies, mut first) = (Vec::new(), None);
        self.ledger.each_arrival(from, |ledger, hash| {
            let entry = ledger.known_entry(&hash)?;
            if entry.height() < horizon {
                if entry.height() > Height::GENESIS {
                    bodies.push(entry.arrival);
                }
                return Ok(Scan::Continue);
            }
            first.get_or_insert(entry.arrival);
            Ok(then)
        })?;
        Ok((bodies, first.unwrap_or_else(|| self.ledger.next_arrival())))
    }

    /// The horizon, if a branch that ends in this block leaves the chain so far below it that the chain can't be taken
    /// apart down to there.
    pub(crate) fn out_of_reach(&self, hash: &BlockHash) -> Result<Option<Height>, StoreError> {
        let Some(Pruning { horizon, .. }) = self.pruning else { return Ok(None) };
        let (fork, _) = branch::path_from_active(&self.ledger, hash)?;
        let fork = self.ledger.known_entry(&fork)?.height();
        Ok((fork < self.tip.height && fork.0 + 1 < horizon.0).then_some(horizon))
    }
}

/// The height below which nothing is kept under a tip; it never sinks.
fn horizon(tip: Height, pruning: &Pruning) -> Height {
    let due = (tip.0 + 1).saturating_sub(pruning.keep.0);
    pruning.horizon.max(Height(due))
}

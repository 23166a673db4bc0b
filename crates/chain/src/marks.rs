//! The operator's marks: a block that is not to be followed, whatever the rules say, until the mark is taken back.
//!
//! A mark is not a judgement. Bodies are kept, what stands on a marked block is filed and judged as far as a side branch
//! is, and of all branches that neither a rule nor a mark excludes the heaviest is the chain, the first filed among equals.

use std::collections::{BTreeMap, BTreeSet};

use bloom_consensus::{BlockHash, Height};
use thiserror::Error;

use crate::branch::{self, Switch, SwitchError};
use crate::chain::Chain;
use crate::error::StoreError;
use crate::facts::Tip;
use crate::failpoints::kill_point;
use crate::ledger::Ledger;
use crate::prune::Pruning;
use crate::store::{Entry, Scan};

/// Why a mark was not set or not taken back.
#[derive(Debug, Error)]
pub enum MarkError {
    /// No such block.
    #[error("block {hash} is not known here; `bloom chain tips` and `bloom chain list` tell which are")]
    Unknown {
        /// As asked for.
        hash: BlockHash,
    },
    /// Nothing would be left.
    #[error("block {hash} is genesis, which every chain of this network stands on")]
    Genesis {
        /// As asked for.
        hash: BlockHash,
    },
    /// The rules exclude it for good (law §7).
    #[error("block {hash} or an ancestor of it breaks a rule: it is condemned already, and for good")]
    Condemned {
        /// As asked for.
        hash: BlockHash,
    },
    /// The chain can't be taken apart down to it.
    #[error(
        "block {hash} is below height {horizon}, where blocks were pruned: the chain cannot be taken apart down to there"
    )]
    Pruned {
        /// As asked for.
        hash: BlockHash,
        /// The lowest height that is kept.
        horizon: Height,
    },
    /// There is nothing to take back.
    #[error("block {hash} is not invalidated, nor is an ancestor of it; `bloom chain tips` shows which branches are")]
    NotMarked {
        /// As asked for.
        hash: BlockHash,
    },
    /// The files fail.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Blocks whose own marks are set or taken back.
type Marks = BTreeMap<BlockHash, bool>;

impl Chain {
    /// Marks a block: neither it nor what stands on it is followed any more. If it was on the chain, the heaviest other
    /// branch becomes the chain, all of it in one durable commit. To mark a block twice changes nothing.
    ///
    /// # Errors
    /// [`MarkError`]; the chain is as before.
    pub fn invalidate(&mut self, hash: &BlockHash) -> Result<Switch, MarkError> {
        let entry = self.filed(hash)?;
        if entry.height() == Height::GENESIS {
            return Err(MarkError::Genesis { hash: *hash });
        }
        if entry.condemned {
            return Err(MarkError::Condemned { hash: *hash });
        }
        if let Some(Pruning { horizon, .. }) = self.pruning
            && entry.height() < horizon
            && self.ledger.is_active(hash, entry.height())?
        {
            return Err(MarkError::Pruned { hash: *hash, horizon });
        }
        Ok(self.change_marks(&Marks::from([(*hash, true)]))?)
    }

    /// Takes back the mark of a block and those of its ancestors: what they alone kept from being followed competes
    /// again, at once and in one durable commit. Marks on its descendants stay.
    ///
    /// # Errors
    /// [`MarkError`]; the chain is as before.
    pub fn reconsider(&mut self, hash: &BlockHash) -> Result<Switch, MarkError> {
        let mut entry = self.filed(hash)?;
        if entry.condemned {
            return Err(MarkError::Condemned { hash: *hash });
        }
        if !entry.is_marked() {
            return Err(MarkError::NotMarked { hash: *hash });
        }
        let (mut marks, mut at) = (Marks::new(), *hash);
        loop {
            if entry.invalidated {
                marks.insert(at, false);
            }
            if !entry.shunned {
                break;
            }
            at = entry.header.template.prev_hash;
            entry = self.ledger.known_entry(&at)?;
        }
        Ok(self.change_marks(&marks)?)
    }

    fn filed(&self, hash: &BlockHash) -> Result<Entry, MarkError> {
        if self.closed {
            return Err(StoreError::Closed.into());
        }
        self.ledger.entry(hash)?.ok_or(MarkError::Unknown { hash: *hash })
    }

    fn change_marks(&mut self, marks: &Marks) -> Result<Switch, StoreError> {
        let result = self.follow_marks(marks);
        if result.is_err() {
            // What is in memory may be ahead of the files: only opening them again tells.
            self.closed = true;
            self.ledger.rollback(self.ledger.newest());
        }
        result
    }

    /// Writes the marks and makes the heaviest branch that they leave the chain. A branch that turns out to break a rule
    /// is condemned, in a commit of its own, and the next one is tried.
    fn follow_marks(&mut self, marks: &Marks) -> Result<Switch, StoreError> {
        self.flush()?;
        loop {
            let newest = self.ledger.newest();
            write_marks(&mut self.ledger, marks)?;
            let hash = self.heaviest()?;
            match branch::switch(&mut self.ledger, &mut self.examiner, self.tip.hash, &hash) {
                Ok(switch) => {
                    kill_point!("marks.before-commit");
                    self.flush()?;
                    self.tip = Tip::new(hash, &self.ledger.known_entry(&hash)?);
                    return Ok(switch);
                }
                Err(SwitchError::Invalid { hash, .. }) => {
                    self.ledger.rollback(newest);
                    self.ledger.condemn(&hash)?;
                    self.flush()?;
                }
                Err(SwitchError::Store(error)) => return Err(error),
            }
        }
    }

    /// The block that ought to be the tip: of those that may and can be followed the heaviest, and of equals the first
    /// filed (law §4).
    fn heaviest(&self) -> Result<BlockHash, StoreError> {
        let mut best: Option<(Entry, BlockHash)> = None;
        let mut out_of_reach = BTreeSet::new();
        self.ledger.each_arrival(0, |ledger, hash| {
            let entry = ledger.known_entry(&hash)?;
            if let Some(Pruning { horizon, .. }) = self.pruning {
                let parent = entry.header.template.prev_hash;
                let gone = entry.height() < horizon && !ledger.is_active(&hash, entry.height())?;
                if gone || out_of_reach.contains(&parent) {
                    out_of_reach.insert(hash);
                    return Ok(Scan::Continue);
                }
            }
            if entry.may_be_followed() && best.is_none_or(|(best, _)| entry.work > best.work) {
                best = Some((entry, hash));
            }
            Ok(Scan::Continue)
        })?;
        best.map(|(_, hash)| hash).ok_or_else(|| self.ledger.corrupted("no block may be followed"))
    }
}

/// Writes marks, and what they make of the blocks that stand on those, which arrived later.
fn write_marks(ledger: &mut Ledger, marks: &Marks) -> Result<(), StoreError> {
    let mut all = BTreeMap::new();
    for (hash, invalidated) in marks {
        all.insert(*hash, Entry { invalidated: *invalidated, ..ledger.known_entry(hash)? });
    }
    let first = all.values().map(|entry| entry.arrival).min().unwrap_or_default();
    ledger.each_arrival(first, |ledger, hash| {
        let before = ledger.known_entry(&hash)?;
        let entry = *all.get(&hash).unwrap_or(&before);
        let parent = entry.header.template.prev_hash;
        // What is not known to have changed was right before.
        let shunned = all.get(&parent).map_or(entry.shunned, Entry::is_marked);
        if (Entry { shunned, ..entry }) != before {
            all.insert(hash, Entry { shunned, ..entry });
        }
        Ok(Scan::Continue)
    })?;
    all.iter().try_for_each(|(hash, entry)| ledger.put_entry(hash, entry))
}

//! A block arrives: every rule in the law's order (§5), cheap before dear, and what becomes of it.
//!
//! A block that is not heavier than the tip is filed without judging what it spends: that is done when its branch
//! becomes the heaviest, for all of it, before anything changes. So "first seen" needs no more than the tip: whenever a
//! block is filed, all branches are at most as heavy as the tip, whose last block was fully validated before theirs.

use std::collections::VecDeque;

use bloom_consensus::constants::FUTURE_LIMIT_SECS;
use bloom_consensus::rules::{self, clock};
use bloom_consensus::{
    Block, BlockHash, CheckError, ClockVerdict, Height, Parent, Rejection, RuleViolation, Template, Timestamp, proof,
};

use crate::branch::{self, Switch, SwitchError};
use crate::chain::Chain;
use crate::error::{AcceptError, StoreError};
use crate::facts::Tip;
use crate::failpoints::kill_point;
use crate::store::Entry;
use crate::waiting::Waiting;

/// What became of a block that arrived, and of those that had waited for it.
#[derive(Debug)]
pub struct Accepted {
    /// What became of the block.
    pub outcome: Outcome,
    /// What became, in this order, of blocks that could be judged only now.
    pub followed: Vec<Followed>,
}

/// What became of a valid block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the new tip, on top of the old one.
    Extended,
    /// It is the new tip, at the end of another branch.
    Reorganised {
        /// What is no longer on the chain, the old tip first.
        disconnected: Vec<BlockHash>,
        /// What is now on the chain, the new tip last.
        connected: Vec<BlockHash>,
    },
    /// It is filed on a branch that is not heavier than the chain, or that [`Chain::invalidate`] keeps from being it.
    SideBranch,
    /// Its parent is unknown; it waits in memory.
    Orphan,
    /// It is ahead of the clock; it waits in memory for [`Chain::retry`].
    SetAside {
        /// When it can be taken.
        until: Timestamp,
    },
    /// It was filed before.
    Known,
}

/// What became of a block that had waited.
#[derive(Debug)]
pub struct Followed {
    /// The block.
    pub hash: BlockHash,
    /// Who had sent it.
    pub source: u64,
    /// What became of it.
    pub result: Result<Outcome, AcceptError>,
}

/// A block on its way in.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) hash: BlockHash,
    pub(crate) block: &'a Block,
    pub(crate) source: u64,
    /// None if the block had been taken before, in a store that is being rebuilt.
    pub(crate) now: Option<Timestamp>,
    /// Its attempt was re-run already, many side by side.
    pub(crate) proven: bool,
}

impl Arrival<'_> {
    fn template(&self) -> &Template {
        &self.block.header.template
    }

    fn refused(&self, rejection: impl Into<Rejection>) -> AcceptError {
        AcceptError::Refused { hash: self.hash, rejection: Box::new(rejection.into()) }
    }

    fn waiting(&self) -> Waiting {
        let Template { prev_hash: parent, timestamp, .. } = *self.template();
        Waiting { hash: self.hash, parent, timestamp, source: self.source, block: self.block.encode() }
    }
}

impl Chain {
    /// Takes a block that `source` sent, by the clock of `now`. When this returns a block that was filed, it and all
    /// that it changed is durable (unless [`crate::Options::blocks_per_commit`] says otherwise).
    ///
    /// # Errors
    /// [`AcceptError`]. All but [`AcceptError::Store`] leave the chain as good as before.
    pub fn accept(&mut self, block: &Block, source: u64, now: Timestamp) -> Result<Accepted, AcceptError> {
        self.take(Arrival { hash: block.hash(), block, source, now: Some(now), proven: false })
    }

    /// As [`Chain::accept`], for a block whose attempt the caller has re-run already and found as claimed, by
    /// [`bloom_consensus::proof`].
    ///
    /// # Errors
    /// [`AcceptError`], as [`Chain::accept`].
    pub fn accept_proven(&mut self, block: &Block, source: u64, now: Timestamp) -> Result<Accepted, AcceptError> {
        self.take(Arrival { hash: block.hash(), block, source, now: Some(now), proven: true })
    }

    /// As [`Chain::accept`].
    pub(crate) fn take(&mut self, arrival: Arrival<'_>) -> Result<Accepted, AcceptError> {
        let outcome = match self.take_one(arrival) {
            Err(AcceptError::Store(error)) => return Err(error.into()),
            outcome => outcome,
        };
        let waiting = self.children(&arrival.hash)?;
        let followed = self.take_waiting(waiting, arrival.now)?;
        Ok(Accepted { outcome: outcome?, followed })
    }

    /// Tries the blocks again that were set aside and are no longer ahead of the clock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn retry(&mut self, now: Timestamp) -> Result<Vec<Followed>, StoreError> {
        let latest = Timestamp(now.0.saturating_add(FUTURE_LIMIT_SECS));
        let waiting = self.set_aside.take_until(latest);
        self.take_waiting(waiting, Some(now))
    }

    /// Takes blocks that waited, in this order, each followed by what waited for it.
    fn take_waiting(&mut self, waiting: Vec<Waiting>, now: Option<Timestamp>) -> Result<Vec<Followed>, StoreError> {
        let mut done = Vec::new();
        let mut next: VecDeque<_> = waiting.into();
        while let Some(Waiting { hash, source, block, .. }) = next.pop_front() {
            let block = Block::decode(&block).expect("it was encoded to wait");
            let result = match self.take_one(Arrival { hash, block: &block, source, now, proven: false }) {
                Err(AcceptError::Store(error)) => return Err(error),
                result => result,
            };
            done.push(Followed { hash, source, result });
            next.extend(self.children(&hash)?);
        }
        Ok(done)
    }

    /// Takes the orphans of a block out of their pool if that block is filed now.
    fn children(&mut self, hash: &BlockHash) -> Result<Vec<Waiting>, StoreError> {
        if self.orphans.len() == 0 || self.ledger.entry(hash)?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.orphans.take_children(hash))
    }

    fn take_one(&mut self, arrival: Arrival<'_>) -> Result<Outcome, AcceptError> {
        if self.closed {
            return Err(StoreError::Closed.into());
        }
        let result = self.judge(arrival);
        if let Err(AcceptError::Store(_)) = &result {
            // What is in memory may be ahead of the files: only opening them again tells.
            self.closed = true;
            self.ledger.rollback(self.ledger.newest());
        }
        result
    }

    fn judge(&mut self, arrival: Arrival<'_>) -> Result<Outcome, AcceptError> {
        let Arrival { hash, block, .. } = arrival;
        if let Some(entry) = self.ledger.entry(&hash)? {
            return if entry.condemned { Err(AcceptError::Condemned { hash }) } else { Ok(Outcome::Known) };
        }
        let prev_hash = arrival.template().prev_hash;
        let Some(parent) = self.ledger.entry(&prev_hash)? else {
            return self.keep_orphan(arrival);
        };
        if let Some(horizon) = self.pruning.map(|pruning| pruning.horizon)
            && arrival.template().height < horizon
        {
            return Err(AcceptError::Pruned { hash, horizon });
        }
        self.check_header(arrival, &parent)?;
        if !arrival.proven {
            proof::verify(&block.header, &mut self.solo).map_err(|proof| arrival.refused(proof))?;
        }
        let entry = Entry {
            header: block.header,
            work: parent.work.plus(arrival.template().difficulty),
            arrival: self.ledger.next_arrival(),
            condemned: parent.condemned,
            invalidated: false,
            shunned: parent.is_marked(),
        };
        if parent.condemned {
            self.file_condemned(&hash, &entry)?;
            return Err(AcceptError::Condemned { hash });
        }
        match self.examiner.check_body(block) {
            Ok(()) => {}
            Err(Rejection::Rule(violation)) => return self.condemn(arrival, entry, violation),
            // Another copy, from another peer, may be the header's own (attacks 16 and 20).
            Err(rejection) => return Err(arrival.refused(rejection)),
        }
        if entry.shunned || entry.work <= self.tip.work {
            self.file_aside(arrival, entry)
        } else if prev_hash == self.tip.hash {
            self.extend(arrival, entry)
        } else {
            self.reorganise(arrival, entry)
        }
    }

    /// The header in the context of its ancestors, but for its proof.
    fn check_header(&self, arrival: Arrival<'_>, parent: &Entry) -> Result<(), AcceptError> {
        let parent = Parent { hash: arrival.template().prev_hash, height: parent.height() };
        let ancestors = self.ledger.branch(parent.hash, parent.height);
        match rules::header::check(&self.params, &arrival.block.header, &parent, &ancestors) {
            Ok(_) => Ok(()),
            Err(CheckError::Rule(violation)) => Err(arrival.refused(violation)),
            Err(CheckError::Store(error)) => Err(error.into()),
        }
    }

    /// Keeps a block whose parent is unknown if it cost its maker what a block costs at least.
    fn keep_orphan(&mut self, arrival: Arrival<'_>) -> Result<Outcome, AcceptError> {
        if self.orphans.contains(&arrival.hash) {
            return Ok(Outcome::Orphan);
        }
        let &Template { height, difficulty, .. } = arrival.template();
        if height == Height::GENESIS {
            return Err(arrival.refused(RuleViolation::Height { got: height, parent: Height::GENESIS }));
        }
        let expected = self.params.min_difficulty;
        if difficulty < expected {
            return Err(arrival.refused(RuleViolation::Difficulty { got: difficulty, expected }));
        }
        let Arrival { block, .. } = arrival;
        rules::header::check_isolated(&block.header).map_err(|violation| arrival.refused(violation))?;
        proof::verify(&block.header, &mut self.solo).map_err(|proof| arrival.refused(proof))?;
        self.examiner.check_body(block).map_err(|rejection| arrival.refused(rejection))?;
        self.orphans.force(arrival.waiting());
        Ok(Outcome::Orphan)
    }

    /// Files a block that is not heavier than the tip, or not to be followed.
    fn file_aside(&mut self, arrival: Arrival<'_>, entry: Entry) -> Result<Outcome, AcceptError> {
        if let Some(outcome) = self.hold_if_ahead(arrival)? {
            return Ok(outcome);
        }
        kill_point!("accept.before-write");
        self.ledger.add(&arrival.hash, &entry, Some(&arrival.block.encode()))?;
        self.commit_if_due()?;
        Ok(Outcome::SideBranch)
    }

    /// Puts a block on top of the tip.
    fn extend(&mut self, arrival: Arrival<'_>, entry: Entry) -> Result<Outcome, AcceptError> {
        let Arrival { hash, block, .. } = arrival;
        let effect = match branch::judge(&self.ledger, &mut self.examiner, block)? {
            Ok(effect) => effect,
            Err(violation) => return self.condemn(arrival, entry, violation),
        };
        if let Some(outcome) = self.hold_if_ahead(arrival)? {
            return Ok(outcome);
        }
        kill_point!("accept.before-write");
        self.ledger.add(&hash, &entry, Some(&block.encode()))?;
        branch::apply(&mut self.ledger, &hash, entry.height(), effect)?;
        let pruning = self.prune_behind(entry.height())?;
        self.commit_if_due()?;
        self.pruning = pruning;
        self.tip = Tip::new(hash, &entry);
        Ok(Outcome::Extended)
    }

    /// Makes a heavier branch the chain, if all of it is valid: in one commit, or not at all.
    fn reorganise(&mut self, arrival: Arrival<'_>, entry: Entry) -> Result<Outcome, AcceptError> {
        let Arrival { hash, block, .. } = arrival;
        if let Some(horizon) = self.out_of_reach(&arrival.template().prev_hash)? {
            return Err(AcceptError::Pruned { hash, horizon });
        }
        self.flush()?;
        let newest = self.ledger.newest();
        kill_point!("accept.before-write");
        self.ledger.add(&hash, &entry, Some(&block.encode()))?;
        match branch::switch(&mut self.ledger, &mut self.examiner, self.tip.hash, &hash) {
            Ok(Switch { disconnected, connected }) => {
                if let Some(held) = self.hold_if_ahead(arrival).transpose() {
                    self.ledger.rollback(newest);
                    return held;
                }
                kill_point!("reorganise.before-commit");
                self.flush()?;
                self.tip = Tip::new(hash, &entry);
                Ok(Outcome::Reorganised { disconnected, connected })
            }
            Err(SwitchError::Invalid { hash: ancestor, violation }) => {
                self.ledger.rollback(newest);
                if ancestor == hash {
                    return self.condemn(arrival, entry, *violation);
                }
                self.ledger.condemn(&ancestor)?;
                self.file_condemned(&hash, &Entry { condemned: true, ..entry })?;
                Err(AcceptError::InvalidBranch { hash, ancestor, violation })
            }
            Err(SwitchError::Store(error)) => Err(error.into()),
        }
    }

    /// The clock, judged after all other rules (law §4): sets a block aside that is ahead of it.
    fn hold_if_ahead(&mut self, arrival: Arrival<'_>) -> Result<Option<Outcome>, AcceptError> {
        let Arrival { hash, now: Some(now), .. } = arrival else {
            return Ok(None);
        };
        match clock::judge(arrival.template().timestamp, now) {
            ClockVerdict::Fine => Ok(None),
            ClockVerdict::Dropped { ahead_secs } => Err(AcceptError::TooFarAhead { hash, ahead_secs }),
            ClockVerdict::SetAside { until } => {
                if self.set_aside.contains(&hash) || self.set_aside.add(arrival.waiting()) {
                    return Ok(Some(Outcome::SetAside { until }));
                }
                Err(AcceptError::NoRoom { hash, until })
            }
        }
    }

    /// Condemns a header whose own body breaks a rule, for good (law §7).
    fn condemn(
        &mut self,
        arrival: Arrival<'_>,
        entry: Entry,
        violation: RuleViolation,
    ) -> Result<Outcome, AcceptError> {
        self.file_condemned(&arrival.hash, &Entry { condemned: true, ..entry })?;
        Err(arrival.refused(violation))
    }

    /// Remembers a condemned header, without its body.
    fn file_condemned(&mut self, hash: &BlockHash, entry: &Entry) -> Result<(), StoreError> {
        self.ledger.add(hash, entry, None)?;
        kill_point!("condemn.before-commit");
        self.flush()
    }

    fn commit_if_due(&mut self) -> Result<(), StoreError> {
        self.pending += 1;
        if self.pending >= self.blocks_per_commit { self.flush() } else { Ok(()) }
    }
}

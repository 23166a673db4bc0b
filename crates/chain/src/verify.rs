//! Everything stored, judged anew: proofs on all cores, bodies, and the unspent outputs by taking the chain apart and
//! putting it together again.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bloom_consensus::{BlockHash, CheckError, FalseProof, Header, Height, Parent, Rejection, Work, proof, rules};
use bloom_kernel::{Backend, Batch};

use crate::branch;
use crate::chain::Chain;
use crate::error::VerifyError;
use crate::examiner::Examiner;
use crate::store::{Entry, Scan};

/// What is being verified, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyProgress {
    /// Headers in their context and their proofs.
    Proofs {
        /// Proofs checked.
        done: u64,
        /// Blocks filed, those below the first height included.
        total: u64,
    },
    /// Bodies by themselves.
    Bodies {
        /// Blocks seen.
        done: u64,
        /// Blocks filed.
        total: u64,
    },
    /// Spending, with all signatures: the chain is taken apart down to the first height and put together again.
    Spending {
        /// Blocks taken off and put on.
        done: u64,
        /// Twice the blocks of the chain from the first height on.
        total: u64,
    },
}

/// What was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Headers and proofs, on all branches.
    pub proofs: u64,
    /// Bodies, on all branches but condemned ones.
    pub bodies: u64,
    /// Blocks of the chain whose spending was replayed.
    pub replayed: u64,
}

/// Headers that a thread takes at a time: many times the lanes of a batch, so that few run empty.
const SLICE: usize = 1024;

type Slice = Vec<(BlockHash, Header)>;
type Answer = Result<u64, (BlockHash, Height, FalseProof)>;

/// Whom to tell and whom to ask.
struct Watch<'a> {
    progress: &'a mut dyn FnMut(VerifyProgress),
    cancel: &'a AtomicBool,
}

impl Watch<'_> {
    fn tell(&mut self, progress: VerifyProgress) -> Result<(), VerifyError> {
        (self.progress)(progress);
        if self.cancel.load(Ordering::Relaxed) { Err(VerifyError::Cancelled) } else { Ok(()) }
    }
}

impl Chain {
    /// Judges everything stored from a height on as if it had just arrived, the clock aside, and the set of unspent
    /// outputs against a replay: from height 0 on all of it. Where blocks were pruned, bodies and spending are judged from
    /// the horizon on. Nothing is changed.
    ///
    /// # Errors
    /// [`VerifyError`] for the first fault found.
    pub fn verify(
        &mut self,
        from: Height,
        threads: usize,
        progress: &mut dyn FnMut(VerifyProgress),
        cancel: &AtomicBool,
    ) -> Result<Verified, VerifyError> {
        self.flush()?;
        self.ledger.forget_coins();
        let mut watch = Watch { progress, cancel };
        let proofs = self.verify_proofs(from, threads.max(1), &mut watch)?;
        let bodies = self.verify_bodies(from, &mut watch)?;
        let newest = self.ledger.newest();
        let replayed = self.verify_spending(from, threads, &mut watch);
        self.ledger.rollback(newest);
        Ok(Verified { proofs, bodies, replayed: replayed? })
    }

    /// This thread reads headers and judges them in their context, the others re-run their attempts.
    fn verify_proofs(&self, from: Height, threads: usize, watch: &mut Watch<'_>) -> Result<u64, VerifyError> {
        let backend = self.solo.backend();
        let (slices, work) = mpsc::sync_channel::<Slice>(threads * 2);
        let (answers, done) = mpsc::channel::<Answer>();
        let work = Mutex::new(work);
        thread::scope(|scope| {
            for _ in 0..threads {
                let (work, answers) = (&work, answers.clone());
                scope.spawn(move || check_proofs(backend, work, &answers));
            }
            drop(answers);
            self.feed_proofs(from, slices, &done, watch)
        })
    }

    fn feed_proofs(
        &self,
        from: Height,
        slices: SyncSender<Slice>,
        done: &Receiver<Answer>,
        watch: &mut Watch<'_>,
    ) -> Result<u64, VerifyError> {
        let total = self.ledger.next_arrival();
        let mut proofs = 0;
        let mut slice = Slice::with_capacity(SLICE);
        let mut count = |answer: Answer, watch: &mut Watch<'_>| {
            let checked = answer.map_err(|(hash, height, proof)| invalid(hash, height, proof))?;
            proofs += checked;
            watch.tell(VerifyProgress::Proofs { done: proofs, total })
        };
        self.each_entry(from, |hash, entry| {
            self.check_entry(hash, entry)?;
            slice.push((*hash, entry.header));
            if slice.len() == SLICE {
                // The threads end only when this end of the channel is dropped.
                slices.send(std::mem::take(&mut slice)).expect("the threads are there");
                done.try_iter().try_for_each(|answer| count(answer, watch))?;
            }
            Ok(())
        })?;
        slices.send(slice).expect("the threads are there");
        drop(slices);
        done.iter().try_for_each(|answer| count(answer, watch))?;
        Ok(proofs)
    }

    /// An entry of the index against its header's ancestors and its neighbours.
    fn check_entry(&self, hash: &BlockHash, entry: &Entry) -> Result<(), VerifyError> {
        let template = entry.header.template;
        let corrupted = |what: &str| self.ledger.corrupted(format!("block {hash}: {what}"));
        if entry.header.block_hash() != *hash {
            return Err(corrupted("its header has another hash").into());
        }
        if entry.may_be_followed() && entry.work > self.tip.work && self.pruning.is_none() {
            return Err(corrupted("it is heavier than the tip").into());
        }
        if template.height == Height::GENESIS {
            let is_genesis = hash.0 == self.params.network_id.0 && entry.work == Work::ZERO.plus(template.difficulty);
            return if is_genesis { Ok(()) } else { Err(corrupted("it is not this network's genesis").into()) };
        }
        let parent = self.ledger.known_entry(&template.prev_hash)?;
        if entry.work != parent.work.plus(template.difficulty) {
            return Err(corrupted("its work is not its branch's").into());
        }
        if entry.arrival <= parent.arrival
            || (parent.condemned && !entry.condemned)
            || entry.shunned != parent.is_marked()
        {
            return Err(corrupted("it contradicts its parent's entry").into());
        }
        let parent = Parent { hash: template.prev_hash, height: parent.height() };
        let ancestors = self.ledger.branch(parent.hash, parent.height);
        match rules::header::check(&self.params, &entry.header, &parent, &ancestors) {
            Ok(_) => Ok(()),
            Err(CheckError::Rule(violation)) => Err(invalid(*hash, template.height, violation)),
            Err(CheckError::Store(error)) => Err(error.into()),
        }
    }

    fn verify_bodies(&self, from: Height, watch: &mut Watch<'_>) -> Result<u64, VerifyError> {
        let total = self.ledger.next_arrival();
        let mut bodies = 0;
        self.each_entry(from, |hash, entry| {
            // Below the horizon of a pruned store there may or may not be a body.
            let pruned = entry.height() < self.lowest_kept() && self.ledger.block(hash, entry)?.is_none();
            if !entry.condemned && !pruned {
                let block = self.ledger.known_block(hash, entry)?;
                rules::isolation::check_body(&block).map_err(|rejection| invalid(*hash, entry.height(), rejection))?;
                bodies += 1;
            }
            watch.tell(VerifyProgress::Bodies { done: entry.arrival + 1, total })
        })?;
        Ok(bodies)
    }

    /// In a transaction that is then rolled back. Taken apart down to genesis, nothing may be left unspent: from there
    /// the replay owes nothing to what was stored but blocks.
    fn verify_spending(&mut self, from: Height, threads: usize, watch: &mut Watch<'_>) -> Result<u64, VerifyError> {
        // One that has seen nothing: what was judged before is judged anew.
        let mut examiner = Examiner::new(self.params.network_id, threads);
        let stored = self.ledger.branch_digest()?;
        let first = from.0.max(1).max(self.lowest_kept().0);
        let total = (self.tip.height.0 + 1).saturating_sub(first) * 2;
        if self.ledger.heights_above(self.tip.height)?.is_some() {
            return Err(self.ledger.corrupted("a block is named above the tip").into());
        }
        let mut path = Vec::new();
        let mut hash = self.tip.hash;
        for (done, height) in (1..).zip((first..=self.tip.height.0).rev()) {
            if !self.ledger.is_active(&hash, Height(height))? {
                return Err(self.ledger.corrupted(format!("another block than {hash} is named at {height}")).into());
            }
            path.push(hash);
            hash = branch::revert(&mut self.ledger, &hash)?;
            watch.tell(VerifyProgress::Spending { done, total })?;
        }
        if first == 1 && self.ledger.has_coins()? {
            return Err(self.ledger.corrupted("there are unspent outputs that no block made").into());
        }
        for (done, hash) in (path.len() as u64 + 1..).zip(path.iter().rev()) {
            let entry = self.ledger.known_entry(hash)?;
            let block = self.ledger.known_block(hash, &entry)?;
            let effect = branch::judge(&self.ledger, &mut examiner, &block)?
                .map_err(|violation| invalid(*hash, entry.height(), violation))?;
            branch::apply(&mut self.ledger, hash, entry.height(), effect)?;
            watch.tell(VerifyProgress::Spending { done, total })?;
        }
        if self.ledger.branch_digest()? != stored {
            return Err(self
                .ledger
                .corrupted("the unspent outputs or the undo records are not those of a replay")
                .into());
        }
        Ok(path.len() as u64)
    }

    /// The height from which on every block has a body, and the chain's an undo record.
    fn lowest_kept(&self) -> Height {
        self.pruning.map_or(Height::GENESIS, |pruning| pruning.horizon)
    }

    /// Visits every filed block from a height on, on all branches, parents before children.
    fn each_entry(
        &self,
        from: Height,
        mut visit: impl FnMut(&BlockHash, &Entry) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        let mut fault = ControlFlow::Continue(());
        self.ledger.each_arrival(0, |ledger, hash| {
            let entry = ledger.known_entry(&hash)?;
            if entry.height() >= from
                && let Err(error) = visit(&hash, &entry)
            {
                fault = ControlFlow::Break(error);
                return Ok(Scan::Stop);
            }
            Ok(Scan::Continue)
        })?;
        match fault {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

/// A thread's life: slices until there are no more.
fn check_proofs(backend: Backend, work: &Mutex<Receiver<Slice>>, answers: &mpsc::Sender<Answer>) {
    let mut batch = Box::new(Batch::new(backend));
    loop {
        let slice = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(slice) = slice else { return };
        let headers: Vec<Header> = slice.iter().map(|(_, header)| *header).collect();
        let proofs = proof::verify_many(&headers, &mut batch);
        let fault = slice
            .iter()
            .zip(proofs)
            .find_map(|((hash, header), proof)| proof.err().map(|proof| (*hash, header.template.height, proof)));
        // Nobody listens any more once a fault was found.
        if answers.send(fault.map_or(Ok(slice.len() as u64), Err)).is_err() {
            return;
        }
    }
}

fn invalid(hash: BlockHash, height: Height, rejection: impl Into<Rejection>) -> VerifyError {
    VerifyError::Invalid { hash, height, rejection: Box::new(rejection.into()) }
}

//! One thread of a search: a batch of attempts, evolved in short slices.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use bloom_consensus::{BlockHash, ticket};
use bloom_kernel::{Backend, Batch, Bloom, Feed, ROUNDS_MAX, Seal, Seeder, Start, lucas};
use thread_priority::ThreadPriority;

use crate::search::{Found, Job, SHARE, Shared, pack};

/// Rounds of all lanes between two looks at the job: well below a millisecond on any backend.
const SLICE_ROUNDS: u64 = 64;

/// Searches until the search ends. The first thread lets its progress be seen.
pub(crate) fn run(shared: &Shared, backend: Backend, shows: bool, lowest_priority: bool) {
    if lowest_priority {
        // Courtesy, not correctness: a system that forbids it is mined on at its own priority.
        let _ = ThreadPriority::Min.set_for_current();
    }
    let mut batch = Box::new(Batch::new(backend));
    while !shared.ended.load(Ordering::SeqCst) {
        match shared.job.load_full() {
            Some(job) => work(shared, &mut batch, &job, shows),
            None => thread::park(),
        }
    }
}

/// Works on one job until it is no longer the current one, or a ticket meets it.
fn work(shared: &Shared, batch: &mut Batch, job: &Arc<Job>, shows: bool) {
    let mut attempts = Attempts::new(job);
    batch.clear();
    while shared.job.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, job)) {
        let status = batch.run(SLICE_ROUNDS, &mut attempts);
        shared.rounds.fetch_add(status.rounds, Ordering::Relaxed);
        shared.blooms.fetch_add(std::mem::take(&mut attempts.blooms), Ordering::Relaxed);
        if shows && let Some((round, order)) = batch.peek() {
            shared.in_flight.store(pack(round, order), Ordering::Relaxed);
        }
        if let Some(found) = attempts.found.take() {
            let won = shared.job.compare_and_swap(job, None);
            if won.as_ref().is_some_and(|current| Arc::ptr_eq(current, job)) {
                // The channel holds one find per thread and each job is won once: it is full only if nobody listens.
                let _ = shared.found.try_send(found);
            }
        }
        if status.live == 0 {
            thread::park(); // every attempt of the job has been made
        }
    }
}

/// The attempts that this thread has drawn from a job.
struct Attempts<'a> {
    job: &'a Job,
    seeder: Seeder,
    /// The next attempt, and the end of the share that it belongs to.
    next: u64,
    end: u64,
    blooms: u64,
    found: Option<Found>,
}

impl<'a> Attempts<'a> {
    fn new(job: &'a Job) -> Self {
        Self { job, seeder: Seeder::new(&job.challenge.0), next: 0, end: 0, blooms: 0, found: None }
    }
}

impl Feed for Attempts<'_> {
    fn next(&mut self) -> Option<Start> {
        if self.next == self.end {
            self.next = self.job.draw()?;
            self.end = self.next + SHARE;
        }
        let tag = self.next;
        self.next += 1;
        let (extra_nonce, nonce) = lucas::attempt(tag.into())?;
        let phases = self.seeder.phases(extra_nonce, nonce);
        Some(Start { phases, difficulty: self.job.difficulty, last_round: ROUNDS_MAX - 1, tag })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        let (Some(bloom), Some((extra_nonce, nonce))) = (bloom, lucas::attempt(tag.into())) else { return };
        self.blooms += 1;
        let seal = Seal::new(extra_nonce, nonce, &bloom);
        let hash = BlockHash(seal.block_hash(&self.job.challenge.0));
        if ticket::meets(&hash, bloom.rounds(), self.job.difficulty) {
            self.found = Some(Found { job: self.job.id, seal, bloom });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bloom_consensus::{Challenge, Difficulty};
    use std::collections::BTreeSet;

    #[test]
    fn threads_never_share_an_attempt_and_leave_none_out() {
        let job = Job::new(0, Challenge([7; 32]), Difficulty::ONE);
        let mut threads = [Attempts::new(&job), Attempts::new(&job), Attempts::new(&job)];
        let mut seen = BTreeSet::new();
        for turn in 0..3 * 4 * SHARE {
            let thread = &mut threads[(turn * turn % 3) as usize];
            assert!(seen.insert(thread.next().unwrap().tag));
        }
        let drawn = seen.last().unwrap() + 1;
        assert!(drawn - seen.len() as u64 <= 3 * SHARE, "only the unfinished shares are open");
    }

    #[test]
    fn the_space_ends_without_wrapping() {
        let job = Job::new(0, Challenge([7; 32]), Difficulty::ONE);
        let full = u64::MAX / SHARE;
        for _ in 0..3 {
            assert!(job.draw().is_some());
        }
        job.exhaust_to(full * SHARE);
        assert_eq!(job.draw(), None);
        assert_eq!(job.draw(), None);
    }
}

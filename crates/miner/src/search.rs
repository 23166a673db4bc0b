//! Threads that search for a bloom whose ticket meets the difficulty.
//!
//! The current job stands behind an atomic swap. Threads look at it between slices of a fraction of a millisecond, so
//! that a new job or none takes effect at once. They draw their attempts from one counter, 24 at a time, so that shares
//! of the nonce space never overlap; at a million attempts a second it lasts 580 000 years a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bloom_consensus::{Challenge, Difficulty};
use bloom_kernel::{Backend, Bloom, Order, Seal, SelfTestError, params};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::config::MinerConfig;
use crate::worker;

/// Attempts that a thread draws at once: one extra nonce with each of the Lucas nonces.
pub(crate) const SHARE: u64 = params::NONCES as u64;

/// What a thread works on: a challenge, its difficulty and a space of attempts.
#[derive(Debug)]
pub struct Job {
    /// Told apart by this number; the caller's.
    pub id: u64,
    /// The hash of the template.
    pub challenge: Challenge,
    /// Sets coupling and ticket.
    pub difficulty: Difficulty,
    next_attempt: AtomicU64,
}

impl Job {
    /// A job whose attempts have not begun.
    #[must_use]
    pub fn new(id: u64, challenge: Challenge, difficulty: Difficulty) -> Self {
        Self { id, challenge, difficulty, next_attempt: AtomicU64::new(0) }
    }

    /// The first of the next [`SHARE`] attempts, which nobody else gets; `None` once all are given out.
    pub(crate) fn draw(&self) -> Option<u64> {
        let after = |first: u64| first.checked_add(SHARE);
        self.next_attempt.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).ok()
    }

    #[cfg(test)]
    pub(crate) fn exhaust_to(&self, attempt: u64) {
        self.next_attempt.store(attempt, Ordering::Relaxed);
    }
}

/// A bloom whose ticket meets its job's difficulty, as a thread claims.
#[derive(Clone, Debug)]
pub struct Found {
    /// The job it is for.
    pub job: u64,
    /// The seal to put on the job's draft.
    pub seal: Seal,
    /// The bloom itself.
    pub bloom: Bloom,
}

/// What a search has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Rounds simulated.
    pub rounds: u64,
    /// Attempts that bloomed.
    pub blooms: u64,
    /// Round and order parameter r of an attempt in flight, for display.
    pub in_flight: Option<(u32, f64)>,
}

/// Why a search does not begin.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The backend cannot be trusted.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The system gave no thread.
    #[error("no thread to mine with: {0}; try fewer threads")]
    Thread(#[from] std::io::Error),
}

/// Asks a running search or mining loop to end. Clones are the same signal.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// A signal that has not been given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal, once and for good.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was given.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What the threads of a search share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) job: ArcSwapOption<Job>,
    pub(crate) ended: AtomicBool,
    pub(crate) rounds: AtomicU64,
    pub(crate) blooms: AtomicU64,
    /// Round << 48 | R2 of an attempt in flight; zero where there is none.
    pub(crate) in_flight: AtomicU64,
    pub(crate) found: Sender<Found>,
}

/// Threads that search, until this is dropped.
#[derive(Debug)]
pub struct Search {
    shared: Arc<Shared>,
    found: Receiver<Found>,
    threads: Vec<JoinHandle<()>>,
}

impl Search {
    /// Starts the threads, without a job, after the backend has shown that it can be believed.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn start(config: &MinerConfig) -> Result<Self, SearchError> {
        config.backend.self_test()?;
        let threads = config.threads.get();
        let (sender, found) = bounded(threads);
        let shared = Arc::new(Shared {
            job: ArcSwapOption::empty(),
            ended: AtomicBool::new(false),
            rounds: AtomicU64::new(0),
            blooms: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            found: sender,
        });
        let mut search = Self { shared, found, threads: Vec::with_capacity(threads) };
        for index in 0..threads {
            search.threads.push(search.spawn(index, config.backend, config.lowest_priority)?);
        }
        Ok(search)
    }

    fn spawn(&self, index: usize, backend: Backend, lowest_priority: bool) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        let work = move || worker::run(&shared, backend, index == 0, lowest_priority);
        thread::Builder::new().name(format!("bloom-miner-{index}")).spawn(work)
    }

    /// Gives every thread this job instead of the one it has.
    pub fn assign(&self, job: Job) {
        self.shared.job.store(Some(Arc::new(job)));
        self.threads().for_each(Thread::unpark);
    }

    /// Takes the job away; the threads sleep.
    pub fn rest(&self) {
        self.shared.job.store(None);
    }

    /// Waits for a find, at most this long. After a find the threads rest until they are given the next job. A find
    /// for an earlier job may still arrive: its number tells.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> Option<Found> {
        self.found.recv_timeout(at_most).ok()
    }

    /// What has been done so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let in_flight = self.shared.in_flight.load(Ordering::Relaxed);
        let r2 = in_flight & ((1 << 48) - 1);
        Snapshot {
            rounds: self.shared.rounds.load(Ordering::Relaxed),
            blooms: self.shared.blooms.load(Ordering::Relaxed),
            in_flight: (in_flight != 0).then(|| ((in_flight >> 48) as u32, crate::estimate::order_parameter(r2))),
        }
    }

    fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter().map(JoinHandle::thread)
    }
}

impl Drop for Search {
    /// Ends the threads and waits for them, a fraction of a millisecond.
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.rest();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A thread that panicked has said so on its own; there is nothing to add while dropping.
            let _ = thread.join();
        }
    }
}

/// An order parameter and its round as one number, see [`Shared::in_flight`].
pub(crate) fn pack(round: u32, order: Order) -> u64 {
    u64::from(round) << 48 | order.r2()
}

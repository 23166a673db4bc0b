//! How to mine.

use std::num::NonZeroUsize;
use std::thread;

use bloom_kernel::Backend;

/// How to search for blooms. Whom to pay and what to mine on come with each draft; the difficulty comes from the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinerConfig {
    /// Threads that search.
    pub threads: NonZeroUsize,
    /// The instruction set to search with.
    pub backend: Backend,
    /// Search at the lowest priority that the system has, so that nobody waits for the miner.
    pub lowest_priority: bool,
}

impl Default for MinerConfig {
    /// One thread a core, the fastest backend, lowest priority.
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { threads, backend: Backend::detect(), lowest_priority: true }
    }
}

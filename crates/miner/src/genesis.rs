//! Genesis blocks on all cores: still the smallest attempt that wins, so the same bytes on every machine (law §6).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bloom_consensus::genesis::{Found, search};
use bloom_consensus::{Block, Draft};
use bloom_kernel::Batch;

use crate::config::MinerConfig;
use crate::mine::{MineError, TICK};
use crate::search::{SearchError, StopSignal};

/// Attempts that a thread searches at once, in ascending order.
const STRIDE: u64 = 4096;

/// Finds the one genesis of a draft. `on_progress` is told about twenty times a second how many attempts were begun.
///
/// # Errors
/// [`MineError::Stopped`] soon after the stop signal, and [`MineError::Search`] for a backend that miscalculates.
pub fn forge_genesis(
    config: &MinerConfig,
    draft: Draft,
    stop: &StopSignal,
    mut on_progress: impl FnMut(u64),
) -> Result<Block, MineError> {
    config.backend.self_test().map_err(SearchError::from)?;
    let race = Race { draft: &draft, next: AtomicU64::new(0), best: Mutex::new(None) };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..config.threads.get())
            .map(|_| scope.spawn(|| race.run(&mut Box::new(Batch::new(config.backend)), stop)))
            .collect();
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            on_progress(race.next.load(Ordering::Relaxed).saturating_mul(STRIDE));
            thread::sleep(TICK);
        }
    });
    let best = race.best.into_inner().expect("no thread panics while it holds the lock");
    match best {
        Some(found) if !stop.is_stopped() => Ok(draft.seal(found.seal)),
        _ => Err(MineError::Stopped),
    }
}

struct Race<'a> {
    draft: &'a Draft,
    /// The next stride that nobody has.
    next: AtomicU64,
    best: Mutex<Option<Found>>,
}

impl Race<'_> {
    /// Takes stride after stride until all that is left lies above the best find.
    fn run(&self, batch: &mut Batch, stop: &StopSignal) {
        while !stop.is_stopped() {
            let start = u128::from(self.next.fetch_add(1, Ordering::Relaxed)) * u128::from(STRIDE);
            if self.best().is_some_and(|best| best.attempt < start) {
                return;
            }
            let Some(found) = search(self.draft.template(), start..start + u128::from(STRIDE), batch) else { continue };
            let mut best = self.best.lock().expect("no thread panics while it holds the lock");
            if best.is_none_or(|best| found.attempt < best.attempt) {
                *best = Some(found);
            }
        }
    }

    fn best(&self) -> Option<Found> {
        *self.best.lock().expect("no thread panics while it holds the lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bloom_consensus::Params;
    use std::num::NonZeroUsize;

    #[test]
    fn any_number_of_threads_makes_the_genesis_of_the_law() {
        for params in [Params::dev(), Params::test()] {
            let template = params.genesis.header.template;
            let data = params.genesis.coinbase.data().to_vec();
            for threads in [1, 2, 5] {
                let draft = Draft::genesis(data.clone(), template.timestamp, template.difficulty).unwrap();
                let config = MinerConfig { threads: NonZeroUsize::new(threads).unwrap(), ..MinerConfig::default() };
                let block = forge_genesis(&config, draft, &StopSignal::new(), |_| {}).unwrap();
                assert_eq!(block, params.genesis);
            }
        }
    }
}

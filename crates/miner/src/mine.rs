//! One block: the guide's `mine_block`.

use std::time::{Duration, Instant};

use bloom_consensus::{Block, BlockHash, Draft, ticket};
use bloom_kernel::{Bloom, CouplingTable, ROUNDS_MAX, Seal, initial_phases, lucas, reference};

use crate::config::MinerConfig;
use crate::search::{Found, Job, Search, SearchError, Snapshot, StopSignal};

/// How often progress is shown and the stop signal looked at.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// A mined block, header and all, and what it took.
#[derive(Clone, Debug)]
pub struct MiningResult {
    /// The block.
    pub block: Block,
    /// Its bloom, from which the certificate follows.
    pub bloom: Bloom,
    /// Rounds simulated on the way, in all attempts.
    pub rounds: u64,
    /// Attempts that bloomed on the way, this one included.
    pub blooms: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
}

/// Why no block was mined.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// The stop signal was given.
    #[error("mining was stopped")]
    Stopped,
    /// The search did not begin.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A find that the reference implementation does not confirm: the machine miscalculates.
    #[error(
        "the reference implementation does not confirm a find (extra nonce {extra_nonce}, nonce {nonce}): this machine miscalculates, do not mine on it"
    )]
    Unconfirmed {
        /// Of the find.
        extra_nonce: u64,
        /// Of the find.
        nonce: u32,
    },
}

/// Mines a draft: tries attempt after attempt until one blooms with a ticket that meets the draft's difficulty.
/// `on_progress` is called about twenty times a second.
///
/// # Errors
/// [`MineError`], `Stopped` within a tick of the stop signal.
pub fn mine_block(
    config: &MinerConfig,
    draft: Draft,
    stop: &StopSignal,
    mut on_progress: impl FnMut(&Snapshot),
) -> Result<MiningResult, MineError> {
    let started = Instant::now();
    let search = Search::start(config)?;
    search.assign(Job::new(0, draft.challenge(), draft.template().difficulty));
    loop {
        if stop.is_stopped() {
            return Err(MineError::Stopped);
        }
        let found = search.wait(TICK);
        let snapshot = search.snapshot();
        on_progress(&snapshot);
        if let Some(found) = found {
            let Found { bloom, .. } = found.clone();
            let block = confirm(draft, found)?;
            let Snapshot { rounds, blooms, .. } = snapshot;
            return Ok(MiningResult { block, bloom, rounds, blooms, elapsed: started.elapsed() });
        }
    }
}

/// The block of a draft and a find, after the reference implementation has come to the same bloom.
pub(crate) fn confirm(draft: Draft, found: Found) -> Result<Block, MineError> {
    let challenge = draft.challenge();
    let difficulty = draft.template().difficulty;
    let Found { seal, bloom, .. } = found;
    let phases = initial_phases(&challenge.0, seal.extra_nonce, seal.nonce);
    let again = reference::run(&phases, &CouplingTable::new(difficulty), ROUNDS_MAX - 1);
    let is_true = again.is_some_and(|again| {
        let sealed = Seal::new(seal.extra_nonce, seal.nonce, &again);
        again == bloom && sealed == seal && lucas::is_nonce(seal.nonce)
    });
    let hash = BlockHash(seal.block_hash(&challenge.0));
    if is_true && ticket::meets(&hash, bloom.rounds(), difficulty) {
        Ok(draft.seal(seal))
    } else {
        Err(MineError::Unconfirmed { extra_nonce: seal.extra_nonce, nonce: seal.nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bloom_consensus::{Difficulty, Timestamp};
    use bloom_kernel::{Backend, Solo};

    /// The first find of a draft at difficulty ¼.
    fn find(draft: &Draft) -> Found {
        let template = draft.template();
        (0..)
            .find_map(|i| {
                let (extra_nonce, nonce) = lucas::attempt(i)?;
                let phases = initial_phases(&template.challenge().0, extra_nonce, nonce);
                let bloom = Solo::new(Backend::detect()).run(&phases, template.difficulty, ROUNDS_MAX - 1)?;
                let seal = Seal::new(extra_nonce, nonce, &bloom);
                let hash = BlockHash(seal.block_hash(&template.challenge().0));
                let wins = ticket::meets(&hash, bloom.rounds(), template.difficulty);
                wins.then_some(Found { job: 0, seal, bloom })
            })
            .unwrap()
    }

    #[test]
    fn only_what_the_reference_confirms_leaves_the_miner() {
        let draft = Draft::genesis(Vec::new(), Timestamp(1), Difficulty::MIN).unwrap();
        let found = find(&draft);
        assert!(confirm(draft.clone(), found.clone()).is_ok());

        let mut other_phase = found.clone();
        other_phase.bloom.phases[62] ^= 1;
        let mut other_end = found.clone();
        other_end.seal.bloom_end += 1;
        let mut other_order = found.clone();
        other_order.seal.order.cos += 1;
        let mut other_nonce = found.clone();
        other_nonce.seal.extra_nonce += 1;
        for tampered in [other_phase, other_end, other_order, other_nonce] {
            assert!(matches!(confirm(draft.clone(), tampered), Err(MineError::Unconfirmed { .. })));
        }
        let dearer = Draft::genesis(Vec::new(), Timestamp(1), Difficulty::MAX).unwrap();
        assert!(matches!(confirm(dearer, found), Err(MineError::Unconfirmed { .. })));
    }
}

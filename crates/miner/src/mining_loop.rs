//! Block after block on whatever tip the chain has: the guide's `mining_loop`.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bloom_consensus::constants::FUTURE_LIMIT_SECS;
use bloom_consensus::{Block, BlockHash, Difficulty, Draft, Height, Timestamp};

use crate::config::MinerConfig;
use crate::mine::{MineError, TICK, confirm};
use crate::search::{Job, Search, SearchError, Snapshot, StopSignal};

/// A draft is made anew after this long, so that its time and its fees do not grow stale.
const DRAFT_LIFETIME: Duration = Duration::from_secs(60);

/// What a mining loop needs of a chain. Difficulty, parent and coinbase all come from here.
pub trait MiningChain {
    /// What can go wrong with the chain.
    type Error;

    /// Hash and timestamp of the block to mine on. Asked many times a second.
    ///
    /// # Errors
    /// The chain's.
    fn tip(&mut self) -> Result<(BlockHash, Timestamp), Self::Error>;

    /// A block to mine on the present tip, made at this time.
    ///
    /// # Errors
    /// The chain's.
    fn draft(&mut self, timestamp: Timestamp) -> Result<Draft, Self::Error>;

    /// Takes a mined block. When this returns, the block is durable and may be announced.
    ///
    /// # Errors
    /// The chain's.
    fn submit(&mut self, block: &Block) -> Result<(), Self::Error>;
}

/// Which second a block claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The system's clock, or one second after the parent where that is later.
    System,
    /// One second after the parent, so that any number of blocks can be made at once.
    AfterParent,
}

/// How fast blocks may follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between two blocks of this loop.
    pub at_least: Duration,
    /// Which second a block claims.
    pub clock: Clock,
}

/// What a mining loop lets its caller know.
#[derive(Debug)]
pub enum MiningEvent<'a> {
    /// Work begins on a new tip.
    Started {
        /// Of the block to come.
        height: Height,
        /// Of the block to come.
        difficulty: Difficulty,
    },
    /// About twenty times a second: all that the loop has done so far.
    Progress(&'a Snapshot),
    /// The next block would be too far ahead of the clock: mining goes on in this many seconds.
    Ahead {
        /// Seconds to wait.
        secs: u64,
    },
    /// The chain has another tip: the work so far is dropped.
    NewTip,
    /// A block was mined and is durable.
    Mined {
        /// The block.
        block: &'a Block,
        /// All that the loop has done so far.
        total: &'a Snapshot,
    },
}

/// What a mining loop did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Blocks mined.
    pub blocks: u64,
    /// Rounds and blooms of all attempts.
    pub total: Snapshot,
}

/// Why a mining loop ended before it was asked to.
#[derive(Debug)]
pub enum LoopError<E> {
    /// The chain's error.
    Chain(E),
    /// The search's.
    Mine(MineError),
}

impl<E: fmt::Display> fmt::Display for LoopError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(error) => error.fmt(f),
            Self::Mine(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for LoopError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Chain(error) => error.source(),
            Self::Mine(error) => error.source(),
        }
    }
}

impl<E> From<SearchError> for LoopError<E> {
    fn from(error: SearchError) -> Self {
        Self::Mine(error.into())
    }
}

/// Mines until `blocks` are mined or the stop signal is given. A new tip ends the work on the old one within a tick.
///
/// # Errors
/// [`LoopError`].
pub fn mining_loop<C: MiningChain>(
    config: &MinerConfig,
    chain: &mut C,
    pace: Pace,
    blocks: Option<u64>,
    stop: &StopSignal,
    mut on_event: impl FnMut(MiningEvent<'_>),
) -> Result<Summary, LoopError<C::Error>> {
    let search = Search::start(config)?;
    let mut miner = Loop { search, pace, stop, mined: 0, jobs: 0, last_block: None };
    while !stop.is_stopped() && blocks.is_none_or(|blocks| miner.mined < blocks) {
        miner.next_block(chain, &mut on_event)?;
    }
    Ok(Summary { blocks: miner.mined, total: miner.search.snapshot() })
}

struct Loop<'a> {
    search: Search,
    pace: Pace,
    stop: &'a StopSignal,
    mined: u64,
    jobs: u64,
    last_block: Option<Instant>,
}

impl Loop<'_> {
    /// Works on one draft: to a block, a new tip, the draft's end of life, or the stop signal.
    fn next_block<C: MiningChain>(
        &mut self,
        chain: &mut C,
        on_event: &mut impl FnMut(MiningEvent<'_>),
    ) -> Result<(), LoopError<C::Error>> {
        let (tip, parent_time) = chain.tip().map_err(LoopError::Chain)?;
        let Some(timestamp) = self.time(parent_time, on_event) else { return Ok(()) };
        let draft = chain.draft(timestamp).map_err(LoopError::Chain)?;
        let template = draft.template();
        if template.prev_hash != tip {
            return Ok(()); // the tip moved while the draft was made
        }
        on_event(MiningEvent::Started { height: template.height, difficulty: template.difficulty });
        self.jobs += 1;
        self.search.assign(Job::new(self.jobs, draft.challenge(), template.difficulty));
        let began = Instant::now();
        while !self.stop.is_stopped() && began.elapsed() < DRAFT_LIFETIME {
            let found = self.search.wait(TICK);
            if let Some(found) = found.filter(|found| found.job == self.jobs) {
                let block = confirm(draft, found).map_err(LoopError::Mine)?;
                chain.submit(&block).map_err(LoopError::Chain)?;
                self.mined += 1;
                self.last_block = Some(Instant::now());
                on_event(MiningEvent::Mined { block: &block, total: &self.search.snapshot() });
                return Ok(());
            }
            on_event(MiningEvent::Progress(&self.search.snapshot()));
            if chain.tip().map_err(LoopError::Chain)?.0 != tip {
                on_event(MiningEvent::NewTip);
                break;
            }
        }
        self.search.rest();
        Ok(())
    }

    /// Waits for the pace and for the clock; then the time of the next block. `None` if stopped meanwhile.
    fn time(&self, parent: Timestamp, on_event: &mut impl FnMut(MiningEvent<'_>)) -> Option<Timestamp> {
        let next = Timestamp(parent.0.saturating_add(1));
        let mut said = false;
        while !self.stop.is_stopped() {
            let rest = self.last_block.map_or(Duration::ZERO, |last| self.pace.at_least.saturating_sub(last.elapsed()));
            let now = unix_time();
            let ahead_secs = next.0.saturating_sub(now.0.saturating_add(FUTURE_LIMIT_SECS));
            if rest.is_zero() && ahead_secs == 0 {
                return Some(match self.pace.clock {
                    Clock::System => next.max(now),
                    Clock::AfterParent => next,
                });
            }
            if ahead_secs > 0 && !said {
                on_event(MiningEvent::Ahead { secs: ahead_secs });
                said = true;
            }
            on_event(MiningEvent::Progress(&self.search.snapshot()));
            let longest = if ahead_secs > 0 { TICK } else { rest };
            thread::sleep(longest.min(TICK));
        }
        None
    }
}

/// The system's clock; before 1970 it is 0.
#[must_use]
pub fn unix_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_secs())
}

//! Block after block on whatever tip the chain has: the guide's `mining_loop`.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bloom_consensus::constants::FUTURE_LIMIT_SECS;
use bloom_consensus::{Block, BlockHash, Difficulty, Draft, Height, Params, Timestamp};

use crate::config::MinerConfig;
use crate::estimate;
use crate::mine::{MineError, TICK, confirm};
use crate::search::{Job, Search, SearchError, Snapshot, StopSignal};

/// A draft is made anew after this long, so that its time and its fees do not grow stale.
const DRAFT_LIFETIME: Duration = Duration::from_secs(60);

/// Better fees are taken up at most this often: every draft is judged in full, and what has been searched of the old one
/// loses nothing, for no attempt is nearer to a block than another.
const BETTER_FEES_INTERVAL: Duration = Duration::from_secs(3);

/// Where a block is expected sooner than this, an empty one would as a rule be found before the full one is ready, and
/// payments would starve: the full one is waited for.
const LEAST_SECS_FOR_EMPTY: f64 = 1.0;

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

    /// A block without transactions on the present tip, to be worked on until the full draft is ready; `None` if that is
    /// ready as soon.
    ///
    /// # Errors
    /// The chain's.
    fn empty_draft(&mut self, _timestamp: Timestamp) -> Result<Option<Draft>, Self::Error> {
        Ok(None)
    }

    /// A number that changes when another draft on the same tip may pay more. Asked many times a second.
    fn revision(&mut self) -> u64 {
        0
    }

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

impl Pace {
    /// The pace of a network: at least this many seconds between two blocks, or a second on dev and none elsewhere. At pace
    /// 0 dev's blocks are a second apart by their own time, so that any number can be made at once.
    #[must_use]
    pub fn of(params: &Params, secs: Option<u32>) -> Self {
        let is_dev = *params == Params::dev();
        let secs = secs.unwrap_or(u32::from(is_dev));
        let clock = if is_dev && secs == 0 { Clock::AfterParent } else { Clock::System };
        Self { at_least: Duration::from_secs(secs.into()), clock }
    }
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
    let threads = config.threads.get() as f64;
    let began = Instant::now();
    let mut miner = Loop { search, pace, stop, mined: 0, jobs: 0, last_block: None, threads, began };
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
    threads: f64,
    began: Instant,
}

/// What is and was worked on since the tip came. A find for an earlier draft, made while the next was put together, is a
/// block all the same.
struct Work {
    /// With the numbers of their jobs, the present one last; at least one, and at most one every few seconds.
    drafts: Vec<(u64, Draft)>,
    /// The chain's revision that it was made of.
    revision: u64,
    /// When better fees were last looked for.
    checked: Instant,
}

impl Work {
    fn newest(&self) -> &Draft {
        &self.drafts.last().expect("work begins with a draft").1
    }

    /// The draft of a job, if it is one of these.
    fn take(&mut self, job: u64) -> Option<Draft> {
        let at = self.drafts.iter().position(|(number, _)| *number == job)?;
        Some(self.drafts.swap_remove(at).1)
    }
}

/// What a draft's coinbase takes, in units.
fn income(draft: &Draft) -> u64 {
    draft.contents().coinbase.outputs().iter().map(|output| output.amount.units()).fold(0, u64::saturating_add)
}

impl Loop<'_> {
    /// Works on one tip: to a block, a new tip, the draft's end of life, or the stop signal.
    fn next_block<C: MiningChain>(
        &mut self,
        chain: &mut C,
        on_event: &mut impl FnMut(MiningEvent<'_>),
    ) -> Result<(), LoopError<C::Error>> {
        let (tip, parent_time) = chain.tip().map_err(LoopError::Chain)?;
        let Some(timestamp) = self.time(parent_time, on_event) else { return Ok(()) };
        let Some(mut work) = self.begin(chain, tip, timestamp)? else { return Ok(()) };
        let template = work.newest().template();
        on_event(MiningEvent::Started { height: template.height, difficulty: template.difficulty });
        let began = Instant::now();
        while !self.stop.is_stopped() && began.elapsed() < DRAFT_LIFETIME {
            let found = self.search.wait(TICK);
            if let Some((draft, found)) = found.and_then(|found| Some((work.take(found.job)?, found))) {
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
            self.improve(chain, &mut work, timestamp)?;
        }
        self.search.rest();
        Ok(())
    }

    /// Puts the search to work on a tip: on an empty block at once, where that is worth it, and on the full one as soon as
    /// it is ready. `None` if the tip moved meanwhile.
    fn begin<C: MiningChain>(
        &mut self,
        chain: &mut C,
        tip: BlockHash,
        timestamp: Timestamp,
    ) -> Result<Option<Work>, LoopError<C::Error>> {
        let mut drafts = Vec::new();
        if let Some(empty) = chain.empty_draft(timestamp).map_err(LoopError::Chain)?
            && empty.template().prev_hash == tip
            && self.expected_secs(empty.template().difficulty) >= LEAST_SECS_FOR_EMPTY
        {
            drafts.push(self.assign(empty));
        }
        let revision = chain.revision();
        let draft = chain.draft(timestamp).map_err(LoopError::Chain)?;
        if draft.template().prev_hash != tip {
            return Ok(None);
        }
        drafts.push(self.assign(draft));
        Ok(Some(Work { drafts, revision, checked: Instant::now() }))
    }

    /// Takes up a draft that pays more, if there is one and the last look was long enough ago.
    fn improve<C: MiningChain>(
        &mut self,
        chain: &mut C,
        work: &mut Work,
        timestamp: Timestamp,
    ) -> Result<(), LoopError<C::Error>> {
        let revision = chain.revision();
        if revision == work.revision || work.checked.elapsed() < BETTER_FEES_INTERVAL {
            return Ok(());
        }
        let draft = chain.draft(timestamp).map_err(LoopError::Chain)?;
        (work.revision, work.checked) = (revision, Instant::now());
        let same_tip = draft.template().prev_hash == work.newest().template().prev_hash;
        if same_tip && income(&draft) > income(work.newest()) {
            work.drafts.push(self.assign(draft));
        }
        Ok(())
    }

    fn assign(&mut self, draft: Draft) -> (u64, Draft) {
        self.jobs += 1;
        self.search.assign(Job::new(self.jobs, draft.challenge(), draft.template().difficulty));
        (self.jobs, draft)
    }

    /// Seconds that a block takes on average at the rate so far; without one, those of a machine that makes ten million
    /// rounds a second with each thread.
    fn expected_secs(&self, difficulty: Difficulty) -> f64 {
        let rounds = self.search.snapshot().rounds as f64;
        let worked = self.began.elapsed().as_secs_f64();
        let rate = if rounds > 0.0 && worked > 1.0 { rounds / worked } else { 1e7 * self.threads };
        estimate::rounds_per_block(difficulty) / rate
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

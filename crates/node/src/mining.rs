//! The miner of a node: it works on whatever tip the engine's thread has, and rests while blocks are missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use bloom_chain::{AcceptError, CheckedDraft, DraftError, LiveChain, Outcome, StoreError};
use bloom_consensus::{Block, BlockHash, Draft, OutputKey, RuleViolation, Timestamp};
use bloom_miner::{LoopError, MinerConfig, MiningChain, MiningEvent, Pace, StopSignal, mining_loop};
use bloom_net::Engine;
use crossbeam_channel::Sender;
use thiserror::Error;

use crate::event::NodeEvent;
use crate::handle::{Handle, HandleError};

/// How often a resting miner looks whether there is something to do.
const REST: Duration = Duration::from_millis(50);
/// After an error that is not the chain's end, it tries again after this long.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// How a node mines.
#[derive(Clone, Debug)]
pub struct Mining {
    /// Threads and instruction set.
    pub config: MinerConfig,
    /// Whom to pay.
    pub payout: OutputKey,
    /// How fast.
    pub pace: Pace,
    /// How many blocks, and no more; none for as long as the node runs.
    pub blocks: Option<u64>,
}

/// A node's chain, to mine on.
pub struct NodeChain {
    handle: Handle,
    payout: OutputKey,
    events: Sender<NodeEvent>,
}

/// Why mining on a node's chain ended.
#[derive(Debug, Error)]
pub enum NodeChainError {
    /// The node did not answer.
    #[error(transparent)]
    Handle(#[from] HandleError),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not even an empty block can be made: this program and its chain disagree about a rule.
    #[error("no block can be made on the tip: {0}")]
    NoDraft(Box<RuleViolation>),
    /// The chain refused a block that was mined on it.
    #[error("the chain did not take a block that was mined on it: {0}")]
    Refused(AcceptError),
}

impl From<DraftError> for NodeChainError {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Invalid(violation) => Self::NoDraft(violation),
            DraftError::Store(error) => Self::Store(error),
        }
    }
}

impl NodeChain {
    /// The chain behind a handle, with the key that new coins go to.
    #[must_use]
    pub fn new(handle: Handle, payout: OutputKey, events: Sender<NodeEvent>) -> Self {
        Self { handle, payout, events }
    }
}

impl MiningChain for NodeChain {
    type Error = NodeChainError;

    fn tip(&mut self) -> Result<(BlockHash, Timestamp), NodeChainError> {
        let view = self.handle.view();
        Ok((view.tip, view.time))
    }

    fn draft(&mut self, timestamp: Timestamp) -> Result<Draft, NodeChainError> {
        let payout = self.payout;
        let make = move |engine: &mut Engine| at_least(engine, timestamp, |chain, at| chain.checked_draft(payout, at));
        let made = self.handle.ask(move |engine, _| (make(engine), Vec::new()))?;
        let CheckedDraft { draft, fault, .. } = made?;
        if let Some(violation) = fault {
            tracing::error!("what waits was refused, mining an empty block and judging all of it anew: {violation}");
        }
        Ok(draft)
    }

    fn empty_draft(&mut self, timestamp: Timestamp) -> Result<Option<Draft>, NodeChainError> {
        let payout = self.payout;
        let made = self.handle.ask(move |engine, _| {
            // With nothing waiting the full draft is the empty one, and as soon ready.
            let waits = !engine.chain().mempool().is_empty();
            (
                waits.then(|| at_least(engine, timestamp, |chain, at| chain.empty_draft(payout, at))).transpose(),
                Vec::new(),
            )
        })?;
        Ok(made?)
    }

    fn revision(&mut self) -> u64 {
        self.handle.view().revision
    }

    fn submit(&mut self, block: &Block) -> Result<(), NodeChainError> {
        let (hash, height) = (block.hash().to_string(), block.header.template.height.0);
        let block = block.clone();
        let is_tip = match self.handle.ask(move |engine, now| engine.submit_block(&block, now))? {
            // Another block came first: that is no fault of anybody's.
            Ok(accepted) => matches!(accepted.outcome, Outcome::Extended | Outcome::Reorganised { .. }),
            Err(AcceptError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(NodeChainError::Refused(error)),
        };
        let event = NodeEvent::Mined { hash, height, is_tip };
        event.log(false);
        // Whoever reads events may have left; the block is no less mined.
        let _ = self.events.try_send(event);
        Ok(())
    }
}

/// A draft at this time, or the least that the tip allows: it may be another tip than the one that the time was chosen for,
/// which the mining loop notices by the draft.
fn at_least<T>(
    engine: &mut Engine,
    timestamp: Timestamp,
    make: impl FnOnce(&mut LiveChain, Timestamp) -> Result<T, DraftError>,
) -> Result<T, DraftError> {
    let chain = engine.chain_mut();
    let least = chain.chain().template_facts()?.min_timestamp;
    make(chain, timestamp.max(least))
}

/// The thread that mines.
pub(crate) struct Miner {
    thread: Option<JoinHandle<()>>,
}

impl Miner {
    pub(crate) fn start(mining: Mining, handle: Handle, events: Sender<NodeEvent>) -> io::Result<Self> {
        let run = move || mine(&mining, &handle, &events);
        Ok(Self { thread: Some(thread::Builder::new().name("miner".to_owned()).spawn(run)?) })
    }

    /// Waits for its end, which comes soon after the node was told to end.
    pub(crate) fn wait(&mut self) {
        if let Some(thread) = mem::take(&mut self.thread)
            && thread.join().is_err()
        {
            tracing::error!("the miner's thread panicked");
        }
    }
}

/// Mines while nothing is missing and there are blocks left to mine, until the node ends.
fn mine(mining: &Mining, handle: &Handle, events: &Sender<NodeEvent>) {
    let mut chain = NodeChain::new(handle.clone(), mining.payout, events.clone());
    let left = &handle.to_mine;
    while !handle.is_stopped() {
        if handle.view().is_behind || left.get() == Some(0) {
            thread::sleep(REST);
            continue;
        }
        let stop = StopSignal::new();
        let done = mining_loop(&mining.config, &mut chain, mining.pace, left.get(), &stop, |event| {
            if let MiningEvent::Mined { .. } = event {
                left.take_one();
            }
            let looks = matches!(event, MiningEvent::Progress(_) | MiningEvent::Started { .. });
            if looks && (handle.is_stopped() || handle.view().is_behind) {
                stop.stop();
            }
        });
        match done {
            Ok(_) | Err(LoopError::Chain(NodeChainError::Handle(HandleError::Stopped))) => {}
            Err(error) => {
                tracing::error!("mining: {error}; trying again in {} s", AFTER_ERROR.as_secs());
                rest(handle, AFTER_ERROR);
            }
        }
    }
}

/// How many blocks a node is still to mine; shared with whoever asks for more.
#[derive(Clone, Debug)]
pub(crate) struct ToMine(Arc<AtomicU64>);

impl ToMine {
    /// As many as never end.
    const ENDLESS: u64 = u64::MAX;

    pub(crate) fn new(blocks: Option<u64>) -> Self {
        Self(Arc::new(AtomicU64::new(blocks.unwrap_or(Self::ENDLESS))))
    }

    /// None if there is no end to it.
    fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::SeqCst)).filter(|left| *left != Self::ENDLESS)
    }

    fn take_one(&self) {
        self.change(|left| left.saturating_sub(1));
    }

    /// Some more; yields how many that makes, if there is an end to it.
    pub(crate) fn add(&self, blocks: u64) -> Option<u64> {
        self.change(|left| left.saturating_add(blocks).min(Self::ENDLESS - 1));
        self.get()
    }

    fn change(&self, to: impl Fn(u64) -> u64) {
        let change = |left| (left != Self::ENDLESS).then(|| to(left));
        // Nothing changes where there is no end.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
    }
}

fn rest(handle: &Handle, how_long: Duration) {
    let mut left = how_long;
    while !left.is_zero() && !handle.is_stopped() {
        thread::sleep(REST);
        left = left.saturating_sub(REST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bloom_chain::{MempoolLimits, Options};
    use bloom_consensus::Params;
    use bloom_kernel::Backend;
    use bloom_net::{Book, Config, Now};
    use crossbeam_channel::{bounded, unbounded};

    use super::*;
    use crate::handle::{MOST_WAITING, View};

    /// Another's block may become the tip between the choice of a time and the draft: then the draft is of the new tip, which
    /// the loop sees, and no error to rest after.
    #[test]
    fn a_draft_whose_time_was_chosen_for_an_older_tip_is_made_all_the_same() {
        let chain = LiveChain::in_memory(&Params::dev(), Options::default(), MempoolLimits::default()).unwrap();
        let mut engine = Engine::new(chain, Config::default(), Book::new([0; 32]), Vec::new(), Backend::detect(), 1);
        let (errands, queue) = bounded(MOST_WAITING);
        let view = Arc::new(Mutex::new(View::of(&engine)));
        let handle = Handle::new(errands, view, StopSignal::new(), ToMine::new(None));
        let mut mined_on = NodeChain::new(handle, OutputKey([1; 32]), unbounded().0);
        thread::scope(|scope| {
            scope.spawn(move || queue.iter().for_each(|errand| drop(errand(&mut engine, Now::default()))));
            let (tip, time) = mined_on.tip().unwrap();
            let draft = mined_on.draft(time).unwrap();
            assert_eq!(draft.template().prev_hash, tip);
            assert!(draft.template().timestamp > time);
            drop(mined_on);
        });
    }
}

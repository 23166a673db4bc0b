//! How other threads ask the engine's thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bloom_consensus::{BlockHash, Height, Timestamp};
use bloom_miner::StopSignal;
use bloom_net::{Action, Engine, Now};
use crossbeam_channel::{RecvTimeoutError, SendTimeoutError, Sender, bounded};
use thiserror::Error;

use crate::mining::ToMine;

/// Requests that wait for the engine's thread; more wait before the channel.
pub(crate) const MOST_WAITING: usize = 64;

/// The engine's thread may be in the middle of 64 blocks: more patience than that ends a wait that would never end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How soon somebody who waits notices that the node was told to end.
const SLICE: Duration = Duration::from_millis(50);

/// What is done in the engine's thread. It answers through a channel of its own.
pub(crate) type Errand = Box<dyn FnOnce(&mut Engine, Now) -> Vec<Action> + Send>;

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HandleError {
    /// The node has ended.
    #[error("the node has stopped")]
    Stopped,
    /// The node is too busy.
    #[error("the node did not answer within {} s: it is busy, try again", PATIENCE.as_secs())]
    Busy,
}

/// The chain as others see it without asking: the engine's thread renews it after whatever it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) tip: BlockHash,
    pub(crate) height: Height,
    pub(crate) time: Timestamp,
    /// The mempool's.
    pub(crate) revision: u64,
    /// Whether blocks are missing that are known to be there.
    pub(crate) is_behind: bool,
}

impl View {
    pub(crate) fn of(engine: &Engine) -> Self {
        let chain = engine.chain();
        let tip = chain.chain().tip();
        Self {
            tip: tip.hash,
            height: tip.height,
            time: tip.timestamp,
            revision: chain.mempool().revision(),
            is_behind: engine.is_behind(),
        }
    }
}

/// A way to ask a node. Clones ask the same node.
#[derive(Clone)]
pub struct Handle {
    errands: Sender<Errand>,
    view: Arc<Mutex<View>>,
    stop: StopSignal,
    pub(crate) to_mine: ToMine,
}

impl Handle {
    pub(crate) fn new(errands: Sender<Errand>, view: Arc<Mutex<View>>, stop: StopSignal, to_mine: ToMine) -> Self {
        Self { errands, view, stop, to_mine }
    }

    /// Has something done with the engine, and yields what came of it. What the engine wants done is done.
    ///
    /// # Errors
    /// [`HandleError`]; with either it may still be done.
    pub fn ask<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Engine, Now) -> (T, Vec<Action>) + Send + 'static,
    ) -> Result<T, HandleError> {
        let (sender, answer) = bounded(1);
        let errand: Errand = Box::new(move |engine, now| {
            let (answer, actions) = errand(engine, now);
            // Whoever asked may have lost patience.
            let _ = sender.send(answer);
            actions
        });
        self.errands.send_timeout(errand, PATIENCE).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => HandleError::Busy,
            SendTimeoutError::Disconnected(_) => HandleError::Stopped,
        })?;
        // A channel keeps what nobody will take any more as long as somebody could send: the wait ends by itself.
        let until = Instant::now() + PATIENCE;
        loop {
            match answer.recv_timeout(SLICE) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(HandleError::Stopped),
                Err(RecvTimeoutError::Timeout) if self.is_stopped() => return Err(HandleError::Stopped),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= until => return Err(HandleError::Busy),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Has something looked up in the engine.
    ///
    /// # Errors
    /// [`HandleError`].
    pub fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, HandleError> {
        self.ask(move |engine, _| (question(engine), Vec::new()))
    }

    /// Tells the node to end. It does so soon; [`crate::Node::wait`] waits for it.
    pub fn stop(&self) {
        self.stop.stop();
        // Something to do wakes the thread. If there is no room for it, the thread is awake.
        let _ = self.errands.try_send(Box::new(|_, _| Vec::new()));
    }

    /// Whether it was told to end, or has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    pub(crate) fn view(&self) -> View {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

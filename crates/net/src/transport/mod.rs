//! libp2p around the engine: what it does happens here, and what happens here it hears.
//!
//! [`start`] runs it on threads of its own. Events arrive in the sink as [`Delivery`]s; while those are not taken, peers
//! wait. [`Transport::perform`] does what the engine wants done. Bounds: `docs/network.md`, "Transport".

mod budget;
mod config;
mod discovery;
mod frame;
mod gate;
mod handler;
mod key;
mod listen;
mod messages;
mod names;
mod post;
#[cfg(any(test, feature = "raw-peer"))]
pub mod raw;
mod streams;
mod swarm;
mod tcp;
#[cfg(test)]
mod tests;
mod traffic;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::address::PeerAddr;
use crate::event::{Action, BanKey, ConnId, Event};
use gate::{Bars, unix_now};
use post::{Order, Post, lock};
use swarm::{Command, Driver};

pub use config::{TransportConfig, TransportError, node_key_path};
pub use key::{KeyError, node_key};
pub use libp2p::identity::Keypair;
pub use post::Delivery;

/// Threads that carry messages.
const THREADS: usize = 2;
/// Dials under way.
const DIALS: usize = 64;
/// How long the threads have to end.
const STOP: Duration = Duration::from_millis(300);

/// libp2p, running. Dropping it stops it.
pub struct Transport {
    post: Arc<Post>,
    bars: Arc<Bars>,
    commands: mpsc::UnboundedSender<Command>,
    listening: Arc<Mutex<BTreeSet<PeerAddr>>>,
    dialling: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

/// Begins to listen and to carry messages. The sink should be unbounded: what is in it is bounded here.
///
/// # Errors
/// [`TransportError`].
///
/// # Panics
/// In a task of another runtime.
pub fn start(config: &TransportConfig, sink: Sender<Delivery>) -> Result<Transport, TransportError> {
    listen::probe(&config.listen)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("bloom-net")
        .enable_all()
        .build()
        .map_err(TransportError::Threads)?;
    let post = Arc::new(Post::new(sink));
    let bars = Arc::new(Bars::default());
    for (key, until) in &config.bars {
        bars.set(*key, *until, unix_now());
    }
    let listening = Arc::<Mutex<BTreeSet<PeerAddr>>>::default();
    let dialling = Arc::<AtomicUsize>::default();
    let (commands, orders) = mpsc::unbounded_channel();
    let driver = runtime.block_on(async {
        let driver =
            Driver::new(config, Arc::clone(&post), Arc::clone(&bars), Arc::clone(&listening), Arc::clone(&dialling))?;
        listen::begin(driver, &config.listen).await
    })?;
    runtime.spawn(driver.run(orders));
    Ok(Transport { post, bars, commands, listening, dialling, runtime: Some(runtime) })
}

impl Transport {
    /// Does what an engine wants done. Never waits: what a peer does not take in time ends its connection.
    /// [`Action::Prove`] and [`Action::Tell`] are the node's own, and nothing here.
    pub fn perform(&self, action: Action) {
        match action {
            Action::Dial { address } => self.dial(address),
            Action::Disconnect { peer } => self.post.close(peer),
            Action::Send { peer, note } => self.order(peer, Order::Send(note)),
            Action::Ask { peer, id, request, timeout } => {
                let deadline = Instant::now() + timeout;
                self.order(peer, Order::Ask(self.post.asking(peer, id, request, deadline)));
            }
            Action::Answer { peer, id, response } => self.post.answer(peer, id, response),
            Action::Bar { key, until } => self.bar(key, until),
            Action::Prove { .. } | Action::Tell(_) => {}
        }
    }

    /// Where it takes connections, each address of the machine by itself.
    #[must_use]
    pub fn listening(&self) -> Vec<PeerAddr> {
        lock(&self.listening).iter().copied().collect()
    }

    /// Bytes in and out of each connection that stands, encryption and multiplexing included.
    #[must_use]
    pub fn traffic(&self) -> Vec<(ConnId, u64, u64)> {
        self.post.traffic()
    }

    /// Ends all connections and threads, within a second.
    pub fn stop(self) {}

    fn dial(&self, address: PeerAddr) {
        if self.dialling.fetch_add(1, Ordering::AcqRel) < DIALS && self.commands.send(Command::Dial(address)).is_ok() {
            return;
        }
        self.dialling.fetch_sub(1, Ordering::AcqRel);
        self.post.remark(Event::DialFailed { address });
    }

    fn order(&self, peer: ConnId, order: Order) {
        if !self.post.order(peer, order) && self.post.is_open(peer) {
            tracing::debug!(%peer, "a peer that does not take what it is sent is let go");
            self.command(Command::Close(peer));
        }
    }

    fn bar(&self, key: BanKey, until: bloom_consensus::Timestamp) {
        self.bars.set(key, until, unix_now());
    }

    fn command(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::debug!("the transport has stopped");
        }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.command(Command::Stop);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(STOP);
        }
    }
}

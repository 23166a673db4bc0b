//! Putting a node together, and ending it.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use bloom_chain::LiveChain;
use bloom_kernel::Backend;
use bloom_miner::StopSignal;
use bloom_net::event::ConnId;
use bloom_net::transport::{self, Delivery, Transport, TransportConfig, TransportError};
use bloom_net::{Action, Ban, Book, Config, Engine, PeerAddr};
use crossbeam_channel::{Sender, bounded, unbounded};
use thiserror::Error;

use crate::carrier::{Carrier, Traffic};
use crate::control::Server;
use crate::control::answer::Answerer;
use crate::disk::{Room, free_bytes};
use crate::engine_thread::{Chores, Ending, EngineThread};
use crate::event::NodeEvent;
use crate::files::{load_bans, load_book, put_aside_unless};
use crate::handle::{Handle, MOST_WAITING, View};
use crate::mining::{Miner, Mining, ToMine};
use crate::prover::Prover;
use crate::seeds;
use crate::settings::Settings;

/// A node that runs. When it is dropped without [`Node::wait`], its threads end with the process.
pub struct Node {
    handle: Handle,
    thread: JoinHandle<Ending>,
    miner: Option<Miner>,
    server: Option<Server>,
}

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The network.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The disk is all but full.
    #[error("{free_mib} MiB are free where {directory} is, fewer than {least_mib}: make room first")]
    DiskFull {
        /// What is free.
        free_mib: u64,
        /// Where.
        directory: String,
        /// What is needed.
        least_mib: u64,
    },
    /// A thread, or randomness for the address book.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Starts a node on a chain. What happens to it is told through `events`, as far as there is room in it.
///
/// # Errors
/// [`StartError`].
pub fn start(
    settings: Settings,
    chain: LiveChain,
    backend: Backend,
    mining: Option<Mining>,
    events: Sender<NodeEvent>,
) -> Result<Node, StartError> {
    let began = Instant::now();
    check_room(&settings)?;
    let directory = settings.directory.clone();
    let bans = put_aside_unless(load_bans(&directory)).unwrap_or_default();
    let book = match put_aside_unless(load_book(&directory)).flatten() {
        Some(book) => book,
        None => Book::new(random()?),
    };
    // As long as what the transport hands on, which it bounds in bytes.
    let (sink, deliveries) = unbounded();
    let transport = transport::start(&transport_config(&settings, &bans)?, sink)?;
    let listening = transport.listening();
    let config = engine_config(&settings, &listening);
    let seed = u64::from_le_bytes(random()?);
    let engine = Engine::new(chain, config, book, bans, backend, seed);

    let (errands, errand_queue) = bounded(MOST_WAITING);
    let (prover, proven) = Prover::start(backend, thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))?;
    let view = Arc::new(Mutex::new(View::of(&engine)));
    let stop = StopSignal::new();
    let to_mine = ToMine::new(mining.as_ref().map_or(Some(0), |mining| mining.blocks));
    let handle = Handle::new(errands, Arc::clone(&view), stop.clone(), to_mine);
    let carrier = Box::new(OverNetwork(Arc::new(transport)));
    let traffic = carrier.traffic();
    let start = start_event(&settings, &engine, &listening);
    start.log(false);
    // The channel is new: there is room.
    let _ = events.try_send(start);
    let port = settings.params.peer_port;
    let network = settings.params.name.clone();
    let (disk, hook) = (settings.disk, settings.hook);
    let work = EngineThread {
        engine,
        carrier,
        deliveries,
        open: |delivery: Delivery| delivery.event,
        errands: errand_queue,
        prover,
        proven,
        events: events.clone(),
        view,
        stop,
        began,
        directory: directory.clone(),
        disk,
        hook,
        chores: Chores::default(),
    };
    let thread = thread::Builder::new().name("engine".to_owned()).spawn(move || work.run())?;
    let server = serve(&directory, Answerer { handle: handle.clone(), traffic, network, mines: mining.is_some() });
    seeds::look_up(seeds::allowed(settings.seeds, settings.socks5.is_some()), port, handle.clone())?;
    let miner = mining.map(|mining| Miner::start(mining, handle.clone(), events)).transpose()?;
    Ok(Node { handle, thread, miner, server })
}

impl Node {
    /// A way to ask it.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits for its end: that it is told to, or cannot go on. Everything is saved then.
    #[must_use]
    pub fn wait(mut self) -> Ending {
        let ending = self.thread.join().unwrap_or_else(|_| Ending::Fault("the engine's thread panicked".to_owned()));
        self.handle.stop();
        if let Some(miner) = &mut self.miner {
            miner.wait();
        }
        drop(self.server.take());
        ending
    }
}

/// Too little room from the start is said before anything is written.
fn check_room(settings: &Settings) -> Result<(), StartError> {
    let free = free_bytes(&settings.directory)?;
    if settings.disk.judge(free) != Room::Full {
        return Ok(());
    }
    let directory = settings.directory.display().to_string();
    Err(StartError::DiskFull { free_mib: free >> 20, directory, least_mib: settings.disk.stop_bytes >> 20 })
}

/// The node goes on without a socket: nobody can ask it, which is said.
fn serve(directory: &Path, answerer: Answerer) -> Option<Server> {
    let started = Server::start(directory, answerer);
    started
        .inspect_err(|error| tracing::warn!("no control socket, so `bloom peers` cannot ask this node: {error}"))
        .ok()
}

fn transport_config(settings: &Settings, bans: &[Ban]) -> Result<TransportConfig, TransportError> {
    let key = transport::node_key(&transport::node_key_path(&settings.directory))?;
    Ok(TransportConfig {
        listen: settings.listen.clone(),
        max_inbound: settings.max_inbound,
        mdns: settings.mdns,
        upnp: settings.upnp,
        kademlia: settings.kademlia,
        socks5: settings.socks5.map(Into::into),
        bars: bans.iter().map(|ban| (ban.key, ban.until)).collect(),
        ..TransportConfig::new(key, settings.params.magic)
    })
}

fn engine_config(settings: &Settings, listening: &[PeerAddr]) -> Config {
    Config {
        listen_port: listening.first().map(PeerAddr::port),
        max_inbound: settings.max_inbound,
        added: settings.added.clone(),
        connect: settings.connect.clone(),
        allow_local: settings.params.name == "dev",
        ..Config::default()
    }
}

fn start_event(settings: &Settings, engine: &Engine, listening: &[PeerAddr]) -> NodeEvent {
    let tip = engine.chain().chain().tip();
    NodeEvent::Start {
        network: settings.params.name.clone(),
        height: tip.height.0,
        tip: tip.hash.to_string(),
        data_dir: settings.directory.clone(),
        listening: listening.iter().map(ToString::to_string).collect(),
    }
}

/// Bytes that nobody can foretell.
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// libp2p as a carrier.
struct OverNetwork(Arc<Transport>);

impl Carrier for OverNetwork {
    fn perform(&self, action: Action) {
        self.0.perform(action);
    }

    fn traffic(&self) -> Arc<dyn Traffic> {
        Arc::new(TrafficOf(Arc::downgrade(&self.0)))
    }

    fn stop(self: Box<Self>) {
        // The last to hold it stops it.
        drop(self);
    }
}

/// What libp2p tells of itself, as long as it runs.
struct TrafficOf(Weak<Transport>);

impl Traffic for TrafficOf {
    fn traffic(&self) -> Vec<(ConnId, u64, u64)> {
        self.0.upgrade().map(|transport| transport.traffic()).unwrap_or_default()
    }

    fn listening(&self) -> Vec<PeerAddr> {
        self.0.upgrade().map(|transport| transport.listening()).unwrap_or_default()
    }
}

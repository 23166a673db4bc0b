//! libp2p's parts put together, and what drives them.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::{Transport as _, upgrade};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{self, ConnectionId, NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{PeerId, identify, mdns, memory_connection_limits, noise, ping, yamux};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::config::{TransportConfig, TransportError};
use super::discovery::Discovery;
use super::gate::{Bars, Gate, unix_now};
use super::messages::Messages;
use super::names::{Names, multiaddr, peer_addr};
use super::post::{Post, lock};
use super::tcp::Tcp;
use super::traffic::Meters;
use crate::address::PeerAddr;
use crate::event::{BanKey, ConnId, Event, Finder};

/// For a connection to be made and its handshakes done.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Streams of a connection at a time, of both ends and all protocols.
const MAX_STREAMS: usize = 48;
/// Streams of a connection whose protocol is not agreed on yet.
const MAX_NAMELESS: usize = 16;
/// From one ping to the next; each is 32 bytes there and back.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Pings without an answer, one after the other, that end a connection: its other end is gone without a word.
const MOST_SILENT: u32 = 2;
/// From one self-description of a peer to the next.
const IDENTIFY_EVERY: Duration = Duration::from_secs(3_600);
/// The share of the machine's memory above which no connection is made, whatever else is in order.
const MEMORY_SHARE: f64 = 0.8;
/// How often to see whether the hash table should be walked.
const WALK_CHECK: Duration = Duration::from_secs(5);

/// What the driver is told to do.
#[derive(Debug)]
pub(super) enum Command {
    Dial(PeerAddr),
    Close(ConnId),
    Stop,
}

/// What runs on every connection.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    gate: Gate,
    memory: memory_connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    discovery: Toggle<Discovery>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    #[cfg(feature = "upnp")]
    upnp: Toggle<libp2p::upnp::tokio::Behaviour>,
    messages: Messages,
}

impl Behaviour {
    fn new(
        config: &TransportConfig,
        bars: Arc<Bars>,
        post: &Arc<Post>,
        meters: Meters,
    ) -> Result<Self, TransportError> {
        let me = config.key.public().to_peer_id();
        let names = Names::of(config.magic);
        let identify = identify::Config::new(names.identify.clone(), config.key.public())
            .with_agent_version(config.agent.clone())
            .with_interval(IDENTIFY_EVERY)
            .with_cache_size(0)
            .with_hide_listen_addrs(true);
        let mdns = config.mdns.then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), me)).transpose();
        #[cfg(not(feature = "upnp"))]
        if config.upnp {
            return Err(TransportError::NoUpnp);
        }
        Ok(Self {
            gate: Gate::new(bars, Arc::clone(post), config.max_inbound, config.per_address),
            memory: memory_connection_limits::Behaviour::with_max_percentage(MEMORY_SHARE),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY)),
            discovery: config.kademlia.then(|| Discovery::new(me, names.kademlia.clone())).into(),
            mdns: mdns.map_err(TransportError::Mdns)?.into(),
            #[cfg(feature = "upnp")]
            upnp: config.upnp.then(libp2p::upnp::tokio::Behaviour::default).into(),
            messages: Messages::new(Arc::clone(post), names, meters),
        })
    }
}

/// Sockets, encrypted and multiplexed.
fn sockets(config: &TransportConfig, meters: Meters) -> Result<Boxed<(PeerId, StreamMuxerBox)>, TransportError> {
    let mut streams = yamux::Config::default();
    streams.set_max_num_streams(MAX_STREAMS);
    Ok(Tcp::new(config.socks5)
        .map(move |socket, point| meters.count(socket, &point))
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(noise::Config::new(&config.key)?)
        .multiplex(streams)
        .timeout(HANDSHAKE)
        .boxed())
}

/// Drives the swarm; lives in the transport's runtime.
pub(super) struct Driver {
    pub(super) swarm: Swarm<Behaviour>,
    post: Arc<Post>,
    bars: Arc<Bars>,
    listening: Arc<Mutex<BTreeSet<PeerAddr>>>,
    dials: HashMap<ConnectionId, PeerAddr>,
    /// Dials that were asked for and of which nothing came yet.
    dialling: Arc<AtomicUsize>,
    silent: HashMap<ConnectionId, u32>,
}

impl Driver {
    /// Within a runtime.
    pub(super) fn new(
        config: &TransportConfig,
        post: Arc<Post>,
        bars: Arc<Bars>,
        listening: Arc<Mutex<BTreeSet<PeerAddr>>>,
        dialling: Arc<AtomicUsize>,
    ) -> Result<Self, TransportError> {
        let meters = Meters::default();
        let sockets = sockets(config, meters.clone())?;
        let behaviour = Behaviour::new(config, Arc::clone(&bars), &post, meters)?;
        let how = swarm::Config::with_tokio_executor()
            .with_max_negotiating_inbound_streams(MAX_NAMELESS)
            .with_substream_upgrade_protocol_override(upgrade::Version::V1Lazy);
        let swarm = Swarm::new(sockets, behaviour, config.key.public().to_peer_id(), how);
        Ok(Self { swarm, post, bars, listening, dials: HashMap::new(), dialling, silent: HashMap::new() })
    }

    /// Runs until it is told to stop.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut walks = interval_at(Instant::now() + WALK_CHECK, WALK_CHECK);
        walks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Dial(address)) => self.dial(address),
                    Some(Command::Close(peer)) => self.close(peer),
                    Some(Command::Stop) | None => return,
                },
                event = self.swarm.select_next_some() => self.happened(event),
                _ = walks.tick() => {
                    if let Some(discovery) = self.swarm.behaviour_mut().discovery.as_mut() {
                        discovery.walk(Instant::now().into_std());
                    }
                }
            }
        }
    }

    fn dial(&mut self, address: PeerAddr) {
        let dial: DialOpts = DialOpts::unknown_peer_id().address(multiaddr(address)).allocate_new_port().build();
        let connection = dial.connection_id();
        if self.bars.holds(BanKey::Address(address.ip()), unix_now()) || self.dials.values().any(|to| *to == address) {
            return self.dial_failed(address);
        }
        match self.swarm.dial(dial) {
            Ok(()) => {
                self.dials.insert(connection, address);
            }
            Err(error) => {
                tracing::debug!(%address, %error, "not dialled");
                self.dial_failed(address);
            }
        }
    }

    fn dialled(&mut self, connection: ConnectionId) {
        if self.dials.remove(&connection).is_some() {
            self.dialling.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn dial_failed(&self, address: PeerAddr) {
        self.dialling.fetch_sub(1, Ordering::AcqRel);
        self.post.remark(Event::DialFailed { address });
    }

    fn close(&mut self, peer: ConnId) {
        if let Some(connection) = self.swarm.behaviour().messages.connection(peer) {
            self.swarm.close_connection(connection);
        }
    }

    pub(super) fn happened(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.told(event),
            SwarmEvent::ConnectionEstablished { connection_id, .. } => self.dialled(connection_id),
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                self.silent.remove(&connection_id);
                tracing::debug!(%connection_id, ?cause, "connection closed");
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(address) = self.dials.remove(&connection_id) {
                    tracing::debug!(%address, %error, "a dial failed");
                    self.dial_failed(address);
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not made");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                lock(&self.listening).extend(peer_addr(&address));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                if let Some(address) = peer_addr(&address) {
                    lock(&self.listening).remove(&address);
                }
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                let mut listening = lock(&self.listening);
                addresses.iter().filter_map(peer_addr).for_each(|address| {
                    listening.remove(&address);
                });
                tracing::warn!(?addresses, ?reason, "no longer listening");
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "while listening"),
            _ => {}
        }
    }

    fn told(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Ping(ping::Event { connection, result, .. }) => self.pinged(connection, result),
            BehaviourEvent::Discovery(addresses) => self.found(addresses, Finder::Kademlia),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                let addresses = found.iter().filter_map(|(_, address)| peer_addr(address)).collect();
                self.found(addresses, Finder::Mdns);
            }
            #[cfg(feature = "upnp")]
            BehaviourEvent::Upnp(event) => match event {
                libp2p::upnp::Event::NewExternalAddr { external_addr, .. } => {
                    tracing::info!(address = %external_addr, "the router forwards connections from there");
                }
                event => tracing::warn!(?event, "the router forwards no connections; open the port by hand"),
            },
            BehaviourEvent::Identify(event) => tracing::trace!(?event, "identify"),
            BehaviourEvent::Mdns(mdns::Event::Expired(_)) => {}
            BehaviourEvent::Gate(never) | BehaviourEvent::Messages(never) | BehaviourEvent::Memory(never) => {
                match never {}
            }
        }
    }

    fn pinged(&mut self, connection: ConnectionId, result: Result<Duration, ping::Failure>) {
        match result {
            Ok(time) => {
                self.silent.remove(&connection);
                if let Some(peer) = self.swarm.behaviour().messages.number(connection)
                    && !self.post.is_behind()
                {
                    self.post.remark(Event::RoundTrip { peer, time });
                }
            }
            Err(ping::Failure::Timeout) => {
                let silent = self.silent.entry(connection).or_default();
                *silent += 1;
                if *silent >= MOST_SILENT {
                    self.swarm.close_connection(connection);
                }
            }
            Err(failure) => tracing::debug!(%connection, %failure, "ping"),
        }
    }

    fn found(&self, addresses: Vec<PeerAddr>, finder: Finder) {
        if !addresses.is_empty() && !self.post.is_behind() {
            self.post.remark(Event::Found { addresses, finder });
        }
    }
}

//! Who is let in: asked before a handshake costs anything, and again when the other end's key is known.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use bloom_consensus::Timestamp;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;

use super::names::{identity, peer_addr};
use super::post::{Post, lock};
use crate::address::{NetGroup, PeerAddr, host};
use crate::event::BanKey;
use crate::peers::{MAX_DISMISSED, MAX_STRANGERS};

/// Handshakes of others under way. They are counted apart from connections: who is slow takes no connection's place.
const HANDSHAKES: usize = 128;
/// Handshakes of one host under way, and of one network group, that others may have theirs.
const HANDSHAKES_PER_HOST: usize = 8;
const HANDSHAKES_PER_GROUP: usize = 16;
/// Connections above those that the engine lets in: all that may wait to say hello there, all that may have been told
/// goodbye, and as many on their way out. So it is the engine that chooses who gives way, never the gate.
const SPARE: usize = MAX_STRANGERS + 2 * MAX_DISMISSED;
/// Whom the gate keeps out; the soonest to end goes first.
const BARS: usize = 10_000;

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Refused {
    #[error("kept out")]
    Barred,
    #[error("too many handshakes under way")]
    Handshakes,
    #[error("too many connections")]
    Full,
    #[error("too many connections of this address")]
    FullForHost,
    #[error("the node is behind with its work")]
    Behind,
    #[error("not an address with a TCP port")]
    NoAddress,
}

/// Whom to keep out, and until when.
#[derive(Debug, Default)]
pub(super) struct Bars(Mutex<BTreeMap<BanKey, Timestamp>>);

impl Bars {
    pub(super) fn set(&self, key: BanKey, until: Timestamp, now: Timestamp) {
        let mut bars = lock(&self.0);
        let key = one_form(key);
        if until <= now {
            bars.remove(&key);
            return;
        }
        bars.insert(key, until);
        if bars.len() > BARS
            && let Some(first) = bars.iter().min_by_key(|(_, until)| **until).map(|(key, _)| *key)
        {
            bars.remove(&first);
        }
    }

    pub(super) fn holds(&self, key: BanKey, now: Timestamp) -> bool {
        lock(&self.0).get(&one_form(key)).is_some_and(|until| *until > now)
    }
}

fn one_form(key: BanKey) -> BanKey {
    match key {
        BanKey::Address(ip) => BanKey::of(ip),
        BanKey::Identity(_) => key,
    }
}

fn group(host: IpAddr) -> NetGroup {
    NetGroup::of(&PeerAddr::new(host, 0))
}

/// The system's clock, which bans go by.
pub(super) fn unix_now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Counts connections and refuses those that are too many or unwanted.
pub(super) struct Gate {
    bars: Arc<Bars>,
    post: Arc<Post>,
    max_inbound: usize,
    per_host: usize,
    handshakes: HashMap<ConnectionId, IpAddr>,
    inbound: HashMap<ConnectionId, IpAddr>,
}

impl Gate {
    pub(super) fn new(bars: Arc<Bars>, post: Arc<Post>, max_inbound: usize, per_host: usize) -> Self {
        let max_inbound = max_inbound.saturating_add(SPARE);
        Self { bars, post, max_inbound, per_host, handshakes: HashMap::new(), inbound: HashMap::new() }
    }

    /// Whether a connection from there may begin.
    pub(super) fn admit(&mut self, connection: ConnectionId, ip: IpAddr, now: Timestamp) -> Result<(), Refused> {
        let host = host(ip);
        if self.bars.holds(BanKey::of(ip), now) {
            return Err(Refused::Barred);
        }
        if self.post.is_behind() {
            return Err(Refused::Behind);
        }
        if self.handshakes.len() >= HANDSHAKES {
            return Err(Refused::Handshakes);
        }
        if self.inbound.len() >= self.max_inbound {
            return Err(Refused::Full);
        }
        if !host.is_loopback() {
            let own = group(host);
            if self.handshakes.values().filter(|of| group(**of) == own).count() >= HANDSHAKES_PER_GROUP {
                return Err(Refused::Handshakes);
            }
            let handshakes = self.handshakes.values().filter(|of| **of == host).count();
            if handshakes >= HANDSHAKES_PER_HOST {
                return Err(Refused::Handshakes);
            }
            if handshakes + self.inbound.values().filter(|of| **of == host).count() >= self.per_host {
                return Err(Refused::FullForHost);
            }
        }
        self.handshakes.insert(connection, host);
        Ok(())
    }

    /// Whether a peer with this key may stay.
    fn know(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        match self.bars.holds(BanKey::Identity(identity(peer)), unix_now()) {
            true => Err(ConnectionDenied::new(Refused::Barred)),
            false => Ok(()),
        }
    }

    pub(super) fn shook_hands(&mut self, connection: ConnectionId) {
        if let Some(host) = self.handshakes.remove(&connection) {
            self.inbound.insert(connection, host);
        }
    }

    pub(super) fn gone(&mut self, connection: ConnectionId) {
        self.handshakes.remove(&connection);
        self.inbound.remove(&connection);
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let address = peer_addr(remote).ok_or(Refused::NoAddress).map_err(ConnectionDenied::new)?;
        self.admit(connection, address.ip(), unix_now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.know(&peer)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.know(&peer)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => self.shook_hands(made.connection_id),
            FromSwarm::ConnectionClosed(closed) => self.gone(closed.connection_id),
            FromSwarm::ListenFailure(failure) => self.gone(failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

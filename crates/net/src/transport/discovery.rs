//! Kademlia for finding addresses and nothing else: no record is kept for anybody, and no connection is made for it. Whom
//! it would dial is told to the engine instead, which chooses its peers itself.

use std::collections::BTreeSet;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, BucketInserts, Mode, StoreInserts};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::names::peer_addr;
use crate::address::PeerAddr;

/// From one walk to the next, once one found something.
const WALK_EVERY: Duration = Duration::from_secs(600);
/// Before that.
const WALK_AGAIN: Duration = Duration::from_secs(60);
/// For a walk, and for one request of it.
const WALK_TIME: Duration = Duration::from_secs(30);
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Most bytes of a message.
const MAX_BYTES: usize = 16 * 1024;
/// Most addresses found in a walk that are told.
const MAX_FOUND: usize = 256;

/// The distributed hash table.
pub(super) struct Discovery {
    kademlia: kad::Behaviour<MemoryStore>,
    /// Addresses that the last walk found.
    found: usize,
    walked: Option<Instant>,
}

impl Discovery {
    pub(super) fn new(me: PeerId, name: StreamProtocol) -> Self {
        let mut config = kad::Config::new(name);
        config
            .set_query_timeout(WALK_TIME)
            .set_substreams_timeout(REQUEST_TIME)
            .set_max_packet_size(MAX_BYTES)
            .set_kbucket_inserts(BucketInserts::Manual)
            .set_record_filtering(StoreInserts::FilterBoth)
            .set_replication_interval(None)
            .set_publication_interval(None)
            .set_provider_publication_interval(None)
            .set_periodic_bootstrap_interval(None);
        let mut kademlia = kad::Behaviour::with_config(me, MemoryStore::new(me), config);
        kademlia.set_mode(Some(Mode::Server));
        Self { kademlia, found: 0, walked: None }
    }

    /// Asks the peers there are for those near a random place, if it is time to.
    pub(super) fn walk(&mut self, now: Instant) {
        let pause = if self.found == 0 { WALK_AGAIN } else { WALK_EVERY };
        if self.walked.is_some_and(|walked| now.duration_since(walked) < pause) {
            return;
        }
        if self.kademlia.kbuckets().next().is_none() {
            return;
        }
        (self.found, self.walked) = (0, Some(now));
        self.kademlia.get_closest_peers(PeerId::random());
    }

    /// What kademlia knows of a peer that it would dial; it is told that the dial failed.
    fn instead_of_dialling(&mut self, opts: &DialOpts) -> Vec<PeerAddr> {
        let connection = opts.connection_id();
        let peer_id = opts.get_peer_id();
        let known = self.kademlia.handle_pending_outbound_connection(connection, peer_id, &[], Endpoint::Dialer);
        self.kademlia.on_swarm_event(FromSwarm::DialFailure(DialFailure {
            peer_id,
            error: &DialError::Aborted,
            connection_id: connection,
        }));
        let known: BTreeSet<PeerAddr> = known.unwrap_or_default().iter().filter_map(peer_addr).collect();
        let room = MAX_FOUND.saturating_sub(self.found);
        self.found += known.len().min(room);
        known.into_iter().take(room).collect()
    }
}

impl NetworkBehaviour for Discovery {
    type ConnectionHandler = <kad::Behaviour<MemoryStore> as NetworkBehaviour>::ConnectionHandler;
    /// Addresses that were found.
    type ToSwarm = Vec<PeerAddr>;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kademlia.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kademlia.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    /// Others are told of addresses where this node reached somebody, and of no other: what peers say of themselves is
    /// not repeated.
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.kademlia.on_swarm_event(event);
        if let FromSwarm::ConnectionEstablished(made) = event
            && made.endpoint.is_dialer()
        {
            self.kademlia.add_address(&made.peer_id, made.endpoint.get_remote_address().clone());
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.kademlia.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            match self.kademlia.poll(cx) {
                Poll::Ready(ToSwarm::Dial { opts }) => {
                    let found = self.instead_of_dialling(&opts);
                    if !found.is_empty() {
                        return Poll::Ready(ToSwarm::GenerateEvent(found));
                    }
                }
                Poll::Ready(ToSwarm::GenerateEvent(event)) => tracing::trace!(?event, "kademlia"),
                Poll::Ready(other) => return Poll::Ready(other.map_out(|_| Vec::new())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

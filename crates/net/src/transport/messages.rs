//! Connections by their numbers: each gets one and a handler, and the engine is told when it stands and when it ends.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::{
    CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{Handler, Over};
use super::names::{Names, identity, peer_addr};
use super::post::{Line, Post};
use super::streams::Desk;
use super::traffic::{Meter, Meters};
use crate::event::{ConnId, Direction, Event};

/// The node's own messages.
pub(super) struct Messages {
    post: Arc<Post>,
    names: Arc<Names>,
    meters: Meters,
    /// Handlers whose connections do not stand yet.
    made: HashMap<ConnectionId, (ConnId, Line)>,
    standing: HashMap<ConnectionId, (ConnId, PeerId)>,
    to_swarm: VecDeque<ToSwarm<std::convert::Infallible, std::convert::Infallible>>,
}

impl Messages {
    pub(super) fn new(post: Arc<Post>, names: Names, meters: Meters) -> Self {
        Self {
            post,
            names: Arc::new(names),
            meters,
            made: HashMap::new(),
            standing: HashMap::new(),
            to_swarm: VecDeque::new(),
        }
    }

    /// The number of a connection that stands.
    pub(super) fn number(&self, connection: ConnectionId) -> Option<ConnId> {
        self.standing.get(&connection).map(|(number, _)| *number)
    }

    /// The connection of a number.
    pub(super) fn connection(&self, number: ConnId) -> Option<ConnectionId> {
        self.standing.iter().find(|(_, (of, _))| *of == number).map(|(connection, _)| *connection)
    }

    fn make(&mut self, connection: ConnectionId, meter: Arc<Meter>) -> Handler {
        let peer = self.post.number_connection();
        let (line, ends) = self.post.line(Arc::clone(&meter));
        self.made.insert(connection, (peer, line));
        let desk = Desk {
            peer,
            unasked: self.post.unasked_purse(),
            answers: self.post.answers_purse(),
            post: Arc::clone(&self.post),
            meter,
        };
        Handler::new(desk, Arc::clone(&self.names), ends)
    }

    fn established(&mut self, connection: ConnectionId, peer_id: PeerId, point: &ConnectedPoint) {
        let Some((peer, line)) = self.made.remove(&connection) else { return };
        let Some(address) = peer_addr(point.get_remote_address()) else { return };
        let direction = if point.is_dialer() { Direction::Outbound } else { Direction::Inbound };
        self.standing.insert(connection, (peer, peer_id));
        self.post.connected(peer, line, Event::Connected { peer, address, identity: identity(&peer_id), direction });
    }
}

impl NetworkBehaviour for Messages {
    type ConnectionHandler = Handler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.make(connection, self.meters.of(false, remote)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.make(connection, self.meters.of(true, remote)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                self.established(made.connection_id, made.peer_id, made.endpoint);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                if let Some((peer, _)) = self.standing.remove(&connection_id) {
                    self.post.disconnected(peer);
                }
            }
            FromSwarm::ListenFailure(failure) => {
                self.made.remove(&failure.connection_id);
            }
            FromSwarm::DialFailure(failure) => {
                self.made.remove(&failure.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer_id: PeerId, connection: ConnectionId, Over: THandlerOutEvent<Self>) {
        self.to_swarm.push_back(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(connection) });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.to_swarm.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

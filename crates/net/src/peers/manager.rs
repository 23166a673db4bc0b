//! Who is let in, who is sought, who is thrown out.

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::rand_core::Rng;

use super::dialling::Dialler;
use super::greeting::HELLO_TIME;
use super::{Peer, Role};
use crate::address::PeerAddr;
use crate::book::Book;
use crate::event::{Action, AnswerId, ConnId, Direction, Finder, Identity};
use crate::hub::{Happening, Hub};
use crate::wire::{KnownAddress, Response};

/// What is known of connections beside what all parts may know.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Drawn once a process, so that a node knows itself.
    pub(super) nonce: u64,
    pub(super) dialler: Dialler,
    pub(crate) book: Book,
    /// Told goodbye, and until when they may stay.
    pub(super) dismissed: VecDeque<(ConnId, Duration)>,
    next: Option<Duration>,
}

impl Manager {
    pub(crate) fn new(hub: &mut Hub, book: Book) -> Self {
        let mut dialler = Dialler::default();
        let given = if hub.config.connect.is_empty() { &hub.config.added } else { &hub.config.connect };
        for address in given {
            dialler.give(*address, Duration::ZERO);
        }
        Self { nonce: hub.random.next_u64(), dialler, book, dismissed: VecDeque::new(), next: Some(Duration::ZERO) }
    }

    pub(crate) fn connected(
        &mut self,
        hub: &mut Hub,
        id: ConnId,
        address: PeerAddr,
        identity: Identity,
        direction: Direction,
    ) {
        self.next = Some(hub.now.elapsed);
        let role = match direction {
            Direction::Inbound => Some(Role::Inbound),
            Direction::Outbound => self.dialler.connected(&address, id, identity),
        };
        let is_welcome = !hub.peers.bans().has(&address, identity, hub.now.unix) && hub.peers.get(id).is_none();
        let Some(role) = role.filter(|_| is_welcome && has_room(hub, &address, direction)) else {
            hub.act(Action::Disconnect { peer: id });
            return self.gone(hub, &address, direction, hub.now.elapsed);
        };
        hub.peers.insert(id, Peer::new(address, identity, direction, role, hub.now.elapsed));
        if direction == Direction::Outbound {
            self.greet(hub, id);
        }
    }

    pub(crate) fn disconnected(&mut self, hub: &mut Hub, id: ConnId) {
        self.dismissed.retain(|(dismissed, _)| *dismissed != id);
        hub.left(id, "it closed the connection");
    }

    pub(crate) fn dial_failed(&mut self, hub: &mut Hub, address: PeerAddr) {
        self.dialler.failed(&address, hub.now.elapsed);
        self.next = Some(hub.now.elapsed);
    }

    pub(crate) fn found(&mut self, _hub: &mut Hub, _addresses: &[PeerAddr], _finder: Finder) {}

    pub(crate) fn addresses_asked(&mut self, hub: &mut Hub, id: ConnId, answer: AnswerId) {
        hub.answer(id, answer, Response::Addresses(Vec::new()));
    }

    pub(crate) fn addresses_told(&mut self, _hub: &mut Hub, _peer: ConnId, _addresses: &[KnownAddress]) {}

    pub(super) fn addresses(&mut self, _hub: &mut Hub, _peer: ConnId, _response: Response) {}

    pub(crate) fn happened(&mut self, _hub: &mut Hub, _happening: &Happening) {}

    /// Seeks an address given by hand; false if there are too many of them.
    pub(crate) fn give(&mut self, hub: &mut Hub, address: PeerAddr) -> bool {
        self.next = Some(hub.now.elapsed);
        self.dialler.give(address, hub.now.elapsed)
    }

    /// Seeks an address no more that was given by hand; false if it was not.
    pub(crate) fn take(&mut self, hub: &mut Hub, address: &PeerAddr) -> bool {
        let is_there =
            |(id, peer): (ConnId, &Peer)| (peer.address == *address && peer.role == Role::Given).then_some(id);
        for id in hub.peers.all().filter_map(is_there).collect::<Vec<_>>() {
            hub.part(id, "removed by hand");
        }
        self.dialler.take(address)
    }

    /// The addresses given by hand.
    pub(crate) fn given(&self) -> Vec<PeerAddr> {
        self.dialler.given().copied().collect()
    }

    pub(super) fn is_me(&mut self, address: PeerAddr) {
        self.dialler.is_own(address);
    }

    /// Does what is due, after every event.
    pub(crate) fn tend(&mut self, hub: &mut Hub) {
        let now = hub.now.elapsed;
        for peer in hub.peers.take_ended() {
            self.gone(hub, &peer.address, peer.direction, peer.since);
        }
        if !hub.peers.take_changed() && self.next.is_none_or(|next| next > now) {
            return;
        }
        let late = |(id, peer): (ConnId, &Peer)| (peer.hello.is_none() && now >= peer.since + HELLO_TIME).then_some(id);
        for id in hub.peers.all().filter_map(late).collect::<Vec<_>>() {
            hub.part(id, "it did not say hello in time");
        }
        for peer in hub.peers.take_ended() {
            self.gone(hub, &peer.address, peer.direction, peer.since);
        }
        self.end_dismissed(hub);
        self.dialler.tend(hub);
        let greetings =
            hub.peers.all().filter(|(_, peer)| peer.hello.is_none()).map(|(_, peer)| peer.since + HELLO_TIME);
        let dismissed = self.dismissed.front().map(|(_, until)| *until);
        self.next = greetings.chain(dismissed).chain(self.dialler.next(hub)).min();
    }

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.next
    }

    /// A connection ended.
    fn gone(&mut self, hub: &Hub, address: &PeerAddr, direction: Direction, since: Duration) {
        if direction == Direction::Outbound {
            self.dialler.ended(address, hub.now.elapsed.saturating_sub(since), hub.now.elapsed);
        }
    }
}

/// Whether one more connection of an address may stay until it said hello.
fn has_room(hub: &Hub, address: &PeerAddr, direction: Direction) -> bool {
    direction == Direction::Outbound
        || address.is_local()
        || hub.peers.all().filter(|(_, peer)| peer.address.ip() == address.ip()).count() < hub.config.per_address
}

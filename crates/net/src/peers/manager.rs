//! Who is let in, who is sought, who is thrown out.

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::rand_core::Rng;

use super::clock::Clock;
use super::dialling::{Dialler, STEADY};
use super::gossip::Gossip;
use super::greeting::HELLO_TIME;
use super::slots::{self, Slots};
use super::{Peer, Role, eviction};
use crate::address::PeerAddr;
use crate::book::Book;
use crate::event::{Action, ConnId, Direction, Identity};
use crate::hub::{Happening, Hub};

/// Most connections that came and have not said hello.
pub(crate) const MAX_STRANGERS: usize = 64;

/// What is known of connections beside what all parts may know.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Drawn once a process, so that a node knows itself.
    pub(super) nonce: u64,
    pub(super) dialler: Dialler,
    pub(crate) book: Book,
    /// Told goodbye, and until when they may stay.
    pub(super) dismissed: VecDeque<(ConnId, Duration)>,
    pub(super) slots: Slots,
    pub(super) gossip: Gossip,
    clock: Clock,
    /// What groups are hashed with, so that nobody knows which are protected.
    pub(super) key: [u8; 32],
    pub(super) next: Option<Duration>,
}

impl Manager {
    pub(crate) fn new(hub: &mut Hub, book: Book) -> Self {
        let mut dialler = Dialler::default();
        let given = if hub.config.connect.is_empty() { &hub.config.added } else { &hub.config.connect };
        for address in given {
            dialler.give(*address, Duration::ZERO);
        }
        let mut key = [0; 32];
        hub.random.fill_bytes(&mut key);
        Self {
            nonce: hub.random.next_u64(),
            dialler,
            slots: Slots::new(&book),
            book,
            dismissed: VecDeque::new(),
            gossip: Gossip::default(),
            clock: Clock::default(),
            key,
            next: Some(Duration::ZERO),
        }
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
            if direction == Direction::Outbound {
                self.gone(hub, &Peer::new(address, identity, direction, Role::Given, hub.now.elapsed));
            }
            return;
        };
        let strangers = hub.peers.all().filter(|(_, peer)| peer.role == Role::Inbound && peer.hello.is_none()).count();
        if role == Role::Inbound
            && strangers >= MAX_STRANGERS
            && let Some(stranger) = eviction::stranger(&hub.peers)
        {
            hub.part(stranger, "others wait to say hello");
        }
        hub.peers.insert(id, Peer::new(address, identity, direction, role, hub.now.elapsed));
        if direction == Direction::Outbound {
            self.greet(hub, id);
        }
    }

    pub(crate) fn disconnected(&mut self, hub: &mut Hub, id: ConnId) {
        self.dismissed.retain(|(dismissed, _)| *dismissed != id);
        if let Some(peer) = hub.peers.get(id)
            && peer.role == Role::Slot
            && hub.now.elapsed >= peer.since + STEADY
        {
            self.slots.lost(hub.now.elapsed, peer.address);
        }
        hub.left(id, "it closed the connection");
    }

    pub(crate) fn dial_failed(&mut self, hub: &mut Hub, address: PeerAddr) {
        if self.dialler.failed(&address, hub.now.elapsed).is_some() {
            self.unanswered(hub, address);
        }
    }

    pub(crate) fn happened(&mut self, hub: &mut Hub, happening: &Happening) {
        if let Happening::Joined(id) = happening {
            self.introduced(hub, *id);
            self.clock.compare(hub);
        }
    }

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

    /// Does what is due, after every event.
    pub(crate) fn tend(&mut self, hub: &mut Hub) {
        let now = hub.now.elapsed;
        self.take_leave(hub);
        let is_changed = hub.peers.take_changed();
        if !is_changed && self.next.is_none_or(|next| next > now) {
            return;
        }
        let late = |(id, peer): (ConnId, &Peer)| (peer.hello.is_none() && now >= peer.since + HELLO_TIME).then_some(id);
        for id in hub.peers.all().filter_map(late).collect::<Vec<_>>() {
            hub.part(id, "it did not say hello in time");
        }
        self.take_leave(hub);
        self.end_dismissed(hub);
        if is_changed {
            self.remember_anchors(hub);
            if slots::is_alone(hub) {
                self.slots.look_again(now);
            }
        }
        for lost in self.dialler.tend(hub) {
            self.unanswered(hub, lost);
        }
        self.slots.tend(hub, &mut self.book, &mut self.dialler);
        self.tend_gossip(hub);
        let greetings =
            hub.peers.all().filter(|(_, peer)| peer.hello.is_none()).map(|(_, peer)| peer.since + HELLO_TIME);
        let dismissed = self.dismissed.front().map(|(_, until)| *until);
        let sought = self.dialler.next(hub).into_iter().chain(self.slots.next(hub, &self.dialler));
        self.next = greetings.chain(dismissed).chain(sought).chain(self.gossip.next()).min();
    }

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.next
    }

    /// Draws the consequences of connections that ended.
    fn take_leave(&mut self, hub: &mut Hub) {
        for peer in hub.peers.take_ended() {
            if peer.direction == Direction::Outbound {
                self.gone(hub, &peer);
            }
        }
    }

    /// A connection ended that was dialled.
    fn gone(&mut self, hub: &Hub, peer: &Peer) {
        let now = hub.now.elapsed;
        self.dialler.ended(&peer.address, now.saturating_sub(peer.since), now);
        if !peer.has_answered {
            self.unanswered(hub, peer.address);
        } else if peer.role != Role::Feeler {
            self.slots.failed(hub, peer.address);
        }
    }

    /// Nobody said hello at an address. The book is told only when others did, for it may be this node's own line.
    fn unanswered(&mut self, hub: &Hub, address: PeerAddr) {
        self.slots.failed(hub, address);
        self.next = Some(hub.now.elapsed);
        if hub.peers.joined().next().is_some() {
            self.book.attempted(&address, hub.now.unix);
        }
    }

    /// Keeps the peers in mind to be sought first after a restart. Who has none keeps those of before.
    fn remember_anchors(&mut self, hub: &Hub) {
        let anchors = slots::anchors(&hub.peers);
        if !anchors.is_empty() && anchors != self.book.anchors() {
            self.book.set_anchors(&anchors);
        }
    }
}

/// Whether one more connection of an address may stay until it said hello.
fn has_room(hub: &Hub, address: &PeerAddr, direction: Direction) -> bool {
    direction == Direction::Outbound
        || address.is_local()
        || hub.peers.all().filter(|(_, peer)| peer.address.ip() == address.ip()).count() < hub.config.per_address
}

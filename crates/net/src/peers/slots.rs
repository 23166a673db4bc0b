//! Whom this node seeks by its own choice: peers for its outbound slots, all of different network groups, those that said
//! hello before first; whom it lost; and every two minutes an address that was only heard of, to see whether somebody answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::dialling::Dialler;
use super::lost::Lost;
use super::{Peers, Role, gossip};
use crate::address::{NetGroup, PeerAddr};
use crate::book::{Book, MAX_ANCHORS, Shelf};
use crate::event::Direction;
use crate::hub::Hub;

/// Between two dials for slots.
const PACE: Duration = Duration::from_millis(500);
/// After so many failures in a row it is twice that, and so on: a book full of addresses of nobody costs little. Up to four
/// times while fewer than half of the slots are filled, and 64 times when more are.
const FAILURES_FOR_DOUBLE: u32 = 8;
const MOST_DOUBLINGS_HUNGRY: u32 = 2;
const MOST_DOUBLINGS: u32 = 6;
/// When no address fits, the book is looked at again after this at first, and after twice as long each time up to the
/// most: a small network never has one for every slot, and looking costs something. Who has no peer keeps to the first.
const IDLE: Duration = Duration::from_secs(5);
const MOST_IDLE: Duration = Duration::from_secs(160);
/// Groups of which an address is drawn for a slot; one of them is dialled.
const DRAWN_GROUPS: usize = 64;
/// Addresses that are looked at for them.
const MOST_LOOKS: usize = 2_048;
/// Between two feelers; up to half as much is added by chance.
const FEELER_EVERY: Duration = Duration::from_secs(120);
/// For how long an address is left alone after it failed: while there are other peers, and when there is none.
const REST: Duration = Duration::from_secs(600);
const LONELY_REST: Duration = Duration::from_secs(8);
/// Most addresses of which a failure is remembered here; the book remembers it in its own way.
const MAX_RESTING: usize = 1_024;

/// What is to be sought next, and when.
#[derive(Debug)]
pub(super) struct Slots {
    next: Duration,
    idle: Duration,
    /// Dials for slots that came to nothing since the last that did not.
    failures: u32,
    lost: Lost,
    next_feeler: Duration,
    /// The longest outbound peers of the last run, not sought yet.
    anchors: Vec<PeerAddr>,
    /// When addresses failed, of late, and whether anybody else was there.
    failed: BTreeMap<PeerAddr, (Duration, bool)>,
}

impl Slots {
    pub(super) fn new(book: &Book) -> Self {
        let anchors = book.anchors().iter().rev().copied().collect();
        Self {
            next: Duration::ZERO,
            idle: IDLE,
            failures: 0,
            lost: Lost::default(),
            next_feeler: FEELER_EVERY,
            anchors,
            failed: BTreeMap::new(),
        }
    }

    /// A dial, or what came of it before hello, failed.
    pub(super) fn failed(&mut self, hub: &Hub, address: PeerAddr) {
        self.failures = self.failures.saturating_add(1);
        self.failed.insert(address, (hub.now.elapsed, is_alone(hub)));
        if self.failed.len() > MAX_RESTING {
            let oldest = self.failed.iter().min_by_key(|(_, (at, _))| *at).map(|(address, _)| *address);
            oldest.map(|address| self.failed.remove(&address));
        }
    }

    /// Somebody returned hello at an address.
    pub(super) fn answered(&mut self, address: &PeerAddr) {
        self.failures = 0;
        self.lost.found(address);
    }

    /// A peer of this node's choice is gone, and not because this node ended it.
    pub(super) fn lost(&mut self, now: Duration, address: PeerAddr) {
        self.lost.add(now, address);
        self.failures = 0;
        self.look_again(now);
    }

    /// There is something new in the book, or more to be filled.
    pub(super) fn look_again(&mut self, now: Duration) {
        self.next = self.next.min(now + PACE);
        self.idle = IDLE;
    }

    /// Dials what is due.
    pub(super) fn tend(&mut self, hub: &mut Hub, book: &mut Book, dialler: &mut Dialler) {
        let now = hub.now.elapsed;
        if !is_choosing(hub) {
            return;
        }
        for address in self.lost.due(now) {
            if self.may_dial(hub, dialler, &address) {
                let is_free =
                    has_free_slot(hub, dialler) && !taken_groups(hub, dialler).contains(&NetGroup::of(&address));
                dialler.dial(hub, address, if is_free { Role::Slot } else { Role::Feeler });
            }
        }
        if now >= self.next && has_free_slot(hub, dialler) {
            let found = self.choose(hub, book, dialler);
            if let Some(address) = found {
                (self.next, self.idle) = (now + self.pace(hub), IDLE);
                dialler.dial(hub, address, Role::Slot);
            } else {
                self.next = now + if is_alone(hub) { IDLE } else { self.idle };
                self.idle = (self.idle * 2).min(MOST_IDLE);
            }
        }
        if now >= self.next_feeler {
            self.next_feeler = now + FEELER_EVERY + Duration::from_secs(u64::from(hub.random.next_u32() % 60));
            if let Some(address) = self.feel(hub, book, dialler) {
                dialler.dial(hub, address, Role::Feeler);
            }
        }
    }

    /// When there is something to do next.
    pub(super) fn next(&self, hub: &Hub, dialler: &Dialler) -> Option<Duration> {
        let slot = has_free_slot(hub, dialler).then_some(self.next);
        let due = slot.into_iter().chain(self.lost.next()).chain([self.next_feeler]);
        due.min().filter(|_| is_choosing(hub))
    }

    /// Between two dials for slots: longer the more of them failed. Who has no peer does not slow down.
    fn pace(&self, hub: &Hub) -> Duration {
        let filled = hub.peers.joined().filter(|(_, peer)| peer.role == Role::Slot).count();
        let most = if filled * 2 < hub.config.outbound { MOST_DOUBLINGS_HUNGRY } else { MOST_DOUBLINGS };
        let doublings = if is_alone(hub) { 0 } else { (self.failures / FAILURES_FOR_DOUBLE).min(most) };
        PACE * (1 << doublings)
    }

    fn choose(&mut self, hub: &mut Hub, book: &Book, dialler: &Dialler) -> Option<PeerAddr> {
        let groups = taken_groups(hub, dialler);
        let is_free = |address: &PeerAddr| !groups.contains(&NetGroup::of(address));
        while let Some(anchor) = self.anchors.pop() {
            if is_free(&anchor) && self.fits(hub, dialler, &anchor) {
                return Some(anchor);
            }
        }
        let mut random = hub.random.clone();
        let mut fits = |address: &PeerAddr| is_free(address) && self.fits(hub, dialler, address);
        // Who said hello before was somebody then; whoever fills the other table had only to speak of it.
        let found = by_group(&mut random, hub, book, Shelf::Tried, &mut fits)
            .or_else(|| by_group(&mut random, hub, book, Shelf::New, &mut fits));
        hub.random = random;
        found
    }

    fn feel(&self, hub: &mut Hub, book: &mut Book, dialler: &Dialler) -> Option<PeerAddr> {
        if let Some(tried) = book.collision(hub.now.unix).filter(|address| self.fits(hub, dialler, address)) {
            return Some(tried);
        }
        let mut random = hub.random.clone();
        let mut fits = |address: &PeerAddr| self.fits(hub, dialler, address);
        let found = book.pick(&mut random, Shelf::New, hub.now.unix, &mut fits);
        hub.random = random;
        found
    }

    /// Whether an address may be dialled now, slots aside.
    fn fits(&self, hub: &Hub, dialler: &Dialler, address: &PeerAddr) -> bool {
        let rest = |was_alone: bool| if was_alone || is_alone(hub) { LONELY_REST } else { REST };
        self.failed.get(address).is_none_or(|(at, was_alone)| hub.now.elapsed >= *at + rest(*was_alone))
            && self.may_dial(hub, dialler, address)
    }

    /// The same, however lately it failed.
    fn may_dial(&self, hub: &Hub, dialler: &Dialler, address: &PeerAddr) -> bool {
        gossip::is_reachable(hub, address)
            && !dialler.knows(address)
            && hub.peers.bans().of_address(address, hub.now.unix).is_none()
            && !is_connected(&hub.peers, address)
    }
}

/// An address of the book, each group of those that are drawn as likely as another: who has many addresses in few groups
/// gains nothing by their number.
fn by_group(
    random: &mut ChaCha8Rng,
    hub: &Hub,
    book: &Book,
    shelf: Shelf,
    fits: &mut dyn FnMut(&PeerAddr) -> bool,
) -> Option<PeerAddr> {
    let mut drawn: BTreeMap<NetGroup, PeerAddr> = BTreeMap::new();
    let mut looks = 0..MOST_LOOKS;
    while drawn.len() < DRAWN_GROUPS {
        let mut is_of_another =
            |address: &PeerAddr| looks.next().is_some() && !drawn.contains_key(&NetGroup::of(address)) && fits(address);
        let Some(address) = book.pick(random, shelf, hub.now.unix, &mut is_of_another) else { break };
        drawn.insert(NetGroup::of(&address), address);
    }
    let chosen = random.next_u64() % drawn.len().max(1) as u64;
    drawn.into_values().nth(usize::try_from(chosen).unwrap_or(0))
}

/// The outbound peers that have been connected longest, to be sought first after a restart.
pub(super) fn anchors(peers: &Peers) -> Vec<PeerAddr> {
    let mut chosen: Vec<_> = peers.joined().filter(|(_, peer)| peer.role == Role::Slot).collect();
    chosen.sort_by_key(|(id, peer)| (peer.since, *id));
    chosen.into_iter().take(MAX_ANCHORS).map(|(_, peer)| peer.address).collect()
}

/// Whether this node chooses peers for itself at all.
fn is_choosing(hub: &Hub) -> bool {
    hub.config.connect.is_empty() && hub.config.outbound > 0
}

pub(super) fn is_alone(hub: &Hub) -> bool {
    hub.peers.joined().next().is_none()
}

fn has_free_slot(hub: &Hub, dialler: &Dialler) -> bool {
    let connected = hub.peers.all().filter(|(_, peer)| peer.role == Role::Slot).count();
    connected + dialler.under_way(Role::Slot).count() < hub.config.outbound
}

fn taken_groups(hub: &Hub, dialler: &Dialler) -> BTreeSet<NetGroup> {
    let is_sought = |peer: &super::Peer| matches!(peer.role, Role::Slot | Role::Given);
    let connected = hub.peers.all().filter(|(_, peer)| is_sought(peer)).map(|(_, peer)| peer.group);
    connected.chain(dialler.under_way(Role::Slot).map(NetGroup::of)).collect()
}

/// Whether whoever takes connections at an address is connected, either way.
fn is_connected(peers: &Peers, address: &PeerAddr) -> bool {
    peers.all().any(|(_, peer)| match (peer.direction, &peer.hello) {
        (Direction::Outbound, _) => peer.address == *address,
        (Direction::Inbound, Some(hello)) => peer.address.with_port(hello.listen_port) == *address,
        (Direction::Inbound, None) => false,
    })
}

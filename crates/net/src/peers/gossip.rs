//! Addresses: heard, kept and told on.

use std::net::IpAddr;
use std::time::Duration;

use bloom_consensus::Timestamp;
use rand_chacha::rand_core::Rng;

use super::{Manager, Role};
use crate::address::{NetGroup, PeerAddr};
use crate::event::{AnswerId, ConnId, Direction, Finder};
use crate::fault::Fault;
use crate::hub::{Hub, Purpose};
use crate::wire::{KnownAddress, MAX_ADDRESSES, MAX_ADDRESSES_TOLD, Note, Request, Response};

/// How long addresses may take to come.
const ADDRESSES_TIME: Duration = Duration::from_secs(30);
/// How long all who ask are told the same, so that the book cannot be read out; and how long while that is so little that
/// it would leave newcomers without peers.
const SAMPLE_TIME: Duration = Duration::from_secs(86_400);
const SMALL_SAMPLE_TIME: Duration = Duration::from_secs(60);
const SMALL_SAMPLE: usize = 64;
/// Bytes of an address as it is told.
const ADDRESS_BYTES: usize = 26;
/// An address that was seen so lately is told on when it is new here.
const FRESH_SECS: u64 = 600;
/// To how many.
const TOLD_ON: usize = 2;
/// How often it is told again where connected peers take connections.
const TELL_EVERY: Duration = Duration::from_secs(86_400);
/// Most addresses of one find that are looked at.
const MAX_FOUND: usize = 1_000;

/// What is told of addresses, and when again.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    sample: Vec<KnownAddress>,
    sample_until: Duration,
    next: Option<Duration>,
}

impl Gossip {
    pub(super) fn next(&self) -> Option<Duration> {
        self.next
    }
}

impl Manager {
    /// Addresses that no peer told: each way of finding them is one source, so that none fills the book.
    pub(crate) fn found(&mut self, hub: &mut Hub, addresses: &[PeerAddr], finder: Finder) {
        let source = NetGroup::V4(match finder {
            Finder::Seed => [0, 0],
            Finder::Kademlia => [0, 1],
            Finder::Mdns => [0, 2],
        });
        for address in addresses.iter().take(MAX_FOUND) {
            self.learn(hub, &KnownAddress { address: *address, seen: hub.now.unix }, source);
        }
    }

    /// Answers [`Request::Addresses`].
    pub(crate) fn addresses_asked(&mut self, hub: &mut Hub, id: ConnId, answer: AnswerId) {
        let now = hub.now.elapsed;
        if now >= self.gossip.sample_until {
            let mut sample = self.book.sample(&mut hub.random, MAX_ADDRESSES, hub.now.unix);
            sample.retain(|known| is_reachable(hub, &known.address));
            let time = if sample.len() < SMALL_SAMPLE { SMALL_SAMPLE_TIME } else { SAMPLE_TIME };
            self.gossip.sample_until = now + time;
            self.gossip.sample = sample;
        }
        let bytes = self.gossip.sample.len() * ADDRESS_BYTES;
        let is_within = hub.charge_answer(id, bytes);
        let response = if is_within { Response::Addresses(self.gossip.sample.clone()) } else { Response::Busy };
        hub.answer(id, answer, response);
    }

    /// [`Note::Addresses`].
    pub(crate) fn addresses_told(&mut self, hub: &mut Hub, id: ConnId, addresses: &[KnownAddress]) {
        let Some(source) = hub.peers.get(id).map(|peer| peer.group) else { return };
        let heard = hub.charge_addresses(id, addresses.len());
        let mut fresh = Vec::new();
        for known in addresses.iter().take(heard) {
            let is_new = self.learn(hub, known, source);
            if is_new && known.seen.0.abs_diff(hub.now.unix.0) <= FRESH_SECS {
                fresh.push(*known);
            }
        }
        self.tell_on(hub, id, &fresh);
    }

    /// The answer to [`Request::Addresses`].
    pub(super) fn addresses(&mut self, hub: &mut Hub, id: ConnId, response: Response) {
        let Some(source) = hub.peers.get(id).map(|peer| peer.group) else { return };
        match response {
            Response::Addresses(addresses) => {
                for known in addresses.iter().take(MAX_ADDRESSES) {
                    self.learn(hub, known, source);
                }
            }
            Response::Busy | Response::NotFound => {}
            _ => hub.blame(id, Fault::WrongAnswer),
        }
    }

    /// A peer was let in. Who was dialled is asked for addresses; who dialled has told its own: it came from there, and its
    /// hello says at which port it takes connections.
    pub(super) fn introduced(&mut self, hub: &mut Hub, id: ConnId) {
        let Some(peer) = hub.peers.get(id) else { return };
        self.gossip.next.get_or_insert(hub.now.elapsed + TELL_EVERY);
        if peer.direction == Direction::Outbound {
            let (address, seen) = (peer.address, hub.now.unix);
            self.learn(hub, &KnownAddress { address, seen }, NetGroup::of(&address));
            self.book.connected(&address, seen);
            hub.ask(id, Purpose::Addresses, Request::Addresses, ADDRESSES_TIME);
        } else if let Some(known) = listening(hub, id)
            && self.learn(hub, &known, NetGroup::of(&known.address))
        {
            self.tell_on(hub, id, &[known]);
        }
    }

    /// Tells two peers again where those that came take connections.
    pub(super) fn tend_gossip(&mut self, hub: &mut Hub) {
        if self.gossip.next.is_none_or(|next| hub.now.elapsed < next) {
            return;
        }
        self.gossip.next = Some(hub.now.elapsed + TELL_EVERY);
        for id in hub.peers.joined().map(|(id, _)| id).collect::<Vec<_>>() {
            let told = listening(hub, id).filter(|known| is_reachable(hub, &known.address));
            self.tell_on(hub, id, told.as_slice());
        }
    }

    /// Hears of an address; whether it is new here.
    fn learn(&mut self, hub: &Hub, known: &KnownAddress, source: NetGroup) -> bool {
        let is_new =
            is_reachable(hub, &known.address) && self.book.add(known.address, known.seen, source, hub.now.unix);
        if is_new {
            self.slots.look_again(hub.now.elapsed);
            self.next = Some(hub.now.elapsed);
        }
        is_new
    }

    /// Tells addresses to two peers, but not to who told them.
    fn tell_on(&mut self, hub: &mut Hub, from: ConnId, addresses: &[KnownAddress]) {
        if addresses.is_empty() {
            return;
        }
        let mut others: Vec<ConnId> = hub.peers.joined().map(|(id, _)| id).filter(|id| *id != from).collect();
        let mut chosen = Vec::new();
        while chosen.len() < TOLD_ON && !others.is_empty() {
            let at = hub.random.next_u64() % others.len() as u64;
            chosen.push(others.swap_remove(usize::try_from(at).unwrap_or(0)));
        }
        for few in addresses.chunks(MAX_ADDRESSES_TOLD) {
            hub.send(chosen.iter().copied(), Note::Addresses(few.to_vec()));
        }
    }
}

/// Whether an address is worth keeping: anybody can reach it or, where that is allowed, whoever is near.
pub(super) fn is_reachable(hub: &Hub, address: &PeerAddr) -> bool {
    let is_host = match address.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    address.is_routable() || (hub.config.allow_local && address.port() != 0 && is_host)
}

/// Where a peer that came takes connections, by its word.
fn listening(hub: &Hub, id: ConnId) -> Option<KnownAddress> {
    let peer = hub.peers.get(id).filter(|peer| peer.role == Role::Inbound)?;
    let port = peer.hello.as_ref().map(|hello| hello.listen_port).filter(|port| *port != 0)?;
    Some(KnownAddress { address: peer.address.with_port(port), seen: Timestamp(hub.now.unix.0) })
}

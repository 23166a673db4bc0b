//! The peers: who is connected, what is known of each, and what each may still cost.

mod bans;
mod budget;
mod clock;
mod dialling;
mod eviction;
mod gossip;
mod greeting;
mod lost;
mod manager;
mod scores;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use bloom_consensus::BlockHash;

pub use bans::{BAN_SECS, Ban, BanError, MAX_BANS};
#[cfg(feature = "transport")]
pub(crate) use greeting::MAX_DISMISSED;
#[cfg(feature = "transport")]
pub(crate) use manager::MAX_STRANGERS;
pub(crate) use manager::Manager;

use bans::Bans;
use budget::{Budget, Groups};
use scores::{Score, Scores};

use crate::address::{NetGroup, PeerAddr};
use crate::event::{BanKey, ConnId, Direction, Event, Identity};
use crate::wire::Hello;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The peer made it.
    Inbound,
    /// It was asked for by hand.
    Given,
    /// One of those that this node chooses for itself.
    Slot,
    /// To see whether somebody answers there, and leave.
    Feeler,
}

/// A connection and all that every part needs to know of it. What one part alone needs, it keeps itself.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: PeerAddr,
    pub(crate) group: NetGroup,
    pub(crate) identity: Identity,
    pub(crate) direction: Direction,
    pub(crate) role: Role,
    /// When the connection was made.
    pub(crate) since: Duration,
    /// None until hellos were exchanged; till then nothing else is said.
    pub(crate) hello: Option<Hello>,
    /// Whether a header of its had a true proof that was new here: its headers may cost more then.
    pub(crate) proven: bool,
    /// The shortest round trip, once one was measured.
    pub(crate) round_trip: Option<Duration>,
    /// When it last brought a block, or a transaction, that was new here and good.
    pub(crate) last_block: Option<Duration>,
    pub(crate) last_transaction: Option<Duration>,
    /// Of [`crate::fault::BAN_SCORE`].
    pub(crate) score: Score,
    /// How far this node's clock was ahead of its, when it said hello.
    ahead_secs: i64,
    /// The tip that this node's hello told it, where the tip may have moved before the answer came.
    pub(crate) told: Option<BlockHash>,
    /// Whether it returned hello, or said it: even if it was not let in then.
    has_answered: bool,
    budget: Budget,
    /// What it said before its hello was here.
    early: Vec<Event>,
}

impl Peer {
    fn new(address: PeerAddr, identity: Identity, direction: Direction, role: Role, now: Duration) -> Self {
        Self {
            address,
            group: NetGroup::of(&address),
            identity,
            direction,
            role,
            since: now,
            hello: None,
            proven: false,
            round_trip: None,
            last_block: None,
            last_transaction: None,
            score: Score::default(),
            ahead_secs: 0,
            told: None,
            has_answered: false,
            budget: Budget::default(),
            early: Vec::new(),
        }
    }

    /// What a ban of it keeps out: its address or /64, and on this machine, where the address is everybody's, its key.
    pub(crate) fn ban_key(&self) -> BanKey {
        if self.address.is_local() { BanKey::Identity(self.identity) } else { BanKey::of(self.address.ip()) }
    }
}

/// All connections, in the order in which they were made, and who is kept out. A connection that this node ends is gone
/// from here at once: what it still says is not heard.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    connected: BTreeMap<ConnId, Peer>,
    bans: Bans,
    groups: Groups,
    scores: Scores,
    /// Whether somebody came or went since the manager looked, and who went.
    is_changed: bool,
    ended: Vec<Peer>,
}

impl Peers {
    pub(crate) fn new(bans: Vec<Ban>) -> Self {
        Self { bans: Bans::new(bans), ..Self::default() }
    }

    pub(crate) fn get(&self, peer: ConnId) -> Option<&Peer> {
        self.connected.get(&peer)
    }

    pub(crate) fn get_mut(&mut self, peer: ConnId) -> Option<&mut Peer> {
        self.connected.get_mut(&peer)
    }

    /// All that were let in.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (ConnId, &Peer)> {
        self.all().filter(|(_, peer)| peer.hello.is_some())
    }

    /// All, those that have not said hello too.
    pub(crate) fn all(&self) -> impl Iterator<Item = (ConnId, &Peer)> {
        self.connected.iter().map(|(id, peer)| (*id, peer))
    }

    pub(crate) fn bans(&self) -> &Bans {
        &self.bans
    }

    fn insert(&mut self, id: ConnId, mut peer: Peer) {
        peer.score = self.scores.of(&peer.ban_key(), peer.since);
        self.connected.insert(id, peer);
        self.is_changed = true;
    }

    fn remove(&mut self, id: ConnId) -> Option<Peer> {
        let peer = self.connected.remove(&id)?;
        self.is_changed = true;
        self.scores.keep(&peer);
        self.ended.push(peer.clone());
        Some(peer)
    }

    /// Holds nothing against somebody any more.
    fn forgive(&mut self, key: &BanKey) {
        self.scores.forget(key);
        for peer in self.connected.values_mut().filter(|peer| peer.ban_key() == *key) {
            peer.score = Score::default();
        }
    }

    fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    fn take_ended(&mut self) -> Vec<Peer> {
        std::mem::take(&mut self.ended)
    }
}

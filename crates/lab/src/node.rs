//! A node as the simulation knows it: who it is, whether it runs, and what it waits for.

use std::collections::BTreeMap;

use bloom_consensus::{BlockHash, Timestamp};
use bloom_net::event::{AnswerId, BanKey, ConnId, Identity, RequestId};
use bloom_net::{Now, PeerAddr};

use crate::actor::Actor;
use crate::link::Side;
use crate::time::Moment;

/// A node's connection: the link and which end of it.
pub(crate) type Plug = (u64, Side);

pub(crate) struct Node {
    pub(crate) actor: Box<dyn Actor>,
    pub(crate) address: PeerAddr,
    pub(crate) identity: Identity,
    pub(crate) is_honest: bool,
    /// Its clock is so many seconds ahead of the true time.
    pub(crate) skew_secs: i64,
    /// Which side of a break it is on.
    pub(crate) is_cut_off: bool,
    /// None while it does not run.
    pub(crate) since: Option<Moment>,
    /// The tip that its chain was last seen to have.
    pub(crate) tip: Option<BlockHash>,
    /// How often it was started: what was planned for an earlier life is void.
    pub(crate) life: u32,
    pub(crate) plugs: BTreeMap<ConnId, Plug>,
    /// Requests that it made and that have no answer.
    pub(crate) asked: BTreeMap<RequestId, Plug>,
    /// Requests that it may answer.
    pub(crate) to_answer: BTreeMap<AnswerId, (Plug, RequestId)>,
    pub(crate) bars: BTreeMap<BanKey, Timestamp>,
    /// When it is woken next.
    pub(crate) wake: Option<Moment>,
    /// When its lines are free for more.
    pub(crate) up_free: Moment,
    pub(crate) down_free: Moment,
    pub(crate) connections: u64,
    pub(crate) answers: u64,
}

impl Node {
    pub(crate) fn new(actor: Box<dyn Actor>, address: PeerAddr, is_honest: bool, skew_secs: i64) -> Self {
        let identity = Identity(*blake3::hash(address.to_string().as_bytes()).as_bytes());
        Self {
            actor,
            address,
            identity,
            is_honest,
            skew_secs,
            is_cut_off: false,
            since: None,
            tip: None,
            life: 0,
            plugs: BTreeMap::new(),
            asked: BTreeMap::new(),
            to_answer: BTreeMap::new(),
            bars: BTreeMap::new(),
            wake: None,
            up_free: Moment(0),
            down_free: Moment(0),
            connections: 0,
            answers: 0,
        }
    }

    /// The time as this node has it.
    pub(crate) fn now(&self, at: Moment, epoch: Timestamp) -> Now {
        let elapsed = self.since.map(|since| at.since(since)).unwrap_or_default();
        let unix = epoch.0.saturating_add(at.secs()).saturating_add_signed(self.skew_secs);
        Now { elapsed, unix: Timestamp(unix) }
    }

    /// Whether it takes nothing from, and makes nothing to, that node.
    pub(crate) fn bars(&self, address: PeerAddr, identity: Identity, now: Timestamp) -> bool {
        let keys = [BanKey::Address(address.ip()), BanKey::Identity(identity)];
        keys.iter().any(|key| self.bars.get(key).is_some_and(|until| *until > now))
    }

    /// Its tip, if it is not the one that it was seen to have.
    pub(crate) fn new_tip(&mut self) -> Option<BlockHash> {
        let tip = self.actor.engine()?.chain().chain().tip().hash;
        (self.tip.replace(tip) != Some(tip)).then_some(tip)
    }

    pub(crate) fn next_connection(&mut self) -> ConnId {
        self.connections += 1;
        ConnId(self.connections)
    }

    pub(crate) fn next_answer(&mut self) -> AnswerId {
        self.answers += 1;
        AnswerId(self.answers)
    }
}

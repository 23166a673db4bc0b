//! What the relay of blocks knows of each peer: what it has, whether it wants blocks pushed, and who pushes to us.

use std::collections::{BTreeMap, VecDeque};

use bloom_consensus::BlockHash;

use crate::event::{Action, ConnId, Direction};
use crate::hub::Hub;
use crate::relay::recent::Recent;
use crate::wire::Note;

/// Blocks that a peer is known to have.
pub(crate) const BLOCKS_KNOWN: usize = 256;
/// Peers that are asked to push: each more is one more copy of every block.
pub(crate) const MOST_PUSHERS: usize = 1;
/// A peer that announces condemned blocks more often than this follows other rules, and is let go.
pub(crate) const MOST_CONDEMNED: u32 = 10;

#[derive(Debug)]
struct Side {
    has: Recent<BlockHash>,
    wants_push: bool,
    condemned: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Sides {
    peers: BTreeMap<ConnId, Side>,
    /// Who was asked to push, the last that was first with a block in front.
    pushers: VecDeque<ConnId>,
}

impl Sides {
    pub(crate) fn joined(&mut self, hub: &mut Hub, peer: ConnId) {
        let side = Side { has: Recent::new(BLOCKS_KNOWN), wants_push: false, condemned: 0 };
        self.peers.insert(peer, side);
        self.appoint(hub);
    }

    pub(crate) fn left(&mut self, hub: &mut Hub, peer: ConnId) {
        self.peers.remove(&peer);
        self.pushers.retain(|pusher| *pusher != peer);
        self.appoint(hub);
    }

    pub(crate) fn wants_push(&mut self, peer: ConnId, wanted: bool) {
        if let Some(side) = self.peers.get_mut(&peer) {
            side.wants_push = wanted;
        }
    }

    /// A peer has a block, for it sent or was sent it.
    pub(crate) fn has(&mut self, peer: ConnId, hash: BlockHash) {
        if let Some(side) = self.peers.get_mut(&peer) {
            side.has.insert(hash);
        }
    }

    /// Those that may not have a block, and whether each wants it pushed.
    pub(crate) fn without(&self, hash: BlockHash) -> Vec<(ConnId, bool)> {
        let lacks = self.peers.iter().filter(|(_, side)| !side.has.contains(&hash));
        lacks.map(|(peer, side)| (*peer, side.wants_push)).collect()
    }

    /// Sends a note about a block to these, who have it then.
    pub(crate) fn send(&mut self, hub: &mut Hub, hash: BlockHash, peers: Vec<ConnId>, note: impl FnOnce() -> Note) {
        if peers.is_empty() {
            return;
        }
        peers.iter().for_each(|peer| self.has(*peer, hash));
        hub.send(peers, note());
    }

    /// Whether this node dialled a peer or asked it to push: who comes in numbers cannot take its place.
    pub(crate) fn is_chosen(&self, hub: &Hub, peer: ConnId) -> bool {
        let is_dialled = hub.peers.get(peer).is_some_and(|peer| peer.direction == Direction::Outbound);
        is_dialled || self.pushers.contains(&peer)
    }

    /// A peer announced what is condemned: it follows other rules, or has not heard. It is let go if it goes on.
    pub(crate) fn announced_condemned(&mut self, hub: &mut Hub, peer: ConnId) {
        let Some(side) = self.peers.get_mut(&peer) else { return };
        side.condemned += 1;
        if side.condemned > MOST_CONDEMNED {
            hub.act(Action::Disconnect { peer });
        }
    }

    /// A peer was first with a good block: it pushes from now on, and another may have to stop.
    pub(crate) fn brought(&mut self, hub: &mut Hub, peer: ConnId) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let was_asked = self.pushers.contains(&peer);
        self.pushers.retain(|pusher| *pusher != peer);
        self.pushers.push_front(peer);
        if !was_asked {
            hub.send([peer], Note::PushBlocks(true));
        }
        if self.pushers.len() > MOST_PUSHERS
            && let Some(last) = self.pushers.pop_back()
        {
            hub.send([last], Note::PushBlocks(false));
        }
    }

    /// As long as too few have brought blocks, others are asked: first whom this node chose.
    fn appoint(&mut self, hub: &mut Hub) {
        while self.pushers.len() < MOST_PUSHERS {
            let free = self.peers.keys().filter(|peer| !self.pushers.contains(peer));
            let direction = |peer: &ConnId| hub.peers.get(*peer).map(|peer| peer.direction);
            let Some(peer) = free.copied().min_by_key(|peer| direction(peer) != Some(Direction::Outbound)) else {
                return;
            };
            self.pushers.push_back(peer);
            hub.send([peer], Note::PushBlocks(true));
        }
    }
}

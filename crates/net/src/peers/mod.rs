//! The peers: who is connected, what is known of each, and what each may still cost.

mod manager;

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use manager::Manager;

use crate::address::{NetGroup, PeerAddr};
use crate::event::{ConnId, Direction, Identity};
use crate::wire::Hello;

/// A connection and all that every part needs to know of it. What one part alone needs, it keeps itself.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: PeerAddr,
    pub(crate) group: NetGroup,
    pub(crate) identity: Identity,
    pub(crate) direction: Direction,
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
    /// Points, of [`crate::fault::BAN_SCORE`].
    pub(crate) score: u32,
}

/// All connections, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Peers(BTreeMap<ConnId, Peer>);

impl Peers {
    pub(crate) fn get(&self, peer: ConnId) -> Option<&Peer> {
        self.0.get(&peer)
    }

    pub(crate) fn get_mut(&mut self, peer: ConnId) -> Option<&mut Peer> {
        self.0.get_mut(&peer)
    }

    /// All that were let in.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (ConnId, &Peer)> {
        self.0.iter().filter(|(_, peer)| peer.hello.is_some()).map(|(id, peer)| (*id, peer))
    }
}

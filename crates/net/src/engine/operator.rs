//! What whoever runs a node asks of it, and has it do.

use std::net::IpAddr;
use std::time::Duration;

use bloom_chain::Tip;
use bloom_consensus::{Height, Timestamp};

use super::Engine;
use crate::address::PeerAddr;
use crate::book::Book;
use crate::event::{Action, BanKey, ConnId, Direction, Identity, Now};
use crate::peers::Ban;

/// A connected peer.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Its connection.
    pub peer: ConnId,
    /// Where it is. Of an inbound one the port says nothing.
    pub address: PeerAddr,
    /// Its key.
    pub identity: Identity,
    /// Who made the connection.
    pub direction: Direction,
    /// Whether it was asked for by hand.
    pub is_given: bool,
    /// What it calls itself.
    pub agent: String,
    /// The height that it claimed when it came.
    pub height: Height,
    /// Whether it says that it has every block since genesis.
    pub is_archive: bool,
    /// How long it has been connected.
    pub connected: Duration,
    /// The shortest round trip, once one was measured.
    pub round_trip: Option<Duration>,
    /// How long ago it brought a new block.
    pub last_block: Option<Duration>,
    /// How long ago it brought a new transaction.
    pub last_transaction: Option<Duration>,
    /// Its points; at 100 it is banned.
    pub score: u32,
}

/// A node in a line.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// The chain's last block.
    pub tip: Tip,
    /// The height of the best header whose proof was checked, if it is beyond the tip.
    pub best_header: Option<Height>,
    /// The greatest height that a connected peer claims, or the tip's.
    pub claimed: Height,
    /// Whether so much is missing that new blocks and transactions at the tip are of no use yet.
    pub is_behind: bool,
    /// Peers that came.
    pub inbound: usize,
    /// Peers that were sought.
    pub outbound: usize,
    /// Addresses only heard of, and addresses that said hello.
    pub known: (usize, usize),
    /// Bans in force.
    pub bans: usize,
    /// Transactions that wait.
    pub waiting: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
}

impl Engine {
    /// The peers that said hello, in the order in which they came, as they are now: it may be long since anything happened.
    #[must_use]
    pub fn peers(&self, now: Now) -> Vec<PeerInfo> {
        let info = |(peer, of): (ConnId, &crate::peers::Peer)| {
            let hello = of.hello.as_ref()?;
            let ago = |at: Duration| now.elapsed.saturating_sub(at);
            Some(PeerInfo {
                peer,
                address: of.address,
                identity: of.identity,
                direction: of.direction,
                is_given: of.role == crate::peers::Role::Given,
                agent: hello.agent.clone(),
                height: hello.height,
                is_archive: hello.is_archive,
                connected: ago(of.since),
                round_trip: of.round_trip,
                last_block: of.last_block.map(ago),
                last_transaction: of.last_transaction.map(ago),
                score: of.score.points,
            })
        };
        self.hub.peers.joined().filter_map(info).collect()
    }

    /// The node in a line.
    #[must_use]
    pub fn status(&self) -> Status {
        let peers = &self.hub.peers;
        let tip = self.hub.chain.chain().tip();
        let claims = peers.joined().filter_map(|(_, peer)| Some(peer.hello.as_ref()?.height));
        let inbound = peers.joined().filter(|(_, peer)| peer.direction == Direction::Inbound).count();
        Status {
            tip,
            best_header: self.catch_up.best_height(),
            claimed: claims.max().unwrap_or(tip.height).max(tip.height),
            is_behind: self.catch_up.is_behind(),
            inbound,
            outbound: peers.joined().count() - inbound,
            known: self.manager.book.counts(),
            bans: self.bans().len(),
            waiting: self.hub.chain.mempool().len(),
            waiting_bytes: self.hub.chain.mempool().bytes(),
        }
    }

    /// Whether so much is missing that there is no point in building on the tip.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.catch_up.is_behind()
    }

    /// Seeks a peer from now on, whatever the configuration says; false if so many are sought that one more is too many.
    pub fn add_peer(&mut self, address: PeerAddr, now: Now) -> (bool, Vec<Action>) {
        self.hub.now = now;
        let is_sought = self.manager.give(&mut self.hub, address);
        (is_sought, self.settle())
    }

    /// Seeks a peer no more, and disconnects it; false if it was not sought.
    pub fn remove_peer(&mut self, address: PeerAddr, now: Now) -> (bool, Vec<Action>) {
        self.hub.now = now;
        let was_sought = self.manager.take(&mut self.hub, &address);
        (was_sought, self.settle())
    }

    /// The peers that are sought by hand.
    #[must_use]
    pub fn given(&self) -> Vec<PeerAddr> {
        self.manager.given()
    }

    /// Ends a connection; false if there is none of that number. Who was given by hand comes again.
    pub fn disconnect(&mut self, peer: ConnId, now: Now) -> (bool, Vec<Action>) {
        self.hub.now = now;
        let is_there = self.hub.peers.get(peer).is_some();
        self.hub.part(peer, "disconnected by hand");
        (is_there, self.settle())
    }

    /// Keeps an address out for so many seconds, all of the /64 of an IPv6 one, and disconnects it.
    pub fn ban(&mut self, ip: IpAddr, secs: u64, now: Now) -> Vec<Action> {
        self.hub.now = now;
        let until = Timestamp(now.unix.0.saturating_add(secs));
        self.hub.ban(Ban { key: BanKey::of(ip), until }, "banned by hand");
        self.settle()
    }

    /// Takes a ban back; false if there is none.
    pub fn unban(&mut self, key: BanKey, now: Now) -> (bool, Vec<Action>) {
        self.hub.now = now;
        let was_banned = self.hub.unban(key);
        (was_banned, self.settle())
    }

    /// The addresses that it knows, for whoever keeps them across restarts.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.manager.book
    }

    /// The bans in force, for whoever keeps them across restarts.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.hub.peers.bans().list(self.hub.now.unix)
    }
}

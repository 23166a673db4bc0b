//! What an engine hears and what it does about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bloom_consensus::{BlockHash, Header, Height, Timestamp};

use crate::address::{NetGroup, PeerAddr};
use crate::fault::Fault;
use crate::wire::{Note, Request, Response, WireError};

/// The time: how long this engine runs, never back, and what the wall says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since the engine began. Every timeout, budget and age goes by it.
    pub elapsed: Duration,
    /// The system's clock. Blocks are held against it (law §4), and what is kept across restarts is dated by it.
    pub unix: Timestamp,
}

/// A connection. Numbers are given by whoever carries the messages and never twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A request that this node made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request that a peer made. Numbers are given by whoever carries the messages and never twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerId(pub u64);

/// Proofs that are being checked elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// A hash of the key that a peer proved to hold. It costs nothing to make, so nothing is trusted to it; it tells
/// connections from this machine apart, where addresses cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 32]);

/// Who made a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The peer.
    Inbound,
    /// This node.
    Outbound,
}

/// Where an address came from that no peer told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finder {
    /// The seed list.
    Seed,
    /// The distributed hash table.
    Kademlia,
    /// This link.
    Mdns,
}

/// Why an answer did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// In the time that it had.
    Timeout,
    /// The connection or the stream was closed, or the peer does not know the protocol.
    Closed,
}

/// What happens to an engine.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection stands, encrypted; nothing was said yet.
    Connected {
        /// Its number.
        peer: ConnId,
        /// The other end. Of an inbound one the port says nothing.
        address: PeerAddr,
        /// The other end's key.
        identity: Identity,
        /// Who made it.
        direction: Direction,
    },
    /// A connection ended.
    Disconnected {
        /// Its number.
        peer: ConnId,
    },
    /// A dial came to nothing.
    DialFailed {
        /// As it was asked for.
        address: PeerAddr,
    },
    /// A message that wants no answer.
    Note {
        /// From.
        peer: ConnId,
        /// It.
        note: Note,
    },
    /// A message that wants an answer.
    Request {
        /// From.
        peer: ConnId,
        /// What to answer to.
        id: AnswerId,
        /// It.
        request: Request,
    },
    /// An answer.
    Response {
        /// From.
        peer: ConnId,
        /// What it answers.
        id: RequestId,
        /// It.
        response: Response,
    },
    /// An answer that will not come.
    Failed {
        /// From.
        peer: ConnId,
        /// What was asked.
        id: RequestId,
        /// Why.
        failure: Failure,
    },
    /// Bytes that are no message.
    Malformed {
        /// From.
        peer: ConnId,
        /// What is wrong with them.
        error: WireError,
    },
    /// How long it takes there and back.
    RoundTrip {
        /// To whom.
        peer: ConnId,
        /// How long.
        time: Duration,
    },
    /// Addresses found.
    Found {
        /// They.
        addresses: Vec<PeerAddr>,
        /// By what.
        finder: Finder,
    },
    /// Proofs were checked.
    Proven {
        /// As of [`Action::Prove`].
        job: JobId,
        /// The first header whose proof is false.
        first_false: Option<usize>,
    },
    /// The time that [`crate::Engine::next_wake`] named has come.
    Wake,
}

/// What is to be done for an engine.
#[derive(Clone, Debug)]
pub enum Action {
    /// Make a connection; [`Event::Connected`] or [`Event::DialFailed`] tells what came of it.
    Dial {
        /// To.
        address: PeerAddr,
    },
    /// End a connection.
    Disconnect {
        /// Which.
        peer: ConnId,
    },
    /// Send what wants no answer.
    Send {
        /// To.
        peer: ConnId,
        /// It.
        note: Arc<Note>,
    },
    /// Send what wants an answer; [`Event::Response`] or [`Event::Failed`] follows, once.
    Ask {
        /// Whom.
        peer: ConnId,
        /// The number of the request.
        id: RequestId,
        /// It.
        request: Request,
        /// How long the answer may take, to its last byte.
        timeout: Duration,
    },
    /// Answer.
    Answer {
        /// Whom.
        peer: ConnId,
        /// What.
        id: AnswerId,
        /// The answer.
        response: Response,
    },
    /// Check the proofs of headers, on whatever threads there are; [`Event::Proven`] follows, once.
    Prove {
        /// The number of the job.
        job: JobId,
        /// In order.
        headers: Vec<Header>,
    },
    /// Take no connections from there until then, nor make any.
    Bar {
        /// Whom.
        key: BanKey,
        /// Until when; in the past to take it back.
        until: Timestamp,
    },
    /// Tell whoever watches.
    Tell(Report),
}

/// Whom a ban keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BanKey {
    /// An IPv4 address or the /64 of an IPv6 address.
    Address(std::net::IpAddr),
    /// A key, where the address is this machine's and would be everybody's.
    Identity(Identity),
}

/// What somebody who watches a node may want to know.
#[derive(Clone, Debug)]
pub enum Report {
    /// A peer said hello.
    Joined {
        /// Its connection.
        peer: ConnId,
        /// Where it is.
        address: PeerAddr,
        /// Who made the connection.
        direction: Direction,
        /// What it calls itself.
        agent: String,
        /// The height that it claims.
        height: Height,
    },
    /// A peer is gone.
    Left {
        /// Its connection.
        peer: ConnId,
        /// Where it was.
        address: PeerAddr,
        /// Why.
        why: String,
    },
    /// A peer did what it must not.
    Blamed {
        /// Its connection.
        peer: ConnId,
        /// Where it is.
        address: PeerAddr,
        /// What.
        fault: Fault,
        /// Its score now.
        score: u32,
    },
    /// An address is kept out.
    Banned {
        /// Whom.
        key: BanKey,
        /// Of.
        group: NetGroup,
        /// Until when.
        until: Timestamp,
        /// What for.
        fault: Fault,
    },
    /// The chain has a new tip.
    Tip {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: Height,
        /// How many transactions it has.
        transactions: usize,
        /// How many blocks left the chain for it.
        reorganised: usize,
        /// Who sent it first; none if it was made here.
        from: Option<ConnId>,
    },
    /// Blocks are being caught up on.
    Syncing {
        /// The tip's height.
        height: Height,
        /// The height of the best header.
        target: Height,
        /// Seconds to go at the present rate, where that can be told.
        eta_secs: Option<u64>,
    },
    /// There is nothing left to catch up on.
    Synced {
        /// The tip's height.
        height: Height,
    },
    /// A branch leaves the chain where blocks were pruned here: it cannot be followed, whatever its work. Told at most once
    /// an hour.
    OutOfReach {
        /// A block of it.
        hash: BlockHash,
        /// The lowest height that is kept.
        horizon: Height,
    },
    /// Peers agree on a time that is not this machine's. It changes nothing but this line.
    ClockSkew {
        /// How far this clock is ahead of the median of theirs, in seconds.
        ahead_secs: i64,
    },
}

//! What a node tells: events for programs, and the same as log lines for people.

use std::path::PathBuf;

use bloom_net::event::{BanKey, Direction, Report};
use serde::Serialize;

/// A reorganisation that takes back more blocks than this is an alarm: payments with as many confirmations are gone.
const DEEP_REORGANISATION: usize = 6;

/// What happens to a node, as JSON lines tell it. Hashes are in hexadecimal, times in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum NodeEvent {
    /// It runs.
    Start {
        /// The network's name.
        network: String,
        /// The tip's height.
        height: u64,
        /// The tip.
        tip: String,
        /// The directory that it works in.
        data_dir: PathBuf,
        /// Where it takes connections.
        listening: Vec<String>,
    },
    /// A peer said hello.
    Joined {
        /// Its connection's number.
        peer: u64,
        /// Where it is.
        address: String,
        /// Whether it made the connection.
        inbound: bool,
        /// What it calls itself.
        agent: String,
        /// The height that it claims.
        height: u64,
    },
    /// A peer is gone.
    Left {
        /// Its connection's number.
        peer: u64,
        /// Where it was.
        address: String,
        /// Why.
        why: String,
    },
    /// A peer that was given by hand cannot be reached; it is tried again.
    Unreachable {
        /// Where it should be.
        address: String,
    },
    /// A peer did what it must not.
    Blamed {
        /// Its connection's number.
        peer: u64,
        /// Where it is.
        address: String,
        /// What it did.
        fault: String,
        /// Its score now; 100 ban.
        score: u32,
    },
    /// Somebody is kept out.
    Banned {
        /// The address, or the key of somebody on this machine.
        who: String,
        /// Until when.
        until: u64,
        /// What for.
        fault: String,
    },
    /// The chain has a new tip.
    Tip {
        /// The tip.
        hash: String,
        /// Its height.
        height: u64,
        /// How many transactions it has.
        transactions: usize,
        /// How many blocks left the chain for it.
        reorganised: usize,
        /// The connection that brought it; none if it was made here.
        from: Option<u64>,
    },
    /// A block was mined here.
    Mined {
        /// It.
        hash: String,
        /// Its height.
        height: u64,
        /// Whether it is the tip; if not, another was faster.
        is_tip: bool,
    },
    /// Blocks are being caught up on.
    Syncing {
        /// The tip's height.
        height: u64,
        /// The height of the best header.
        target: u64,
        /// Seconds to go, where that can be told.
        eta_secs: Option<u64>,
    },
    /// There is nothing left to catch up on.
    Synced {
        /// The tip's height.
        height: u64,
    },
    /// A branch leaves the chain where blocks were pruned: it cannot be followed.
    OutOfReach {
        /// A block of it.
        hash: String,
        /// The lowest height that is kept here.
        horizon: u64,
    },
    /// Peers agree on another time than this machine's.
    ClockSkew {
        /// How far this clock is ahead, in seconds.
        ahead_secs: i64,
    },
    /// The disk fills up.
    Disk {
        /// Bytes that are free.
        free_bytes: u64,
        /// Whether the node stops for it.
        stops: bool,
    },
    /// It has ended, and everything is saved that could be.
    End {
        /// The tip's height.
        height: u64,
        /// The tip.
        tip: String,
        /// What ended it, if nobody asked it to.
        fault: Option<String>,
    },
}

impl NodeEvent {
    /// What an engine reports.
    pub(crate) fn of(report: &Report) -> Self {
        match report {
            Report::Joined { peer, address, direction, agent, height } => Self::Joined {
                peer: peer.0,
                address: address.to_string(),
                inbound: *direction == Direction::Inbound,
                agent: agent.clone(),
                height: height.0,
            },
            Report::Left { peer, address, why } => {
                Self::Left { peer: peer.0, address: address.to_string(), why: why.clone() }
            }
            Report::Blamed { peer, address, fault, score } => {
                Self::Blamed { peer: peer.0, address: address.to_string(), fault: fault.to_string(), score: *score }
            }
            Report::Banned { key, until, fault, .. } => {
                Self::Banned { who: name_of(key), until: until.0, fault: fault.to_string() }
            }
            Report::Tip { hash, height, transactions, reorganised, from } => Self::Tip {
                hash: hash.to_string(),
                height: height.0,
                transactions: *transactions,
                reorganised: *reorganised,
                from: from.map(|peer| peer.0),
            },
            Report::Syncing { height, target, eta_secs } => {
                Self::Syncing { height: height.0, target: target.0, eta_secs: *eta_secs }
            }
            Report::Synced { height } => Self::Synced { height: height.0 },
            Report::OutOfReach { hash, horizon } => Self::OutOfReach { hash: hash.to_string(), horizon: horizon.0 },
            Report::ClockSkew { ahead_secs } => Self::ClockSkew { ahead_secs: *ahead_secs },
        }
    }

    /// Writes it to the log. Of the many blocks of a chain that is behind, only progress is told.
    pub(crate) fn log(&self, is_behind: bool) {
        match self {
            Self::Start { network, height, data_dir, listening, .. } => {
                tracing::info!("{network} at height {height} in {}", data_dir.display());
                match listening.as_slice() {
                    [] => tracing::info!("taking no connections"),
                    addresses => tracing::info!("listening on {}", addresses.join(", ")),
                }
            }
            Self::Joined { peer, address, inbound, agent, height } => {
                let how = if *inbound { "from" } else { "to" };
                tracing::info!("peer {peer} {how} {address}: {agent}, height {height}");
            }
            Self::Left { peer, address, why } => tracing::info!("peer {peer} at {address} left: {why}"),
            Self::Unreachable { address } => tracing::warn!(
                "{address} cannot be reached: tried again and again, at least every 8 s; is a node there, of this network, \
                 and no firewall between?"
            ),
            Self::Blamed { peer, address, fault, score } => {
                tracing::info!("peer {peer} at {address} is at fault, score {score}: {fault}");
            }
            Self::Banned { who, until, fault } => tracing::warn!("{who} is banned until {}: {fault}", time(*until)),
            Self::Tip { hash, height, transactions, reorganised, from } => {
                let from = from.map_or("made here".to_owned(), |peer| format!("from peer {peer}"));
                if is_behind {
                    tracing::debug!("height {height}: {hash}, {transactions} transactions, {from}");
                } else {
                    tracing::info!("height {height}: {hash}, {transactions} transactions, {from}");
                }
                reorganisation(*reorganised);
            }
            Self::Mined { hash, height, is_tip: true } => tracing::info!("mined block {height}: {hash}"),
            Self::Mined { hash, height, is_tip: false } => {
                tracing::info!("mined block {height} too late, another was faster: {hash}");
            }
            Self::Syncing { height, target, eta_secs } => {
                let eta = eta_secs.map_or("no estimate yet".to_owned(), |secs| format!("about {secs} s to go"));
                tracing::info!("catching up: height {height} of {target}, {eta}");
            }
            Self::Synced { height } => tracing::info!("caught up at height {height}"),
            Self::OutOfReach { hash, horizon } => tracing::error!(
                "block {hash} of a peer is on a branch that leaves the chain below height {horizon}, where blocks were \
                 pruned: it cannot be followed; if that branch is the right one, begin anew in another data directory"
            ),
            Self::ClockSkew { ahead_secs } => tracing::warn!(
                "this machine's clock is {} s {} of its peers': set it, or blocks made here may be refused",
                ahead_secs.unsigned_abs(),
                if *ahead_secs < 0 { "behind" } else { "ahead" }
            ),
            Self::Disk { free_bytes, stops: false } => {
                tracing::warn!("the disk fills up: {} MiB are free", free_bytes >> 20);
            }
            Self::Disk { free_bytes, stops: true } => {
                tracing::error!("the disk is all but full, {} MiB are free: stopping", free_bytes >> 20);
            }
            Self::End { height, fault: None, .. } => tracing::info!("stopped at height {height}"),
            Self::End { height, fault: Some(fault), .. } => tracing::error!("stopped at height {height}: {fault}"),
        }
    }
}

/// Says that blocks left the chain; loudly if many did.
fn reorganisation(depth: usize) {
    match depth {
        0 => {}
        1..=DEEP_REORGANISATION => tracing::info!("reorganisation: {depth} blocks left the chain for it"),
        _ => tracing::error!(
            "ALARM: a reorganisation of {depth} blocks. Payments with fewer confirmations may be gone: see whether they \
             are in a block again before anything is handed out for them"
        ),
    }
}

/// Whom a ban keeps out, in words.
pub(crate) fn name_of(key: &BanKey) -> String {
    match key {
        BanKey::Address(address) => address.to_string(),
        BanKey::Identity(identity) => format!("key {}", hex::encode(identity.0)),
    }
}

fn time(unix: u64) -> String {
    let known = i64::try_from(unix).ok().and_then(|unix| jiff::Timestamp::from_second(unix).ok());
    known.map_or_else(|| format!("second {unix}"), |time| time.to_string())
}

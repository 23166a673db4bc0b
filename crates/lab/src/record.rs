//! What happened: the log, to the byte the same for the same seed, and the counts that the figures are made of.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use bloom_consensus::BlockHash;
use bloom_net::Fault;
use bloom_net::event::{BanKey, Report};

use crate::time::Moment;
use crate::traffic::Parcel;

/// A node has a new tip.
#[derive(Clone, Copy, Debug)]
pub struct NewTip {
    /// When.
    pub at: Moment,
    /// Which node.
    pub node: usize,
    /// Its tip.
    pub hash: BlockHash,
}

/// Everything that is counted.
#[derive(Default)]
pub struct Record {
    log: Option<Box<dyn Write>>,
    failed: Option<io::Error>,
    /// Where honest nodes are.
    pub honest: BTreeMap<IpAddr, usize>,
    /// Tips of honest nodes that nobody has looked at yet.
    pub tips: VecDeque<NewTip>,
    /// Things that happened in the world.
    pub events: u64,
    /// Times that honest nodes were woken.
    pub wakes: u64,
    /// Times that a node that was just woken wanted to be woken at once.
    pub eager_wakes: u64,
    /// Connections made.
    pub links: u64,
    /// How long honest nodes' ends of connections stood, summed.
    pub peer_time: Duration,
    /// Bytes that honest nodes sent, by kind, and received.
    pub sent: BTreeMap<&'static str, u64>,
    /// Bytes that honest nodes received.
    pub received: u64,
    /// Bans by honest nodes, by fault.
    pub bans: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes saw in anybody.
    pub faults: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes saw in honest ones.
    pub honest_faults: BTreeMap<&'static str, u64>,
    /// Bans of honest nodes by honest ones.
    pub honest_banned: u64,
}

impl Record {
    /// One that writes the log there.
    #[must_use]
    pub fn with_log(log: Option<Box<dyn Write>>) -> Self {
        Self { log, ..Self::default() }
    }

    /// Writes a line.
    pub fn say(&mut self, at: Moment, what: fmt::Arguments<'_>) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = writeln!(log, "{at} {what}") {
            self.failed = Some(error);
            self.log = None;
        }
    }

    /// Ends the log.
    ///
    /// # Errors
    /// Why it could not be written; it is not whole then.
    pub fn finish_log(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.log.take().map_or(Ok(()), |mut log| log.flush()),
        }
    }

    pub(crate) fn started(&mut self, at: Moment, node: usize) {
        self.say(at, format_args!("n{node} starts"));
    }

    pub(crate) fn stopped(&mut self, at: Moment, node: usize) {
        self.say(at, format_args!("n{node} stops"));
    }

    pub(crate) fn sent(&mut self, is_honest: bool, parcel: &Parcel, bytes: usize) {
        if is_honest {
            *self.sent.entry(parcel.label()).or_default() += bytes as u64;
        }
    }

    pub(crate) fn received(&mut self, is_honest: bool, bytes: usize) {
        if is_honest {
            self.received += bytes as u64;
        }
    }

    pub(crate) fn told(&mut self, at: Moment, node: usize, report: &Report, by_honest: bool) {
        match report {
            Report::Joined { peer, address, direction, height, .. } => {
                self.say(at, format_args!("n{node} joined {peer} {address} {direction:?} height {}", height.0));
            }
            Report::Left { peer, address, why } => self.say(at, format_args!("n{node} left {peer} {address}: {why}")),
            Report::Blamed { peer, address, fault, score } => {
                self.say(at, format_args!("n{node} blames {peer} {address}, {score} points: {fault}"));
                if by_honest {
                    *self.faults.entry(label(fault)).or_default() += 1;
                    if self.honest.contains_key(&address.ip()) {
                        *self.honest_faults.entry(label(fault)).or_default() += 1;
                    }
                }
            }
            Report::Banned { key, fault, .. } => {
                self.say(at, format_args!("n{node} bans {key:?}: {fault}"));
                if by_honest {
                    *self.bans.entry(label(fault)).or_default() += 1;
                    let is_honest = matches!(key, BanKey::Address(ip) if self.honest.contains_key(ip));
                    self.honest_banned += u64::from(is_honest);
                }
            }
            Report::Tip { hash, height, transactions, reorganised, .. } => {
                self.say(
                    at,
                    format_args!(
                        "n{node} tip {hash} height {} transactions {transactions} left {reorganised}",
                        height.0
                    ),
                );
            }
            Report::Syncing { height, target, .. } => {
                self.say(at, format_args!("n{node} catches up from {} to {}", height.0, target.0));
            }
            Report::Synced { height } => self.say(at, format_args!("n{node} has caught up at {}", height.0)),
            Report::OutOfReach { hash, .. } => self.say(at, format_args!("n{node} cannot follow {hash}")),
            Report::ClockSkew { ahead_secs } => self.say(at, format_args!("n{node} clock ahead by {ahead_secs} s")),
        }
    }
}

/// What a fault is called in a table.
fn label(fault: &Fault) -> &'static str {
    match fault {
        Fault::Malformed(_) => "malformed",
        Fault::FalseProof => "false proof",
        Fault::InvalidHeader(_) => "invalid header",
        Fault::Unconnected => "unconnected headers",
        Fault::InvalidBlock(_) => "invalid block",
        Fault::InvalidTransaction(_) => "invalid transaction",
        Fault::WrongAnswer => "wrong answer",
        Fault::Stalled => "stalled",
        Fault::Flood(_) => "flood",
        Fault::OutOfTurn => "out of turn",
    }
}

//! The world: nodes, the lines between them, and what happens next.
//!
//! It does for engines what the real adapter does: it makes and ends connections, carries messages, tells of answers that
//! do not come, checks proofs, keeps out who is barred, and wakes who wants to be woken. Nothing happens but at a moment
//! that was planned, so an idle node costs nothing.

mod carry;
mod dial;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bloom_consensus::{BlockHash, Timestamp, proof};
use bloom_kernel::{Backend, Solo};
use bloom_net::event::{Direction, Failure, RequestId};
use bloom_net::{Engine, Event, Now, PeerAddr};

use crate::actor::Actor;
use crate::dice::Dice;
use crate::link::{Link, Side, other, seen_inbound};
use crate::node::{Node, Plug};
use crate::record::Record;
use crate::terrain::Terrain;
use crate::time::{Agenda, Moment};
use crate::traffic::Parcel;

/// After this, who dialled gives up where nobody answers.
const DIAL_PATIENCE: Duration = Duration::from_secs(10);
/// Ways there and back until a connection stands: TCP, Noise, Yamux.
const HANDSHAKE_TRIPS: u32 = 3;
/// After this, both ends of a connection over a broken line know that it is broken.
const CUT_AFTER: Duration = Duration::from_secs(20);
/// Who asks to be woken at once is woken after this.
const WAKE_LEAST: Duration = Duration::from_millis(1);
/// A message takes up to so many percent longer than its line's latency.
const JITTER_PERCENT: u64 = 10;
/// What a round of an attempt costs, and the cores that batches are checked on.
const ROUND: Duration = Duration::from_nanos(100);
const PROVING_CORES: u32 = 4;

/// What whoever plays with a world has planned to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// A node starts, or comes back.
    Start(usize),
    /// It leaves, and comes back later.
    Leave(usize),
    /// A block is found.
    Block,
    /// Somebody pays.
    Payment,
    /// The network breaks.
    Break,
    /// It heals.
    Mend,
    /// The last block is found.
    Last,
    /// Somebody looks how far it is.
    Look,
}

/// What was planned.
#[derive(Debug)]
enum Due {
    /// Something from outside: [`World::run`] yields it.
    Outside(Cue),
    Wake(usize),
    /// A dial comes to an end.
    Dialled {
        from: (usize, u32),
        address: PeerAddr,
        to: Option<(usize, u32)>,
    },
    /// The last byte of something is before the receiver's line.
    Arrives {
        link: u64,
        side: Side,
        parcel: Parcel,
    },
    /// It is through the receiver's line.
    Delivered {
        link: u64,
        side: Side,
        parcel: Parcel,
    },
    /// An answer has not come in time.
    TimedOut {
        node: usize,
        life: u32,
        id: RequestId,
    },
    /// Something of a node's own.
    Own {
        node: usize,
        life: u32,
        event: Event,
    },
    /// A round trip was measured.
    Measured {
        link: u64,
        time: Duration,
    },
    /// A connection over a broken line ends.
    Cut {
        link: u64,
    },
}

/// Nodes in virtual time.
pub struct World {
    now: Moment,
    /// The true time at moment 0.
    epoch: Timestamp,
    terrain: Terrain,
    dice: Dice,
    agenda: Agenda<Due>,
    nodes: Vec<Node>,
    by_address: BTreeMap<PeerAddr, usize>,
    links: BTreeMap<u64, Link>,
    links_made: u64,
    is_split: bool,
    solo: Solo,
    /// Headers whose proof was found true, so that none is re-run for every node.
    proven: BTreeSet<BlockHash>,
    /// What happened.
    pub record: Record,
}

impl World {
    /// An empty one.
    #[must_use]
    pub fn new(terrain: Terrain, epoch: Timestamp, backend: Backend, seed: u64, record: Record) -> Self {
        Self {
            now: Moment(0),
            epoch,
            terrain,
            dice: Dice::new(seed, 1),
            agenda: Agenda::new(),
            nodes: Vec::new(),
            by_address: BTreeMap::new(),
            links: BTreeMap::new(),
            links_made: 0,
            is_split: false,
            solo: Solo::new(backend),
            proven: BTreeSet::new(),
            record,
        }
    }

    /// Puts a node there, which does not run yet. `is_honest`: what it does and suffers is counted.
    pub fn add(&mut self, actor: Box<dyn Actor>, address: PeerAddr, is_honest: bool, skew_secs: i64) -> usize {
        let number = self.nodes.len();
        self.nodes.push(Node::new(actor, address, is_honest, skew_secs));
        self.by_address.insert(address, number);
        if is_honest {
            self.record.honest.insert(address.ip(), number);
        }
        number
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether a node runs, and since when.
    #[must_use]
    pub fn runs_since(&self, node: usize) -> Option<Moment> {
        self.nodes.get(node)?.since
    }

    /// Whether a node's deeds count.
    #[must_use]
    pub fn is_honest(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.is_honest)
    }

    /// Plans something that [`World::run`] will yield.
    pub fn plan(&mut self, at: Moment, what: Cue) {
        self.agenda.plan(at, Due::Outside(what));
    }

    /// Goes on until something from outside is due, or to that time.
    pub fn run(&mut self, until: Moment) -> Option<Cue> {
        while let Some((at, due)) = self.agenda.next(until) {
            self.now = self.now.max(at);
            self.record.events += 1;
            match due {
                Due::Outside(what) => return Some(what),
                Due::Wake(node) => self.wake(node, at),
                Due::Dialled { from, address, to } => self.dialled(from, address, to),
                Due::Arrives { link, side, parcel } => self.arrives(link, side, parcel),
                Due::Delivered { link, side, parcel } => self.delivered(link, side, parcel),
                Due::TimedOut { node, life, id } => {
                    if self.life(node) == Some(life) {
                        self.fail(node, id, Failure::Timeout);
                    }
                }
                Due::Own { node, life, event } => {
                    if self.life(node) == Some(life) {
                        self.tell(node, event);
                    }
                }
                Due::Measured { link, time } => self.measured(link, time),
                Due::Cut { link } => {
                    for side in [0, 1] {
                        self.end(link, side);
                    }
                }
            }
        }
        self.now = self.now.max(until);
        None
    }

    /// Lets an engine do something of its own, such as take a block; its actions are done.
    pub fn with<T>(
        &mut self,
        node: usize,
        deed: impl FnOnce(&mut Engine, Now) -> (T, Vec<bloom_net::Action>),
    ) -> Option<T> {
        let now = self.time_of(node)?;
        let (result, actions) = deed(self.nodes.get_mut(node)?.actor.engine()?, now);
        self.perform(node, actions);
        self.schedule(node, false);
        Some(result)
    }

    /// Starts a node.
    pub fn start(&mut self, node: usize) {
        let at = self.now;
        let Some(found) = self.nodes.get_mut(node).filter(|found| found.since.is_none()) else { return };
        found.since = Some(at);
        found.life += 1;
        (found.up_free, found.down_free) = (at, at);
        let now = found.now(at, self.epoch);
        let actions = found.actor.start(now);
        self.record.started(at, node);
        self.perform(node, actions);
        self.schedule(node, false);
    }

    /// Ends a node as a process ends: its connections close.
    pub fn stop(&mut self, node: usize) {
        let Some(found) = self.nodes.get_mut(node).filter(|found| found.since.is_some()) else { return };
        found.since = None;
        found.wake = None;
        found.asked.clear();
        found.to_answer.clear();
        let plugs = std::mem::take(&mut found.plugs);
        found.actor.stop();
        for (link, side) in plugs.into_values() {
            self.send((link, side), Parcel::Close);
            self.unplug(link, side);
        }
        self.record.stopped(self.now, node);
    }

    /// Breaks all lines between nodes of the two sides.
    pub fn split(&mut self, cut_off: &BTreeSet<usize>) {
        self.is_split = true;
        for (number, node) in self.nodes.iter_mut().enumerate() {
            node.is_cut_off = cut_off.contains(&number);
        }
        let broken: Vec<u64> = self.links.iter().filter(|(_, link)| self.is_broken(link)).map(|(id, _)| *id).collect();
        for link in broken {
            self.agenda.plan(self.now.plus(CUT_AFTER), Due::Cut { link });
        }
        self.record.say(self.now, format_args!("the network breaks: {} nodes are cut off", cut_off.len()));
    }

    /// Mends them.
    pub fn heal(&mut self) {
        self.is_split = false;
        self.record.say(self.now, format_args!("the network heals"));
    }

    /// The engine of a node that runs.
    pub fn engine(&mut self, node: usize) -> Option<&mut Engine> {
        self.nodes.get_mut(node).filter(|node| node.since.is_some())?.actor.engine()
    }

    /// The nodes that a node is connected with, and who made the connections.
    #[must_use]
    pub fn connected(&self, node: usize) -> Vec<(usize, Direction)> {
        let plugs =
            self.nodes.get(node).map(|node| node.plugs.values().copied().collect::<Vec<_>>()).unwrap_or_default();
        let direction = |side| if side == 0 { Direction::Outbound } else { Direction::Inbound };
        let there = |(link, side): Plug| Some((self.links.get(&link)?.end(other(side)).node, direction(side)));
        plugs.into_iter().filter_map(there).collect()
    }

    /// Counts connections that still stand, at the end.
    pub fn close_books(&mut self) {
        let standing: Vec<(u64, Side)> = self
            .links
            .iter()
            .flat_map(|(id, link)| [0, 1].map(|side| (*id, side, link.end(side).is_open)))
            .filter_map(|(id, side, is_open)| is_open.then_some((id, side)))
            .collect();
        for (link, side) in standing {
            self.count_hours(link, side);
        }
    }

    fn life(&self, node: usize) -> Option<u32> {
        self.nodes.get(node).filter(|node| node.since.is_some()).map(|node| node.life)
    }

    /// What a node that runs takes for the time.
    pub(crate) fn time_of(&self, node: usize) -> Option<Now> {
        self.nodes.get(node).filter(|node| node.since.is_some()).map(|node| node.now(self.now, self.epoch))
    }
}

#[cfg(test)]
mod tests;

//! Engines wired to each other in virtual time, for tests: what one does another hears, a while later.
//!
//! A *puppet* is an end that a test speaks for: it returns hello by itself, keeps what it hears, and says what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::network::Params;
use bloom_consensus::{Block, OutputKey, Timestamp, Transaction, genesis, proof};
use bloom_kernel::{Backend, Batch, Solo};
use secp256k1::Keypair;

use crate::book::Book;
use crate::event::{Action, AnswerId, ConnId, Direction, Event, Failure, Identity, Now, Report, RequestId};
use crate::wire::{Hello, Note, Request, Response, WIRE_VERSION};
use crate::{Config, Engine, PeerAddr, PeerInfo};

/// The wall clock when virtual time begins.
pub(crate) const BEGIN: Timestamp = Timestamp(1_800_000_000);

/// One end of a connection: whose it is, and the other end.
#[derive(Clone, Copy, Debug)]
struct End {
    node: usize,
    other: ConnId,
}

enum Node {
    Engine(Box<Engine>),
    Puppet(Vec<Event>),
}

/// The key that a node proves to hold.
pub(crate) fn identity(node: usize) -> Identity {
    Identity([node as u8; 32])
}

/// A key that coins are paid to.
pub(crate) fn output_key(key: u8) -> OutputKey {
    OutputKey(keypair(key).x_only_public_key().0.to_byte_array())
}

/// Who may spend those.
pub(crate) fn keypair(key: u8) -> Keypair {
    Keypair::from_secret_bytes([key; 32]).unwrap()
}

/// Nodes and what is on its way between them.
pub(crate) struct Wire {
    nodes: Vec<(PeerAddr, Node)>,
    /// What each engine told.
    pub(crate) reports: Vec<Vec<Report>>,
    /// Every action with its time and its engine, as text.
    pub(crate) log: Vec<String>,
    pub(crate) now: Duration,
    /// How much later the wall clock of all is than time has passed.
    pub(crate) clock_ahead_secs: u64,
    /// One way.
    pub(crate) latency: Duration,
    queue: BTreeMap<(Duration, u64), (usize, Event)>,
    ends: BTreeMap<ConnId, End>,
    /// Requests that wait: who asked over which end what, by the number that its answerer knows it by.
    asked: BTreeMap<AnswerId, (ConnId, RequestId)>,
    cut: BTreeSet<(usize, usize)>,
    numbers: u64,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            reports: Vec::new(),
            log: Vec::new(),
            now: Duration::ZERO,
            clock_ahead_secs: 0,
            latency: Duration::from_millis(20),
            queue: BTreeMap::new(),
            ends: BTreeMap::new(),
            asked: BTreeMap::new(),
            cut: BTreeSet::new(),
            numbers: 0,
        }
    }

    /// An engine on an empty dev chain, in a network group of its own; it gives its number, from 0 on.
    pub(crate) fn engine(&mut self, config: Config) -> usize {
        let node = self.nodes.len();
        let options = Options { threads: 1, ..Options::default() };
        let chain = LiveChain::in_memory(&Params::dev(), options, MempoolLimits::default()).unwrap();
        let engine =
            Engine::new(chain, config, Book::new([node as u8; 32]), Vec::new(), Backend::detect(), node as u64);
        self.push(Node::Engine(Box::new(engine)))
    }

    pub(crate) fn puppet(&mut self) -> usize {
        self.push(Node::Puppet(Vec::new()))
    }

    /// Where a node is.
    pub(crate) fn address(&self, node: usize) -> PeerAddr {
        self.nodes[node].0
    }

    pub(crate) fn at(&self, node: usize) -> &Engine {
        match &self.nodes[node].1 {
            Node::Engine(engine) => engine,
            Node::Puppet(_) => panic!("{node} is a puppet"),
        }
    }

    pub(crate) fn at_mut(&mut self, node: usize) -> &mut Engine {
        match &mut self.nodes[node].1 {
            Node::Engine(engine) => engine,
            Node::Puppet(_) => panic!("{node} is a puppet"),
        }
    }

    pub(crate) fn clock(&self) -> Now {
        Now { elapsed: self.now, unix: Timestamp(BEGIN.0 + self.clock_ahead_secs + self.now.as_secs()) }
    }

    /// The peers of an engine.
    pub(crate) fn peers(&self, node: usize) -> Vec<PeerInfo> {
        self.at(node).peers(self.clock())
    }

    /// Has an engine seek another node for good, or a puppet connect to it and say hello.
    pub(crate) fn connect(&mut self, from: usize, to: usize) {
        if matches!(self.nodes[from].1, Node::Engine(_)) {
            let (address, now) = (self.address(to), self.clock());
            let (_, actions) = self.at_mut(from).add_peer(address, now);
            return self.perform(from, actions);
        }
        if let Some(id) = self.link(from, to) {
            let hello = self.hello(from);
            self.ask(id, Request::Hello(hello));
        }
    }

    /// A connection of a puppet over which nothing was said: the puppet's end of it.
    pub(crate) fn link(&mut self, from: usize, to: usize) -> Option<ConnId> {
        if self.cut.contains(&(from, to)) {
            return None;
        }
        let (a, b) = (ConnId(self.number()), ConnId(self.number()));
        self.ends.insert(a, End { node: from, other: b });
        self.ends.insert(b, End { node: to, other: a });
        for (id, node, other, direction) in [(a, from, to, Direction::Outbound), (b, to, from, Direction::Inbound)] {
            let (mut address, identity) = (self.address(other), identity(other));
            if direction == Direction::Inbound {
                address = address.with_port(40_000 + node as u16);
            }
            self.later(node, Event::Connected { peer: id, address, identity, direction });
            self.later(node, Event::RoundTrip { peer: id, time: self.latency * 2 });
        }
        Some(a)
    }

    /// The hello of a puppet, which has nothing but genesis.
    pub(crate) fn hello(&self, puppet: usize) -> Hello {
        let params = Params::dev();
        Hello {
            version: WIRE_VERSION,
            network_id: params.network_id,
            tip: params.genesis.hash(),
            height: bloom_consensus::Height::GENESIS,
            work: bloom_consensus::Work::ZERO.plus(params.genesis.header.template.difficulty),
            time: self.clock().unix,
            nonce: u64::MAX - puppet as u64,
            listen_port: 0,
            is_archive: true,
            agent: format!("puppet {puppet}"),
        }
    }

    /// A node's ends of its connections with another.
    pub(crate) fn between(&self, node: usize, other: usize) -> Vec<ConnId> {
        let is_between = |(id, end): (&ConnId, &End)| {
            (end.node == node && self.ends.get(&end.other).is_some_and(|end| end.node == other)).then_some(*id)
        };
        self.ends.iter().filter_map(is_between).collect()
    }

    /// A puppet says something over its end of a connection.
    pub(crate) fn say(&mut self, id: ConnId, note: Note) {
        if let Some((node, peer)) = self.other(id) {
            self.later(node, Event::Note { peer, note });
        }
    }

    /// A puppet asks something over its end of a connection.
    pub(crate) fn ask(&mut self, id: ConnId, request: Request) {
        let number = RequestId(self.number());
        self.carry_request(id, number, request, Duration::from_secs(60));
    }

    /// A puppet answers.
    pub(crate) fn answer(&mut self, answer: AnswerId, response: Response) {
        let Some((id, request)) = self.asked.remove(&answer) else { return };
        if let Some(end) = self.ends.get(&id).copied() {
            self.later(end.node, Event::Response { peer: id, id: request, response });
        }
    }

    /// A puppet hangs up.
    pub(crate) fn hang_up(&mut self, id: ConnId) {
        let Some(end) = self.ends.remove(&id) else { return };
        self.later(end.node, Event::Disconnected { peer: id });
        let other = self.ends.remove(&end.other);
        if let Some(other) = other {
            self.later(other.node, Event::Disconnected { peer: end.other });
        }
        let is_lost = |(answer, (by, request)): (&AnswerId, &(ConnId, RequestId))| {
            let node = if *by == id { end.node } else { other?.node };
            (*by == id || *by == end.other).then_some((*answer, node, *by, *request))
        };
        for (answer, node, peer, id) in self.asked.iter().filter_map(is_lost).collect::<Vec<_>>() {
            self.asked.remove(&answer);
            self.later(node, Event::Failed { peer, id, failure: Failure::Closed });
        }
    }

    /// What a puppet heard since this was last called.
    pub(crate) fn heard(&mut self, puppet: usize) -> Vec<Event> {
        match &mut self.nodes[puppet].1 {
            Node::Puppet(heard) => std::mem::take(heard),
            Node::Engine(_) => panic!("{puppet} is an engine"),
        }
    }

    /// Cuts two nodes off from each other, or lets them be connected again.
    pub(crate) fn cut(&mut self, a: usize, b: usize, is_cut: bool) {
        for pair in [(a, b), (b, a)] {
            if is_cut {
                self.cut.insert(pair)
            } else {
                self.cut.remove(&pair)
            };
        }
        if is_cut {
            self.between(a, b).into_iter().for_each(|id| self.hang_up(id));
        }
    }

    /// Mines a block on an engine's tip, with what waits there, and submits it.
    pub(crate) fn mine(&mut self, node: usize) -> Block {
        let now = self.clock();
        let engine = self.at_mut(node);
        let least = engine.chain().chain().template_facts().unwrap().min_timestamp;
        let key = output_key(1);
        let draft = engine.chain_mut().checked_draft(key, least.max(now.unix)).unwrap().draft;
        let block = genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect())));
        let (accepted, actions) = engine.submit_block(&block, now);
        accepted.unwrap();
        self.perform(node, actions);
        block
    }

    /// Submits a transaction at an engine.
    pub(crate) fn submit(&mut self, node: usize, transaction: Transaction) {
        let now = self.clock();
        let (admitted, actions) = self.at_mut(node).submit(transaction, now);
        admitted.unwrap();
        self.perform(node, actions);
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(time, |_| false);
        self.now = end;
    }

    /// Lets time pass until something holds, or so much has passed; says whether it holds.
    pub(crate) fn run_until(&mut self, most: Duration, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + most;
        let mut idle = 0;
        loop {
            if holds(self) {
                return true;
            }
            let wake = |(node, (_, kind)): (usize, &(PeerAddr, Node))| match kind {
                Node::Engine(engine) => engine.next_wake().map(|at| (at.max(self.now), node)),
                Node::Puppet(_) => None,
            };
            let wake = self.nodes.iter().enumerate().filter_map(wake).min();
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let (at, node) = match (wake, next) {
                (Some((at, node)), next) if next.is_none_or(|next| at < next) => (at, Some(node)),
                (_, Some(next)) => (next, None),
                (_, None) => return false,
            };
            if at > end {
                return false;
            }
            idle = if node.is_some() && at == self.now { idle + 1 } else { 0 };
            assert!(idle < 1_000, "engine {node:?} wants to be woken over and over at {at:?}");
            self.now = at;
            match node {
                Some(node) => self.deliver(node, Event::Wake),
                None => {
                    let Some((_, (node, event))) = self.queue.pop_first() else { return false };
                    self.deliver(node, event);
                }
            }
        }
    }

    fn push(&mut self, node: Node) -> usize {
        let number = self.nodes.len();
        let ip = IpAddr::V4(Ipv4Addr::new(20, number as u8, 0, 1));
        self.nodes.push((PeerAddr::new(ip, 7617), node));
        self.reports.push(Vec::new());
        number
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn other(&self, id: ConnId) -> Option<(usize, ConnId)> {
        let end = self.ends.get(&id)?;
        Some((self.ends.get(&end.other)?.node, end.other))
    }

    fn later(&mut self, node: usize, event: Event) {
        self.after(self.latency, node, event);
    }

    fn after(&mut self, time: Duration, node: usize, event: Event) {
        let key = (self.now + time, self.number());
        self.queue.insert(key, (node, event));
    }

    fn carry_request(&mut self, by: ConnId, id: RequestId, request: Request, timeout: Duration) {
        let Some(end) = self.ends.get(&by).copied() else { return };
        let Some((node, peer)) = self.other(by) else { return };
        let answer = AnswerId(self.number());
        self.asked.insert(answer, (by, id));
        self.later(node, Event::Request { peer, id: answer, request });
        self.after(timeout, end.node, Event::Failed { peer: by, id, failure: Failure::Timeout });
    }

    fn deliver(&mut self, node: usize, event: Event) {
        if let Event::Failed { peer, id, failure: Failure::Timeout } = &event {
            let before = self.asked.len();
            self.asked.retain(|_, asked| asked != &(*peer, *id));
            if self.asked.len() == before {
                return; // It was answered.
            }
        }
        let now = self.clock();
        match &mut self.nodes[node].1 {
            Node::Engine(engine) => {
                let actions = engine.handle(event, now);
                self.perform(node, actions);
            }
            Node::Puppet(heard) => match event {
                Event::Request { id, request: Request::Hello(_), .. } => {
                    let hello = self.hello(node);
                    self.answer(id, Response::Hello(hello));
                }
                event => heard.push(event),
            },
        }
    }

    fn perform(&mut self, node: usize, actions: Vec<Action>) {
        for action in actions {
            self.log.push(format!("{:?} {node} {action:?}", self.now));
            match action {
                Action::Dial { address } => {
                    let to = self.nodes.iter().position(|(at, _)| *at == address);
                    if to.is_none_or(|to| self.link(node, to).is_none()) {
                        self.later(node, Event::DialFailed { address });
                    }
                }
                Action::Disconnect { peer } => self.hang_up(peer),
                Action::Send { peer, note } => {
                    if let Some((node, peer)) = self.other(peer) {
                        let note = Arc::unwrap_or_clone(note);
                        self.later(node, Event::Note { peer, note });
                    }
                }
                Action::Ask { peer, id, request, timeout } => {
                    if self.other(peer).is_some() {
                        self.carry_request(peer, id, request, timeout);
                    } else {
                        self.later(node, Event::Failed { peer, id, failure: Failure::Closed });
                    }
                }
                Action::Answer { id, response, .. } => self.answer(id, response),
                Action::Prove { job, headers } => {
                    let mut solo = Solo::new(Backend::detect());
                    let first_false = headers.iter().position(|header| proof::verify(header, &mut solo).is_err());
                    self.later(node, Event::Proven { job, first_false });
                }
                Action::Bar { .. } => {}
                Action::Tell(report) => self.reports[node].push(report),
            }
        }
    }
}

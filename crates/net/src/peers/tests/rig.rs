//! One engine and a test that plays the rest of the world.

use std::time::Duration;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::network::Params;
use bloom_consensus::{Height, Timestamp, Work};
use bloom_kernel::Backend;

use crate::book::Book;
use crate::event::{Action, AnswerId, ConnId, Direction, Event, Identity, Now, Report, RequestId};
use crate::testing::BEGIN;
use crate::wire::{Hello, Note, Request, Response, WIRE_VERSION};
use crate::{Ban, Config, Engine, Fault, PeerAddr, PeerInfo};

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Rig {
    pub(super) engine: Engine,
    pub(super) now: Duration,
    /// All that it did.
    pub(super) actions: Vec<Action>,
    numbers: u64,
}

impl Rig {
    pub(super) fn new(config: Config) -> Self {
        Self::begun(config, Book::new([1; 32]), Vec::new(), 1)
    }

    pub(super) fn begun(config: Config, book: Book, bans: Vec<Ban>, seed: u64) -> Self {
        let options = Options { threads: 1, ..Options::default() };
        let chain = LiveChain::in_memory(&Params::dev(), options, MempoolLimits::default()).unwrap();
        let engine = Engine::new(chain, config, book, bans, Backend::detect(), seed);
        Self { engine, now: Duration::ZERO, actions: Vec::new(), numbers: 0 }
    }

    pub(super) fn clock(&self) -> Now {
        Now { elapsed: self.now, unix: Timestamp(BEGIN.0 + self.now.as_secs()) }
    }

    /// What it does about an event.
    pub(super) fn event(&mut self, event: Event) -> Vec<Action> {
        let actions = self.engine.handle(event, self.clock());
        self.actions.extend(actions.iter().cloned());
        actions
    }

    /// Lets time pass with the engine woken when it wants to be; what it does is kept.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Action> {
        let (end, from) = (self.now + time, self.actions.len());
        let mut wakes = 0;
        while let Some(wake) = self.engine.next_wake().filter(|wake| *wake <= end) {
            wakes = if wake > self.now { 0 } else { wakes + 1 };
            assert!(wakes < 100, "it wants to be woken over and over at {:?}", self.now);
            self.now = self.now.max(wake);
            self.event(Event::Wake);
        }
        self.now = end;
        self.actions[from..].to_vec()
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A connection from an address, whose key is of its own; nothing was said yet.
    pub(super) fn comes(&mut self, address: &str) -> ConnId {
        let number = self.number();
        self.comes_with(address, key(number))
    }

    pub(super) fn comes_with(&mut self, address: &str, identity: Identity) -> ConnId {
        let peer = ConnId(self.number());
        let address = address.parse().unwrap();
        self.event(Event::Connected { peer, address, identity, direction: Direction::Inbound });
        peer
    }

    /// It says hello.
    pub(super) fn greets(&mut self, peer: ConnId, change: impl FnOnce(&mut Hello)) -> Vec<Action> {
        let mut hello = hello(peer.0, self.clock().unix);
        change(&mut hello);
        self.asks(peer, Request::Hello(hello))
    }

    pub(super) fn asks(&mut self, peer: ConnId, request: Request) -> Vec<Action> {
        let id = AnswerId(self.number());
        self.event(Event::Request { peer, id, request })
    }

    pub(super) fn says(&mut self, peer: ConnId, note: Note) -> Vec<Action> {
        self.event(Event::Note { peer, note })
    }

    /// A peer that came from an address and was let in.
    pub(super) fn joins(&mut self, address: &str) -> ConnId {
        let peer = self.comes(address);
        self.greets(peer, |_| {});
        assert!(self.has(peer), "{address} was not let in");
        peer
    }

    /// A dial of the engine's comes to a connection.
    pub(super) fn answers_dial(&mut self, address: PeerAddr) -> (ConnId, Option<RequestId>) {
        let peer = ConnId(self.number());
        let identity = key(peer.0);
        let actions = self.event(Event::Connected { peer, address, identity, direction: Direction::Outbound });
        let asked = actions.iter().find_map(|action| match action {
            Action::Ask { id, request: Request::Hello(_), .. } => Some(*id),
            _ => None,
        });
        (peer, asked)
    }

    /// A dial of the engine's comes to a peer that returns hello.
    pub(super) fn welcomes(&mut self, address: PeerAddr, change: impl FnOnce(&mut Hello)) -> ConnId {
        let (peer, asked) = self.answers_dial(address);
        let mut hello = hello(peer.0, self.clock().unix);
        change(&mut hello);
        if let Some(id) = asked {
            self.event(Event::Response { peer, id, response: Response::Hello(hello) });
        }
        peer
    }

    /// Lets time pass in which every dial comes to a peer that returns hello, if it is one of those that answer.
    pub(super) fn live(&mut self, time: Duration, answers: impl Fn(&PeerAddr) -> bool) {
        let end = self.now + time;
        while self.now < end {
            for address in dials(&self.pass(SECOND / 4)) {
                if answers(&address) {
                    self.welcomes(address, |_| {});
                } else {
                    self.event(Event::DialFailed { address });
                }
            }
        }
    }

    pub(super) fn peers(&self) -> Vec<PeerInfo> {
        self.engine.peers(self.clock())
    }

    pub(super) fn has(&self, peer: ConnId) -> bool {
        self.peers().iter().any(|info| info.peer == peer)
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let fault = |action: &Action| match action {
            Action::Tell(Report::Blamed { fault, .. }) => Some(fault.clone()),
            _ => None,
        };
        self.actions.iter().filter_map(fault).collect()
    }
}

pub(super) fn key(number: u64) -> Identity {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Identity(bytes)
}

pub(super) fn hello(nonce: u64, time: Timestamp) -> Hello {
    let params = Params::dev();
    Hello {
        version: WIRE_VERSION,
        network_id: params.network_id,
        tip: params.genesis.hash(),
        height: Height::GENESIS,
        work: Work::ZERO.plus(params.genesis.header.template.difficulty),
        time,
        nonce,
        listen_port: 0,
        is_archive: true,
        agent: "a test".to_owned(),
    }
}

pub(super) fn dials(actions: &[Action]) -> Vec<PeerAddr> {
    let dialled = |action: &Action| match action {
        Action::Dial { address } => Some(*address),
        _ => None,
    };
    actions.iter().filter_map(dialled).collect()
}

pub(super) fn disconnects(actions: &[Action]) -> Vec<ConnId> {
    let ended = |action: &Action| match action {
        Action::Disconnect { peer } => Some(*peer),
        _ => None,
    };
    actions.iter().filter_map(ended).collect()
}

/// What an engine answered.
pub(super) fn answer(actions: &[Action]) -> Option<&Response> {
    actions.iter().find_map(|action| match action {
        Action::Answer { response, .. } => Some(response),
        _ => None,
    })
}

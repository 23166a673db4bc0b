//! Nodes without an engine, which say just enough to be taken for peers: bystanders, and an attacker's many addresses.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bloom_consensus::{Height, Params, Timestamp};
use bloom_net::event::Direction;
use bloom_net::wire::{Hello, KnownAddress, MAX_ADDRESSES, MAX_ADDRESSES_TOLD, Note, Request, Response, WIRE_VERSION};
use bloom_net::{Action, Engine, Event, Now, PeerAddr};

use crate::actor::Actor;
use crate::dice::Dice;
use crate::terrain::PORT;

/// Notes of addresses that an attacker sends at once to whom it has reached: within what a node listens to.
const FLOOD_NOTES: usize = 30;

/// Whose string it hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// It takes connections, and tells of others like it when asked.
    Bystander,
    /// It tells of the attacker's addresses, asked or not, and comes again and again.
    Attacker,
}

/// A node without an engine.
pub(crate) struct Puppet {
    hand: Hand,
    hello: Hello,
    /// What it tells of.
    tells: Rc<Vec<PeerAddr>>,
    /// Whom it dials, how often, and when next.
    whom: Option<PeerAddr>,
    every: Duration,
    next: Option<Duration>,
    dice: Dice,
    now: Now,
}

impl Puppet {
    /// One that dials nobody.
    pub(crate) fn new(hand: Hand, params: &Params, tells: Rc<Vec<PeerAddr>>, mut dice: Dice) -> Self {
        let genesis = &params.genesis;
        let hello = Hello {
            version: WIRE_VERSION,
            network_id: params.network_id,
            tip: genesis.hash(),
            height: Height::GENESIS,
            work: bloom_consensus::ticket::work(genesis.header.template.difficulty),
            time: Timestamp(0),
            nonce: dice.any(),
            listen_port: PORT,
            is_archive: true,
            agent: "bloom/0.1.0".to_owned(),
        };
        let (whom, next, every) = (None, None, Duration::ZERO);
        Self { hand, hello, tells, whom, every, next, dice, now: Now::default() }
    }

    /// The same, that dials somebody after a while and again and again.
    pub(crate) fn dialling(mut self, whom: PeerAddr, from: Duration, every: Duration) -> Self {
        (self.whom, self.every) = (Some(whom), every);
        self.next = Some(from + Duration::from_secs(self.dice.below(every.as_secs().max(1))));
        self
    }

    fn hello(&self) -> Hello {
        Hello { time: self.now.unix, ..self.hello.clone() }
    }

    /// Some of those that it tells of, all seen just now.
    fn some(&mut self, most: usize) -> Vec<KnownAddress> {
        let first = self.dice.index(self.tells.len());
        let seen = self.now.unix;
        let known = |address: &PeerAddr| KnownAddress { address: *address, seen };
        self.tells.iter().cycle().skip(first).take(most.min(self.tells.len())).map(known).collect()
    }
}

impl Actor for Puppet {
    fn start(&mut self, now: Now) -> Vec<Action> {
        self.now = now;
        Vec::new()
    }

    fn stop(&mut self) {
        self.next = None;
    }

    fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Wake => {
                self.next = self.next.map(|next| next + self.every);
                self.whom.map(|address| Action::Dial { address }).into_iter().collect()
            }
            Event::Connected { peer, direction: Direction::Outbound, .. } => {
                let request = Request::Hello(self.hello());
                let id = bloom_net::event::RequestId(self.dice.any());
                vec![Action::Ask { peer, id, request, timeout: Duration::from_secs(10) }]
            }
            Event::Response { peer, response: Response::Hello(_), .. } if self.hand == Hand::Attacker => {
                let note = |note| Action::Send { peer, note: Arc::new(note) };
                (0..FLOOD_NOTES).map(|_| note(Note::Addresses(self.some(MAX_ADDRESSES_TOLD)))).collect()
            }
            Event::Request { peer, id, request } => {
                let response = match request {
                    Request::Hello(_) => Response::Hello(self.hello()),
                    Request::Addresses => Response::Addresses(self.some(MAX_ADDRESSES)),
                    Request::Headers { .. } => Response::Headers(Vec::new()),
                    _ => Response::NotFound,
                };
                vec![Action::Answer { peer, id, response }]
            }
            _ => Vec::new(),
        }
    }

    fn next_wake(&self) -> Option<Duration> {
        self.next
    }

    fn engine(&mut self) -> Option<&mut Engine> {
        None
    }
}

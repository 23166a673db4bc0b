//! A million headers that are cheap to make.

use std::time::Duration;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::Header;
use bloom_kernel::Backend;

use super::cast::{Cast, DEV, Manner, beginning, forged, long};
use super::{cut, huge};
use crate::book::Book;
use crate::event::{Action, ConnId, Direction, Event, Now, RequestId};
use crate::sync::tree::Bounds;
use crate::testing::{BEGIN, Wire, identity};
use crate::wire::{MAX_HEADERS, Request, Response};
use crate::{Config, Engine, Fault};

#[test]
fn what_follows_a_false_proof_is_dropped_and_no_more_than_a_slice_is_checked() {
    let mut cast = Cast::new(&beginning());
    let liar = cast.join(cut(&long(), 500), Manner::FalseProofs(70));
    assert!(cast.until(5, |cast| !cast.is_connected(liar)));
    assert_eq!(cast.faults(liar), [Fault::FalseProof]);
    let engine = cast.engine;
    let jobs = cast.wire.log.iter().filter(|line| line.contains(" Prove ")).count();
    assert_eq!(jobs, 2, "64 that are true, then 64 of which the sixth is false");
    assert!(cast.wire.at_mut(engine).parts().1.tree.len() <= 69);
}

/// Plays all peers of an engine and says that every proof is true.
struct Flood {
    engine: Engine,
    now: Now,
    sent: usize,
    peers: u64,
    let_go: usize,
}

impl Flood {
    /// One peer sends headers for as long as it is asked for them.
    fn pour(&mut self, wire: &Wire) {
        self.peers += 1;
        let peer = ConnId(self.peers);
        let address = wire.address(0).with_port(u16::try_from(self.peers).unwrap());
        let direction = Direction::Inbound;
        let mut hello = wire.hello(0);
        (hello.work, hello.nonce) = (huge(), self.peers);
        let mut events = vec![
            Event::Connected { peer, address, identity: identity(9), direction },
            Event::Request { peer, id: crate::event::AnswerId(self.peers), request: Request::Hello(hello) },
        ];
        let mut last = DEV.genesis.header;
        for _ in 0..10_000 {
            self.now.elapsed += Duration::from_millis(200);
            if events.is_empty() {
                events.push(Event::Wake);
            }
            let actions: Vec<_> =
                std::mem::take(&mut events).into_iter().flat_map(|event| self.engine.handle(event, self.now)).collect();
            for action in actions {
                match action {
                    Action::Ask { peer: asked, id, request: Request::Headers { .. }, .. } if asked == peer => {
                        events.push(self.headers(peer, id, &mut last));
                    }
                    Action::Prove { job, .. } => events.push(Event::Proven { job, first_false: None }),
                    Action::Disconnect { peer: gone } if gone == peer => {
                        self.let_go += 1;
                        self.engine.handle(Event::Disconnected { peer }, self.now);
                        return;
                    }
                    _ => {}
                }
            }
            let catch_up = self.engine.parts().1;
            if events.is_empty() && catch_up.sources.values().all(|source| !source.is_busy() && !source.has_more) {
                return;
            }
        }
        panic!("it is asked for more and more");
    }

    fn headers(&mut self, peer: ConnId, id: RequestId, last: &mut Header) -> Event {
        let mut headers = Vec::with_capacity(MAX_HEADERS);
        for _ in 0..MAX_HEADERS {
            *last = forged(last, self.peers);
            headers.push(*last);
        }
        self.sent += headers.len();
        Event::Response { peer, id, response: Response::Headers(headers) }
    }
}

/// Their proofs are said to be true here: what is left is that they have no more work than the chain.
#[test]
fn a_flood_of_headers_without_enough_work_is_bounded_for_a_peer_and_in_all() {
    let mut wire = Wire::new();
    wire.puppet();
    let mut chain = LiveChain::in_memory(&DEV, Options::default(), MempoolLimits::default()).unwrap();
    for block in long() {
        chain.accept(&block, 0, BEGIN).unwrap();
    }
    let book = Book::new([0; 32]);
    let engine = Engine::new(chain, Config::default(), book, Vec::new(), Backend::detect(), 1);
    let now = Now { elapsed: Duration::ZERO, unix: BEGIN };
    let mut flood = Flood { engine, now, sent: 0, peers: 0, let_go: 0 };
    let bounds = Bounds { of_peer: 300, in_all: 1_000, ..Bounds::default() };
    flood.engine.parts().1.tree.bounds = bounds;
    while flood.sent < 100_000 {
        flood.pour(&wire);
        let kept = flood.engine.parts().1.tree.len();
        assert!(kept <= bounds.in_all, "{kept} headers are kept");
    }
    assert_eq!(flood.let_go as u64, flood.peers, "each is let go when it has filled its room");
}

//! What two transports say to each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bloom_consensus::{NetworkId, Wtxid};

use super::{Node, hello};
use crate::event::{Action, AnswerId, BanKey, ConnId, Direction, Event, Failure, RequestId};
use crate::transport::gate::unix_now;
use crate::wire::{Goodbye, Note, Request, Response};

const SOON: Duration = Duration::from_secs(20);

fn ask(node: &Node, peer: ConnId, id: u64, request: Request, timeout: Duration) {
    node.transport.perform(Action::Ask { peer, id: RequestId(id), request, timeout });
}

fn tell(node: &Node, peer: ConnId, note: Note) {
    node.transport.perform(Action::Send { peer, note: Arc::new(note) });
}

fn asked(node: &Node) -> (ConnId, AnswerId, Request) {
    node.wait(|event| match event {
        Event::Request { peer, id, request } => Some((peer, id, request)),
        _ => None,
    })
}

fn outcome(node: &Node) -> (ConnId, RequestId, Result<Response, Failure>) {
    node.wait(|event| match event {
        Event::Response { peer, id, response } => Some((peer, id, Ok(response))),
        Event::Failed { peer, id, failure } => Some((peer, id, Err(failure))),
        _ => None,
    })
}

fn noted(node: &Node) -> Note {
    node.wait(|event| match event {
        Event::Note { note, .. } => Some(note),
        _ => None,
    })
}

#[test]
fn a_request_is_answered() {
    let (a, b) = (Node::plain(), Node::plain());
    let (to_b, to_a) = a.dial(&b);
    ask(&a, to_b, 1, Request::Hello(hello(5)), SOON);
    let (peer, id, request) = asked(&b);
    assert_eq!((peer, request), (to_a, Request::Hello(hello(5))));
    b.transport.perform(Action::Answer { peer, id, response: Response::Hello(hello(6)) });
    assert_eq!(outcome(&a), (to_b, RequestId(1), Ok(Response::Hello(hello(6)))));
    ask(&b, to_a, 1, Request::Addresses, SOON);
    let (peer, id, request) = asked(&a);
    assert_eq!((peer, request), (to_b, Request::Addresses));
    a.transport.perform(Action::Answer { peer, id, response: Response::NotFound });
    assert_eq!(outcome(&b), (to_a, RequestId(1), Ok(Response::NotFound)));
}

#[test]
fn notes_arrive_with_their_sender() {
    let (a, b) = (Node::plain(), Node::plain());
    let (to_b, to_a) = a.dial(&b);
    let ids = Note::Transactions((0..100).map(|i| Wtxid([i; 32])).collect());
    tell(&a, to_b, ids.clone());
    assert_eq!(noted(&b), ids);
    tell(&b, to_a, Note::PushBlocks(true));
    assert_eq!(noted(&a), Note::PushBlocks(true));
}

/// More notes than a connection has streams, and more requests: none is lost.
#[test]
fn what_exceeds_the_streams_waits_for_one() {
    let (a, b) = (Node::plain(), Node::plain());
    let (to_b, _) = a.dial(&b);
    for i in 0..200 {
        tell(&a, to_b, Note::Transactions(vec![Wtxid([i; 32])]));
        ask(&a, to_b, u64::from(i), Request::Addresses, SOON);
    }
    let (mut notes, mut requests) = (0, 0);
    b.wait(|event| {
        match event {
            Event::Note { .. } => notes += 1,
            Event::Request { peer, id, .. } => {
                b.transport.perform(Action::Answer { peer, id, response: Response::Busy });
                requests += 1;
            }
            _ => {}
        }
        ((notes, requests) == (200, 200)).then_some(())
    });
    let mut answers = 0;
    a.wait(|event| {
        assert!(!matches!(event, Event::Failed { .. }));
        answers += usize::from(matches!(event, Event::Response { .. }));
        (answers == 200).then_some(())
    });
}

/// More than a connection may bring that is of no message.
#[test]
fn much_that_is_of_use_is_no_flood() {
    let (a, b) = (Node::plain(), Node::plain());
    let (to_b, _) = a.dial(&b);
    let ids = Note::Transactions(vec![Wtxid([1; 32]); 1_000]);
    for _ in 0..300 {
        tell(&a, to_b, ids.clone());
    }
    for _ in 0..300 {
        assert_eq!(noted(&b), ids);
    }
    let read = b.transport.traffic().first().expect("the connection stands").1;
    assert!(read > 8 * 1024 * 1024, "{read}");
}

#[test]
fn a_connection_is_told_to_both_ends_with_its_maker_and_key() {
    let (a, b) = (Node::plain(), Node::plain());
    a.transport.perform(Action::Dial { address: b.address() });
    let seen = |node: &Node| {
        node.wait(|event| match event {
            Event::Connected { peer, address, identity, direction } => Some((peer, address, identity, direction)),
            _ => None,
        })
    };
    let (at_a, at_b) = (seen(&a), seen(&b));
    assert_eq!((at_a.1, at_a.3), (b.address(), Direction::Outbound));
    assert_eq!((at_b.1.ip(), at_b.3), (a.address().ip(), Direction::Inbound));
    assert_ne!(at_a.2, at_b.2);
    let traffic = a.transport.traffic();
    assert!(traffic.iter().any(|(peer, read, written)| *peer == at_a.0 && *read > 0 && *written > 0), "{traffic:?}");
    b.transport.perform(Action::Disconnect { peer: at_b.0 });
    a.disconnected(at_a.0);
    b.disconnected(at_b.0);
    assert!(a.transport.traffic().is_empty());
}

/// The hello of another network gets its goodbye, though the connection ends with it; other streams have other names.
#[test]
fn a_peer_of_another_network_is_told_so_and_left() {
    let (a, b) = (Node::plain(), Node::new(|config| config.magic = *b"else"));
    let (to_b, to_a) = a.dial(&b);
    ask(&a, to_b, 1, Request::Addresses, SOON);
    assert_eq!(outcome(&a), (to_b, RequestId(1), Err(Failure::Closed)));
    ask(&a, to_b, 2, Request::Hello(hello(1)), SOON);
    let (peer, id, _) = asked(&b);
    let goodbye = Response::Goodbye(Goodbye::OtherNetwork(NetworkId([9; 32])));
    b.transport.perform(Action::Answer { peer, id, response: goodbye.clone() });
    b.transport.perform(Action::Disconnect { peer });
    assert_eq!(outcome(&a), (to_b, RequestId(2), Ok(goodbye)));
    a.disconnected(to_b);
    b.disconnected(to_a);
}

#[test]
fn each_request_comes_to_one_thing() {
    let (a, b) = (Node::plain(), Node::plain());
    let (to_b, to_a) = a.dial(&b);
    ask(&a, to_b, 1, Request::Addresses, Duration::from_millis(100));
    let (peer, late, _) = asked(&b);
    assert_eq!(outcome(&a), (to_b, RequestId(1), Err(Failure::Timeout)));
    b.transport.perform(Action::Answer { peer, id: late, response: Response::Busy });
    for id in 2..40 {
        ask(&a, to_b, id, Request::Addresses, SOON);
    }
    b.transport.perform(Action::Disconnect { peer: to_a });
    for _ in 2..40 {
        assert_eq!(outcome(&a).2, Err(Failure::Closed));
    }
    a.disconnected(to_b);
    ask(&a, to_b, 40, Request::Addresses, SOON);
    assert_eq!(outcome(&a), (to_b, RequestId(40), Err(Failure::Closed)));
}

#[test]
fn a_dial_that_comes_to_nothing_is_told() {
    let a = Node::plain();
    let gone = Node::plain().address();
    a.transport.perform(Action::Dial { address: gone });
    let failed = |event| match event {
        Event::DialFailed { address } => Some(address),
        _ => None,
    };
    assert_eq!(a.wait(failed), gone);
    a.transport.perform(Action::Dial { address: a.address() });
    assert_eq!(a.wait(failed), a.address(), "nobody is connected to himself");
}

#[test]
fn who_is_barred_is_neither_let_in_nor_dialled() {
    let (a, b) = (Node::plain(), Node::plain());
    let until = |secs| bloom_consensus::Timestamp(unix_now().0 + secs);
    let identity = {
        a.dial(&b);
        crate::transport::names::identity(&a.key.public().to_peer_id())
    };
    b.transport.perform(Action::Bar { key: BanKey::Identity(identity), until: until(600) });
    let dial_fails = |from: &Node, to: &Node| {
        from.transport.perform(Action::Dial { address: to.address() });
        from.wait(|event| match event {
            Event::DialFailed { .. } => Some(true),
            // The other end knows the key when the handshake is done, and this one is done first.
            Event::Disconnected { .. } => Some(true),
            Event::Connected { .. } => None,
            _ => None,
        })
    };
    assert!(dial_fails(&a, &b));
    b.transport.perform(Action::Bar { key: BanKey::Identity(identity), until: until(0) });
    let c = Node::plain();
    let key = BanKey::Address(a.address().ip());
    c.transport.perform(Action::Bar { key, until: until(600) });
    assert!(dial_fails(&a, &c));
    assert!(dial_fails(&c, &a), "the loopback is barred: not even dialled");
    c.transport.perform(Action::Bar { key, until: until(0) });
    c.transport.perform(Action::Dial { address: a.address() });
    c.connected();
}

#[test]
fn it_stops_at_once_and_its_peers_hear_of_it() {
    let (a, b) = (Node::plain(), Node::plain());
    let (to_b, _) = a.dial(&b);
    let before = Instant::now();
    b.transport.stop();
    let stopped_in = before.elapsed();
    a.disconnected(to_b);
    assert!(stopped_in < Duration::from_secs(5), "it took {stopped_in:?}");
}

#[test]
fn a_port_that_is_taken_is_refused_with_what_to_do() {
    let a = Node::plain();
    let mut config = super::TransportConfig::new(super::Keypair::generate_ed25519(), super::MAGIC);
    config.listen = vec![a.address()];
    let (sink, _events) = crossbeam_channel::unbounded();
    let error = super::start(&config, sink).err().expect("two nodes share no port");
    assert!(error.to_string().contains("--listen"), "{error}");
    assert!(error.to_string().contains(&a.address().to_string()), "{error}");
}

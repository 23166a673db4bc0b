//! Hello, and what comes of it.

use std::time::Duration;

use bloom_consensus::NetworkId;

use super::rig::{Rig, dials};
use crate::event::{BanKey, Event, Report};
use crate::testing::{Wire, identity};
use crate::wire::{Goodbye, Hello, Note, Request, Response};
use crate::{Config, Fault};

const SECOND: Duration = Duration::from_secs(1);

fn is_joined(wire: &Wire, node: usize) -> bool {
    wire.peers(node).len() == 1
}

fn goodbye(events: &[Event]) -> Option<Goodbye> {
    events.iter().find_map(|event| match event {
        Event::Response { response: Response::Goodbye(goodbye), .. } => Some(*goodbye),
        _ => None,
    })
}

fn faults(wire: &Wire, node: usize) -> Vec<Fault> {
    let fault = |report: &Report| match report {
        Report::Blamed { fault, .. } => Some(fault.clone()),
        _ => None,
    };
    wire.reports[node].iter().filter_map(fault).collect()
}

/// A puppet that said this hello to an engine: what it heard within 5 s.
fn said(change: impl FnOnce(&mut Hello)) -> (Wire, usize, usize) {
    let mut wire = Wire::new();
    let (node, puppet) = (wire.engine(Config::default()), wire.puppet());
    let id = wire.link(puppet, node).unwrap();
    let mut hello = wire.hello(puppet);
    change(&mut hello);
    wire.ask(id, Request::Hello(hello));
    wire.run(SECOND);
    (wire, node, puppet)
}

#[test]
fn hellos_are_exchanged_and_both_know_each_other() {
    let mut wire = Wire::new();
    let (a, b) = (wire.engine(Config::default()), wire.engine(Config::default()));
    wire.connect(a, b);
    wire.run(SECOND);
    for (node, other) in [(a, b), (b, a)] {
        let peers = wire.peers(node);
        assert_eq!(peers.len(), 1);
        assert_eq!(peers[0].identity, identity(other));
        assert_eq!(peers[0].agent, Config::default().agent);
        assert_eq!(peers[0].round_trip, Some(wire.latency * 2));
        assert!(matches!(wire.reports[node][..], [Report::Joined { .. }]), "{:?}", wire.reports[node]);
    }
    assert_eq!((wire.at(a).status().outbound, wire.at(b).status().inbound), (1, 1));
    assert!(faults(&wire, a).is_empty() && faults(&wire, b).is_empty());
}

#[test]
fn a_peer_of_another_network_is_told_and_left() {
    let (mut wire, node, puppet) = said(|hello| hello.network_id = NetworkId([7; 32]));
    let network_id = wire.at(node).chain().chain().params().network_id;
    assert_eq!(goodbye(&wire.heard(puppet)), Some(Goodbye::OtherNetwork(network_id)));
    assert!(wire.peers(node).is_empty());
    wire.run(5 * SECOND);
    assert!(wire.between(node, puppet).is_empty(), "who does not leave is left");
    assert!(faults(&wire, node).is_empty());
}

#[test]
fn a_version_that_is_not_spoken_is_told_and_left() {
    let (mut wire, _, puppet) = said(|hello| hello.version = 0);
    assert_eq!(goodbye(&wire.heard(puppet)), Some(Goodbye::Version(1)));
    let (wire, node, _) = said(|hello| hello.version = 2);
    assert!(is_joined(&wire, node), "a later version speaks the earlier ones");
}

#[test]
fn a_node_that_dials_itself_notices_and_rests() {
    let mut wire = Wire::new();
    let node = wire.engine(Config::default());
    wire.connect(node, node);
    wire.run(600 * SECOND);
    assert!(wire.peers(node).is_empty());
    assert_eq!(wire.log.iter().filter(|line| line.contains("Dial")).count(), 1);
}

/// Whoever sits at an address that was given may say anything: it is put off, never given up.
#[test]
fn an_address_that_was_given_is_sought_again_whatever_goodbye_it_says() {
    for goodbye in [Goodbye::Myself, Goodbye::Banned, Goodbye::Version(9)] {
        let address = "20.1.0.1:7617".parse().unwrap();
        let mut rig = Rig::new(Config { added: vec![address], ..Config::default() });
        assert_eq!(dials(&rig.pass(SECOND)), [address]);
        let (peer, asked) = rig.answers_dial(address);
        rig.event(Event::Response { peer, id: asked.unwrap(), response: Response::Goodbye(goodbye) });
        assert!(dials(&rig.pass(590 * SECOND)).is_empty(), "{goodbye:?}");
        assert_eq!(dials(&rig.pass(20 * SECOND)), [address], "{goodbye:?}");
        assert_eq!(rig.engine.given(), [address], "{goodbye:?}");
    }
}

#[test]
fn who_does_not_say_hello_within_ten_seconds_is_left() {
    let mut wire = Wire::new();
    let (node, puppet) = (wire.engine(Config::default()), wire.puppet());
    wire.link(puppet, node).unwrap();
    wire.run(9 * SECOND);
    assert_eq!(wire.between(node, puppet).len(), 1);
    wire.run(2 * SECOND);
    assert!(wire.between(node, puppet).is_empty());
    assert!(wire.reports[node].is_empty(), "it was never a peer");
}

#[test]
fn anything_before_hello_is_a_fault_and_not_looked_at() {
    let mut wire = Wire::new();
    let (node, puppet) = (wire.engine(Config::default()), wire.puppet());
    let id = wire.link(puppet, node).unwrap();
    wire.ask(id, Request::Addresses);
    wire.say(id, Note::PushBlocks(true));
    wire.run(SECOND);
    assert_eq!(faults(&wire, node), [Fault::OutOfTurn, Fault::OutOfTurn]);
    assert!(wire.heard(puppet).iter().all(|event| !matches!(event, Event::Response { .. })));
    for _ in 0..3 {
        wire.say(id, Note::PushBlocks(true));
    }
    wire.run(SECOND);
    assert!(wire.between(node, puppet).is_empty());
    assert!(wire.at(node).bans().iter().any(|ban| ban.key == BanKey::of(wire.address(puppet).ip())));
}

#[test]
fn hello_twice_is_a_fault() {
    let (mut wire, node, puppet) = said(|_| {});
    let id = wire.between(puppet, node)[0];
    let hello = wire.hello(puppet);
    wire.ask(id, Request::Hello(hello));
    wire.run(SECOND);
    assert_eq!(faults(&wire, node), [Fault::OutOfTurn]);
    assert!(is_joined(&wire, node));
}

#[test]
fn what_overtakes_a_hello_is_heard_after_it() {
    let mut wire = Wire::new();
    let (node, puppet) = (wire.engine(Config::default()), wire.puppet());
    wire.connect(node, puppet);
    wire.run_until(SECOND, |wire| !wire.between(puppet, node).is_empty());
    let id = wire.between(puppet, node)[0];
    wire.run(wire.latency);
    wire.ask(id, Request::Addresses);
    wire.run(SECOND);
    assert!(is_joined(&wire, node) && faults(&wire, node).is_empty());
    assert!(wire.heard(puppet).iter().any(|event| matches!(event, Event::Response { .. })), "it is answered");
}

#[test]
fn two_that_dial_each_other_at_once_keep_the_same_connection() {
    let mut wire = Wire::new();
    let (a, b) = (wire.engine(Config::default()), wire.engine(Config::default()));
    wire.connect(a, b);
    wire.connect(b, a);
    wire.run(60 * SECOND);
    assert!(is_joined(&wire, a) && is_joined(&wire, b));
    assert_eq!(wire.between(a, b).len(), 1, "and no other");
    let joined = wire.log.iter().filter(|line| line.contains("Joined")).count();
    assert!(joined <= 4, "nothing flaps: {joined}");
    assert!(faults(&wire, a).is_empty() && faults(&wire, b).is_empty());
}

#[test]
fn who_was_begun_anew_replaces_its_dead_connection() {
    let (mut wire, node, puppet) = said(|_| {});
    let id = wire.link(puppet, node).unwrap();
    let mut hello = wire.hello(puppet);
    hello.nonce = 5;
    wire.ask(id, Request::Hello(hello));
    wire.run(SECOND);
    assert!(is_joined(&wire, node));
    assert_eq!(wire.between(puppet, node), [id]);
}

#[test]
fn a_second_connection_of_the_same_process_is_refused() {
    let (mut wire, node, puppet) = said(|_| {});
    let first = wire.between(puppet, node)[0];
    wire.connect(puppet, node);
    wire.run(5 * SECOND);
    assert_eq!(goodbye(&wire.heard(puppet)), Some(Goodbye::Full));
    assert_eq!(wire.between(puppet, node), [first]);
}

#[test]
fn all_peers_lost_and_back() {
    let mut wire = Wire::new();
    let nodes: Vec<_> = (0..3).map(|_| wire.engine(Config::default())).collect();
    wire.connect(nodes[0], nodes[1]);
    wire.connect(nodes[2], nodes[0]);
    wire.run(10 * SECOND);
    for other in [1, 2] {
        wire.cut(nodes[0], nodes[other], true);
    }
    wire.run(3_600 * SECOND);
    assert!(wire.peers(0).is_empty());
    for other in [1, 2] {
        wire.cut(nodes[0], nodes[other], false);
    }
    wire.run(9 * SECOND);
    assert_eq!(wire.peers(0).len(), 2);
}

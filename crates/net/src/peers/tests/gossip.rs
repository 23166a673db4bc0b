//! Addresses heard, kept and told.

use std::net::Ipv4Addr;

use super::rig::{Rig, SECOND, answer, dials};
use crate::event::{Action, ConnId, Event};
use crate::testing::BEGIN;
use crate::wire::{KnownAddress, MAX_ADDRESSES, Note, Request, Response};
use crate::{Config, Fault, PeerAddr};

fn known(n: u32) -> KnownAddress {
    let ip = Ipv4Addr::from_bits((30 << 24) + n.wrapping_mul(65_537) % (1 << 26));
    KnownAddress { address: PeerAddr::new(ip.into(), 7617), seen: BEGIN }
}

/// To whom these actions tell which addresses.
fn told(actions: &[Action]) -> Vec<(ConnId, Vec<KnownAddress>)> {
    let told = |action: &Action| match action {
        Action::Send { peer, note } => match &**note {
            Note::Addresses(addresses) => Some((*peer, addresses.clone())),
            _ => None,
        },
        _ => None,
    };
    actions.iter().filter_map(told).collect()
}

fn asked(rig: &mut Rig, peer: ConnId) -> Vec<KnownAddress> {
    let actions = rig.asks(peer, Request::Addresses);
    let Some(Response::Addresses(addresses)) = answer(&actions) else { panic!("{actions:?}") };
    addresses.clone()
}

#[test]
fn who_was_dialled_is_asked_once_and_who_came_is_not() {
    let mut rig = Rig::new(Config { added: vec!["20.1.0.1:7617".parse().unwrap()], ..Config::default() });
    rig.joins("20.2.0.1:1");
    let address = dials(&rig.actions)[0];
    let peer = rig.welcomes(address, |_| {});
    rig.pass(1_000 * SECOND);
    let asks: Vec<_> = rig
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Ask { peer, id, request: Request::Addresses, .. } => Some((*peer, *id)),
            _ => None,
        })
        .collect();
    assert_eq!(asks.len(), 1);
    assert_eq!(asks[0].0, peer);
    let addresses = (0..256).map(known).collect();
    rig.event(Event::Response { peer, id: asks[0].1, response: Response::Addresses(addresses) });
    let (new, tried) = rig.engine.status().known;
    assert!(new > 100 && tried == 1, "{new} {tried}");
    rig.event(Event::Response { peer, id: asks[0].1, response: Response::Addresses(Vec::new()) });
    assert!(rig.faults().is_empty(), "an answer to nothing is nobody's");
}

#[test]
fn an_answer_of_something_else_is_a_fault() {
    let mut rig = Rig::new(Config { added: vec!["20.1.0.1:7617".parse().unwrap()], ..Config::default() });
    let address = dials(&rig.pass(SECOND))[0];
    let peer = rig.welcomes(address, |_| {});
    let ask = |action: &Action| match action {
        Action::Ask { id, request: Request::Addresses, .. } => Some(*id),
        _ => None,
    };
    let id = rig.actions.iter().find_map(ask).unwrap();
    rig.event(Event::Response { peer, id, response: Response::Headers(Vec::new()) });
    assert_eq!(rig.faults(), [Fault::WrongAnswer]);
}

#[test]
fn all_who_ask_are_told_the_same_for_a_day() {
    let mut rig = Rig::new(Config { outbound: 0, ..Config::default() });
    let found = (0..5_000).map(|n| known(n).address).collect();
    rig.event(Event::Found { addresses: found, finder: crate::event::Finder::Seed });
    let peers: Vec<_> = (0..20).map(|n| rig.joins(&format!("20.{n}.0.1:1"))).collect();
    let first = asked(&mut rig, peers[0]);
    assert!(first.len() > 64 && first.len() <= MAX_ADDRESSES, "{}", first.len());
    for peer in &peers {
        rig.pass(60 * SECOND);
        assert_eq!(asked(&mut rig, *peer), first);
    }
    rig.pass(86_400 * SECOND);
    assert_ne!(asked(&mut rig, peers[0]), first);
}

#[test]
fn a_newcomer_is_not_told_of_an_empty_book_for_a_day() {
    let mut rig = Rig::new(Config { outbound: 0, ..Config::default() });
    let peer = rig.joins("20.1.0.1:1");
    assert!(asked(&mut rig, peer).is_empty());
    rig.says(peer, Note::Addresses(vec![known(1)]));
    rig.pass(61 * SECOND);
    assert_eq!(asked(&mut rig, peer), [known(1)]);
}

#[test]
fn what_is_new_and_fresh_is_told_on_to_two_and_once() {
    let mut rig = Rig::new(Config { outbound: 0, ..Config::default() });
    let peers: Vec<_> = (0..10).map(|n| rig.joins(&format!("20.{n}.0.1:1"))).collect();
    let actions = rig.says(peers[0], Note::Addresses(vec![known(1)]));
    let on = told(&actions);
    assert_eq!(on.len(), 2);
    assert!(on.iter().all(|(peer, addresses)| *peer != peers[0] && *addresses == [known(1)]));
    assert!(told(&rig.says(peers[1], Note::Addresses(vec![known(1)]))).is_empty());
    let old = KnownAddress { seen: bloom_consensus::Timestamp(BEGIN.0 - 3_600), ..known(2) };
    assert!(told(&rig.says(peers[1], Note::Addresses(vec![old]))).is_empty());
    let local = KnownAddress { address: "10.0.0.1:7".parse().unwrap(), ..known(3) };
    assert!(told(&rig.says(peers[1], Note::Addresses(vec![local]))).is_empty());
}

#[test]
fn where_a_peer_came_from_and_listens_is_told_on_and_again_each_day() {
    let mut rig = Rig::new(Config { outbound: 0, ..Config::default() });
    let others: Vec<_> = (0..3).map(|n| rig.joins(&format!("20.{n}.0.1:1"))).collect();
    let peer = rig.comes("40.1.0.1:50000");
    let actions = rig.greets(peer, |hello| hello.listen_port = 7_000);
    let expected = KnownAddress { address: "40.1.0.1:7000".parse().unwrap(), seen: BEGIN };
    let on = told(&actions);
    assert_eq!(on.len(), 2);
    assert!(on.iter().all(|(to, addresses)| others.contains(to) && *addresses == [expected]));
    assert_eq!(rig.engine.status().known.0, 1);
    let later = told(&rig.pass(86_400 * SECOND));
    assert_eq!(later.len(), 2);
    assert!(later.iter().all(|(_, addresses)| addresses[0].address == expected.address));
}

/// Attacks 26: a million addresses.
#[test]
fn a_million_addresses_change_little_and_cost_who_tells_them_its_place() {
    let mut rig = Rig::new(Config { outbound: 0, ..Config::default() });
    let (mut told, mut peers) = (0u32, 0u32);
    while told < 1_000_000 {
        peers += 1;
        let peer = rig.joins(&format!("66.1.0.{peers}:1"));
        while rig.has(peer) {
            rig.says(peer, Note::Addresses((0..10).map(|n| known(told + n)).collect()));
            told += 10;
            rig.now += SECOND / 100;
        }
    }
    assert_eq!(rig.engine.bans().len(), usize::try_from(peers).unwrap());
    let (new, tried) = rig.engine.status().known;
    assert_eq!(tried, 0);
    assert!(new <= 64 * 64, "a source has 64 buckets of 64: {new}");
}

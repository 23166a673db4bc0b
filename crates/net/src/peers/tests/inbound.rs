//! How many may come, and who gives way.

use std::time::Duration;

use super::rig::{Rig, SECOND, answer, disconnects};
use crate::Config;
use crate::event::{ConnId, Event};
use crate::peers::manager::MAX_STRANGERS;
use crate::wire::{Goodbye, Response};

#[test]
fn an_address_has_three_connections_however_it_is_written() {
    let mut rig = Rig::new(Config::default());
    for port in 1..=3 {
        rig.joins(&format!("20.1.0.1:{port}"));
    }
    for address in ["20.1.0.1:4", "[::ffff:20.1.0.1]:5"] {
        let peer = rig.comes(address);
        rig.greets(peer, |_| {});
        assert!(!rig.has(peer), "{address}");
    }
    for port in 1..=10 {
        rig.joins(&format!("127.0.0.1:{port}"));
    }
}

#[test]
fn who_says_nothing_takes_nobodys_place() {
    let mut rig = Rig::new(Config::default());
    let honest: Vec<_> = (0..20).map(|n| rig.comes(&format!("30.{n}.0.1:1"))).collect();
    for n in 0..1_000 {
        rig.comes(&format!("20.1.{}.{}:1", n / 200, n % 200));
        let strangers = rig.engine.hub_for_test().peers.all().count();
        assert!(strangers <= MAX_STRANGERS, "{strangers}");
    }
    for peer in honest {
        rig.greets(peer, |_| {});
        assert!(rig.has(peer), "the group that is most of them gives way");
    }
    rig.pass(11 * SECOND);
    assert_eq!(rig.engine.hub_for_test().peers.all().count(), 20);
}

#[test]
fn where_all_are_protected_who_comes_is_told_that_there_is_no_room() {
    let mut rig = Rig::new(Config { max_inbound: 4, ..Config::default() });
    let first: Vec<_> = (0..4).map(|n| rig.joins(&format!("20.{n}.0.1:1"))).collect();
    let late = rig.comes("20.9.0.1:1");
    let actions = rig.greets(late, |_| {});
    assert!(matches!(answer(&actions), Some(Response::Goodbye(Goodbye::Full))));
    assert!(first.iter().all(|peer| rig.has(*peer)));
    assert_eq!(disconnects(&rig.pass(3 * SECOND)), [late], "who does not leave is left");
}

/// 64 from one group of the attacker's against 20 that are good at something.
#[test]
fn a_crowd_never_displaces_who_is_near_or_useful_or_old() {
    let mut rig = Rig::new(Config::default());
    let old: Vec<_> = (0..8).map(|n| rig.joins(&format!("30.{n}.0.1:1"))).collect();
    rig.pass(3_600 * SECOND);
    rig.event(Event::Wake);
    let mut crowd = Vec::new();
    let good: Vec<ConnId> = (0..16)
        .map(|n| {
            crowd.extend((0..2).map(|m| rig.joins(&format!("20.1.{n}.{m}:1"))));
            rig.joins(&format!("31.{n}.0.1:1"))
        })
        .collect();
    let now = rig.now;
    let hub = rig.engine.hub_for_test();
    for (n, id) in good.iter().enumerate() {
        let peer = hub.peers.get_mut(*id).unwrap();
        match n {
            0..8 => peer.round_trip = Some(Duration::from_millis(5)),
            8..12 => peer.last_transaction = Some(now),
            _ => peer.last_block = Some(now),
        }
    }
    for n in 0..1_000u32 {
        let peer = rig.comes(&format!("20.1.{}.{}:2", 100 + n / 250, n % 250));
        rig.event(Event::RoundTrip { peer, time: Duration::from_millis(50) });
        rig.greets(peer, |_| {});
        assert!(rig.engine.status().inbound <= 64);
    }
    for peer in old.iter().chain(&good) {
        assert!(rig.has(*peer), "{peer} was displaced");
    }
}

/// Each kind of merit protects by itself: who has it came last and is of the group with most connections.
#[test]
fn who_is_near_or_brings_transactions_or_blocks_stays_though_the_youngest_of_the_crowd() {
    for merit in 0..3 {
        let mut rig = Rig::new(Config::default());
        for n in 0..60 {
            rig.joins(&format!("20.1.{n}.1:1"));
            rig.pass(SECOND);
        }
        let good: Vec<_> = (0..4).map(|n| rig.joins(&format!("20.1.{}.1:1", 100 + n))).collect();
        let now = rig.now;
        for id in &good {
            let peer = rig.engine.hub_for_test().peers.get_mut(*id).unwrap();
            match merit {
                0 => peer.round_trip = Some(Duration::from_millis(5)),
                1 => peer.last_transaction = Some(now),
                _ => peer.last_block = Some(now),
            }
        }
        for n in 0..200 {
            rig.pass(SECOND);
            rig.joins(&format!("20.2.{n}.1:1"));
        }
        assert!(good.iter().all(|peer| rig.has(*peer)), "merit {merit}");
    }
}

#[test]
fn the_youngest_of_the_group_with_most_connections_gives_way() {
    let mut rig = Rig::new(Config::default());
    for n in 0..44 {
        rig.joins(&format!("30.{n}.0.1:1"));
        rig.pass(SECOND);
        rig.event(Event::Wake);
    }
    let mut crowd = Vec::new();
    for n in 0..20 {
        crowd.push(rig.joins(&format!("20.1.0.{n}:1")));
        rig.pass(SECOND);
        rig.event(Event::Wake);
    }
    let peer = rig.comes("40.1.0.1:1");
    let actions = rig.greets(peer, |_| {});
    assert_eq!(disconnects(&actions), [crowd[19]]);
    assert!(rig.has(peer));
}

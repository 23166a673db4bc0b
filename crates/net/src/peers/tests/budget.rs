//! What a peer may cost, and its group.

use std::time::Duration;

use proptest::prelude::*;

use super::rig::{Rig, SECOND};
use crate::event::{Action, ConnId, Event};
use crate::peers::budget::MAX_GROUPS;
use crate::wire::{Note, Request, Response};
use crate::{Config, Fault};

fn flood(rig: &mut Rig, peer: ConnId, messages: usize) -> usize {
    (0..messages).filter(|_| rig.engine.hub_for_test().charge(peer, 100)).count()
}

#[test]
fn a_flood_is_heard_up_to_the_budget_and_blamed_ten_points_a_second() {
    let mut rig = Rig::new(Config::default());
    let peer = rig.joins("20.1.0.1:1");
    assert_eq!(flood(&mut rig, peer, 5_900), 5_000);
    for second in 1..10 {
        assert!(rig.has(peer), "after {second} s");
        rig.pass(SECOND);
        rig.event(Event::Wake);
        assert_eq!(flood(&mut rig, peer, 600), 500);
    }
    rig.event(Event::Wake);
    assert_eq!(rig.faults(), vec![Fault::Flood("messages"); 10]);
    assert!(!rig.has(peer) && rig.engine.bans().len() == 1);
}

#[test]
fn the_faster_a_flood_the_sooner_it_ends() {
    let mut rig = Rig::new(Config::default());
    let peer = rig.joins("20.1.0.1:1");
    assert_eq!(flood(&mut rig, peer, 20_000), 5_000);
    rig.event(Event::Wake);
    assert!(!rig.has(peer) && rig.engine.bans().len() == 1, "within a moment: {:?}", rig.faults());
}

#[test]
fn as_many_messages_as_the_fastest_miner_sends_are_no_flood() {
    let mut rig = Rig::new(Config::default());
    let peer = rig.joins("20.1.0.1:1");
    for _ in 0..600 {
        assert_eq!(flood(&mut rig, peer, 48), 48);
        rig.pass(SECOND / 10);
        rig.event(Event::Wake);
    }
    rig.event(Event::Wake);
    assert!(rig.faults().is_empty());
}

#[test]
fn a_request_above_the_budget_is_answered_busy() {
    let mut rig = Rig::new(Config::default());
    let peer = rig.joins("20.1.0.1:1");
    flood(&mut rig, peer, 5_000);
    let actions = rig.asks(peer, Request::Addresses);
    assert!(actions.iter().any(|action| matches!(action, Action::Answer { response: Response::Busy, .. })));
}

#[test]
fn a_groups_budget_is_four_peers_and_who_is_within_its_own_is_not_blamed() {
    let mut rig = Rig::new(Config::default());
    let peers: Vec<_> = (1..=6).map(|n| rig.joins(&format!("20.1.0.{n}:1"))).collect();
    let heard: Vec<_> = peers.iter().map(|peer| flood(&mut rig, *peer, 5_000)).collect();
    assert_eq!(heard, [5_000, 5_000, 5_000, 5_000, 0, 0]);
    let other = rig.joins("20.2.0.1:1");
    assert_eq!(flood(&mut rig, other, 5_000), 5_000, "another group's");
    rig.event(Event::Wake);
    assert!(rig.faults().is_empty());
}

#[test]
fn who_comes_back_finds_its_groups_budget_as_it_left_it() {
    let mut rig = Rig::new(Config::default());
    for n in 0..4 {
        let peer = rig.joins("20.1.0.1:1");
        assert_eq!(flood(&mut rig, peer, 5_000), 5_000, "{n}");
        rig.event(Event::Disconnected { peer });
    }
    let peer = rig.joins("20.1.0.1:1");
    assert_eq!(flood(&mut rig, peer, 5_000), 0);
}

#[test]
fn who_has_proven_nothing_gets_fifty_milliseconds_a_second_and_so_does_its_group() {
    let mut rig = Rig::new(Config::default());
    let (a, b) = (rig.joins("20.1.0.1:1"), rig.joins("20.1.0.2:1"));
    let hub = rig.engine.hub_for_test();
    assert!(hub.charge_rounds(a, 300_000));
    assert!(!hub.charge_rounds(a, 300_000) && !hub.charge_rounds(b, 300_000));
    assert!(hub.charge_rounds(b, 200_000));
    hub.peers.get_mut(a).unwrap().proven = true;
    assert!(hub.charge_rounds(a, 99_000_000) && !hub.charge_rounds(a, 5_000_000));
    rig.event(Event::Wake);
    assert!(rig.faults().is_empty(), "to serve headers is no fault");
}

#[test]
fn answers_are_given_up_to_their_budget() {
    let mut rig = Rig::new(Config::default());
    let peer = rig.joins("20.1.0.1:1");
    let given = (0..1_000).filter(|_| rig.engine.hub_for_test().charge_answer(peer, 1 << 20)).count();
    assert_eq!(given, 128);
    rig.pass(SECOND);
    rig.event(Event::Wake);
    let given = (0..1_000).filter(|_| rig.engine.hub_for_test().charge_answer(peer, 1 << 20)).count();
    assert_eq!(given, 32);
}

#[test]
fn who_comes_back_is_given_no_more_answers_than_its_group() {
    let mut rig = Rig::new(Config::default());
    let given: Vec<_> = (0..6)
        .map(|_| {
            let peer = rig.joins("20.1.0.1:1");
            let given = (0..1_000).filter(|_| rig.engine.hub_for_test().charge_answer(peer, 1 << 20)).count();
            rig.event(Event::Disconnected { peer });
            given
        })
        .collect();
    assert_eq!(given, [128, 128, 128, 128, 0, 0]);
}

#[test]
fn transactions_judged_in_vain_are_bounded_of_a_peer_and_of_its_group() {
    let mut rig = Rig::new(Config::default());
    let judged = |rig: &mut Rig, peer| {
        let hub = rig.engine.hub_for_test();
        (0..1_000).take_while(|_| hub.may_judge(peer).then(|| hub.judged_in_vain(peer, 1 << 16)).is_some()).count()
    };
    let peers: Vec<_> = (1..=6).map(|n| rig.joins(&format!("20.1.0.{n}:1"))).collect();
    let all: Vec<_> = peers.iter().map(|peer| judged(&mut rig, *peer)).collect();
    assert_eq!(all, [64, 64, 64, 64, 0, 0]);
    rig.pass(SECOND);
    rig.event(Event::Wake);
    assert_eq!(judged(&mut rig, peers[0]), 1);
    assert!(rig.faults().is_empty());
}

#[test]
fn what_a_group_uses_up_silences_nobody_whom_this_node_chose() {
    let address = "20.1.0.100:1".parse().unwrap();
    let mut rig = Rig::new(Config { added: vec![address], ..Config::default() });
    rig.pass(SECOND);
    let chosen = rig.welcomes(address, |_| {});
    assert!(rig.has(chosen));
    for n in 1..=5 {
        let peer = rig.joins(&format!("20.1.0.{n}:1"));
        flood(&mut rig, peer, 5_000);
        let hub = rig.engine.hub_for_test();
        hub.charge_rounds(peer, 500_000);
        hub.charge_answer(peer, 1 << 30);
        hub.judged_in_vain(peer, 1 << 30);
    }
    let beside = rig.joins("20.1.0.9:1");
    let hub = rig.engine.hub_for_test();
    assert!(
        !hub.charge(beside, 1) && !hub.charge_rounds(beside, 1) && !hub.may_answer(beside) && !hub.may_judge(beside)
    );
    assert!(
        hub.charge(chosen, 1) && hub.charge_rounds(chosen, 500_000) && hub.may_answer(chosen) && hub.may_judge(chosen)
    );
}

#[test]
fn groups_that_are_remembered_are_bounded() {
    let mut rig = Rig::new(Config { max_inbound: 8, ..Config::default() });
    for n in 0..6_000u32 {
        let peer = rig.comes(&format!("[2a00:{n:x}::1]:1"));
        rig.greets(peer, |_| {});
        rig.engine.hub_for_test().charge(peer, 1_000);
        rig.event(Event::Disconnected { peer });
    }
    assert!(rig.engine.hub_for_test().peers.groups.len() <= MAX_GROUPS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is said when, what is heard in all is never more than the burst and what came back since.
    #[test]
    fn no_more_is_heard_than_the_rate_and_the_burst(
        steps in prop::collection::vec((0u64..3_000, 1usize..200, 0usize..60_000), 1..60),
    ) {
        let mut rig = Rig::new(Config::default());
        let peer = rig.joins("20.1.0.1:1");
        let begin = rig.now;
        let (mut messages, mut bytes) = (0u128, 0u128);
        for (millis, count, length) in steps {
            rig.now += Duration::from_millis(millis);
            rig.event(Event::Wake);
            for _ in 0..count {
                if rig.engine.hub_for_test().charge(peer, length) {
                    messages += 1;
                    bytes += length as u128;
                }
            }
            let passed = (rig.now - begin).as_nanos();
            prop_assert!(messages <= 5_000 + passed * 100 / 1_000_000_000);
            prop_assert!(bytes <= (4 << 20) + passed * (256 << 10) / 1_000_000_000);
        }
    }
}

#[test]
fn addresses_beyond_their_budget_are_not_looked_at() {
    let mut rig = Rig::new(Config::default());
    let peer = rig.joins("20.1.0.1:1");
    let known = |n: u32| crate::wire::KnownAddress {
        address: crate::PeerAddr::new(std::net::Ipv4Addr::from_bits((30 << 24) + n * 65_537).into(), 7617),
        seen: crate::testing::BEGIN,
    };
    for n in 0..150 {
        rig.says(peer, Note::Addresses((0..10).map(|m| known(n * 10 + m)).collect()));
    }
    let (new, _) = rig.engine.status().known;
    assert!(new > 0 && new <= 1_000, "{new}");
    assert_eq!(rig.faults(), [Fault::Flood("addresses")]);
}

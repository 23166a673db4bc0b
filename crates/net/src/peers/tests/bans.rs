//! Blame and bans.

use std::time::Duration;

use bloom_consensus::Timestamp;

use super::rig::{Rig, SECOND, dials, disconnects, key};
use crate::book::Book;
use crate::event::{Action, BanKey, ConnId, Direction, Event};
use crate::peers::bans::Bans;
use crate::peers::scores::{MAX_SCORES, Score, Scores};
use crate::peers::{Peer, Role};
use crate::testing::BEGIN;
use crate::wire::{Note, WireError};
use crate::{BAN_SECS, Ban, Config, Fault, MAX_BANS};

const DAY: Duration = Duration::from_secs(BAN_SECS);

fn malformed(rig: &mut Rig, peer: ConnId) -> Vec<Action> {
    rig.event(Event::Malformed { peer, error: WireError::Kind { got: 9 } })
}

#[test]
fn who_sends_what_is_no_message_is_thrown_out_for_a_day() {
    let mut rig = Rig::new(Config::default());
    let (liar, neighbour) = (rig.joins("20.1.0.1:1"), rig.joins("20.1.0.2:1"));
    let actions = malformed(&mut rig, liar);
    assert_eq!(disconnects(&actions), [liar]);
    let key = BanKey::of("20.1.0.1".parse().unwrap());
    assert!(actions.iter().any(|action| matches!(action, Action::Bar { key: barred, .. } if *barred == key)));
    assert_eq!(rig.engine.bans(), [Ban { key, until: Timestamp(BEGIN.0 + BAN_SECS) }]);
    assert!(rig.has(neighbour), "another of its group stays");
    rig.pass(DAY - SECOND);
    let early = rig.comes("20.1.0.1:2");
    rig.greets(early, |_| {});
    assert!(!rig.has(early));
    rig.pass(SECOND);
    assert!(rig.engine.bans().is_empty());
    rig.joins("20.1.0.1:2");
}

#[test]
fn a_banned_address_does_not_come_back_in_other_clothes() {
    let mut rig = Rig::new(Config::default());
    let liar = rig.joins("20.1.0.1:1");
    malformed(&mut rig, liar);
    let liar = rig.joins("[2a00:1:2:3::1]:1");
    malformed(&mut rig, liar);
    for address in ["20.1.0.1:9", "[::ffff:20.1.0.1]:9", "[2a00:1:2:3:ffff::7]:9"] {
        let peer = rig.comes(address);
        rig.greets(peer, |_| {});
        assert!(!rig.has(peer), "{address}");
    }
    rig.joins("[2a00:1:2:4::1]:1");
    rig.joins("20.1.0.2:1");
}

#[test]
fn on_this_machine_the_key_is_banned_and_not_everybodys_address() {
    let mut rig = Rig::new(Config::default());
    let liar = rig.comes_with("127.0.0.1:5", key(77));
    rig.greets(liar, |_| {});
    let honest = rig.joins("127.0.0.1:6");
    malformed(&mut rig, liar);
    assert!(rig.has(honest));
    let again = rig.comes_with("127.0.0.1:7", key(77));
    rig.greets(again, |_| {});
    assert!(!rig.has(again));
    rig.joins("127.0.0.1:8");
}

#[test]
fn a_banned_address_is_not_dialled_until_the_ban_is_over_or_taken_back() {
    let config = || Config { added: vec!["20.1.0.1:7617".parse().unwrap()], ..Config::default() };
    let ban = Ban { key: BanKey::of("20.1.0.1".parse().unwrap()), until: Timestamp(BEGIN.0 + 1_000) };
    let mut rig = Rig::begun(config(), Book::new([1; 32]), vec![ban], 1);
    assert!(dials(&rig.pass(999 * SECOND)).is_empty());
    assert_eq!(dials(&rig.pass(2 * SECOND)).len(), 1);
    rig = Rig::begun(config(), Book::new([1; 32]), vec![ban], 1);
    rig.pass(SECOND);
    let (was_banned, actions) = rig.engine.unban(ban.key, rig.clock());
    assert!(was_banned);
    assert_eq!(dials(&actions).len(), 1);
}

#[test]
fn points_are_forgiven_one_a_minute() {
    let mut rig = Rig::new(Config::default());
    let slow = rig.joins("20.1.0.1:1");
    for _ in 0..30 {
        rig.engine.hub_for_test().blame(slow, Fault::Stalled);
        rig.pass(300 * SECOND);
        rig.event(Event::Wake);
    }
    assert!(rig.has(slow), "who stalls every five minutes is no liar");
    for _ in 0..20 {
        rig.engine.hub_for_test().blame(slow, Fault::Stalled);
    }
    rig.event(Event::Wake);
    assert!(!rig.has(slow));
}

/// 80 points, and away and back before each of the next.
#[test]
fn who_leaves_and_comes_back_finds_its_score() {
    for [first, back] in [["20.1.0.1:1", "[::ffff:20.1.0.1]:2"], ["[2a00:1:2:3::1]:1", "[2a00:1:2:3:4::9]:1"]] {
        let mut rig = Rig::new(Config::default());
        let mut liar = rig.joins(first);
        for _ in 0..4 {
            rig.engine.hub_for_test().blame(liar, Fault::Unconnected);
            rig.event(Event::Disconnected { peer: liar });
            rig.pass(SECOND);
            liar = rig.joins(back);
        }
        let neighbour = rig.joins("20.2.0.1:1");
        rig.engine.hub_for_test().blame(neighbour, Fault::Unconnected);
        rig.engine.hub_for_test().blame(liar, Fault::Unconnected);
        rig.event(Event::Wake);
        assert!(rig.has(neighbour) && !rig.has(liar), "{first}");
        assert_eq!(rig.engine.bans().len(), 1, "{first}");
        let (was_banned, _) = rig.engine.unban(BanKey::of(back.parse::<crate::PeerAddr>().unwrap().ip()), rig.clock());
        assert!(was_banned);
        let forgiven = rig.joins(first);
        assert_eq!(rig.peers().iter().find(|info| info.peer == forgiven).unwrap().score, 0);
    }
}

#[test]
fn who_is_away_is_forgiven_one_point_a_minute_too() {
    let mut rig = Rig::new(Config::default());
    let mut peer = rig.joins("20.1.0.1:1");
    for _ in 0..10 {
        rig.engine.hub_for_test().blame(peer, Fault::Unconnected);
        rig.event(Event::Disconnected { peer });
        rig.pass(20 * 60 * SECOND);
        peer = rig.joins("20.1.0.1:1");
    }
    assert!(rig.engine.bans().is_empty());
}

#[test]
fn on_this_machine_the_score_is_the_keys() {
    let mut rig = Rig::new(Config::default());
    for _ in 0..5 {
        let liar = rig.comes_with("127.0.0.1:5", key(77));
        rig.greets(liar, |_| {});
        rig.engine.hub_for_test().blame(liar, Fault::Unconnected);
        rig.event(Event::Disconnected { peer: liar });
        let honest = rig.joins("127.0.0.1:5");
        rig.event(Event::Disconnected { peer: honest });
    }
    assert_eq!(rig.engine.bans().iter().map(|ban| ban.key).collect::<Vec<_>>(), [BanKey::Identity(key(77))]);
}

#[test]
fn scores_are_bounded_and_the_least_goes() {
    let mut scores = Scores::default();
    let score_of = |n: u32, points| {
        let address = crate::PeerAddr::new(std::net::Ipv4Addr::from_bits(n + (20 << 24)).into(), 1);
        let mut peer = Peer::new(address, key(1), Direction::Inbound, Role::Inbound, SECOND);
        peer.score = Score::default().plus(points, SECOND);
        peer
    };
    scores.keep(&score_of(0, 80));
    for n in 1..6_000 {
        scores.keep(&score_of(n, 10));
    }
    assert_eq!(scores.len(), MAX_SCORES);
    let points = |n| scores.of(&score_of(n, 0).ban_key(), SECOND).points;
    assert_eq!((points(0), points(1)), (80, 0));
}

#[test]
fn bans_are_bounded_and_the_soonest_to_end_goes() {
    let mut bans = Bans::default();
    for n in 0..11_000u32 {
        let key = BanKey::of(std::net::Ipv4Addr::from_bits(n + (20 << 24)).into());
        bans.add(Ban { key, until: Timestamp(BEGIN.0 + 1 + u64::from(n)) }, BEGIN);
    }
    let kept = bans.list(BEGIN);
    assert_eq!(kept.len(), MAX_BANS);
    assert!(kept.iter().all(|ban| ban.until.0 > BEGIN.0 + 1_000));
    assert!(bans.list(Timestamp(BEGIN.0 + 30_000)).is_empty());
}

#[test]
fn a_ban_is_a_line_and_back() {
    let keys = [
        BanKey::of("20.1.0.1".parse().unwrap()),
        BanKey::of("2a00:1:2:3::".parse().unwrap()),
        BanKey::Identity(key(9)),
    ];
    for key in keys {
        let ban = Ban { key, until: Timestamp(u64::MAX) };
        assert_eq!(ban.to_string().parse(), Ok(ban));
    }
    for line in ["", "20.1.0.1", "20.1.0.1 x", "x 5", "20.1.0.1 -5", "20.1.0.1 5 6"] {
        assert!(line.parse::<Ban>().is_err(), "{line}");
    }
}

#[test]
fn what_the_operator_bans_or_disconnects_goes_at_once() {
    let mut rig = Rig::new(Config::default());
    let (a, b) = (rig.joins("20.1.0.1:1"), rig.joins("20.2.0.1:1"));
    let actions = rig.engine.ban("20.1.0.1".parse().unwrap(), 60, rig.clock());
    assert_eq!(disconnects(&actions), [a]);
    let (was_there, actions) = rig.engine.disconnect(b, rig.clock());
    assert!(was_there);
    assert_eq!(disconnects(&actions), [b]);
    assert!(!rig.engine.disconnect(b, rig.clock()).0);
    assert!(rig.peers().is_empty());
    assert!(rig.says(a, Note::PushBlocks(true)).is_empty(), "who left is not heard");
}

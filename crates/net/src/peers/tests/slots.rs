//! Whom a node seeks by its own choice.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bloom_consensus::Timestamp;

use super::rig::{Rig, SECOND, dials, disconnects};
use crate::book::{Book, Shelf};
use crate::event::{Event, Finder};
use crate::testing::BEGIN;
use crate::{Config, NetGroup, PeerAddr};

fn address(a: u8, b: u8, n: u16) -> PeerAddr {
    let [c, d] = n.to_be_bytes();
    PeerAddr::new(Ipv4Addr::new(a, b, c, d).into(), 7617)
}

/// A book with addresses of groups 20.0 to 20.n, four of each, told by as many sources.
fn book(groups: u8) -> Book {
    let mut book = Book::new([7; 32]);
    for group in 0..groups {
        for n in 1..=4 {
            book.add(address(20, group, n), BEGIN, NetGroup::V4([30, group]), BEGIN);
        }
    }
    book
}

fn groups(rig: &Rig) -> Vec<NetGroup> {
    rig.peers().iter().map(|peer| NetGroup::of(&peer.address)).collect()
}

#[test]
fn eight_outbound_peers_are_sought_each_of_another_group() {
    let mut rig = Rig::begun(Config::default(), book(20), Vec::new(), 1);
    rig.live(60 * SECOND, |address| address.ip().to_string().ends_with(['1', '3']));
    let groups = groups(&rig);
    assert_eq!(groups.len(), 8);
    assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), 8);
    let mut rig = Rig::begun(Config::default(), book(3), Vec::new(), 1);
    rig.live(60 * SECOND, |_| true);
    assert_eq!(self::groups(&rig).len(), 3, "no group twice, however many slots are free");
}

#[test]
fn with_connect_nobody_else_is_sought() {
    let connect = vec![address(40, 1, 1)];
    let mut rig = Rig::begun(Config { connect: connect.clone(), ..Config::default() }, book(20), Vec::new(), 1);
    let dialled = dials(&rig.pass(3_600 * SECOND));
    assert!(dialled.iter().all(|dialled| *dialled == connect[0]));
}

#[test]
fn no_address_is_kept_that_the_world_cannot_reach_unless_that_is_allowed() {
    let local: Vec<PeerAddr> = ["127.0.0.1:7", "10.0.0.1:7", "[fe80::1]:7", "192.168.1.1:7", "[::ffff:127.0.0.1]:8"]
        .map(|text| text.parse().unwrap())
        .into();
    let nonsense: Vec<PeerAddr> =
        ["0.0.0.0:7", "224.0.0.1:7", "255.255.255.255:7", "127.0.0.1:0"].map(|text| text.parse().unwrap()).into();
    for (allow_local, kept) in [(false, 0), (true, local.len())] {
        let mut rig = Rig::new(Config { allow_local, ..Config::default() });
        let addresses = [local.clone(), nonsense.clone()].concat();
        rig.event(Event::Found { addresses, finder: Finder::Mdns });
        assert_eq!(rig.engine.status().known.0, kept);
        assert_eq!(dials(&rig.pass(60 * SECOND)).is_empty(), !allow_local);
    }
}

#[test]
fn every_two_minutes_a_new_address_is_tried_and_left() {
    let mut rig = Rig::begun(Config { outbound: 1, ..Config::default() }, book(40), Vec::new(), 1);
    rig.live(10 * SECOND, |_| true);
    assert_eq!(rig.engine.status().known.1, 1, "the peer's");
    let from = rig.actions.len();
    rig.live(3_600 * SECOND, |_| true);
    let felt = dials(&rig.actions[from..]).len();
    assert!((20..=30).contains(&felt), "{felt}");
    assert_eq!(disconnects(&rig.actions[from..]).len(), felt);
    assert_eq!((rig.peers().len(), rig.engine.status().known.1), (1, 1 + felt));
}

#[test]
fn the_two_longest_outbound_peers_are_sought_first_after_a_restart() {
    let mut rig = Rig::begun(Config::default(), book(40), Vec::new(), 1);
    rig.live(60 * SECOND, |_| true);
    let longest: Vec<_> = rig.peers().iter().take(2).map(|peer| peer.address).collect();
    let book = Book::decode(&rig.engine.book().encode()).unwrap();
    for seed in 2..12 {
        let mut rig = Rig::begun(Config::default(), book.clone(), Vec::new(), seed);
        let dialled = dials(&rig.pass(2 * SECOND));
        assert_eq!(dialled[..2], longest);
        assert!(rig.engine.book().anchors() == longest, "a node that dies before anybody answered keeps them");
    }
}

#[test]
fn who_lost_all_peers_for_hours_finds_them_again_in_seconds() {
    for (groups, slots) in [(20, 8), (3, 3)] {
        let mut rig = Rig::begun(Config::default(), book(groups), Vec::new(), 1);
        rig.live(600 * SECOND, |_| true);
        for peer in rig.peers() {
            rig.event(Event::Disconnected { peer: peer.peer });
        }
        rig.live(1_000 * SECOND, |_| false);
        assert!(rig.peers().is_empty());
        assert!(dials(&rig.actions).len() < 3_000, "it does not dial without pause");
        rig.live(10 * SECOND, |_| true);
        assert!(!rig.peers().is_empty());
        rig.live(50 * SECOND, |_| true);
        assert_eq!(rig.peers().len(), slots);
    }
}

#[test]
fn peers_that_were_cut_off_for_an_hour_are_found_again_in_a_minute() {
    let mut rig = Rig::begun(Config::default(), book(9), Vec::new(), 1);
    rig.live(600 * SECOND, |_| true);
    let far: BTreeSet<_> = rig.peers().iter().take(4).map(|peer| (peer.peer, peer.address)).collect();
    let is_far = |address: &PeerAddr| far.iter().any(|(_, far)| NetGroup::of(far) == NetGroup::of(address));
    far.iter().for_each(|(peer, _)| {
        rig.event(Event::Disconnected { peer: *peer });
    });
    let from = rig.actions.len();
    rig.live(3_600 * SECOND, |address| !is_far(address));
    let dialled = dials(&rig.actions[from..]).len();
    assert!(dialled < 1_500, "{dialled} dials in an hour");
    rig.live(61 * SECOND, |_| true);
    assert_eq!(rig.peers().len(), 8);
}

#[test]
fn with_all_slots_filled_who_was_lost_stays_if_it_claims_more_work_and_no_more_than_two_do() {
    for (ahead, kept) in [(false, 8), (true, 10)] {
        let mut rig = Rig::begun(Config::default(), book(60), Vec::new(), 1);
        rig.live(600 * SECOND, |_| true);
        let lost: Vec<_> = rig.peers().iter().take(4).map(|peer| (peer.peer, peer.address)).collect();
        for (peer, _) in &lost {
            rig.event(Event::Disconnected { peer: *peer });
        }
        let is_lost = |address: &PeerAddr| lost.iter().any(|(_, lost)| lost == address);
        rig.live(600 * SECOND, |address| !is_lost(address));
        assert_eq!(rig.peers().len(), 8);
        for _ in 0..400 {
            for address in dials(&rig.pass(SECOND / 4)) {
                rig.welcomes(address, |hello| {
                    if ahead {
                        hello.work = hello.work.plus(bloom_consensus::Params::dev().genesis_difficulty());
                    }
                });
            }
        }
        assert_eq!(rig.peers().len(), kept);
    }
}

#[test]
fn a_book_of_nobody_is_gone_through_ever_more_slowly() {
    let mut rig = Rig::begun(Config { outbound: 4, ..Config::default() }, book(200), Vec::new(), 1);
    rig.live(7_200 * SECOND, |address| NetGroup::of(address) < NetGroup::V4([20, 3]));
    assert!((2..4).contains(&rig.peers().len()));
    let from = rig.actions.len();
    rig.live(3_600 * SECOND, |_| false);
    let dialled = dials(&rig.actions[from..]).len();
    assert!((60..200).contains(&dialled), "{dialled} dials in an hour");
    rig.live(120 * SECOND, |_| true);
    assert_eq!(rig.peers().len(), 4);
}

/// 1 000 addresses of an attacker in 8 groups, all of which answer, told by peers in all of these groups as often as they
/// like, against 100 honest ones, half of which this node has spoken with. At least half of the outbound peers are honest.
#[test]
fn a_thousand_addresses_in_eight_groups_do_not_eclipse_a_node() {
    let (seeds, mut good) = (60, 0);
    for seed in 0..seeds {
        let mut book = Book::new([seed; 32]);
        for n in 0..100u8 {
            let honest = address(100, n, 1);
            book.add(honest, BEGIN, NetGroup::V4([100, n / 10]), BEGIN);
            if n % 2 == 0 {
                book.connected(&honest, BEGIN);
            }
        }
        let later = Timestamp(BEGIN.0 + 3_600);
        for round in 0..3 {
            for n in 0..1_000u16 {
                let source = NetGroup::V4([66, ((n + round) % 8) as u8]);
                book.add(address(66, (n % 8) as u8, n), later, source, later);
                book.connected(&address(66, (n % 8) as u8, n), later);
            }
        }
        let mut rig = Rig::begun(Config::default(), book, Vec::new(), u64::from(seed));
        rig.live(30 * SECOND, |_| true);
        let honest = groups(&rig).iter().filter(|group| matches!(group, NetGroup::V4([100, _]))).count();
        assert_eq!(rig.peers().len(), 8);
        good += usize::from(honest >= 4);
    }
    assert!(good >= usize::from(seeds) * 95 / 100, "{good} of {seeds}");
}

#[test]
fn an_address_that_said_hello_is_tried_and_one_that_did_not_is_remembered_for_that() {
    let mut rig = Rig::begun(Config { outbound: 2, ..Config::default() }, book(2), Vec::new(), 1);
    rig.live(10 * SECOND, |address| NetGroup::of(address) == NetGroup::V4([20, 0]));
    let peer = rig.peers()[0].address;
    assert_eq!(rig.engine.book().shelf(&peer), Some(Shelf::Tried));
    assert_eq!(rig.engine.status().known.1, 1);
}

//! Who is let in.

use std::net::IpAddr;
use std::sync::Arc;

use bloom_consensus::Timestamp;
use libp2p::swarm::ConnectionId;

use crate::event::{BanKey, Identity};
use crate::transport::gate::{Bars, Gate, Refused};
use crate::transport::post::Post;

const NOW: Timestamp = Timestamp(1_000);
const LATER: Timestamp = Timestamp(2_000);

fn gate(max_inbound: usize, per_host: usize) -> (Gate, Arc<Bars>) {
    let bars = Arc::<Bars>::default();
    let (sink, _) = crossbeam_channel::unbounded();
    (Gate::new(Arc::clone(&bars), Arc::new(Post::new(sink)), max_inbound, per_host), bars)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn id(number: usize) -> ConnectionId {
    ConnectionId::new_unchecked(number)
}

#[test]
fn handshakes_are_bounded_and_give_their_place_back() {
    let (mut gate, _) = gate(1_000, 3);
    for number in 0..128 {
        gate.admit(id(number), ip(&format!("20.{number}.0.1")), NOW).unwrap();
    }
    assert_eq!(gate.admit(id(128), ip("9.9.9.9"), NOW), Err(Refused::Handshakes));
    gate.gone(id(0));
    gate.admit(id(129), ip("9.9.9.9"), NOW).unwrap();
    assert_eq!(gate.admit(id(130), ip("9.9.9.8"), NOW), Err(Refused::Handshakes));
    gate.shook_hands(id(129));
    gate.admit(id(131), ip("9.9.9.8"), NOW).unwrap();
}

#[test]
fn a_network_group_takes_only_its_share_of_the_handshakes() {
    let (mut gate, _) = gate(1_000, 1_000);
    for number in 0..16 {
        gate.admit(id(number), ip(&format!("20.1.{number}.1")), NOW).unwrap();
    }
    assert_eq!(gate.admit(id(16), ip("20.1.16.1"), NOW), Err(Refused::Handshakes));
    gate.admit(id(17), ip("20.2.0.1"), NOW).unwrap();
    for number in 100..120 {
        gate.admit(id(number), ip("127.0.0.1"), NOW).unwrap();
    }
}

#[test]
fn connections_are_bounded_in_all() {
    let (mut gate, _) = gate(10, 1_000);
    let room = 10 + 64 + 2 * 64;
    for number in 0..room {
        gate.admit(id(number), ip("127.0.0.1"), NOW).unwrap();
        gate.shook_hands(id(number));
    }
    assert_eq!(gate.admit(id(room), ip("127.0.0.1"), NOW), Err(Refused::Full));
    gate.gone(id(3));
    gate.admit(id(room + 1), ip("127.0.0.1"), NOW).unwrap();
}

/// All who were let in, all who may wait to say hello, all who may have been told goodbye, and slow handshakes from 22
/// addresses, three of each: who comes then still reaches the engine, which chooses who gives way.
#[test]
fn a_newcomer_reaches_the_engine_though_all_its_places_are_taken_and_others_are_slow() {
    let (mut gate, _) = gate(64, 3);
    for number in 0..3 * 64 {
        gate.admit(id(number), ip(&format!("20.{number}.0.1")), NOW).unwrap();
        gate.shook_hands(id(number));
    }
    for number in 0..66 {
        gate.admit(id(1_000 + number), ip(&format!("30.{}.0.1", number / 3)), NOW).unwrap();
    }
    gate.admit(id(2_000), ip("9.9.9.9"), NOW).unwrap();
    gate.shook_hands(id(2_000));
}

/// However it writes its address: one IPv4 address, one /64, and the loopback is everybody's.
#[test]
fn connections_are_bounded_for_a_host() {
    for same in [["8.8.8.8", "::ffff:8.8.8.8"], ["2a00:1:2:3::1", "2a00:1:2:3:ffff::2"]] {
        let (mut gate, _) = gate(1_000, 2);
        for (number, text) in same.into_iter().enumerate() {
            gate.admit(id(number), ip(text), NOW).unwrap();
            gate.shook_hands(id(number));
        }
        assert_eq!(gate.admit(id(2), ip(same[0]), NOW), Err(Refused::FullForHost), "{same:?}");
        assert_eq!(gate.admit(id(3), ip(same[1]), NOW), Err(Refused::FullForHost), "{same:?}");
        gate.admit(id(4), ip("2a00:1:2:4::1"), NOW).unwrap();
    }
    let (mut gate, _) = gate(1_000, 2);
    for number in 0..10 {
        gate.admit(id(number), ip("127.0.0.1"), NOW).unwrap();
        gate.admit(id(100 + number), ip("::1"), NOW).unwrap();
    }
}

#[test]
fn bars_hold_until_their_time_for_every_form_of_an_address() {
    for (barred, tried, other) in [
        ("8.8.8.8", "::ffff:8.8.8.8", "8.8.8.9"),
        ("::ffff:8.8.8.8", "8.8.8.8", "8.8.8.9"),
        ("2a00:1:2:3::1", "2a00:1:2:3:4:5:6:7", "2a00:1:2:4::1"),
        ("::1", "::1", "127.0.0.1"),
    ] {
        let (mut gate, bars) = gate(1_000, 1_000);
        bars.set(BanKey::Address(ip(barred)), LATER, NOW);
        assert_eq!(gate.admit(id(1), ip(tried), NOW), Err(Refused::Barred), "{barred} {tried}");
        gate.admit(id(2), ip(other), NOW).unwrap();
        gate.admit(id(3), ip(tried), LATER).unwrap();
        bars.set(BanKey::Address(ip(tried)), Timestamp(0), NOW);
        gate.admit(id(4), ip(barred), NOW).unwrap();
    }
}

#[test]
fn bars_are_bounded_and_the_soonest_to_end_goes() {
    let bars = Bars::default();
    let key = |number: u64| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        BanKey::Identity(Identity(bytes))
    };
    for number in 0..=10_000 {
        bars.set(key(number), Timestamp(20_000 - number), NOW);
    }
    assert!(!bars.holds(key(10_000), NOW), "it ends first");
    assert!(bars.holds(key(0), NOW) && bars.holds(key(9_999), NOW));
}

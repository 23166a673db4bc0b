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
    for number in 0..64 {
        gate.admit(id(number), ip(&format!("8.8.{number}.1")), NOW).unwrap();
    }
    assert_eq!(gate.admit(id(64), ip("9.9.9.9"), NOW), Err(Refused::Handshakes));
    gate.gone(id(0));
    gate.admit(id(65), ip("9.9.9.9"), NOW).unwrap();
    assert_eq!(gate.admit(id(66), ip("9.9.9.8"), NOW), Err(Refused::Handshakes));
    gate.shook_hands(id(65));
    gate.admit(id(67), ip("9.9.9.8"), NOW).unwrap();
}

#[test]
fn connections_are_bounded_in_all() {
    let (mut gate, _) = gate(10, 1_000);
    let room = 10 + 8;
    for number in 0..room {
        gate.admit(id(number), ip("127.0.0.1"), NOW).unwrap();
        gate.shook_hands(id(number));
    }
    assert_eq!(gate.admit(id(room), ip("127.0.0.1"), NOW), Err(Refused::Full));
    gate.gone(id(3));
    gate.admit(id(room + 1), ip("127.0.0.1"), NOW).unwrap();
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

//! Anything may happen, in any order.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::rig::{Rig, dials, hello, key};
use crate::address::NetGroup;
use crate::book::Book;
use crate::event::{Action, AnswerId, BanKey, ConnId, Direction, Event, Failure, Finder, RequestId};
use crate::peers::manager::MAX_STRANGERS;
use crate::peers::{MAX_BANS, Role};
use crate::testing::BEGIN;
use crate::wire::{Goodbye, KnownAddress, Note, Request, Response, WireError};
use crate::{Config, PeerAddr};

/// Something happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Comes { from: u8, key: u8 },
    Greets { who: u8, kind: u8 },
    Says { who: u8, kind: u8 },
    Asks { who: u8 },
    Leaves { who: u8 },
    Babbles { who: u8 },
    Dialled { which: u8, outcome: u8 },
    Answers { which: u8, kind: u8 },
    Found { n: u8 },
    Pass { millis: u32 },
    Ban { of: u8, is_lifted: bool },
    Add { n: u8, is_removed: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<u8>(), 0u8..40).prop_map(|(from, key)| Step::Comes { from, key }),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(who, kind)| Step::Greets { who, kind }),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(who, kind)| Step::Says { who, kind }),
        2 => any::<u8>().prop_map(|who| Step::Asks { who }),
        2 => any::<u8>().prop_map(|who| Step::Leaves { who }),
        1 => any::<u8>().prop_map(|who| Step::Babbles { who }),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(which, outcome)| Step::Dialled { which, outcome }),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(which, kind)| Step::Answers { which, kind }),
        1 => any::<u8>().prop_map(|n| Step::Found { n }),
        4 => prop_oneof![0u32..2_000, 0u32..200_000].prop_map(|millis| Step::Pass { millis }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(of, is_lifted)| Step::Ban { of, is_lifted }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(n, is_removed)| Step::Add { n, is_removed }),
    ]
}

/// A few addresses of every sort, some of them one.
fn address(n: u8) -> PeerAddr {
    let text = match n % 8 {
        0 => format!("20.{}.0.1:7617", n / 32),
        1 => format!("[::ffff:20.{}.0.1]:7617", n / 32),
        2 => format!("20.1.0.{}:{}", n / 64, 1 + u16::from(n)),
        3 => format!("[2a00:{}::1:{n}]:7617", n / 64),
        4 => format!("127.0.0.1:{}", 1_000 + u16::from(n)),
        5 => format!("30.{n}.0.1:7617"),
        6 => format!("31.{n}.0.1:7617"),
        _ => format!("10.0.0.{n}:7617"),
    };
    text.parse().unwrap()
}

struct Storm {
    rig: Rig,
    /// Connections that the world believes to stand, dials, and requests of the engine's without an answer.
    connections: Vec<ConnId>,
    dials: Vec<PeerAddr>,
    asked: Vec<(ConnId, RequestId)>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let config = Config {
            max_inbound: 6,
            outbound: 3,
            allow_local: seed.is_multiple_of(2),
            added: vec![address(5)],
            listen_port: Some(7_617),
            ..Config::default()
        };
        let mut book = Book::new([3; 32]);
        for n in 0..=255 {
            book.add(address(n), BEGIN, NetGroup::V4([9, n / 64]), BEGIN);
        }
        let rig = Rig::begun(config, book, Vec::new(), seed);
        Self { rig, connections: Vec::new(), dials: Vec::new(), asked: Vec::new() }
    }

    fn step(&mut self, step: &Step) {
        let from = self.rig.actions.len();
        self.happen(step);
        for action in self.rig.actions[from..].iter().cloned() {
            match action {
                Action::Ask { peer, id, .. } => self.asked.push((peer, id)),
                Action::Disconnect { peer } => self.connections.retain(|id| *id != peer),
                _ => {}
            }
        }
        self.dials.extend(dials(&self.rig.actions[from..]));
    }

    fn happen(&mut self, step: &Step) {
        let number = self.rig.number();
        let who = |who: &u8| self.connections.get(usize::from(*who) % self.connections.len().max(1)).copied();
        let event = match step {
            Step::Comes { from, key: of } => {
                self.connections.push(ConnId(number));
                let (address, identity) = (address(*from), key(u64::from(*of)));
                Event::Connected { peer: ConnId(number), address, identity, direction: Direction::Inbound }
            }
            Step::Greets { who: of, kind } => {
                let Some(peer) = who(of) else { return };
                let mut hello = hello(u64::from(kind % 64), self.rig.clock().unix);
                match kind % 16 {
                    0 => hello.version = 0,
                    1 => hello.network_id.0[0] ^= 1,
                    2 => hello.time.0 = u64::MAX,
                    _ => hello.listen_port = u16::from(*kind),
                }
                Event::Request { peer, id: AnswerId(number), request: Request::Hello(hello) }
            }
            Step::Says { who: of, kind } => {
                let Some(peer) = who(of) else { return };
                let told = |n: u8| KnownAddress { address: address(n.wrapping_mul(7)), seen: BEGIN };
                let addresses = (0..1 + kind % 10).map(|n| told(kind.wrapping_add(n))).collect();
                let note = if kind % 2 == 0 { Note::Addresses(addresses) } else { Note::PushBlocks(true) };
                Event::Note { peer, note }
            }
            Step::Asks { who: of } => {
                let Some(peer) = who(of) else { return };
                Event::Request { peer, id: AnswerId(number), request: Request::Addresses }
            }
            Step::Leaves { who: of } => {
                let Some(peer) = who(of) else { return };
                self.connections.retain(|id| *id != peer);
                Event::Disconnected { peer }
            }
            Step::Babbles { who: of } => {
                let Some(peer) = who(of) else { return };
                Event::Malformed { peer, error: WireError::Kind { got: 1 } }
            }
            Step::Dialled { which, outcome } => {
                if self.dials.is_empty() {
                    return;
                }
                let address = self.dials.swap_remove(usize::from(*which) % self.dials.len());
                if outcome % 4 == 0 {
                    Event::DialFailed { address }
                } else {
                    self.connections.push(ConnId(number));
                    let identity = key(u64::from(outcome % 40));
                    Event::Connected { peer: ConnId(number), address, identity, direction: Direction::Outbound }
                }
            }
            Step::Answers { which, kind } => {
                if self.asked.is_empty() {
                    return;
                }
                let (peer, id) = self.asked.swap_remove(usize::from(*which) % self.asked.len());
                match kind % 8 {
                    0 => Event::Failed { peer, id, failure: Failure::Timeout },
                    1 => Event::Response { peer, id, response: Response::Goodbye(Goodbye::Full) },
                    2 => Event::Response { peer, id, response: Response::Addresses(Vec::new()) },
                    _ => {
                        let hello = hello(u64::from(kind % 64), self.rig.clock().unix);
                        Event::Response { peer, id, response: Response::Hello(hello) }
                    }
                }
            }
            Step::Found { n } => {
                let addresses = (0..20).map(|m| address(n.wrapping_add(m))).collect();
                Event::Found { addresses, finder: Finder::Kademlia }
            }
            Step::Pass { millis } => {
                self.rig.pass(Duration::from_millis(u64::from(*millis)));
                return;
            }
            Step::Ban { of, is_lifted } => {
                let (ip, now) = (address(*of).ip(), self.rig.clock());
                let actions = if *is_lifted {
                    self.rig.engine.unban(BanKey::of(ip), now).1
                } else {
                    self.rig.engine.ban(ip, 100, now)
                };
                self.rig.actions.extend(actions);
                return;
            }
            Step::Add { n, is_removed } => {
                let now = self.rig.clock();
                let (_, actions) = if *is_removed {
                    self.rig.engine.remove_peer(address(*n), now)
                } else {
                    self.rig.engine.add_peer(address(*n), now)
                };
                self.rig.actions.extend(actions);
                return;
            }
        };
        self.rig.event(event);
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let now = self.rig.clock().unix;
        let status = self.rig.engine.status();
        prop_assert!(status.inbound <= 6, "{} inbound", status.inbound);
        prop_assert!(self.rig.engine.bans().len() <= MAX_BANS);
        let peers = &self.rig.engine.hub_for_test().peers;
        let of = |role: Role| peers.all().filter(move |(_, peer)| peer.role == role);
        prop_assert!(of(Role::Inbound).count() <= 6 + MAX_STRANGERS);
        prop_assert!(of(Role::Slot).count() <= 3);
        let groups: BTreeSet<_> = of(Role::Slot).map(|(_, peer)| peer.group).collect();
        prop_assert_eq!(groups.len(), of(Role::Slot).count(), "slots of one group");
        for (id, peer) in peers.all() {
            prop_assert!(!peers.bans().has(&peer.address, peer.identity, now), "{} is banned", id);
            prop_assert!(peer.score.points < crate::BAN_SCORE);
            let local = peer.address.is_local();
            let same = of(Role::Inbound).filter(|(_, other)| other.address.ip() == peer.address.ip()).count();
            prop_assert!(local || same <= 3, "{} of {}", same, peer.address);
        }
        let joined: Vec<_> = peers.joined().map(|(_, peer)| peer.identity).collect();
        prop_assert_eq!(joined.iter().collect::<BTreeSet<_>>().len(), joined.len(), "a peer twice");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Nothing panics, no bound is passed, nobody is there who is banned, and the same events do the same.
    #[test]
    fn whatever_happens_no_bound_is_passed_and_it_happens_the_same_way_again(
        seed in 0u64..1_000,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let (mut storm, mut again) = (Storm::new(seed), Storm::new(seed));
        for step in &steps {
            storm.step(step);
            storm.check()?;
            again.step(step);
        }
        prop_assert_eq!(format!("{:?}", storm.rig.actions), format!("{:?}", again.rig.actions));
        prop_assert_eq!(storm.rig.engine.book(), again.rig.engine.book());
    }
}

//! The world, with tiny actors that write down what they hear.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bloom_consensus::Timestamp;
use bloom_kernel::Backend;
use bloom_net::event::{AnswerId, BanKey, RequestId};
use bloom_net::wire::{Note, Request, Response};
use bloom_net::{Action, Engine, Event, Now};

use super::*;
use crate::terrain::address;

type Heard = Rc<RefCell<Vec<(Duration, String)>>>;

/// Asks whom it connects with for addresses, and does with requests what it is told to.
struct Tiny {
    heard: Heard,
    dials: Vec<PeerAddr>,
    answers: bool,
    hangs_up: bool,
    wake: Option<Duration>,
}

impl Tiny {
    fn new(heard: &Heard) -> Self {
        Self { heard: Rc::clone(heard), dials: Vec::new(), answers: true, hangs_up: false, wake: None }
    }
}

impl Actor for Tiny {
    fn start(&mut self, _: Now) -> Vec<Action> {
        self.dials.iter().map(|address| Action::Dial { address: *address }).collect()
    }

    fn stop(&mut self) {}

    fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        let (text, actions) = match event {
            Event::Connected { peer, direction: Direction::Outbound, .. } => {
                let ask = |id| Action::Ask {
                    peer,
                    id: RequestId(id),
                    request: Request::Addresses,
                    timeout: Duration::from_secs(5),
                };
                let note = Action::Send { peer, note: Note::PushBlocks(true).into() };
                ("out".to_owned(), vec![ask(1), ask(2), note])
            }
            Event::Connected { .. } => ("in".to_owned(), vec![]),
            Event::Request { peer, id, .. } => {
                let answer = |id: AnswerId| Action::Answer { peer, id, response: Response::NotFound };
                let mut actions = if self.answers { vec![answer(id), answer(id)] } else { vec![] };
                if self.hangs_up {
                    actions.push(Action::Disconnect { peer });
                }
                ("asked".to_owned(), actions)
            }
            Event::Response { id, .. } => (format!("answer {}", id.0), vec![]),
            Event::Failed { id, failure, .. } => (format!("{failure:?} {}", id.0), vec![]),
            Event::Disconnected { .. } => ("left".to_owned(), vec![]),
            Event::DialFailed { .. } => ("nobody".to_owned(), vec![]),
            Event::Note { .. } => ("note".to_owned(), vec![]),
            Event::Wake => {
                self.wake = None;
                ("wake".to_owned(), vec![])
            }
            Event::RoundTrip { .. } => return vec![],
            other => (format!("{other:?}"), vec![]),
        };
        self.heard.borrow_mut().push((now.elapsed, text));
        actions
    }

    fn next_wake(&self) -> Option<Duration> {
        self.wake
    }

    fn engine(&mut self) -> Option<&mut Engine> {
        None
    }
}

const LATENCY: Duration = Duration::from_millis(40);

fn world() -> World {
    let terrain = Terrain { latency: LATENCY, bandwidth: 80_000_000, seed: 1 };
    World::new(terrain, Timestamp(1_600_000_000), Backend::Portable, 1, Record::default())
}

/// A maker that dials a taker; both run for a minute, unless `then` does something before.
fn pair(change: impl FnOnce(&mut Tiny, &mut Tiny), then: impl FnOnce(&mut World)) -> (Vec<String>, Vec<String>) {
    let (here, there) = (Heard::default(), Heard::default());
    let (mut maker, mut taker) = (Tiny::new(&here), Tiny::new(&there));
    maker.dials.push(address(1, 0));
    change(&mut maker, &mut taker);
    let mut world = world();
    let _ = world.add(Box::new(maker), address(0, 0), true, 0);
    let _ = world.add(Box::new(taker), address(1, 0), true, 0);
    world.start(1);
    world.start(0);
    then(&mut world);
    assert_eq!(world.run(Moment(60_000_000_000)), None);
    let texts = |heard: Heard| heard.borrow().iter().map(|(_, text)| text.clone()).collect();
    (texts(here), texts(there))
}

#[test]
fn each_request_has_one_answer() {
    let (maker, taker) = pair(|_, _| {}, |_| {});
    assert_eq!(maker.iter().filter(|text| text.starts_with("answer")).count(), 2, "{maker:?}");
    assert!(maker.contains(&"answer 1".to_owned()) && maker.contains(&"answer 2".to_owned()));
    assert_eq!(maker.len(), 3);
    assert_eq!(taker.iter().filter(|text| *text == "asked").count(), 2);
    assert_eq!(taker.iter().filter(|text| *text == "note").count(), 1);
}

#[test]
fn who_gets_no_answer_is_told_once_when_its_time_is_over() {
    let (maker, _) = pair(|_, taker| taker.answers = false, |_| {});
    assert_eq!(maker, ["out", "Timeout 1", "Timeout 2"]);
}

#[test]
fn an_end_fails_what_was_asked_and_the_answer_before_it_still_arrives() {
    let (maker, taker) = pair(|_, taker| taker.hangs_up = true, |_| {});
    assert_eq!(maker.iter().filter(|text| text.starts_with("answer")).count(), 1, "{maker:?}");
    assert_eq!(maker.iter().filter(|text| text.starts_with("Closed")).count(), 1, "{maker:?}");
    assert_eq!(maker.last().map(String::as_str), Some("left"));
    assert_eq!(taker.iter().filter(|text| *text == "left").count(), 1, "{taker:?}");
}

#[test]
fn nobody_is_reached_where_nobody_is_or_who_is_there_keeps_one_out() {
    let (maker, _) = pair(|maker, _| maker.dials = vec![address(2, 0)], |_| {});
    assert_eq!(maker, ["nobody"]);
    let (maker, _) = pair(|_, _| {}, |world| world.stop(1));
    assert_eq!(maker, ["nobody"]);
    let bar = |world: &mut World| {
        let key = BanKey::Address(address(0, 0).ip());
        world.perform(1, vec![Action::Bar { key, until: Timestamp(1_700_000_000) }]);
    };
    let (maker, taker) = pair(|_, _| {}, bar);
    assert_eq!((maker.as_slice(), taker.len()), (["nobody".to_owned()].as_slice(), 0));
}

#[test]
fn a_process_that_ends_is_gone_for_its_peers_and_hears_nothing() {
    let stop = |world: &mut World| {
        assert_eq!(world.run(Moment(1_000_000_000)), None);
        world.stop(1);
        world.start(1);
    };
    let (maker, taker) = pair(|_, taker| taker.answers = false, stop);
    assert_eq!(maker, ["out", "Closed 1", "Closed 2", "left"]);
    assert_eq!(taker.len(), 4, "{taker:?}");
}

#[test]
fn over_a_broken_line_nothing_comes_and_both_ends_learn_of_it() {
    let cut = |world: &mut World| {
        world.split(&BTreeSet::from([1]));
        assert_eq!(world.run(Moment(15_000_000_000)), None);
        world.heal();
    };
    // Split before the dial is through: as if nobody were there.
    assert_eq!(pair(|_, _| {}, cut).0, ["nobody"]);
    let late = |world: &mut World| {
        assert_eq!(world.run(Moment(1_000_000_000)), None);
        cut(world);
    };
    let (maker, taker) = pair(|_, _| {}, late);
    assert_eq!(maker.last().map(String::as_str), Some("left"));
    assert_eq!(taker.last().map(String::as_str), Some("left"));
}

#[test]
fn a_wake_comes_when_it_is_due_and_only_then() {
    let heard = Heard::default();
    let mut tiny = Tiny::new(&heard);
    tiny.wake = Some(Duration::from_secs(7));
    let mut world = world();
    let _ = world.add(Box::new(tiny), address(0, 0), true, 0);
    world.start(0);
    assert_eq!(world.run(Moment(3_600_000_000_000)), None);
    assert_eq!(*heard.borrow(), [(Duration::from_secs(7), "wake".to_owned())]);
    assert!(world.record.events < 3);
}

#[test]
fn a_narrow_line_delays_by_what_is_before() {
    let arrivals = |bandwidth: u64| {
        let (here, there) = (Heard::default(), Heard::default());
        let mut maker = Tiny::new(&here);
        maker.dials.push(address(1, 0));
        let terrain = Terrain { latency: LATENCY, bandwidth, seed: 1 };
        let mut world = World::new(terrain, Timestamp(0), Backend::Portable, 1, Record::default());
        let _ = world.add(Box::new(maker), address(0, 0), true, 0);
        let _ = world.add(Box::new(Tiny::new(&there)), address(1, 0), true, 0);
        world.start(1);
        world.start(0);
        assert_eq!(world.run(Moment(60_000_000_000)), None);
        there.borrow().iter().filter(|(_, text)| text == "note").map(|(at, _)| *at).next().unwrap()
    };
    // Three messages of about 105 bytes, at 8 kbit/s a tenth of a second each.
    let (wide, narrow) = (arrivals(1_000_000_000), arrivals(8_000));
    assert!(narrow > wide + Duration::from_millis(250), "{wide:?} {narrow:?}");
}

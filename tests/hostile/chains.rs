//! Headers and bodies that are not what they should be, and claims that nothing is behind (attacks 20, 26 and 27).
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::thread;
use std::time::{Duration, Instant};

use bloom_consensus::{Height, Params, Timestamp, Work};
use bloom_net::PeerAddr;
use bloom_net::wire::{Hello, Note, Request, Response};

use super::attacker::{DEV, Liar, SOON, hello};
use super::forge::{Line, false_proofs};
use super::honest::{Honest, size};
use super::node::{agree_on, wait_for};
use super::support::{Home, number, text};

/// Who claims more than anybody has.
fn boastful() -> Hello {
    let work = (0..1_000).fold(Work::ZERO, |work, _| work.plus(Params::main().genesis_difficulty()));
    Hello { height: Height(1_000_000), work, ..hello() }
}

#[test]
fn false_proofs_ban_at_the_first_of_them_and_headers_that_do_not_connect_do_in_time() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let peers = size(8, 500);
    let sent = honest.under("headers with false proofs", |address| {
        (0..peers).map(|mark| sends_false_proofs(address, mark as u64)).sum::<usize>()
    });
    assert!(sent >= 2_000 * peers, "{sent} headers were asked for");
    assert_eq!(number(&honest.node.status()["bans"]), peers as u64);

    let line = Line::mine(50, 2);
    honest.under("headers that do not connect", |address| {
        let liar = Liar::join(address, &boastful()).unwrap();
        liar.say(Note::Blocks(vec![line.blocks[40].header]));
        let is_gone = liar.serve(SOON, |liar, request| match request {
            Request::Headers { .. } => {
                let mut headers: Vec<_> = line.blocks[1..].iter().map(|block| block.header).collect();
                headers.swap(10, 20);
                liar.say(Note::Blocks(vec![line.blocks[40].header]));
                Some(Response::Headers(headers))
            }
            _ => Some(Response::NotFound),
        });
        assert!(is_gone);
    });
    honest.stop();
}

fn sends_false_proofs(address: PeerAddr, mark: u64) -> usize {
    let liar = Liar::join(address, &boastful()).unwrap();
    let (headers, mut sent) = (false_proofs(&DEV.genesis.header, mark), 0);
    let is_gone = liar.serve(SOON, |_, request| match request {
        Request::Headers { .. } => {
            sent += headers.len();
            Some(Response::Headers(headers.clone()))
        }
        _ => Some(Response::NotFound),
    });
    assert!(is_gone, "after {sent} headers");
    sent
}

/// Their proofs are true: they cost a quarter of a bloom each, and bodies to them there are none.
#[test]
fn a_flood_of_true_headers_whose_bodies_are_withheld_is_bounded_and_who_sends_it_let_go() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let line = Line::mine(size(1_000, 70_000), 3);
    let wanted = size(3_000, 1_000_000);
    let sent = honest.under("true headers without bodies", |address| {
        thread::scope(|scope| {
            let flood = || {
                let mut sent = 0;
                while sent < wanted / 3 {
                    let Some(liar) = Liar::join(address, &line.hello()) else { continue };
                    let is_gone = liar.serve(3 * SOON, |_, request| match request {
                        Request::Headers { locator } => {
                            let headers = line.headers(&locator);
                            sent += headers.len();
                            Some(Response::Headers(headers))
                        }
                        _ => None,
                    });
                    assert!(is_gone, "after {sent} headers");
                }
                sent
            };
            let floods: Vec<_> = (0..3).map(|_| scope.spawn(flood)).collect();
            floods.into_iter().map(|flood| flood.join().unwrap()).sum::<usize>()
        })
    });
    assert!(sent >= wanted / 3 * 3, "{sent} headers were asked for");
    honest.stop();
}

#[test]
fn a_body_of_another_root_bans_who_served_it_and_not_the_block_and_an_invalid_one_condemns_it() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let line = Line::mine(600, 4);
    honest.under("bodies of another root", |address| {
        for _ in 0..3 {
            let liar = Liar::join(address, &line.hello()).unwrap();
            assert!(liar.serve(SOON, |_, request| line.answer_wrong_bodies(request)));
        }
    });
    assert_eq!(number(&honest.node.status()["bans"]), 3);
    assert!(number(&honest.node.status()["height"]) < 600);

    // The same blocks from another peer.
    serve_until(&honest, &line, |honest| honest.node.tip() == line.blocks[600].hash().to_string());
    agree_on(&honest.all(), &honest.node.tip());

    // A block too greedy, and what stands on it.
    let tip = honest.node.tip();
    let greedy = line.clone().greedy(1).greedy(0).greedy(0);
    for _ in 0..2 {
        let liar = Liar::join(honest.address(), &greedy.hello()).unwrap();
        assert!(liar.serve(SOON, |_, request| greedy.answer(request)), "it is let go");
        assert_eq!(honest.node.tip(), tip);
    }
    honest.stands();
    honest.stop();
}

/// Has somebody honest serve a line until something holds.
pub(crate) fn serve_until(honest: &Honest<'_>, line: &Line, mut holds: impl FnMut(&Honest<'_>) -> bool) {
    let peer = Liar::join(honest.address(), &line.hello()).unwrap();
    let until = Instant::now() + SOON;
    while !holds(honest) {
        assert!(!peer.serve(Duration::from_millis(200), |_, request| line.answer(request)), "it is honest");
        assert!(Instant::now() < until, "in vain");
    }
}

/// Heights, work and clocks that are claimed, and never anything to show for it.
#[test]
fn lies_about_height_work_and_time_change_nothing() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    honest.under("lies about height and time", |address| {
        let times = [0, 1, u64::MAX, hello().time.0 + 1_000_000, hello().time.0];
        let liars = times.map(|time| Liar::join(address, &Hello { time: Timestamp(time), ..boastful() }).unwrap());
        thread::scope(|scope| {
            for (number, liar) in liars.iter().enumerate() {
                // Some say that they have nothing, some say nothing.
                scope.spawn(move || {
                    liar.serve(Duration::from_secs(15), |_, request| match request {
                        Request::Headers { .. } if number % 2 == 0 => Some(Response::Headers(Vec::new())),
                        _ => (number % 2 == 0).then_some(Response::NotFound),
                    })
                });
            }
        });
    });
    assert_eq!(text(&honest.node.status()["tip"]), honest.relay.tip());
    wait_for("no liar", || honest.node.peers().len() == 2);
    honest.stop();
}

//! Peers that answer and bring nothing: they hold up neither others nor this node, and who was only late is asked again.

use bloom_consensus::{Block, BlockHash, Height, Timestamp};

use super::cast::{Cast, Manner, beginning, grow, long, mine_at};
use super::{cut, huge};
use crate::Fault;
use crate::testing::BEGIN;
use crate::wire::{Hello, Note};

/// A header that stands on nothing costs nothing; `number` makes it another one.
fn announce_nothing(cast: &mut Cast, puppet: usize, number: u8) {
    let mut header = long()[600].header;
    header.template.prev_hash = BlockHash([number; 32]);
    let end = cast.players[&puppet].end;
    cast.wire.say(end, Note::Blocks(vec![header]));
}

/// Seconds of so many that the engine is behind in.
fn behind(cast: &mut Cast, secs: usize) -> usize {
    let mut behind = 0;
    for _ in 0..secs {
        cast.until(1, |_| false);
        behind += usize::from(cast.wire.at(cast.engine).is_behind());
    }
    behind
}

#[test]
fn a_peer_with_known_headers_neither_makes_a_node_behind_nor_is_asked_for_ever() {
    // In the locator from 600 are 80 and 336: the first answer has one of them in it, the second when it is given again.
    for after in [0, 80] {
        let mut cast = Cast::new(&cut(&long(), 590));
        let peer = cast.join(long(), Manner::Honest);
        assert!(cast.until(30, |cast| cast.has(&long())));
        cast.until(5, |_| false);
        cast.answer_by(200);
        cast.players.get_mut(&peer).unwrap().manner = Manner::Known(after);
        announce_nothing(&mut cast, peer, 7);
        assert_eq!(behind(&mut cast, 60), 0, "{after}");
        assert!(cast.players[&peer].headers_asked < 12, "{}", cast.players[&peer].headers_asked);
        let faults = cast.faults(peer);
        assert!(faults.contains(&Fault::WrongAnswer), "{after}: {faults:?}");
    }
}

#[test]
fn a_claim_of_much_work_and_known_headers_keep_nobody_from_the_chain() {
    let line = grow(long(), 100, 1);
    let mut cast = Cast::new(&long());
    cast.answer_by(200);
    for after in [0, 80, 80, 0] {
        cast.join_claiming(long(), Manner::Known(after), huge());
    }
    cast.until(1, |_| false);
    cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(15, |cast| cast.has(&line)));
}

#[test]
fn who_is_busy_until_its_time_is_almost_up_keeps_nobody_from_the_chain() {
    let line = grow(long(), 100, 1);
    let mut cast = Cast::new(&long());
    let busy: Vec<_> = (0..6).map(|_| cast.join_claiming(long(), Manner::Busy, huge())).collect();
    cast.until(1, |_| false);
    let honest = cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(30, |cast| cast.has(&line)));
    assert_eq!(cast.faults(honest), []);
    cast.until(300, |_| false);
    assert!(busy.iter().all(|peer| cast.players[peer].headers_asked < 12), "each is asked ever more rarely");
}

#[test]
fn one_answer_that_did_not_come_costs_seconds() {
    let line = cut(&long(), 100);
    let mut cast = Cast::new(&beginning());
    let peer = cast.join(line.clone(), Manner::Dead);
    cast.until(12, |_| false);
    cast.players.get_mut(&peer).unwrap().manner = Manner::Honest;
    assert!(cast.until(15, |cast| cast.has(&line)));
}

#[test]
fn who_had_no_bodies_for_long_is_asked_again() {
    let line = cut(&long(), 100);
    let mut cast = Cast::new(&beginning());
    let peer = cast.join(line.clone(), Manner::Half(0));
    cast.until(1_000, |_| false);
    cast.players.get_mut(&peer).unwrap().manner = Manner::Honest;
    assert!(cast.until(700, |cast| cast.has(&line)));
    assert_eq!(cast.faults(peer), []);
    cast.lengthen(peer, cut(&long(), 150));
    assert!(cast.until(10, |cast| cast.has(&cut(&long(), 150))), "it has delivered: its past is forgotten");
}

#[test]
fn a_clock_that_is_set_right_is_seen_within_seconds() {
    let mut line = long();
    for at in 0..10 {
        line = mine_at(line, Timestamp(BEGIN.0 + 86_400 + at), 1, 0);
    }
    let mut cast = Cast::new(&long());
    let peer = cast.join(line.clone(), Manner::Honest);
    cast.until(60, |_| false);
    assert!(cast.has(&long()));
    let asked = cast.players[&peer].headers_asked;
    assert!(asked < 10, "it is not asked before the time has come: {asked}");
    cast.wire.clock_ahead_secs = 90_000;
    assert!(cast.until(15, |cast| cast.has(&line)));
    assert_eq!(cast.faults(peer), []);
}

#[test]
fn who_keeps_the_last_blocks_alone_is_not_asked_for_earlier_ones() {
    let line = long();
    let mut cast = Cast::new(&beginning());
    let say = |hello: Hello| Hello { height: Height(1_200), work: huge(), is_archive: false, ..hello };
    let pruned = cast.join_saying(line.clone(), Manner::Pruned(300), say);
    cast.until(10, |_| false);
    assert_eq!(cast.players[&pruned].blocks_asked, 0);
    cast.join(cut(&line, 310), Manner::Honest);
    assert!(cast.until(10, |cast| cast.has(&line)));
    assert!(cast.players[&pruned].served >= 290);
    assert_eq!(cast.faults(pruned), []);
}

#[test]
fn a_branch_that_leaves_the_chain_further_down_than_an_answer_reaches_is_found() {
    let fork: Vec<Block> = grow(cut(&long(), 300), 320, 2);
    let mut cast = Cast::new(&long());
    cast.answer_by(100);
    let peer = cast.join(fork.clone(), Manner::Honest);
    assert!(cast.until(60, |cast| cast.has(&fork)));
    assert_eq!(cast.faults(peer), []);
}

#[test]
fn announcements_that_come_to_nothing_are_blamed_in_the_end() {
    let mut cast = Cast::new(&long());
    let peer = cast.join(long(), Manner::Honest);
    cast.until(2, |_| false);
    for number in 0..50 {
        announce_nothing(&mut cast, peer, number);
        cast.until(1, |_| false);
    }
    let faults = cast.faults(peer);
    assert!(!faults.is_empty() && faults.iter().all(|fault| matches!(fault, Fault::Flood(_))), "{faults:?}");
    assert!(!cast.is_connected(peer), "and end in a ban");
}

#[test]
fn who_filled_its_room_with_a_heavier_branch_and_had_no_bodies_yet_is_not_let_go() {
    let line = long();
    let mut cast = Cast::new(&beginning());
    cast.answer_by(100);
    let engine = cast.engine;
    cast.wire.at_mut(engine).parts().1.tree.bounds.of_peer = 150;
    let peer = cast.join(line.clone(), Manner::Half(0));
    cast.until(100, |_| false);
    assert!(cast.is_connected(peer));
    cast.players.get_mut(&peer).unwrap().manner = Manner::Honest;
    assert!(cast.until(300, |cast| cast.has(&line)));
    assert_eq!(cast.faults(peer), []);
}

#[test]
fn when_there_is_no_room_for_all_headers_the_heavier_branch_is_followed_all_the_same() {
    let fork = grow(cut(&long(), 550), 80, 2);
    let mut cast = Cast::new(&beginning());
    cast.answer_by(100);
    let engine = cast.engine;
    let bounds = &mut cast.wire.at_mut(engine).parts().1.tree.bounds;
    (bounds.of_peer, bounds.in_all) = (150, 210);
    let withheld = cast.join(long(), Manner::Half(0));
    cast.until(5, |_| false);
    let peers = [cast.join(long(), Manner::Honest), cast.join(fork.clone(), Manner::Honest)];
    assert!(cast.until(300, |cast| cast.has(&fork)));
    assert!(cast.is_connected(withheld));
    assert!(peers.iter().all(|peer| cast.faults(*peer).is_empty()));
    assert_eq!(behind(&mut cast, 100), 0);
}

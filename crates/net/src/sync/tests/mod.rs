//! Catching up with puppets that deliver, lie and stall.

mod cast;
mod flood;
mod manners;
mod serving;

use std::collections::BTreeSet;

use bloom_consensus::{Block, Timestamp, Work};

use crate::event::Report;
use crate::testing::BEGIN;
use crate::{Config, Fault};
use cast::{Cast, Manner, beginning, grow, long, mine_at};

/// More than any chain has.
fn huge() -> Work {
    Work::from_be_bytes([0xff; 32])
}

fn cut(line: &[Block], height: usize) -> Vec<Block> {
    line[..=height].to_vec()
}

#[test]
fn five_hundred_blocks_come_from_three_peers_one_of_which_stalls_and_one_lies() {
    let line = cut(&long(), 500);
    for manner in [Manner::WrongBodies, Manner::OtherBlocks, Manner::FalseProofs(100)] {
        let mut cast = Cast::new(&beginning());
        let liar = cast.join(line.clone(), manner);
        let staller = cast.join(line.clone(), Manner::Silent);
        let honest = cast.join(line.clone(), Manner::Honest);
        assert!(cast.until(30, |cast| cast.has(&line)), "{manner:?}");
        assert_eq!(cast.faults(honest), []);
        assert!(cast.is_connected(honest));
        let lies = cast.faults(liar);
        match manner {
            Manner::WrongBodies => assert!(matches!(lies[..], [Fault::InvalidBlock(_)]), "{lies:?}"),
            Manner::FalseProofs(_) => assert_eq!(lies, [Fault::FalseProof]),
            _ => assert!(!lies.is_empty() && lies.iter().all(|lie| *lie == Fault::WrongAnswer), "{lies:?}"),
        }
        assert!(!cast.is_connected(liar), "{manner:?}");
        assert!(cast.faults(staller).iter().all(|fault| *fault == Fault::Stalled));
        let synced = |report: &Report| matches!(report, Report::Synced { height } if height.0 == 500);
        assert!(cast.until(2, |cast| cast.wire.reports[cast.engine].iter().any(synced)));
    }
}

#[test]
fn who_stalls_is_replaced_within_seconds_and_asked_no_more_after_the_second_time() {
    let line = cut(&long(), 300);
    let mut cast = Cast::new(&beginning());
    let staller = cast.join_claiming(line.clone(), Manner::Silent, huge());
    assert!(cast.until(5, |cast| cast.players[&staller].blocks_asked > 0));
    let honest = cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(10, |cast| cast.has(&line)));
    assert!(!cast.faults(staller).is_empty());
    assert_eq!(cast.faults(honest), []);
    cast.until(5, |_| false);
    assert!(cast.is_connected(staller), "once is bad luck");
    for (player, length) in [(staller, 600), (honest, 600)] {
        cast.lengthen(player, cut(&long(), length));
    }
    assert!(cast.until(10, |cast| cast.has(&long())));
    assert!(cast.until(10, |cast| !cast.is_connected(staller)), "twice is not");
    assert_eq!(cast.bans(), 0);
    assert_eq!(cast.faults(honest), []);
}

#[test]
fn who_was_let_go_for_stalling_and_comes_back_at_once_holds_nobody_up_again() {
    let line = cut(&long(), 200);
    let mut cast = Cast::new(&beginning());
    let staller = cast.join_claiming(line.clone(), Manner::Silent, huge());
    assert!(cast.until(5, |cast| cast.players[&staller].blocks_asked > 0));
    let honest = cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(10, |cast| cast.has(&line)));
    cast.until(5, |_| false);
    for player in [staller, honest] {
        cast.lengthen(player, cut(&long(), 400));
    }
    assert!(cast.until(10, |cast| cast.has(&cut(&long(), 400)) && !cast.is_connected(staller)));
    let asked = cast.players[&staller].blocks_asked;
    cast.come_back(staller);
    assert!(cast.until(5, |cast| cast.is_connected(staller)));
    cast.until(5, |_| false);
    for player in [staller, honest] {
        cast.lengthen(player, long());
    }
    assert!(cast.until(1, |cast| cast.has(&long())), "it waits for nobody");
    assert_eq!(cast.players[&staller].blocks_asked, asked);
    assert!(cast.is_connected(staller));
}

#[test]
fn claims_of_height_and_work_change_nothing_but_the_order() {
    let line = cut(&long(), 200);
    let mut cast = Cast::new(&beginning());
    let mut liars = Vec::new();
    for manner in [Manner::Honest, Manner::Dead, Manner::Silent] {
        liars.push(cast.join_claiming(cut(&line, 3), manner, huge()));
    }
    let honest = cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(30, |cast| cast.has(&line)));
    assert_eq!(cast.faults(honest), []);
    assert!(cast.players[&liars[0]].served <= 3);
    assert_eq!(cast.bans(), 0, "a claim is no fault");
}

#[test]
fn a_peer_that_serves_half_a_chain_is_left_for_another_and_not_blamed() {
    let line = cut(&long(), 400);
    let mut cast = Cast::new(&beginning());
    let half = cast.join(line.clone(), Manner::Half(200));
    assert!(cast.until(10, |cast| cast.tip() == line[200].hash()));
    cast.until(200, |_| false);
    assert_eq!(cast.tip(), line[200].hash());
    let asked = cast.players[&half].blocks_asked;
    cast.until(2_000, |_| false);
    assert!(cast.players[&half].blocks_asked <= asked + 5, "it is asked ever more rarely");
    assert_eq!(cast.faults(half), []);
    cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(10, |cast| cast.has(&line)));
}

#[test]
fn no_body_is_asked_for_along_a_branch_without_more_work_than_the_tip() {
    let line = cut(&long(), 40);
    let mut cast = Cast::new(&line);
    let fork = grow(cut(&line, 10), 30, 2);
    let peer = cast.join_claiming(fork.clone(), Manner::Honest, huge());
    cast.until(30, |_| false);
    assert!(cast.players[&peer].headers_asked > 0);
    assert_eq!(cast.players[&peer].blocks_asked, 0, "as much work is not more");
    assert!(cast.has(&line));
    let heavier = grow(fork, 1, 2);
    cast.join(heavier.clone(), Manner::Honest);
    assert!(cast.until(10, |cast| cast.has(&heavier)), "one block more is");
}

#[test]
fn headers_that_do_not_stand_on_what_was_asked_for_are_blamed() {
    let line = cut(&long(), 20);
    let mut cast = Cast::new(&beginning());
    let peer = cast.join(line.clone(), Manner::Unconnected);
    cast.until(5, |_| false);
    assert_eq!(cast.faults(peer), [Fault::Unconnected]);
    assert!(cast.has(&beginning()));
    cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(10, |cast| cast.has(&line)));
}

#[test]
fn an_invalid_block_of_the_right_root_condemns_its_branch_and_lets_its_peers_go_unbanned() {
    let line = cut(&long(), 30);
    let bad = mine_at(cut(&line, 20), Timestamp(line[20].header.template.timestamp.0 + 1), 3, 1);
    let bad = grow(bad, 20, 3);
    let mut cast = Cast::new(&beginning());
    let fooled = cast.join(bad.clone(), Manner::Honest);
    let honest = cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(20, |cast| cast.has(&line)));
    assert!(cast.until(20, |cast| !cast.is_connected(fooled)));
    assert_eq!((cast.bans(), cast.faults(fooled).len()), (0, 0));
    assert!(cast.is_connected(honest));
    // Whoever shows it again is let go at once: it is known.
    let again = cast.join(bad, Manner::Honest);
    assert!(cast.until(5, |cast| !cast.is_connected(again)));
    assert_eq!(cast.players[&again].blocks_asked, 0);
    assert_eq!(cast.bans(), 0);
}

#[test]
fn headers_ahead_of_the_clock_wait_and_nobody_is_blamed() {
    let line = grow(beginning(), 10, 1);
    let ahead = mine_at(line.clone(), Timestamp(BEGIN.0 + 840 + 120), 1, 0);
    let mut cast = Cast::new(&beginning());
    let peer = cast.join(ahead.clone(), Manner::Honest);
    cast.until(60, |_| false);
    assert!(cast.has(&line), "what is not ahead is taken");
    assert_eq!(cast.faults(peer), []);
    assert!(cast.until(600, |cast| cast.has(&ahead)), "and the rest when its time has come");
    assert_eq!(cast.faults(peer), []);
}

#[test]
fn it_goes_on_from_wherever_it_was() {
    let line = cut(&long(), 200);
    for height in [0, 1, 10, 63, 64, 65, 127, 128, 199, 200] {
        let mut cast = Cast::new(&cut(&line, height));
        let peer = cast.join(line.clone(), Manner::Honest);
        assert!(cast.until(10, |cast| cast.has(&line)), "from {height}");
        assert_eq!(cast.players[&peer].served, 200 - height, "nothing is asked for twice");
    }
}

#[test]
fn what_is_filed_of_a_branch_is_not_asked_for_again() {
    let line = cut(&long(), 40);
    let fork = grow(cut(&line, 10), 40, 2);
    let mut cast = Cast::new(&line);
    let (engine, now) = (cast.engine, cast.wire.clock().unix);
    for block in &fork[11..=25] {
        cast.wire.at_mut(engine).chain_mut().accept(block, 0, now).unwrap();
    }
    let peer = cast.join(fork.clone(), Manner::Honest);
    assert!(cast.until(10, |cast| cast.has(&fork)));
    assert_eq!(cast.players[&peer].served, 25);
}

#[test]
fn a_branch_whose_bodies_are_withheld_keeps_nobody_from_the_next_best() {
    let line = cut(&long(), 100);
    let withheld = grow(cut(&line, 10), 200, 2);
    let mut cast = Cast::new(&cut(&line, 50));
    cast.join(withheld, Manner::Silent);
    let honest = cast.join(line.clone(), Manner::Honest);
    assert!(cast.until(60, |cast| cast.has(&line)));
    assert!(cast.is_connected(honest));
}

#[test]
fn a_block_that_was_set_aside_is_taken_when_its_time_has_come() {
    let line = grow(beginning(), 5, 1);
    let ahead = mine_at(line.clone(), Timestamp(BEGIN.0 + 840 + 100), 1, 0);
    let mut cast = Cast::new(&line);
    let (engine, now) = (cast.engine, cast.wire.clock().unix);
    cast.wire.at_mut(engine).chain_mut().accept(&ahead[6], 0, now).unwrap();
    cast.join(line.clone(), Manner::Honest);
    cast.until(90, |_| false);
    assert!(cast.has(&line));
    assert!(cast.until(30, |cast| cast.has(&ahead)));
}

#[test]
fn far_behind_all_that_have_the_branch_are_asked() {
    let line = long();
    let mut cast = Cast::new(&beginning());
    let peers: BTreeSet<_> = (0..3).map(|_| cast.join(line.clone(), Manner::Honest)).collect();
    assert!(cast.until(10, |cast| cast.has(&line)));
    let served: Vec<_> = peers.iter().map(|peer| cast.players[peer].served).collect();
    assert!(served.iter().all(|served| *served > 0), "{served:?}");
    assert_eq!(served.iter().sum::<usize>(), 600, "and none for what another was asked for");
}

#[test]
fn after_a_partition_engines_agree_on_the_branch_with_more_work() {
    let line = cut(&long(), 20);
    let mut cast = Cast::new(&line);
    let other = cast.wire.engine(Config::default());
    let now = cast.wire.clock().unix;
    for block in grow(cut(&line, 5), 16, 2) {
        cast.wire.at_mut(other).chain_mut().accept(&block, 0, now).unwrap();
    }
    let expected = cast.wire.at(other).chain().chain().tip().hash;
    let engine = cast.engine;
    cast.wire.connect(engine, other);
    assert!(cast.until(10, |cast| cast.tip() == expected));
    assert_eq!(cast.wire.at(other).chain().chain().tip().hash, expected);
}

//! The operator's marks: what is marked is not followed, nothing else changes, and taking the mark back undoes it.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use bloom_chain::{AcceptError, Chain, LeafStatus, MarkError, Options, Outcome, Switch};
use bloom_consensus::{BlockHash, Height};
use common::*;

fn hashes(line: &Line, from: u64, to: u64) -> Vec<BlockHash> {
    (from..=to).map(|height| line.hash_at(height)).collect()
}

fn statuses(chain: &Chain) -> Vec<(u64, u64, LeafStatus)> {
    let leaves = chain.leaves().unwrap();
    leaves.iter().map(|leaf| (leaf.height.0, leaf.branch, leaf.status)).collect()
}

#[test]
fn the_heaviest_other_branch_becomes_the_chain_and_reconsider_undoes_it() {
    let trunk = Line::dev().grow(130, 1);
    let mut main = trunk.clone();
    main.mine(2, vec![pay(&DEV, trunk.reward_at(3), 1, &[9, 8])]);
    let main = main.grow(3, 2);
    let mut side = trunk.clone();
    side.mine(3, vec![pay(&DEV, trunk.reward_at(3), 1, &[7])]);
    let side = side.grow(1, 3);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = open(dir.path());
    feed(&mut chain, &main.blocks);
    feed(&mut chain, &side.blocks);
    let before = (state(&chain), chain.leaves().unwrap());

    let switch = chain.invalidate(&main.hash_at(131)).unwrap();
    let disconnected = hashes(&main, 131, 134).into_iter().rev().collect();
    assert_eq!(switch, Switch { disconnected, connected: hashes(&side, 131, 132) });
    assert_eq!(state(&chain), replayed(&side));
    let expected = vec![(134, 4, LeafStatus::Invalidated), (132, 0, LeafStatus::Active)];
    assert_eq!(statuses(&chain), expected);
    verify(&mut chain, 0).unwrap();
    assert!(chain.block(&main.hash_at(134)).unwrap().is_some(), "bodies are kept");

    // It holds across a restart, where the marked branch grows heavier still, and on taking it back all is as before.
    drop(chain);
    let mut chain = open(dir.path());
    assert_eq!((state(&chain), statuses(&chain)), (replayed(&side), expected));
    assert_eq!(chain.invalidate(&main.hash_at(131)).unwrap(), Switch::default(), "once is enough");
    let longer = main.clone().grow(2, 4);
    assert_eq!(feed(&mut chain, &longer.blocks[135..]), Outcome::SideBranch);
    assert_eq!(state(&chain), replayed(&side));
    drop(chain);
    let mut chain = open(dir.path());
    let Switch { connected, .. } = chain.reconsider(&longer.hash_at(136)).unwrap();
    assert_eq!(connected, hashes(&longer, 131, 136));
    assert_eq!(state(&chain), replayed(&longer));
    verify(&mut chain, 0).unwrap();

    let mut fresh = in_memory(&DEV);
    feed(&mut fresh, &main.blocks);
    feed(&mut fresh, &side.blocks);
    fresh.invalidate(&main.hash_at(133)).unwrap();
    assert_eq!(fresh.tip().hash, main.hash_at(132), "of two equals the first filed");
    fresh.reconsider(&main.hash_at(133)).unwrap();
    assert_eq!((state(&fresh), fresh.leaves().unwrap()), before);
}

#[test]
fn of_two_equals_the_first_filed_becomes_the_chain() {
    let trunk = Line::dev().grow(2, 1);
    let main = trunk.clone().grow(2, 2);
    let (one, other) = (trunk.clone().grow(1, 3), trunk.clone().grow(1, 4));
    for (first, second) in [(&one, &other), (&other, &one)] {
        let mut chain = in_memory(&DEV);
        feed(&mut chain, &main.blocks);
        feed(&mut chain, [first.tip(), second.tip()]);
        chain.invalidate(&main.hash_at(3)).unwrap();
        assert_eq!(chain.tip().hash, first.tip().hash());
        chain.invalidate(&first.tip().hash()).unwrap();
        assert_eq!(chain.tip().hash, second.tip().hash());
        chain.invalidate(&second.tip().hash()).unwrap();
        assert_eq!(chain.tip().hash, trunk.tip().hash());
        assert_eq!(statuses(&chain)[2..].to_vec().len(), 2);
        let grown = trunk.clone().grow(1, 5);
        assert_eq!(feed(&mut chain, [grown.tip()]), Outcome::Extended, "what is not marked goes on");
    }
}

#[test]
fn a_mark_of_a_descendant_stays_when_that_of_an_ancestor_goes() {
    let line = Line::dev().grow(6, 1);
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &line.blocks);
    chain.invalidate(&line.hash_at(5)).unwrap();
    chain.invalidate(&line.hash_at(2)).unwrap();
    assert_eq!(chain.tip().height, Height(1));
    chain.reconsider(&line.hash_at(3)).unwrap();
    assert_eq!(chain.tip().hash, line.hash_at(4), "the mark on 5 stays");
    chain.reconsider(&line.hash_at(6)).unwrap();
    assert_eq!(state(&chain), replayed(&line));
}

#[test]
fn a_branch_that_breaks_a_rule_is_condemned_when_a_mark_makes_it_the_heaviest() {
    let trunk = Line::dev().grow(5, 1);
    let main = trunk.clone().grow(4, 2);
    let mut bad = trunk.clone().grow(1, 3);
    bad.mine(3, vec![pay(&DEV, trunk.reward_at(2), 1, &[9])]); // far from mature
    let bad = bad.grow(1, 3);
    let good = trunk.clone().grow(2, 4);
    let mut chain = in_memory(&DEV);
    for line in [&main, &bad, &good] {
        feed(&mut chain, &line.blocks);
    }
    chain.invalidate(&main.hash_at(6)).unwrap();
    // 7 of `good` weighs what 6 of `bad`, which is sound, does not.
    assert_eq!(state(&chain), replayed(&good));
    let status = |hash| chain.leaves().unwrap().iter().find(|leaf| leaf.hash == hash).map(|leaf| leaf.status);
    assert_eq!(status(bad.tip().hash()), Some(LeafStatus::Condemned));
    assert_eq!(status(main.tip().hash()), Some(LeafStatus::Invalidated));
    assert!(matches!(chain.accept(bad.tip(), 0, NOW), Err(AcceptError::Condemned { .. })));
    assert!(matches!(chain.invalidate(&bad.hash_at(8)), Err(MarkError::Condemned { .. })));
    assert!(matches!(chain.reconsider(&bad.hash_at(8)), Err(MarkError::Condemned { .. })));
    chain.reconsider(&main.hash_at(6)).unwrap();
    assert_eq!(state(&chain), replayed(&main));
    verify(&mut chain, 0).unwrap();
}

#[test]
fn what_cannot_be_marked_is_refused_for_its_own_reason() {
    let line = Line::dev().grow(2, 1);
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &line.blocks);
    assert!(matches!(chain.invalidate(&line.hash_at(0)), Err(MarkError::Genesis { .. })));
    assert!(matches!(chain.invalidate(&BlockHash([7; 32])), Err(MarkError::Unknown { .. })));
    assert!(matches!(chain.reconsider(&BlockHash([7; 32])), Err(MarkError::Unknown { .. })));
    assert!(matches!(chain.reconsider(&line.hash_at(1)), Err(MarkError::NotMarked { .. })));
    assert_eq!(state(&chain), replayed(&line));
}

#[test]
fn a_mark_that_was_set_during_a_bulk_load_loses_nothing() {
    let line = Line::dev().grow(5, 1);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(dir.path(), &DEV, Options { blocks_per_commit: 64, ..Options::default() }).unwrap();
    feed(&mut chain, &line.blocks);
    chain.invalidate(&line.hash_at(4)).unwrap();
    drop(chain);
    let chain = Chain::open(dir.path(), &DEV, Options::default()).unwrap();
    assert_eq!(state(&chain), replayed(&line.cut(3)));
    assert_eq!(chain.leaves().unwrap().len(), 2);
}

//! Attacks 9, 16, 20 and 24: blocks in any order, from any clock, in spoiled copies.

mod common;

use std::sync::LazyLock;

use bloom_chain::{AcceptError, Accepted, Chain, Outcome};
use bloom_consensus::{
    Amount, Block, BlockHash, Coinbase, CopyFault, Difficulty, Height, Output, Params, Rejection, RuleViolation, Seal,
    Timestamp, ticket,
};
use bloom_kernel::{Backend, ROUNDS_MAX, Solo, initial_phases, lucas};
use common::*;
use proptest::prelude::*;

/// A trunk with two lighter branches, one of which forks again; one tip is heaviest.
static TREE: LazyLock<(Vec<Block>, Line)> = LazyLock::new(|| {
    let trunk = Line::dev().grow(2, 1);
    let heaviest = trunk.clone().grow(5, 2);
    let side = trunk.clone().grow(4, 3);
    let twig = side.cut(4).grow(2, 4);
    let early = trunk.cut(1).grow(3, 5);
    let mut blocks = heaviest.blocks[1..].to_vec();
    blocks.extend_from_slice(&side.blocks[3..]);
    blocks.extend_from_slice(&twig.blocks[5..]);
    blocks.extend_from_slice(&early.blocks[2..]);
    (blocks, heaviest)
});

fn shuffled() -> impl Strategy<Value = Vec<Block>> {
    let twice: Vec<Block> = TREE.0.iter().chain(&TREE.0).cloned().collect();
    Just(twice).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: prop::test_runner::RngSeed::Fixed(24), ..ProptestConfig::default() })]

    #[test]
    fn any_order_with_duplicates_comes_to_one_state(blocks in shuffled()) {
        let mut chain = in_memory(&DEV);
        for block in &blocks {
            let Accepted { followed, .. } = chain.accept(block, 0, NOW).unwrap();
            prop_assert!(followed.iter().all(|followed| followed.result.is_ok()));
        }
        prop_assert_eq!(state(&chain), replayed(&TREE.1));
        prop_assert_eq!(chain.waiting(), (0, 0));
        prop_assert_eq!(chain.leaves().unwrap().len(), 4);
        verify(&mut chain, 0).unwrap();
    }
}

#[test]
fn orphans_first_then_their_root_brings_all_of_them() {
    let line = Line::dev().grow(30, 1);
    let mut chain = in_memory(&DEV);
    for block in line.blocks[2..].iter().rev() {
        assert_eq!(chain.accept(block, 3, NOW).unwrap().outcome, Outcome::Orphan);
    }
    assert_eq!(chain.accept(line.tip(), 3, NOW).unwrap().outcome, Outcome::Orphan);
    assert_eq!(chain.waiting(), (29, 0));
    let Accepted { outcome, followed } = chain.accept(&line.blocks[1], 4, NOW).unwrap();
    assert_eq!(outcome, Outcome::Extended);
    assert_eq!(followed.len(), 29);
    for (followed, block) in followed.iter().zip(&line.blocks[2..]) {
        assert_eq!((followed.hash, followed.source), (block.hash(), 3));
        assert!(matches!(followed.result, Ok(Outcome::Extended)));
    }
    assert_eq!(state(&chain), replayed(&line));
}

#[test]
fn an_orphan_must_have_cost_work() {
    let line = Line::dev().grow(3, 1);
    let mut chain = in_memory(&DEV);
    let orphan = line.blocks[2].clone();
    let rule = |chain: &mut Chain, block: &Block| match chain.accept(block, 0, NOW) {
        Err(AcceptError::Refused { rejection, .. }) => *rejection,
        other => panic!("{other:?}"),
    };
    let mut second_genesis = orphan.clone();
    second_genesis.header.template.height = Height(0);
    assert!(matches!(rule(&mut chain, &second_genesis), Rejection::Rule(RuleViolation::Height { .. })));
    let mut no_bloom = orphan.clone();
    no_bloom.header.seal.certificate_hash[0] ^= 1;
    assert!(matches!(rule(&mut chain, &no_bloom), Rejection::Rule(RuleViolation::Ticket { .. }) | Rejection::Proof(_)));
    let mut wrong_body = orphan;
    wrong_body.coinbase = line.blocks[3].coinbase.clone();
    assert!(matches!(rule(&mut chain, &wrong_body), Rejection::Copy(CopyFault::MerkleRoot { .. })));
    assert_eq!(chain.waiting(), (0, 0));
}

#[test]
fn a_body_of_another_root_condemns_only_its_copy() {
    let line = Line::dev().grow(2, 1);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = open(dir.path());
    let mut spoiled = line.blocks[1].clone();
    spoiled.coinbase = line.blocks[2].coinbase.clone();
    for _ in 0..2 {
        let Err(AcceptError::Refused { rejection, .. }) = chain.accept(&spoiled, 6, NOW) else {
            panic!("it is not the header's body")
        };
        assert!(!rejection.condemns_header());
    }
    drop(chain);
    let mut chain = open(dir.path());
    assert_eq!(chain.header(&spoiled.hash()).unwrap(), None);
    assert_eq!(feed(&mut chain, &line.blocks[1..]), Outcome::Extended);
    assert_eq!(state(&chain), replayed(&line));
}

#[test]
fn an_invalid_body_of_the_right_root_condemns_header_and_descendants_for_good() {
    let mut line = Line::dev().grow(2, 1);
    let good = line.clone().grow(1, 2);
    let height = Height(3);
    let nothing = Output { amount: Amount::ZERO, key: output_key(1) };
    let coinbase = Coinbase::new(height, vec![], vec![nothing]).unwrap();
    let time = Timestamp(line.tip().header.template.timestamp.0 + 1);
    line.mine_with(time, coinbase, Vec::new());
    let line = line.grow(3, 1);

    let dir = tempfile::tempdir().unwrap();
    let mut chain = open(dir.path());
    feed(&mut chain, &line.blocks[..3]);
    // The children wait for the invalid block, then share its fate.
    assert_eq!(chain.accept(&line.blocks[4], 0, NOW).unwrap().outcome, Outcome::Orphan);
    let Err(AcceptError::Refused { rejection, .. }) = chain.accept(&line.blocks[3], 0, NOW) else {
        panic!("an output of nothing")
    };
    assert!(matches!(&*rejection, Rejection::Rule(RuleViolation::CoinbaseZeroOutput { .. })));
    assert!(rejection.condemns_header());
    assert_eq!(chain.waiting(), (0, 0));
    drop(chain);
    let mut chain = open(dir.path());
    for block in &line.blocks[3..] {
        assert!(matches!(chain.accept(block, 0, NOW), Err(AcceptError::Condemned { .. })));
        assert_eq!(chain.header(&block.hash()).unwrap(), Some(block.header));
    }
    assert_eq!(feed(&mut chain, [good.tip()]), Outcome::Extended);
    assert_eq!(verify(&mut chain, 0).unwrap().bodies, 4);
}

/// A line whose second block is made at `time`.
fn ahead(time: u64) -> Line {
    let mut line = Line::dev().grow(1, 1);
    line.mine_at(Timestamp(time), 1, Vec::new());
    line
}

#[test]
fn a_block_ahead_of_the_clock_is_set_aside_and_taken_later() {
    let t = 1_700_000_000;
    let line = ahead(t).grow(1, 1);
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &line.blocks[..2]);
    let set_aside = Outcome::SetAside { until: Timestamp(t - 840) };
    for _ in 0..2 {
        assert_eq!(chain.accept(&line.blocks[2], 0, Timestamp(t - 841)).unwrap().outcome, set_aside);
    }
    assert_eq!(chain.accept(&line.blocks[3], 0, Timestamp(t - 841)).unwrap().outcome, Outcome::Orphan);
    assert_eq!(chain.waiting(), (1, 1));
    // The clock jumps back and forth: that condemns nothing.
    for now in [0, t - 841, t - 100_000] {
        assert!(chain.retry(Timestamp(now)).unwrap().is_empty());
    }
    let followed = chain.retry(Timestamp(t - 839)).unwrap();
    assert_eq!(followed.len(), 2);
    assert!(followed.iter().all(|followed| matches!(followed.result, Ok(Outcome::Extended))));
    assert_eq!(state(&chain), replayed(&line));
    assert_eq!(chain.waiting(), (0, 0));
}

#[test]
fn the_clock_has_two_limits_and_condemns_at_neither() {
    let t = 1_700_000_000;
    let line = ahead(t);
    for (now, expected) in [(t - 840, "Extended"), (t - 841, "SetAside"), (t - 7200, "SetAside"), (t + 999, "Extended")]
    {
        let mut chain = in_memory(&DEV);
        feed(&mut chain, &line.blocks[..2]);
        let outcome = chain.accept(line.tip(), 0, Timestamp(now)).unwrap().outcome;
        assert!(format!("{outcome:?}").starts_with(expected), "{now}: {outcome:?}");
    }
    for (time, now) in [(t, t - 7201), (t, 0), (u64::MAX, t)] {
        let line = ahead(time);
        let mut chain = in_memory(&DEV);
        feed(&mut chain, &line.blocks[..2]);
        let error = chain.accept(line.tip(), 0, Timestamp(now)).unwrap_err();
        assert!(matches!(error, AcceptError::TooFarAhead { ahead_secs, .. } if ahead_secs == time - now));
        assert_eq!(chain.accept(line.tip(), 0, Timestamp(u64::MAX)).unwrap().outcome, Outcome::Extended);
    }
    // A timestamp that does not ascend is not a matter of clocks.
    let mut chain = in_memory(&DEV);
    let stale = {
        let mut line = Line::dev().grow(1, 1);
        let time = line.tip().header.template.timestamp;
        line.mine_at(time, 1, Vec::new());
        line
    };
    feed(&mut chain, &stale.blocks[..2]);
    let error = chain.accept(stale.tip(), 0, NOW).unwrap_err();
    assert!(matches!(error, AcceptError::Refused { rejection, .. }
        if matches!(*rejection, Rejection::Rule(RuleViolation::Timestamp { .. }))));
}

#[test]
fn the_clock_is_judged_last() {
    // Ahead of the clock and invalid: condemned, not set aside.
    let mut line = Line::dev().grow(1, 1);
    let nobody = Output { amount: Amount::from_units(u64::MAX), key: output_key(1) };
    let coinbase = Coinbase::new(Height(2), vec![], vec![nobody]).unwrap();
    line.mine_with(Timestamp(1_700_000_000), coinbase, Vec::new());
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &line.blocks[..2]);
    let now = Timestamp(1_700_000_000 - 1000);
    assert!(matches!(chain.accept(line.tip(), 0, now), Err(AcceptError::Refused { .. })));
    assert!(matches!(chain.accept(line.tip(), 0, now), Err(AcceptError::Condemned { .. })));
    assert_eq!(chain.waiting(), (0, 0));
}

#[test]
fn a_heavier_branch_ahead_of_the_clock_changes_nothing_until_its_time() {
    let t = 1_700_000_000;
    let trunk = Line::dev().grow(2, 1);
    let one = trunk.clone().grow(1, 2);
    let mut other = trunk.clone().grow(1, 3);
    other.mine_at(Timestamp(t), 3, Vec::new());
    let dir = tempfile::tempdir().unwrap();
    let mut chain = open(dir.path());
    feed(&mut chain, &one.blocks);
    feed(&mut chain, &other.blocks[..4]);
    let before = state(&chain);
    let early = Timestamp(t - 2000);
    assert!(matches!(chain.accept(other.tip(), 0, early).unwrap().outcome, Outcome::SetAside { .. }));
    assert_eq!(state(&chain), before);
    let too_early = Timestamp(t - 8000);
    assert!(matches!(chain.accept(other.tip(), 0, too_early), Err(AcceptError::TooFarAhead { .. })));
    assert_eq!(state(&chain), before);
    assert!(matches!(chain.retry(Timestamp(t)).unwrap()[0].result, Ok(Outcome::Reorganised { .. })));
    assert_eq!(state(&chain), replayed(&other));
    drop(chain);
    assert_eq!(state(&open(dir.path())), replayed(&other));
}

#[test]
fn at_most_64_of_a_source_are_set_aside() {
    let t = 1_700_000_000;
    let now = Timestamp(t - 1000);
    let trunk = Line::dev().grow(1, 1);
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &trunk.blocks);
    let sibling = |n: u64| {
        let mut line = trunk.clone();
        line.mine_at(Timestamp(t + n), 1, Vec::new());
        line.tip().clone()
    };
    for n in 0..64 {
        assert!(matches!(chain.accept(&sibling(n), 5, now).unwrap().outcome, Outcome::SetAside { .. }));
    }
    let one_more = sibling(64);
    assert!(matches!(chain.accept(&one_more, 5, now), Err(AcceptError::NoRoom { .. })));
    assert!(matches!(chain.accept(&one_more, 6, now).unwrap().outcome, Outcome::SetAside { .. }));
    assert_eq!(chain.waiting(), (0, 65));
    assert_eq!(chain.retry(Timestamp(t + 100)).unwrap().len(), 65);
}

#[test]
fn an_orphan_must_have_cost_a_ticket_at_the_lowest_difficulty() {
    let orphan = Line::dev().grow(2, 1).blocks[2].clone();
    let refused = |chain: &mut Chain, block: &Block| match chain.accept(block, 0, NOW) {
        Err(AcceptError::Refused { rejection, .. }) => *rejection,
        other => panic!("{other:?}"),
    };
    // A true proof whose ticket loses.
    let mut lost = orphan.clone();
    let challenge = lost.header.challenge().0;
    let mut solo = Solo::new(Backend::detect());
    let mut lots = (0..).filter_map(|i| {
        let (extra_nonce, nonce) = lucas::attempt(i)?;
        let phases = initial_phases(&challenge, extra_nonce, nonce);
        let bloom = solo.run(&phases, Difficulty::MIN, ROUNDS_MAX - 1)?;
        Some((Seal::new(extra_nonce, nonce, &bloom), bloom.rounds()))
    });
    let loses = |(seal, rounds): &(Seal, u32)| {
        !ticket::meets(&BlockHash(seal.block_hash(&challenge)), *rounds, Difficulty::MIN)
    };
    lost.header.seal = lots.find(loses).unwrap().0;
    let mut chain = in_memory(&DEV);
    assert!(matches!(refused(&mut chain, &lost), Rejection::Rule(RuleViolation::Ticket { .. })));

    let harder = Params { min_difficulty: Difficulty::ONE, ..DEV.clone() };
    let mut chain = in_memory(&harder);
    let cheap = Rejection::Rule(RuleViolation::Difficulty { got: Difficulty::MIN, expected: Difficulty::ONE });
    assert_eq!(refused(&mut chain, &orphan), cheap);
    assert_eq!(chain.waiting(), (0, 0));
}

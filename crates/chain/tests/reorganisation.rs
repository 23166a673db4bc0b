//! Attacks 21 and 22: the heaviest valid branch wins whatever its length, and its state is that of a fresh replay.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use bloom_chain::{AcceptError, Chain, LeafStatus, Options, Outcome};
use bloom_consensus::network::Params;
use bloom_consensus::reward::reward;
use bloom_consensus::{Amount, Coinbase, Height, Output, Rejection, RuleViolation, Timestamp, TransactionViolation};
use bloom_kernel::{Backend, Batch};
use common::*;

/// 150 blocks whose first coins are mature: what the branches below fight over.
fn trunk() -> Line {
    Line::dev().grow(150, 1)
}

/// A branch that spends a mature reward in each of its first 20 blocks, to its own key, and on the way a coin that it
/// has just made; later it spends its own first reward.
fn spending_branch(trunk: &Line, blocks: usize, key: u8) -> Line {
    let mut line = trunk.clone();
    let fork = trunk.height();
    for n in 1..=blocks as u64 {
        let mut transactions = Vec::new();
        if n <= 20 {
            let payment = pay(&line.params, trunk.reward_at(n), 1, &[key, 3]);
            let change = (bloom_consensus::Outpoint { txid: payment.txid(), index: 1 }, payment.body().outputs()[1]);
            transactions.push(payment);
            // Odd blocks of the one branch and even blocks of the other spend the change at once.
            if n % 2 == u64::from(key % 2) {
                transactions.push(pay(&line.params, change, 3, &[key]));
            }
        }
        if n == 124 {
            transactions.push(pay(&line.params, line.reward_at(fork + 1), key, &[4]));
        }
        line.mine(key, transactions);
    }
    line
}

fn reorganise_there_and_back(length: usize) {
    let trunk = trunk();
    let fork = usize::try_from(trunk.height()).unwrap() + 1;
    let one = spending_branch(&trunk, length, 5);
    let other = spending_branch(&trunk, length + 1, 6);
    let longer = one.clone().grow(2, 7);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(dir.path(), &DEV, bulk()).unwrap();
    feed(&mut chain, &one.blocks);
    assert_eq!(state(&chain), replayed(&one));

    assert_eq!(feed(&mut chain, &other.blocks[fork..fork + length]), Outcome::SideBranch);
    assert_eq!(state(&chain), replayed(&one), "a tie changes nothing");
    let outcome = feed(&mut chain, [other.tip()]);
    let disconnected = one.blocks[fork..].iter().rev().map(bloom_consensus::Block::hash).collect();
    let connected = other.blocks[fork..].iter().map(bloom_consensus::Block::hash).collect();
    assert_eq!(outcome, Outcome::Reorganised { disconnected, connected });
    assert_eq!(state(&chain), replayed(&other));

    feed(&mut chain, &longer.blocks[fork + length..]);
    let after = state(&chain);
    assert_eq!(after, replayed(&longer));
    let verified = verify(&mut chain, 0).unwrap();
    assert_eq!(verified.replayed, longer.height());
    assert_eq!(state(&chain), after, "verification changes nothing");
    drop(chain);
    assert_eq!(state(&open(dir.path())), after);
}

#[test]
fn reorganises_1_block() {
    reorganise_there_and_back(1);
}

#[test]
fn reorganises_2_blocks() {
    reorganise_there_and_back(2);
}

#[test]
fn reorganises_100_blocks() {
    reorganise_there_and_back(100);
}

#[test]
fn reorganises_1100_blocks() {
    reorganise_there_and_back(1100);
}

/// A network whose difficulty falls with every second of silence.
fn asert() -> Params {
    let file = |extra_nonce: u64, nonce: u32| {
        format!(
            "name = \"thin-air\"\nrule = \"asert-phi\"\ntime = 1700000000\ndifficulty_q24 = {}\n\
             min_difficulty_q24 = {}\ntext = \"thin air\"\nextra_nonce = {extra_nonce}\nnonce = {nonce}\n\
             rpc_port = 40001\npeer_port = 40002\naddress_prefix = \"thin\"\n",
            1u128 << 30,
            1u128 << 22
        )
    };
    let draft = bloom_consensus::NetworkFile::parse(&file(0, 1)).unwrap().genesis();
    let seal = bloom_consensus::genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect()))).header.seal;
    Params::from_toml(&file(seal.extra_nonce, seal.nonce)).unwrap()
}

#[test]
fn a_longer_but_lighter_branch_stays_aside() {
    let params = asert();
    let heavy = Line::new(&params).grow(2, 1);
    let mut light = Line::new(&params);
    light.mine_at(Timestamp(1_700_000_000 + 20 * 86_400), 2, Vec::new());
    let light = light.grow(9, 2);
    let mut chain = in_memory(&params);
    feed(&mut chain, &heavy.blocks);
    assert_eq!(feed(&mut chain, &light.blocks), Outcome::SideBranch);
    assert_eq!(chain.tip().hash, heavy.tip().hash());
    let leaves = chain.leaves().unwrap();
    assert_eq!((leaves[0].height, leaves[0].status), (Height(2), LeafStatus::Active));
    assert_eq!((leaves[1].height, leaves[1].status), (Height(10), LeafStatus::Side));
    assert!(leaves[1].work < leaves[0].work);
    verify(&mut chain, 0).unwrap();

    // The other way round the shorter branch takes over.
    let mut chain = in_memory(&params);
    feed(&mut chain, &light.blocks);
    let outcome = feed(&mut chain, &heavy.blocks);
    assert!(matches!(outcome, Outcome::Reorganised { disconnected, .. } if disconnected.len() == 10));
    assert_eq!(state(&chain), replayed(&heavy));
}

#[test]
fn the_first_seen_of_two_equals_stays_even_after_a_restart() {
    let trunk = Line::dev().grow(3, 1);
    let (one, other) = (trunk.clone().grow(2, 2), trunk.clone().grow(2, 3));
    for (first, second) in [(&one, &other), (&other, &one)] {
        let dir = tempfile::tempdir().unwrap();
        let mut chain = open(dir.path());
        feed(&mut chain, &first.blocks);
        assert_eq!(feed(&mut chain, &second.blocks), Outcome::SideBranch);
        drop(chain);
        let mut chain = open(dir.path());
        assert_eq!(chain.tip().hash, first.tip().hash());
        assert_eq!(feed(&mut chain, &second.blocks), Outcome::Known);
        assert_eq!(chain.tip().hash, first.tip().hash());
        drop(chain);
        let (chain, _) = Chain::reindex(dir.path(), &DEV, Options::default(), &mut |_| {}).unwrap();
        assert_eq!(chain.tip().hash, first.tip().hash(), "nor does a reindex change it");
    }
}

/// A block that pays itself one unit too much.
fn mine_greedily(line: &mut Line, key: u8) {
    let height = Height(line.height() + 1);
    let amount = Amount::from_units(reward(height).units() + 1);
    let coinbase = Coinbase::new(height, vec![key], vec![Output { amount, key: output_key(key) }]).unwrap();
    let time = Timestamp(line.tip().header.template.timestamp.0 + 1);
    line.mine_with(time, coinbase, Vec::new());
}

#[test]
fn an_invalid_block_deep_inside_a_heavier_branch_condemns_it_and_what_follows() {
    let trunk = Line::dev().grow(5, 1);
    let honest = trunk.clone().grow(4, 2);
    let mut bad = trunk.clone().grow(1, 3);
    let good_start = bad.clone();
    mine_greedily(&mut bad, 3);
    let bad = bad.grow(3, 3);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = open(dir.path());
    feed(&mut chain, &honest.blocks);
    let before = state(&chain);
    assert_eq!(feed(&mut chain, &bad.blocks[..10]), Outcome::SideBranch);
    let Err(AcceptError::InvalidBranch { ancestor, violation, .. }) = chain.accept(&bad.blocks[10], 0, NOW) else {
        panic!("the branch is heavier and invalid")
    };
    assert_eq!(ancestor, bad.hash_at(7));
    assert!(matches!(*violation, RuleViolation::CoinbaseAmount { .. }));
    assert_eq!(state(&chain), before);

    for chain in [&mut chain, &mut { open_copy(dir.path()) }] {
        let condemned = |hash| (chain.header(&hash).unwrap().is_some(), chain.block(&hash).unwrap().is_none());
        for height in 7..=10 {
            assert_eq!(condemned(bad.hash_at(height)), (true, true), "height {height}");
        }
        assert_eq!(condemned(bad.hash_at(6)), (true, false), "its parent is good");
        let leaves = chain.leaves().unwrap();
        assert!(leaves.iter().any(|leaf| leaf.hash == bad.hash_at(10) && leaf.status == LeafStatus::Condemned));
        let child = bad.clone().grow(1, 4);
        for block in [bad.blocks[7].clone(), bad.blocks[10].clone(), child.tip().clone()] {
            assert!(matches!(chain.accept(&block, 0, NOW), Err(AcceptError::Condemned { .. })));
        }
        verify(chain, 0).unwrap();
        // The sound beginning of that branch can still win.
        let recovered = good_start.clone().grow(4, 5);
        assert!(matches!(feed(chain, &recovered.blocks), Outcome::Reorganised { .. }));
        assert_eq!(state(chain), replayed(&recovered));
    }
}

/// The chain in a copy of a directory, as a restart would find it.
fn open_copy(dir: &std::path::Path) -> Chain {
    let copy = tempfile::tempdir().unwrap().keep();
    for name in ["chain.redb", "chain.mark"] {
        std::fs::copy(dir.join(name), copy.join(name)).unwrap();
    }
    open(&copy)
}

#[test]
fn a_spend_that_the_other_branch_makes_immature_is_refused_there() {
    // The reward of height 20 is mature at 143: on the long branch, not three blocks earlier on the other.
    let trunk = Line::dev().grow(139, 1);
    let mut long = trunk.clone().grow(3, 2);
    let spend = pay(&DEV, trunk.reward_at(20), 1, &[9]);
    long.mine(2, vec![spend.clone()]);
    let mut short = trunk.clone().grow(2, 3);
    short.mine(3, vec![spend.clone()]);
    let short = short.grow(2, 3);
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &long.blocks);
    feed(&mut chain, &short.blocks[..=143]);
    let Err(AcceptError::InvalidBranch { ancestor, violation, .. }) = chain.accept(short.tip(), 0, NOW) else {
        panic!("an immature spend is on it")
    };
    assert_eq!(ancestor, short.hash_at(142));
    let immature = |violation: &RuleViolation| {
        matches!(violation, RuleViolation::Transaction { violation: TransactionViolation::Immature { .. }, .. })
    };
    assert!(immature(&violation));
    assert_eq!(state(&chain), replayed(&long));

    // Directly on the tip it is refused at once; mature, it is fine on either branch.
    let mut early = trunk.clone();
    let mut late = trunk.clone().grow(3, 4);
    early.mine(4, vec![spend.clone()]);
    late.mine(4, vec![spend]);
    let late = late.grow(1, 4);
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &trunk.blocks);
    let Err(AcceptError::Refused { rejection, .. }) = chain.accept(early.tip(), 0, NOW) else {
        panic!("the reward is immature")
    };
    assert!(matches!(&*rejection, Rejection::Rule(violation) if immature(violation)));
    feed(&mut chain, &long.blocks);
    feed(&mut chain, &late.blocks);
    assert_eq!(state(&chain), replayed(&late));
}

use bloom_consensus::{Amount, Body, Height, Outpoint, Output, OutputKey, Params, Txid};

use super::*;

/// A transaction that is like no other; whether it is valid does not matter here.
fn transaction(number: u64) -> Transaction {
    let outpoint = Outpoint { txid: Txid([7; 32]), index: 0 };
    let output = Output { amount: Amount::from_units(1_000), key: OutputKey([1; 32]) };
    let mut signature = [0; 64];
    signature[..8].copy_from_slice(&number.to_le_bytes());
    Transaction::new(Body::new(Height(0), vec![outpoint], vec![output]).unwrap(), vec![signature]).unwrap()
}

/// These two, found by search, have one short id under this hash and salt.
const COLLIDING: [u64; 2] = [733_881, 20_694_580];
const HASH: BlockHash = BlockHash([9; 32]);
const SALT: u64 = 1;

fn block(transactions: Vec<Transaction>) -> Block {
    let mut block = Params::dev().genesis;
    block.transactions = transactions;
    block.header.template.merkle_root = block.merkle_root();
    block
}

#[test]
fn a_block_is_put_together_from_what_is_there_whatever_its_order() {
    let block = block((0..50).map(transaction).collect());
    let candidates: Vec<_> = (0..500).rev().map(transaction).collect();
    let partial = Partial::new(compact(&block, &HASH, SALT), &HASH, &candidates);
    assert_eq!(partial.block(), Some(block.clone()));

    let some = candidates.iter().filter(|one| one.wtxid() != block.transactions[7].wtxid());
    let mut partial = Partial::new(compact(&block, &HASH, SALT), &HASH, some);
    assert_eq!(partial.missing(), [7]);
    assert_eq!(partial.clone().block(), None);
    assert!(partial.fill(vec![transaction(7)]));
    assert_eq!(partial.block(), Some(block));
}

#[test]
fn what_is_filled_in_must_be_as_much_as_was_missing() {
    let block = block((0..3).map(transaction).collect());
    let partial = Partial::new(compact(&block, &HASH, SALT), &HASH, []);
    assert!(!partial.clone().fill((0..2).map(transaction).collect()));
    assert!(!partial.clone().fill((0..4).map(transaction).collect()));
    assert!(partial.clone().fill((0..3).map(transaction).collect()));
}

#[test]
fn a_body_of_another_root_is_no_block() {
    let good = block((0..3).map(transaction).collect());
    let mut partial = Partial::new(compact(&good, &HASH, SALT), &HASH, []);
    assert!(partial.fill([0, 2, 1].map(transaction).to_vec()));
    assert_eq!(partial.block(), None);
}

#[test]
fn colliding_short_ids_count_as_missing_where_two_candidates_have_them_and_where_they_are_twice_in_the_block() {
    let [one, other] = COLLIDING.map(transaction);
    let ids = ShortIds::new(&HASH, SALT);
    assert_ne!(one.wtxid(), other.wtxid());
    assert_eq!(ids.of(&one.wtxid()), ids.of(&other.wtxid()));

    let single = block(vec![transaction(5), one.clone()]);
    let candidates = [transaction(5), other.clone(), one.clone()];
    let partial = Partial::new(compact(&single, &HASH, SALT), &HASH, &candidates);
    assert_eq!(partial.missing(), [1]);

    let both = block(vec![one.clone(), transaction(5), other.clone()]);
    let mut partial = Partial::new(compact(&both, &HASH, SALT), &HASH, &candidates);
    assert_eq!(partial.missing(), [0, 2]);
    assert!(partial.fill(vec![one, other]));
    assert_eq!(partial.block(), Some(both));
}

#[test]
fn the_same_twice_among_the_candidates_is_no_collision() {
    let block = block(vec![transaction(5)]);
    let candidates = [transaction(5), transaction(5)];
    let partial = Partial::new(compact(&block, &HASH, SALT), &HASH, &candidates);
    assert_eq!(partial.block(), Some(block));
}

//! Drafts are judged as their blocks would be, and what was verified before does not make a bad block good (attack 31).
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use bloom_chain::{AcceptError, Chain, DraftError, LiveChain, MempoolLimits, Outcome};
use bloom_consensus::reward::reward;
use bloom_consensus::{
    Amount, Coinbase, Draft, Height, Outpoint, Output, Rejection, RuleViolation, Timestamp, Transaction,
    TransactionViolation,
};
use common::*;

/// A chain whose first rewards are mature.
fn ready() -> (Chain, Line) {
    let line = Line::dev().grow(130, 1);
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &line.blocks);
    (chain, line)
}

fn draft(chain: &Chain, units: u64, transactions: Vec<Transaction>) -> Draft {
    let tip = chain.tip();
    let height = Height(tip.height.0 + 1);
    let output = Output { amount: Amount::from_units(units), key: output_key(9) };
    let coinbase = Coinbase::new(height, Vec::new(), vec![output]).unwrap();
    let time = Timestamp(tip.timestamp.0 + 1);
    Draft::child(&DEV, &tip.as_parent(), &chain.ancestors(), time, coinbase, transactions).unwrap()
}

fn spoiled(honest: &Transaction) -> Transaction {
    let mut signature = honest.signatures()[0];
    signature[0] ^= 1;
    Transaction::new(honest.body().clone(), vec![signature]).unwrap()
}

fn violation(result: Result<Amount, DraftError>) -> RuleViolation {
    match result.unwrap_err() {
        DraftError::Invalid(violation) => *violation,
        DraftError::Store(error) => panic!("{error}"),
    }
}

#[test]
fn a_draft_is_good_if_and_only_if_its_block_is() {
    let (mut chain, line) = ready();
    let full = reward(Height(131)).units();
    let (outpoint, output) = line.reward_at(2);
    let payment = pay(&DEV, (outpoint, output), 1, &[2, 3, 4]);
    let fees = chain.check_draft(&draft(&chain, full + 1, vec![payment.clone()])).unwrap();
    assert_eq!(fees, Amount::from_units(output.amount.units() % 3));
    assert_eq!(chain.coin(&outpoint).unwrap().map(|coin| coin.output), Some(output), "nothing is changed by judging");

    let excess = draft(&chain, full + 2, vec![payment.clone()]);
    assert!(matches!(violation(chain.check_draft(&excess)), RuleViolation::CoinbaseAmount { .. }));
    let young = draft(&chain, full, vec![pay(&DEV, line.reward_at(50), 1, &[2])]);
    let RuleViolation::Transaction { position: 0, violation: refused } = violation(chain.check_draft(&young)) else {
        panic!("it is immature")
    };
    assert!(matches!(refused, TransactionViolation::Immature { .. }));
    let early = draft(&chain, full, Vec::new()).at(chain.tip().timestamp);
    assert!(matches!(violation(chain.check_draft(&early)), RuleViolation::Timestamp { .. }));

    // What was good for one tip is not for the next.
    let good = draft(&chain, full, vec![payment.clone()]);
    assert!(chain.check_draft(&good).is_ok());
    let mut line = line;
    feed(&mut chain, [line.mine(1, vec![payment.clone()])]);
    assert!(matches!(violation(chain.check_draft(&good)), RuleViolation::PrevHash { .. }));
    let again = draft(&chain, full, vec![payment]);
    let missing = TransactionViolation::MissingInput { outpoint };
    assert_eq!(violation(chain.check_draft(&again)), RuleViolation::Transaction { position: 0, violation: missing });
}

#[test]
fn a_spoiled_copy_of_a_transaction_verified_before_makes_its_block_invalid() {
    let (mut chain, line) = ready();
    let (outpoint, output) = line.reward_at(2);
    let honest = pay(&DEV, (outpoint, output), 1, &[2]);
    chain.verify_transaction(&honest, &[output]).unwrap();
    let bad = spoiled(&honest);
    assert_eq!(bad.txid(), honest.txid());
    let signature = TransactionViolation::Signature { position: 0, key: output.key };
    assert_eq!(chain.verify_transaction(&bad, &[output]), Err(signature.clone()));
    let expected = RuleViolation::Transaction { position: 0, violation: signature };
    let full = reward(Height(131)).units();
    assert_eq!(violation(chain.check_draft(&draft(&chain, full, vec![bad.clone()]))), expected);
    let mut dishonest = line.clone();
    let block = dishonest.mine(2, vec![bad]).clone();
    let Err(AcceptError::Refused { rejection, .. }) = chain.accept(&block, 0, NOW) else {
        panic!("its signature is bad")
    };
    assert_eq!(*rejection, Rejection::Rule(expected));
    let mut honest_line = line;
    assert_eq!(feed(&mut chain, [honest_line.mine(3, vec![honest])]), Outcome::Extended);
    assert_eq!(state(&chain), replayed(&honest_line));
}

/// Height and coins are judged on every branch, whatever was verified on another.
#[test]
fn a_transaction_verified_before_is_still_judged_by_the_branch_it_is_on() {
    let (mut chain, line) = ready();
    let (outpoint, output) = line.reward_at(2);
    let first = pay(&DEV, (outpoint, output), 1, &[2]);
    let second = pay(&DEV, (outpoint, output), 1, &[3]);
    for transaction in [&first, &second] {
        chain.verify_transaction(transaction, &[output]).unwrap();
    }
    let mut twice = line.clone();
    let block = twice.mine(2, vec![first.clone(), second.clone()]).clone();
    let Err(AcceptError::Refused { rejection, .. }) = chain.accept(&block, 0, NOW) else {
        panic!("it spends an output twice")
    };
    assert!(matches!(*rejection, Rejection::Rule(RuleViolation::DoubleSpend { position: 1, .. })));

    // Each on its own branch is fine, one after the other is not; and the coin cache follows the branches.
    let (mut one, mut other) = (line.clone(), line);
    one.mine(2, vec![first]);
    other.mine(3, vec![second]);
    let other = other.grow(1, 3);
    feed(&mut chain, &one.blocks[131..]);
    assert_eq!(chain.coin(&outpoint).unwrap(), None);
    feed(&mut chain, &other.blocks[131..]);
    assert_eq!(state(&chain), replayed(&other));
    assert_eq!(chain.coin(&outpoint).unwrap(), None, "spent on either branch");
    let paid = Outpoint { txid: one.tip().transactions[0].txid(), index: 0 };
    assert_eq!(chain.coin(&paid).unwrap(), None, "made on the losing branch");
}

/// It is mined on as it is, so it is judged as the full one is.
#[test]
fn an_empty_draft_is_judged_too() {
    let line = Line::dev().grow(3, 1);
    let mut live = LiveChain::in_memory(&DEV, bulk(), MempoolLimits::default()).unwrap();
    for block in &line.blocks[1..] {
        live.accept(block, 0, NOW).unwrap();
    }
    let tip = live.chain().tip();
    let empty = live.empty_draft(output_key(2), Timestamp(tip.timestamp.0 + 1)).unwrap();
    assert!(empty.contents().transactions.is_empty());
    assert_eq!(empty.contents().template.prev_hash, tip.hash);
    let early = live.empty_draft(output_key(2), tip.timestamp);
    assert!(matches!(early, Err(DraftError::Invalid(_))), "no block may hold it: {early:?}");
}

//! Attacks 15, 17, 21 and 31: what the mempool takes, what it refuses and by which rule, and what it does when the tip
//! moves.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::sync::LazyLock;

use bloom_chain::{AdmitError, Admitted, LiveChain, MempoolLimits, Outcome};
use bloom_consensus::{Amount, Block, Height, Outpoint, Output, Timestamp, Transaction, TransactionViolation, genesis};
use bloom_kernel::{Backend, Batch};
use common::*;

/// 160 blocks that pay key 1, of which those up to 37 are mature at the tip.
static TRUNK: LazyLock<Line> = LazyLock::new(|| Line::dev().grow(160, 1));
const REWARD: u64 = 685_410_196;

fn live() -> LiveChain {
    live_on(&TRUNK, MempoolLimits::default())
}

fn live_on(line: &Line, limits: MempoolLimits) -> LiveChain {
    let mut live = LiveChain::in_memory(&DEV, bulk(), limits).unwrap();
    take(&mut live, &line.blocks[1..]);
    live
}

fn take<'a>(live: &mut LiveChain, blocks: impl IntoIterator<Item = &'a Block>) {
    for block in blocks {
        live.accept(block, 0, NOW).unwrap();
    }
    live.mempool().audit(live.chain()).unwrap();
}

fn coin(height: u64) -> (Outpoint, Output, u8) {
    let (outpoint, output) = TRUNK.reward_at(height);
    (outpoint, output, 1)
}

/// An output of a transaction that pays `key`.
fn output(transaction: &Transaction, index: u32, key: u8) -> (Outpoint, Output, u8) {
    let output = transaction.body().outputs()[index as usize];
    (Outpoint { txid: transaction.txid(), index }, output, key)
}

/// Pays a trunk's reward back to key 1, less a fee.
fn simple(height: u64, fee: u64) -> Transaction {
    spend(&DEV, &[coin(height)], &[(1, REWARD - fee)], 0)
}

/// Spends the first output of a transaction to key 1.
fn child(parent: &Transaction, fee: u64) -> Transaction {
    let from = output(parent, 0, 1);
    spend(&DEV, &[from], &[(1, from.1.amount.units() - fee)], 0)
}

fn submit(live: &mut LiveChain, transaction: &Transaction) -> Result<Admitted, AdmitError> {
    let result = live.submit(transaction.clone(), NOW);
    live.mempool().audit(live.chain()).unwrap();
    result
}

/// Mines the mempool's own draft.
fn mine(live: &mut LiveChain) -> Block {
    let time = Timestamp(live.chain().tip().timestamp.0 + 1);
    let draft = live.draft(output_key(2), time).unwrap();
    let block = genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect())));
    let outcome = live.accept(&block, 0, NOW).unwrap().outcome;
    assert_eq!(outcome, Outcome::Extended);
    live.mempool().audit(live.chain()).unwrap();
    block
}

#[test]
fn what_is_good_waits_and_is_mined_with_its_fee() {
    let mut live = live();
    let parent = simple(1, 1_000);
    let child = child(&parent, 3_000);
    let admitted = submit(&mut live, &parent).unwrap();
    assert_eq!((admitted.fee, admitted.known), (Amount::from_units(1_000), false));
    submit(&mut live, &child).unwrap();
    assert!(submit(&mut live, &child).unwrap().known, "once more does no harm");
    assert_eq!(live.mempool().len(), 2);
    assert_eq!(live.mempool().spender_of(&coin(1).0), Some(parent.txid()));
    let entry = live.mempool().get(&child.txid()).unwrap();
    assert_eq!((entry.ancestors().count, entry.ancestors().fees.units()), (2, 4_000));
    let block = mine(&mut live);
    assert_eq!(block.transactions, [parent, child]);
    let reward = bloom_consensus::reward::reward(Height(161)).units();
    assert_eq!(block.coinbase.outputs()[0].amount.units(), reward + 4_000);
    assert!(live.mempool().is_empty());
}

#[test]
fn what_no_next_block_may_hold_is_refused_by_the_law() {
    let mut live = live();
    let mut refused = |transaction: &Transaction| match submit(&mut live, transaction).unwrap_err() {
        AdmitError::Invalid(violation) => violation,
        other => panic!("{other}"),
    };
    let spent_nowhere =
        spend(&DEV, &[(Outpoint { txid: simple(1, 1).txid(), index: 0 }, coin(1).1, 1)], &[(1, 500)], 0);
    assert!(matches!(refused(&spent_nowhere), TransactionViolation::MissingInput { .. }));
    let immature = refused(&simple(39, 1_000));
    assert!(matches!(immature, TransactionViolation::Immature { got: Height(161), expected: Height(162), .. }));
    let early = spend(&DEV, &[coin(1)], &[(1, 500)], 162);
    assert!(matches!(refused(&early), TransactionViolation::NotBefore { expected: Height(162), .. }));
    let overspent = spend(&DEV, &[coin(1)], &[(1, REWARD + 1)], 0);
    assert!(matches!(refused(&overspent), TransactionViolation::Overspend { .. }));
    let stolen = spend(&DEV, &[(coin(1).0, coin(1).1, 2)], &[(2, REWARD - 1_000)], 0);
    assert!(matches!(refused(&stolen), TransactionViolation::Signature { .. }));
    let twice = spend(&DEV, &[coin(1), coin(1)], &[(1, 2 * REWARD - 1_000)], 0);
    assert!(matches!(refused(&twice), TransactionViolation::DuplicateInput { .. }));
    // At the next height all is well.
    submit(&mut live, &simple(38, 1_000)).unwrap();
    submit(&mut live, &spend(&DEV, &[coin(2)], &[(1, 500)], 161)).unwrap();
}

//! An examiner that remembers and works on several threads says what the plain rules say, in the same words.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bloom_consensus::reward::reward;
use bloom_consensus::{
    Amount, Ancestor, Ancestors, BlockHash, Body, Coin, Coinbase, Difficulty, Draft, Height, Outpoint, OutputKey,
    Params, Parent, Seal, Timestamp, Txid, signing,
};
use bloom_kernel::Order;
use proptest::prelude::*;
use secp256k1::{Keypair, schnorr};

use super::*;

const HEIGHT: Height = Height(1_000);
/// The coin that is not mature.
const YOUNG: u8 = 200;

struct Coins(BTreeMap<Outpoint, Coin>);

impl CoinView for Coins {
    type Error = Infallible;

    fn coin(&self, outpoint: &Outpoint) -> Result<Option<Coin>, Infallible> {
        Ok(self.0.get(outpoint).copied())
    }
}

impl Ancestors for Coins {
    type Error = Infallible;

    fn at(&self, _: Height) -> Result<Ancestor, Infallible> {
        Ok(Ancestor { timestamp: Timestamp(0), difficulty: Difficulty::MIN })
    }
}

fn pair(n: u8) -> Keypair {
    Keypair::from_secret_bytes([n % 5 + 1; 32]).expect("below the group's order")
}

fn output(units: u64, owner: u8) -> Output {
    Output { amount: Amount::from_units(units), key: OutputKey(pair(owner).x_only_public_key().0.to_byte_array()) }
}

fn outpoint(n: u8) -> Outpoint {
    Outpoint { txid: Txid([n; 32]), index: u32::from(n) }
}

fn coins() -> Coins {
    let coin = |n| Coin { output: output(1_000, n), height: Height(900), is_coinbase: n == YOUNG };
    Coins((0..=YOUNG).map(|n| (outpoint(n), coin(n))).collect())
}

/// What is wrong with a transaction, if anything.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Signature,
    ZeroOutput,
    Key,
    NotBefore,
    Immature,
    Missing,
    SpentBefore,
    Overspend,
}

/// The transaction at a position, and what it spends: the coin of that number or, every third, what the one before made.
fn transaction(position: u8, before: Option<&Transaction>, fault: Option<Fault>) -> (Transaction, Output) {
    let (mut input, mut owner) = (outpoint(position), position);
    let mut spent = output(1_000, owner);
    if let Some(before) = before.filter(|_| position % 3 == 1) {
        input = Outpoint { txid: before.txid(), index: 0 };
        (spent, owner) = (before.body().outputs()[0], position - 1);
    }
    let mut made = output(spent.amount.units() / 2, position);
    let mut not_before = Height(0);
    match fault {
        None | Some(Fault::Signature) => {}
        Some(Fault::Immature) => (input, spent, owner) = (outpoint(YOUNG), output(1_000, YOUNG), YOUNG),
        Some(Fault::SpentBefore) => (input, spent, owner) = (outpoint(0), output(1_000, 0), 0),
        Some(Fault::Missing) => input.index += 1_000,
        Some(Fault::ZeroOutput) => made.amount = Amount::ZERO,
        Some(Fault::Key) => made.key = OutputKey([0xff; 32]),
        Some(Fault::Overspend) => made.amount = Amount::from_units(spent.amount.units() + 1),
        Some(Fault::NotBefore) => not_before = Height(HEIGHT.0 + 1),
    }
    let body = Body::new(not_before, vec![input], vec![made]).expect("1 in, 1 out");
    let common = signing::common(&Params::dev().network_id, &body, &[spent]).expect("1 input");
    let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &pair(owner)).to_byte_array();
    (Transaction::new(body, vec![signature]).expect("1 signature"), spent)
}

/// A copy with another signature: the same txid, another wtxid.
fn spoiled(transaction: &Transaction) -> Transaction {
    let mut signature = transaction.signatures()[0];
    signature[40] ^= 1;
    Transaction::new(transaction.body().clone(), vec![signature]).expect("1 signature")
}

/// A block never mined: nothing here looks at a proof.
fn block(transactions: Vec<Transaction>, units: u64) -> Block {
    let coinbase = Coinbase::new(HEIGHT, Vec::new(), vec![output(units, 1)]).expect("no data");
    let parent = Parent { hash: BlockHash::ZERO, height: Height(HEIGHT.0 - 1) };
    let Ok(draft) = Draft::child(&Params::dev(), &parent, &coins(), Timestamp(1), coinbase, transactions);
    draft.seal(Seal {
        extra_nonce: 0,
        nonce: 3,
        bloom_end: 500,
        order: Order { cos: 0, sin: 0 },
        certificate_hash: [0; 32],
    })
}

fn rule<T>(result: Result<T, CheckError<Infallible>>) -> Result<T, Rejection> {
    result.map_err(|error| match error {
        CheckError::Rule(violation) => violation.into(),
        CheckError::Store(never) => match never {},
    })
}

fn plainly(block: &Block) -> Result<BlockEffect, Rejection> {
    isolation::check_body(block)?;
    rule(utxo::connect(&Params::dev().network_id, block, &coins()))
}

fn examined(examiner: &mut Examiner, block: &Block) -> Result<BlockEffect, Rejection> {
    examiner.check_body(block)?;
    rule(examiner.connect(block.contents(), &coins()))
}

fn fault() -> impl Strategy<Value = Fault> {
    use Fault::{Immature, Key, Missing, NotBefore, Overspend, Signature, SpentBefore, ZeroOutput};
    // Twice as often what only a signature's check finds.
    prop::sample::select(vec![
        Signature,
        Signature,
        ZeroOutput,
        Key,
        NotBefore,
        Immature,
        Missing,
        SpentBefore,
        Overspend,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_threads_change_no_verdict(
        count in 0..150_u8,
        faults in prop::collection::btree_map(0..150_u8, fault(), 0..4),
        known in prop::collection::vec(any::<bool>(), 150),
        threads in 1..5_usize,
        excess in prop::sample::select(vec![0, 0, 0, 1_000_000]),
    ) {
        let mut examiner = Examiner::new(Params::dev().network_id, threads);
        let mut transactions: Vec<Transaction> = Vec::new();
        for position in 0..count {
            let fault = faults.get(&position).copied();
            let (honest, spent) = transaction(position, transactions.last(), fault);
            if known[usize::from(position)] {
                // Remembered if it passes: the rules on heights and coins are not among those checked here.
                let _ = examiner.check_transaction(&honest, &[spent]);
            }
            transactions.push(if fault == Some(Fault::Signature) { spoiled(&honest) } else { honest });
        }
        let block = block(transactions, reward(HEIGHT).units() + excess);
        let expected = plainly(&block);
        prop_assert_eq!(examined(&mut examiner, &block), expected.clone());
        prop_assert_eq!(examined(&mut examiner, &block), expected, "nor does having judged it once");
    }
}

#[test]
fn a_spoiled_copy_is_not_taken_for_the_honest_one_that_is_remembered() {
    let mut examiner = Examiner::new(Params::dev().network_id, 2);
    let (honest, spent) = transaction(0, None, None);
    examiner.check_transaction(&honest, &[spent]).expect("an honest transaction");
    let bad = spoiled(&honest);
    assert_eq!(bad.txid(), honest.txid());
    let violation = TransactionViolation::Signature { position: 0, key: spent.key };
    assert_eq!(examiner.check_transaction(&bad, &[spent]), Err(violation.clone()));
    let refused = RuleViolation::Transaction { position: 0, violation };
    assert_eq!(examined(&mut examiner, &block(vec![bad], 1)), Err(refused.into()));
    assert!(examined(&mut examiner, &block(vec![honest], 1)).is_ok(), "nor does it shut the honest one out");
}

#[test]
fn of_many_checked_ahead_the_good_ones_are_remembered_and_no_others() {
    let mut list = Vec::new();
    for position in 0..150 {
        let fault = (position % 7 == 2).then_some(Fault::Key);
        let (honest, spent) = transaction(position, None, fault);
        list.push(match position % 5 {
            1 => (spoiled(&honest), spent, false),
            3 => (honest, output(7, 2), false),
            _ => (honest, spent, fault.is_none()),
        });
    }
    for threads in 1..4 {
        let mut examiner = Examiner::new(Params::dev().network_id, threads);
        let asked: Vec<_> = list.iter().map(|(transaction, spent, _)| (transaction, vec![*spent])).collect();
        examiner.check_ahead(&asked);
        for (at, (transaction, spent, good)) in list.iter().enumerate() {
            assert_eq!(examiner.verified.is_signed(&transaction.wtxid(), &[*spent]), *good, "{at}");
            assert_eq!(examiner.check_transaction(transaction, &[*spent]).is_ok(), *good, "{at}");
        }
    }
}

#[test]
fn what_was_checked_against_other_outputs_is_checked_again() {
    // Somebody asks about outputs that are not the ones that the transaction names: it signs these, as it happens.
    let claimed = output(7, 2);
    let body = Body::new(Height(0), vec![outpoint(0)], vec![output(5, 1)]).expect("1 in, 1 out");
    let common = signing::common(&Params::dev().network_id, &body, &[claimed]).expect("1 input");
    let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &pair(2)).to_byte_array();
    let stolen = Transaction::new(body, vec![signature]).expect("1 signature");
    let mut examiner = Examiner::new(Params::dev().network_id, 2);
    examiner.check_transaction(&stolen, &[claimed]).expect("good against what was claimed");
    let block = block(vec![stolen], 1);
    let refused = plainly(&block).expect_err("it spends the coin of another");
    assert_eq!(examined(&mut examiner, &block), Err(refused));
}

#[test]
fn the_first_failure_is_reported_however_many_there_are() {
    let list: Vec<usize> = (0..200).collect();
    for threads in 1..6 {
        let examiner = Examiner::new(Params::dev().network_id, threads);
        let later = AtomicBool::new(false);
        let failures = examiner.first_failure(&list, |at| match at {
            70 => {
                // Not before a later one has failed, if there is another thread for it.
                while threads > 1 && !later.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                Err(TransactionViolation::OutputSum)
            }
            120.. => {
                later.store(true, Ordering::Relaxed);
                Err(TransactionViolation::InputSum)
            }
            _ => Ok(()),
        });
        assert_eq!(failures, Err((70, TransactionViolation::OutputSum)), "{threads} threads");
        assert_eq!(examiner.first_failure(&list, |_| Ok(())), Ok(()));
        assert_eq!(examiner.first_failure(&list[..0], |_| Err(TransactionViolation::OutputSum)), Ok(()));
    }
}

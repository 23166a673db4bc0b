//! Bodies and transactions in isolation (attacks 14 to 20).

use bloom_consensus::constants::MAX_BLOCK_BYTES;
use bloom_consensus::error::{RuleViolation as R, TransactionViolation as V};
use bloom_consensus::rules::isolation::{check_body, check_not_before, check_transaction};
use bloom_consensus::{
    Block, Body, Coinbase, CopyFault, DecodeError, Height, MerkleRoot, Output, OutputKey, Rejection, ShapeError,
    Transaction,
};

use crate::common::{block_paying, body, key, outpoint, output, unmined, unsigned};

/// x coordinates that are no key's: off the curve, the field's prime itself, a valid x plus the prime, and the highest.
fn bad_keys() -> [OutputKey; 4] {
    let mut prime = [0xff; 32];
    prime[27] = 0xfe;
    prime[30] = 0xfc;
    prime[31] = 0x2f;
    let mut one_more = prime; // ≡ 1, and x = 1 is on the curve
    one_more[31] = 0x30;
    let mut one = [0; 32];
    one[31] = 1;
    assert!(OutputKey(one).point().is_some());
    let mut five = [0; 32];
    five[31] = 5;
    [OutputKey(five), OutputKey(prime), OutputKey(one_more), OutputKey([0xff; 32])]
}

fn refused(block: &Block) -> R {
    match check_body(block).expect_err("a violation") {
        Rejection::Rule(violation) => violation,
        other => panic!("{other}"),
    }
}

fn coinbase_of(outputs: &[Output]) -> Block {
    unmined(7, Coinbase::new(Height(7), vec![], outputs.to_vec()).expect("no data"), vec![])
}

#[test]
fn body_that_keeps_every_rule_is_accepted() {
    let one = unsigned(&[outpoint(1, 0)], &[output(5, 1)]);
    let two = unsigned(&[outpoint(1, 1), outpoint(2, 0)], &[output(5, 1), output(u64::MAX - 5, 2)]);
    assert_eq!(check_transaction(&two), Ok(()));
    assert_eq!(check_body(&block_paying(7, 3, vec![one, two])), Ok(()));
}

#[test]
fn same_input_twice_in_a_transaction_is_refused() {
    let twice = unsigned(&[outpoint(1, 0), outpoint(1, 1), outpoint(1, 1)], &[output(5, 1)]);
    assert_eq!(check_transaction(&twice), Err(V::DuplicateInput { position: 2, got: outpoint(1, 1) }));
}

#[test]
fn inputs_out_of_order_are_refused_by_txid_then_by_index_as_a_number() {
    // 1 before 256, though its bytes on the wire sort after; a txid's first byte weighs most.
    assert_eq!(check_transaction(&unsigned(&[outpoint(1, 1), outpoint(1, 256)], &[output(5, 1)])), Ok(()));
    let mut low = outpoint(1, 9);
    (low.txid.0[0], low.txid.0[31]) = (0, 255);
    assert_eq!(check_transaction(&unsigned(&[low, outpoint(1, 0)], &[output(5, 1)])), Ok(()));
    for (previous, got) in [
        (outpoint(1, 256), outpoint(1, 1)),
        (outpoint(2, 0), outpoint(1, 1)),
        (outpoint(1, 0), low),
        (outpoint(1, u32::MAX), outpoint(1, 0)),
    ] {
        let swapped = unsigned(&[outpoint(0, 0), previous, got], &[output(5, 1)]);
        assert_eq!(check_transaction(&swapped), Err(V::InputsOutOfOrder { position: 2, got, previous }));
    }
}

#[test]
fn zero_output_is_refused() {
    let zero = unsigned(&[outpoint(1, 0)], &[output(1, 1), output(0, 1)]);
    assert_eq!(check_transaction(&zero), Err(V::ZeroOutput { position: 1 }));
    assert_eq!(refused(&coinbase_of(&[output(1, 1), output(0, 1)])), R::CoinbaseZeroOutput { position: 1 });
}

#[test]
fn output_sum_of_2_to_the_64_is_refused() {
    let most = unsigned(&[outpoint(1, 0)], &[output(u64::MAX, 1)]);
    assert_eq!(check_transaction(&most), Ok(()));
    let over = unsigned(&[outpoint(1, 0)], &[output(u64::MAX, 1), output(1, 1)]);
    assert_eq!(check_transaction(&over), Err(V::OutputSum));
}

#[test]
fn key_off_the_curve_is_refused_in_transactions_and_coinbases() {
    for got in bad_keys() {
        let bad = Output { key: got, ..output(1, 1) };
        let transaction = unsigned(&[outpoint(1, 0)], &[output(1, 1), bad]);
        assert_eq!(check_transaction(&transaction), Err(V::KeyNotOnCurve { position: 1, got }));
        let violation = R::CoinbaseKeyNotOnCurve { position: 1, got };
        assert_eq!(refused(&coinbase_of(&[output(1, 1), bad])), violation);
    }
}

#[test]
fn not_before_above_the_height_is_refused() {
    let body = Body::new(Height(8), vec![outpoint(1, 0)], vec![output(1, 1)]).expect("one and one");
    let early = Transaction::new(body, vec![[0; 64]]).expect("one signature");
    let violation = V::NotBefore { got: Height(7), expected: Height(8) };
    assert_eq!(check_not_before(&early, Height(7)), Err(violation.clone()));
    assert_eq!(check_not_before(&early, Height(8)), Ok(()));
    assert_eq!(refused(&block_paying(7, 0, vec![early.clone()])), R::Transaction { position: 0, violation });
    assert_eq!(check_body(&block_paying(8, 0, vec![early])), Ok(()));
}

#[test]
fn bad_transaction_in_a_block_is_refused_at_its_position() {
    let good = unsigned(&[outpoint(1, 0)], &[output(5, 1)]);
    let zero = unsigned(&[outpoint(2, 0)], &[output(0, 1)]);
    let violation = V::ZeroOutput { position: 0 };
    assert_eq!(refused(&block_paying(7, 0, vec![good, zero])), R::Transaction { position: 1, violation });
}

#[test]
fn same_input_twice_in_a_block_is_refused() {
    let one = unsigned(&[outpoint(1, 0)], &[output(5, 1)]);
    let other = unsigned(&[outpoint(0, 0), outpoint(1, 0)], &[output(6, 2)]);
    let violation = R::DoubleSpend { position: 1, outpoint: outpoint(1, 0) };
    assert_eq!(refused(&block_paying(7, 0, vec![one.clone(), other])), violation);
    assert_eq!(refused(&block_paying(7, 0, vec![one.clone(), one])), violation);
}

#[test]
fn wrong_height_in_the_coinbase_is_refused() {
    for got in [0, 6, 8, u64::MAX].map(Height) {
        let block = unmined(7, Coinbase::new(got, vec![], vec![]).expect("no data"), vec![]);
        assert_eq!(refused(&block), R::CoinbaseHeight { got, expected: Height(7) });
    }
}

#[test]
fn body_of_another_root_condemns_the_copy_and_a_bad_body_of_the_right_root_the_header() {
    let good = block_paying(7, 3, vec![unsigned(&[outpoint(1, 0)], &[output(5, 1)])]);
    let expected = good.header.template.merkle_root;
    // A mutated copy: its transactions repeated, dropped, re-signed, its coinbase changed; also with a broken rule.
    let mut copies = vec![good.clone(); 5];
    copies[0].transactions.push(good.transactions[0].clone());
    copies[1].transactions.clear();
    copies[2].transactions[0] =
        Transaction::new(good.transactions[0].body().clone(), vec![[1; 64]]).expect("one signature");
    copies[3].coinbase = Coinbase::new(Height(7), vec![], vec![]).expect("no data");
    copies[4].coinbase = Coinbase::new(Height(8), vec![], vec![output(0, 1)]).expect("no data");
    for copy in copies {
        let rejection = check_body(&copy).expect_err("another root");
        let got = copy.merkle_root();
        assert_eq!(rejection, CopyFault::MerkleRoot { got, expected }.into());
        assert!(!rejection.condemns_header());
        assert_eq!(copy.hash(), good.hash());
    }
    assert_eq!(check_body(&good), Ok(()), "the honest copy of the same header");
    let bad = check_body(&coinbase_of(&[output(0, 1)])).expect_err("a zero output");
    assert!(bad.condemns_header());
    let garbage = Rejection::from(CopyFault::from(Block::decode(&[0; 200]).expect_err("no difficulty 0")));
    assert!(!garbage.condemns_header());
}

#[test]
fn block_above_1_mib_is_refused() {
    // 156 of header, 20 + k of coinbase, 4 of count, 120 + 40·m of transaction.
    let block = |data: usize| {
        let big = unsigned(&[outpoint(1, 0)], &vec![output(1, 1); 26_206]);
        unmined(7, Coinbase::new(Height(7), vec![0; data], vec![]).expect("fits"), vec![big])
    };
    let full = block(36);
    assert_eq!(full.encode().len(), MAX_BLOCK_BYTES);
    assert_eq!(check_body(&full), Ok(()));
    assert_eq!(Block::decode(&full.encode()).as_ref(), Ok(&full));
    let over = block(37);
    let (got, most) = (MAX_BLOCK_BYTES + 1, MAX_BLOCK_BYTES);
    assert_eq!(refused(&over), R::BlockTooLong { got, most });
    assert_eq!(Block::decode(&over.encode()), Err(DecodeError::BlockTooLong { got, most }));
}

#[test]
fn second_coinbase_or_one_out_of_place_is_not_in_the_encoding() {
    let block = block_paying(7, 3, vec![unsigned(&[outpoint(1, 0)], &[output(5, 1)])]);
    let header = block.header.to_bytes();
    let (coinbase, transaction) = (block.coinbase.encode(), block.transactions[0].encode());
    let count = |n: u32| n.to_le_bytes();
    let join = |parts: &[&[u8]]| Block::decode(&parts.concat());
    assert_eq!(join(&[&header, &coinbase, &count(1), &transaction]), Ok(block.clone()));
    // As a transaction, a coinbase without data is one without inputs.
    let second = join(&[&header, &coinbase, &count(2), &coinbase, &[0; 160], &transaction]);
    assert_eq!(second, Err(ShapeError::NoInputs.into()));
    assert!(join(&[&header, &transaction, &coinbase, &count(0)]).is_err(), "not first");
    assert!(join(&[&header, &count(1), &transaction]).is_err(), "none");
}

#[test]
fn shapes_without_inputs_outputs_or_signatures_cannot_be_made() {
    let (input, made) = (outpoint(1, 0), output(5, 1));
    assert_eq!(Body::new(Height(0), vec![], vec![made]), Err(ShapeError::NoInputs));
    assert_eq!(Body::new(Height(0), vec![input], vec![]), Err(ShapeError::NoOutputs));
    for got in [0, 2] {
        let signatures = vec![[0; 64]; got];
        let missing = Transaction::new(body(&[input], &[made]), signatures);
        assert_eq!(missing, Err(ShapeError::SignatureCount { got, expected: 1 }));
    }
    assert!(Coinbase::new(Height(0), vec![0; 96], vec![]).is_ok());
    let long = Coinbase::new(Height(0), vec![0; 97], vec![]);
    assert_eq!(long, Err(ShapeError::CoinbaseData { got: 97, most: 96 }));
}

#[test]
fn merkle_root_is_over_signatures_too() {
    // A copy with spoiled signatures has the same txid but is another leaf.
    let body = body(&[outpoint(1, 0)], &[Output { amount: output(5, 1).amount, key: key(3) }]);
    let one = Transaction::new(body.clone(), vec![[0; 64]]).expect("one signature");
    let other = Transaction::new(body, vec![[1; 64]]).expect("one signature");
    assert_eq!(one.txid(), other.txid());
    assert_ne!(one.wtxid(), other.wtxid());
    let root = |transaction| -> MerkleRoot { block_paying(7, 0, vec![transaction]).merkle_root() };
    assert_ne!(root(one), root(other));
}

//! Blocks against unspent outputs (attacks 14, 15, 17, 18 and 19).

use bloom_consensus::error::{RuleViolation as R, TransactionViolation as V};
use bloom_consensus::rules::utxo::{check_spend, connect};
use bloom_consensus::{
    Amount, Block, BlockEffect, CheckError, Coin, CoinView, Coinbase, Height, Outpoint, Output, Params, Transaction,
    reward::reward,
};

use crate::common::{Coins, block_paying, body, coin, outpoint, output, signed, unmined, unsigned};

fn spend(inputs: &[(Outpoint, Coin, u8)], outputs: &[Output]) -> Transaction {
    signed(&Params::dev().network_id, inputs, outputs).expect("inputs and outputs")
}

fn try_connect(block: &Block, coins: &Coins) -> Result<BlockEffect, R> {
    connect(&Params::dev().network_id, block, coins).map_err(|error| match error {
        CheckError::Rule(violation) => violation,
        CheckError::Store(never) => match never {},
    })
}

fn in_transaction(position: usize, violation: V) -> R {
    R::Transaction { position, violation }
}

const A: Outpoint = Outpoint { txid: bloom_consensus::Txid([1; 32]), index: 0 };

#[test]
fn effect_lists_what_left_and_what_came_but_not_what_did_both() {
    let coins = Coins::of(&[(A, coin(100, 2)), (outpoint(9, 0), coin(1, 2))]);
    let first = spend(&[(A, coin(100, 2), 2)], &[output(60, 3), output(30, 4)]);
    let (passing, kept) = (Outpoint { txid: first.txid(), index: 0 }, Outpoint { txid: first.txid(), index: 1 });
    let middle = Coin { output: output(60, 3), height: Height(7), is_coinbase: false };
    let second = spend(&[(passing, middle, 3)], &[output(55, 5)]);
    let made = Outpoint { txid: second.txid(), index: 0 };
    let block = block_paying(7, reward(Height(7)).units() + 15, vec![first, second]);
    let effect = try_connect(&block, &coins).expect("a valid block");
    assert_eq!(effect.spent, [(A, coin(100, 2))]);
    assert_eq!(effect.fees, Amount::from_units(15));
    let mined = Outpoint { txid: block.coinbase.id(), index: 0 };
    let new = |units, owner, is_coinbase| Coin { output: output(units, owner), height: Height(7), is_coinbase };
    let mut created = vec![
        (kept, new(30, 4, false)),
        (made, new(55, 5, false)),
        (mined, new(reward(Height(7)).units() + 15, 1, true)),
    ];
    created.sort_by_key(|(outpoint, _)| *outpoint);
    assert_eq!(effect.created, created);
}

#[test]
fn input_that_never_was_or_is_spent_on_this_branch_is_refused() {
    let transaction = spend(&[(A, coin(100, 2), 2)], &[output(60, 3)]);
    let block = block_paying(7, 0, vec![transaction]);
    let coins = Coins::of(&[(A, coin(100, 2))]);
    assert!(try_connect(&block, &coins).is_ok(), "on a branch that has it");
    let missing = in_transaction(0, V::MissingInput { outpoint: A });
    assert_eq!(try_connect(&block, &Coins::default()), Err(missing.clone()));
    // The next index of the same transaction is another output.
    assert_eq!(try_connect(&block, &Coins::of(&[(outpoint(1, 1), coin(100, 2))])), Err(missing));
}

#[test]
fn input_spent_earlier_in_the_block_is_refused() {
    let coins = Coins::of(&[(A, coin(100, 2))]);
    let one = spend(&[(A, coin(100, 2), 2)], &[output(60, 3)]);
    let other = spend(&[(A, coin(100, 2), 2)], &[output(61, 3)]);
    let block = block_paying(7, 0, vec![one.clone(), other]);
    assert_eq!(try_connect(&block, &coins), Err(in_transaction(1, V::MissingInput { outpoint: A })));
    // The same for an output that the block itself made.
    let middle = Coin { output: output(60, 3), height: Height(7), is_coinbase: false };
    let passing = Outpoint { txid: one.txid(), index: 0 };
    let again = |units| spend(&[(passing, middle, 3)], &[output(units, 4)]);
    let block = block_paying(7, 0, vec![one, again(50), again(51)]);
    assert_eq!(try_connect(&block, &coins), Err(in_transaction(2, V::MissingInput { outpoint: passing })));
}

#[test]
fn output_of_a_later_transaction_is_refused() {
    let coins = Coins::of(&[(A, coin(100, 2))]);
    let maker = spend(&[(A, coin(100, 2), 2)], &[output(60, 3)]);
    let made = Outpoint { txid: maker.txid(), index: 0 };
    let middle = Coin { output: output(60, 3), height: Height(7), is_coinbase: false };
    let spender = spend(&[(made, middle, 3)], &[output(50, 4)]);
    assert!(try_connect(&block_paying(7, 0, vec![maker.clone(), spender.clone()]), &coins).is_ok());
    let swapped = block_paying(7, 0, vec![spender, maker]);
    assert_eq!(try_connect(&swapped, &coins), Err(in_transaction(0, V::MissingInput { outpoint: made })));
}

#[test]
fn coinbase_of_the_same_block_cannot_be_spent() {
    let coinbase = Coinbase::new(Height(7), vec![], vec![output(50, 1)]).expect("no data");
    let own = Outpoint { txid: coinbase.id(), index: 0 };
    let young = Coin { output: output(50, 1), height: Height(7), is_coinbase: true };
    let block = unmined(7, coinbase, vec![spend(&[(own, young, 1)], &[output(50, 2)])]);
    assert_eq!(try_connect(&block, &Coins::default()), Err(in_transaction(0, V::MissingInput { outpoint: own })));
}

#[test]
fn coinbase_is_spent_from_123_blocks_on_and_not_before() {
    let young = Coin { is_coinbase: true, height: Height(1000), ..coin(100, 2) };
    let coins = Coins::of(&[(A, young)]);
    let transaction = spend(&[(A, young, 2)], &[output(100, 3)]);
    let at = |height| try_connect(&block_paying(height, 0, vec![transaction.clone()]), &coins);
    let immature = |height| in_transaction(0, V::Immature { outpoint: A, got: Height(height), expected: Height(1123) });
    assert_eq!(at(1122), Err(immature(1122)));
    assert_eq!(at(1001), Err(immature(1001)));
    assert!(at(1123).is_ok());
    // A reorganisation that mines the coinbase earlier makes the spend mature, one that mines it later undoes that.
    for (made, height, mature) in [(999, 1122, true), (1001, 1123, false), (u64::MAX, u64::MAX, false)] {
        let coins = Coins::of(&[(A, Coin { height: Height(made), ..young })]);
        let block = block_paying(height, 0, vec![transaction.clone()]);
        assert_eq!(try_connect(&block, &coins).is_ok(), mature, "made at {made}, spent at {height}");
    }
    // Other coins are spent at once.
    let plain = Coins::of(&[(A, Coin { is_coinbase: false, ..young })]);
    assert!(try_connect(&block_paying(1000, 0, vec![transaction]), &plain).is_ok());
}

#[test]
fn outputs_above_inputs_by_1_are_refused() {
    let coins = Coins::of(&[(A, coin(100, 2))]);
    let paying = |units| block_paying(7, 0, vec![spend(&[(A, coin(100, 2), 2)], &[output(50, 3), output(units, 3)])]);
    assert_eq!(try_connect(&paying(50), &coins).expect("no fee").fees, Amount::ZERO);
    let [got, expected] = [101, 100].map(Amount::from_units);
    assert_eq!(try_connect(&paying(51), &coins), Err(in_transaction(0, V::Overspend { got, expected })));
}

#[test]
fn input_and_output_sums_of_2_to_the_64_are_refused() {
    let half = coin(1 << 63, 2);
    let two = [A, outpoint(2, 0)];
    let transaction = spend(&two.map(|outpoint| (outpoint, half, 2)), &[output(5, 3)]);
    let block = block_paying(7, 0, vec![transaction]);
    let coins = Coins::of(&two.map(|outpoint| (outpoint, half)));
    assert_eq!(try_connect(&block, &coins), Err(in_transaction(0, V::InputSum)));
    let over = body(&[A], &[output(1 << 63, 2), output(1 << 63, 2)]);
    assert_eq!(check_spend(&over, Height(7), &[half]), Err(V::OutputSum));
}

#[test]
fn spent_coins_are_one_for_each_input() {
    let body = body(&[A, outpoint(2, 0)], &[output(1, 2)]);
    for got in [0, 1, 3] {
        let spent = vec![coin(5, 2); got];
        assert_eq!(check_spend(&body, Height(7), &spent), Err(V::SpentCount { got, expected: 2 }));
    }
    assert_eq!(check_spend(&body, Height(7), &[coin(5, 2); 2]), Ok(Amount::from_units(9)));
}

#[test]
fn coinbase_above_reward_and_fees_by_1_is_refused() {
    let coins = Coins::of(&[(A, coin(100, 2))]);
    let most = reward(Height(7)).units() + 40;
    let paying = |units| block_paying(7, units, vec![spend(&[(A, coin(100, 2), 2)], &[output(60, 3)])]);
    assert!(try_connect(&paying(most), &coins).is_ok());
    assert!(try_connect(&paying(0), &coins).is_ok(), "less is the miner's loss");
    let [got, expected] = [most + 1, most].map(Amount::from_units);
    assert_eq!(try_connect(&paying(most + 1), &coins), Err(R::CoinbaseAmount { got, expected }));
}

#[test]
fn coinbase_sum_of_2_to_the_64_is_refused() {
    let coinbase = Coinbase::new(Height(7), vec![], vec![output(u64::MAX, 1), output(2, 1)]).expect("no data");
    assert_eq!(try_connect(&unmined(7, coinbase, vec![]), &Coins::default()), Err(R::CoinbaseSum));
}

#[test]
fn fee_sum_of_2_to_the_64_is_refused() {
    let rich = coin(u64::MAX, 2);
    let pay = |outpoint| spend(&[(outpoint, rich, 2)], &[output(1, 3)]);
    let coins = Coins::of(&[(A, rich), (outpoint(2, 0), rich)]);
    // Both fees together, and one fee with the reward.
    let both = block_paying(7, 0, vec![pay(A), pay(outpoint(2, 0))]);
    assert_eq!(try_connect(&both, &coins), Err(R::FeeSum));
    assert_eq!(try_connect(&block_paying(7, 0, vec![pay(A)]), &coins), Err(R::FeeSum));
    let after_the_last_coin = block_paying(9_000_000, 0, vec![pay(A), pay(outpoint(2, 0))]);
    assert_eq!(try_connect(&after_the_last_coin, &coins), Err(R::FeeSum));
}

#[test]
fn no_coins_are_made_after_the_last_halving() {
    for (height, most) in [(271_442, 685_410_196), (271_443, 342_705_098), (8_143_289, 1), (8_143_290, 0)] {
        let paying = |units| try_connect(&block_paying(height, units, vec![]), &Coins::default());
        assert!(paying(most).is_ok(), "height {height}");
        let [got, expected] = [most + 1, most].map(Amount::from_units);
        assert_eq!(paying(most + 1), Err(R::CoinbaseAmount { got, expected }), "height {height}");
    }
    for height in [64 * 271_443, u64::from(u32::MAX) * 271_443, u64::MAX] {
        assert_eq!(reward(Height(height)), Amount::ZERO, "height {height}");
    }
    assert_eq!(reward(Height(0)), Amount::ZERO);
}

#[test]
fn signatures_are_checked_after_everything_cheaper() {
    let coins = Coins::of(&[(A, coin(100, 2)), (outpoint(2, 0), coin(100, 2))]);
    let forged = unsigned(&[A], &[output(60, 3)]);
    let overspent = unsigned(&[outpoint(2, 0)], &[output(101, 3)]);
    let block = block_paying(7, 0, vec![forged.clone(), overspent]);
    let violation = try_connect(&block, &coins).expect_err("two violations");
    assert!(matches!(violation, R::Transaction { position: 1, violation: V::Overspend { .. } }), "{violation}");
    let greedy = block_paying(7, reward(Height(7)).units() + 41, vec![forged.clone()]);
    assert!(matches!(try_connect(&greedy, &coins), Err(R::CoinbaseAmount { .. })));
    let violation = try_connect(&block_paying(7, 0, vec![forged]), &coins).expect_err("no signature");
    assert!(matches!(violation, R::Transaction { position: 0, violation: V::Signature { position: 0, .. } }));
}

#[test]
fn store_that_has_no_answer_is_not_the_blocks_fault() {
    struct Broken;
    impl CoinView for Broken {
        type Error = &'static str;

        fn coin(&self, _: &Outpoint) -> Result<Option<Coin>, &'static str> {
            Err("torn page")
        }
    }
    let block = block_paying(7, 0, vec![unsigned(&[A], &[output(1, 3)])]);
    assert_eq!(connect(&Params::dev().network_id, &block, &Broken), Err(CheckError::Store("torn page")));
}

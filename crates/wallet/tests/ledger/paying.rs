//! What a payment spends, pays and leaves.

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Height, OutputKey};
use bloom_wallet::build::{Order, Recipient, Share, Unsigned, check_fee};
use bloom_wallet::size::DUST;
use bloom_wallet::{BuildError, KeyChain, Note};
use proptest::prelude::*;

use crate::keeping::{NOW, exactly, fresh, funded, order, pay, rate, rng, update};
use crate::memory_node::{DEV, MemoryError, stranger_key};

fn units(amount: Amount) -> u64 {
    amount.units()
}

/// What must hold of anything that is built.
fn check(unsigned: &Unsigned, order: &Order) {
    let inputs: u64 = unsigned.spent.iter().map(|spent| units(spent.coin.output.amount)).sum();
    let outputs: u64 = unsigned.body.outputs().iter().map(|output| units(output.amount)).sum();
    assert_eq!(inputs, outputs + units(unsigned.fee), "nothing is made or lost");
    assert!(unsigned.rate() >= order.rate, "got {}, expected at least {}", unsigned.rate(), order.rate);
    assert!(unsigned.body.outputs().iter().all(|output| output.amount >= DUST), "dust");
    assert!(unsigned.body.inputs().is_sorted_by(|a, b| a < b), "inputs ascend");
    for recipient in &order.recipients {
        let pays = |amount: Amount| recipient.share == Share::Exactly(amount) || recipient.share == Share::Rest;
        assert!(unsigned.body.outputs().iter().any(|output| output.key == recipient.key && pays(output.amount)));
    }
    let extra = usize::from(unsigned.change.is_some());
    assert_eq!(unsigned.body.outputs().len(), order.recipients.len() + extra);
}

fn other_key(n: u32) -> OutputKey {
    let keys = crate::keeping::keys_of(crate::keeping::BOB);
    keys.account().key(KeyChain::Receive, n)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn value_is_conserved_and_never_dust(
        coins in proptest::collection::vec(500..50_000_000_u64, 1..12),
        amounts in proptest::collection::vec(420..40_000_000_u64, 1..4),
        rate in 1..200_u64,
        rest: bool,
        seed: u64,
    ) {
        let (_, wallet, _) = funded(&coins);
        let mut recipients: Vec<Recipient> =
            (0..).zip(&amounts).map(|(n, amount)| exactly(other_key(n), *amount)).collect();
        if rest {
            recipients.push(Recipient { key: other_key(9), share: Share::Rest });
        }
        let order = order(&recipients, rate);
        match wallet.prepare(&order, &mut rng(seed)) {
            Ok(unsigned) => {
                check(&unsigned, &order);
                let excess = units(unsigned.fee) - units(order.rate.fee(unsigned.bytes()));
                // What is not worth a change output, now and when it is spent, at this rate and at the least.
                prop_assert!(excess < 420 + 180 * rate, "{excess} units too much at {rate} a byte");
            }
            Err(BuildError::Insufficient { available, needed, missing, .. }) => {
                prop_assert_eq!(units(missing), units(needed).saturating_sub(units(available)));
                // All of it together would not have done, each coin paying for its own input.
                let worth: u64 = coins.iter().map(|coin| coin.saturating_sub(100 * rate)).sum();
                let paid: u64 = amounts.iter().sum::<u64>() + if rest { 420 } else { 0 };
                prop_assert!(worth < paid + rate * (20 + 40 * recipients.len() as u64));
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}

#[test]
fn what_is_no_payment_is_refused_for_its_own_reason() {
    let (_, wallet, _) = funded(&[1_000_000]);
    let prepare = |recipients: &[Recipient], rate| wallet.prepare(&order(recipients, rate), &mut rng(1)).unwrap_err();
    let key = stranger_key();
    assert_eq!(prepare(&[], 1), BuildError::NoRecipient);
    assert_eq!(prepare(&[exactly(key, 419)], 1), BuildError::Dust { got: Amount::from_units(419) });
    assert!(wallet.prepare(&order(&[exactly(key, 420)], 1), &mut rng(1)).is_ok());
    let rest = Recipient { key, share: Share::Rest };
    assert_eq!(prepare(&[rest, rest], 1), BuildError::SeveralRests);
    let too_low = BuildError::RateTooLow { got: rate(0), least: rate(1) };
    assert_eq!(prepare(&[exactly(key, 420)], 0), too_low);
    assert_eq!(prepare(&[exactly(key, u64::MAX), exactly(key, 1_000)], 1), BuildError::AmountSum);
    let many = vec![exactly(key, 420); 2_500];
    assert_eq!(prepare(&many, 1), BuildError::TooManyRecipients { got: 2_500 });
}

#[test]
fn too_little_says_what_is_there_and_what_is_missing() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let key = fresh(&mut wallet);
    node.mine(key, &[]);
    node.fund(key, 30_000);
    update(&mut wallet, &mut node);
    let error = wallet.prepare(&order(&[exactly(stranger_key(), 1_000_000)], 1), &mut rng(1)).unwrap_err();
    let text = error.to_string();
    for words in
        ["got 0.01 BLOOM", "expected 0.0100016", "0.0000016 are missing", "6.85410196 more", "0.0003 more wait"]
    {
        assert!(text.contains(words), "expected {words:?} in {text}");
    }
}

#[test]
fn everything_can_be_paid_away() {
    let (_, mut wallet, mut node) = funded(&[1_000_000, 2_000_000, 60]);
    let everything = Recipient { key: stranger_key(), share: Share::Rest };
    let unsigned = wallet.prepare(&order(&[exactly(other_key(0), 500_000), everything], 1), &mut rng(1)).unwrap();
    // The coin of 60 units costs more to spend than it is worth.
    let paid: u64 = unsigned.body.outputs().iter().map(|output| units(output.amount)).sum();
    assert_eq!((unsigned.spent.len(), unsigned.change, paid), (2, None, 3_000_000 - 300));
    pay(&mut wallet, &mut node, &order(&[everything], 1), 1).unwrap();
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(units(wallet.balance().total()), 60);
}

#[test]
fn change_goes_to_a_key_of_its_own_and_dust_to_the_fee() {
    let (_, mut wallet, mut node) = funded(&[1_000_000, 1_000_000]);
    let unsigned = wallet.prepare(&order(&[exactly(stranger_key(), 300_000)], 1), &mut rng(1)).unwrap();
    assert_eq!(unsigned.body.outputs()[unsigned.change.unwrap() as usize].amount, Amount::from_units(699_800));
    // 1 000 000 less the fee of 160 bytes less 419: that is too little for change.
    let unsigned =
        wallet.prepare(&order(&[exactly(stranger_key(), 1_000_000 - 160 - 40 - 419)], 1), &mut rng(1)).unwrap();
    assert!(unsigned.change.is_some() || units(unsigned.fee) == 160 + 40 + 419);
    let mut keys = Vec::new();
    for amount in [300_000, 100_000] {
        let txid = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), amount)], 1), 1).unwrap();
        keys.extend(wallet.book().record(&txid).unwrap().received.iter().map(|own| own.path));
    }
    assert!(keys.len() == 2 && keys[0] != keys[1] && keys.iter().all(|path| path.chain == KeyChain::Change));
}

#[test]
fn own_change_is_spent_before_it_is_confirmed_if_need_be_and_others_payments_are_not() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let stranger = [exactly(stranger_key(), 400_000)];
    pay(&mut wallet, &mut node, &order(&stranger, 1), 1).unwrap();
    pay(&mut wallet, &mut node, &order(&stranger, 1), 1).unwrap();
    let key = fresh(&mut wallet);
    node.fund(key, 900_000);
    update(&mut wallet, &mut node);
    let refused = wallet.prepare(&order(&stranger, 1), &mut rng(1));
    assert!(matches!(refused, Err(BuildError::Insufficient { .. })), "{refused:?}");
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(units(wallet.balance().total()), 1_000_000 + 900_000 - 2 * 400_200);
}

#[test]
fn coins_that_are_spoken_for_are_spent_by_nothing_else_until_they_are_free_again() {
    let (_, mut wallet, mut node) = funded(&[1_000_000, 900_000]);
    let first = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 999_000)], 1), 1).unwrap();
    assert!(wallet.bump(&first, Some(rate(50)), rate(1)).is_ok());
    let until = Height(node.height() + 2);
    let coins = wallet.coins();
    wallet.keeper_mut().reserved = coins.iter().map(|coin| (coin.outpoint, until)).collect();
    let amount = Amount::checked_sum(coins.iter().map(|coin| coin.amount)).unwrap();
    assert_eq!(wallet.balance().prepared, amount);
    let all = Recipient { key: stranger_key(), share: Share::Rest };
    for refused in [
        wallet.prepare(&order(&[exactly(stranger_key(), 10_000)], 1), &mut rng(1)),
        wallet.prepare(&order(&[all], 1), &mut rng(1)),
        wallet.bump(&first, Some(rate(50)), rate(1)).map(|raise| raise.unsigned),
    ] {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, BuildError::Insufficient { reserved: said, .. } if said == Some((amount, until))),
            "{error:?}"
        );
        assert!(error.to_string().contains(&format!("are reserved until height {until}")), "{error}");
    }
    assert_eq!(wallet.consolidate(rate(1), None), Err(BuildError::NothingToGather));
    for _ in 0..2 {
        node.mine(stranger_key(), &[]);
    }
    update(&mut wallet, &mut node);
    assert!(wallet.prepare(&order(&[all], 1), &mut rng(1)).is_ok());
}

#[test]
fn a_fee_that_looks_like_a_slip_is_asked_about() {
    let (_, wallet, _) = funded(&[500_000_000]);
    let mut order = order(&[exactly(stranger_key(), 1_000_000)], 1_000);
    order.allow_high_fee = false;
    let error = wallet.prepare(&order, &mut rng(1)).unwrap_err();
    assert_eq!(error, BuildError::HighFee { fee: Amount::from_units(200_000), paid: Amount::from_units(1_000_000) });
    order.allow_high_fee = true;
    let unsigned = wallet.prepare(&order, &mut rng(1)).unwrap();
    assert!(check_fee(&unsigned).is_err());
}

#[test]
fn not_before_is_kept_until_its_time() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    let mut order = order(&[exactly(stranger_key(), 300_000)], 1);
    order.not_before = Height(node.height() + 3);
    let txid = pay(&mut wallet, &mut node, &order, 1).unwrap();
    assert!(!node.waits(&txid) && units(wallet.balance().reserved) == 1_000_000);
    node.mine(stranger_key(), &[]);
    update(&mut wallet, &mut node);
    assert!(!node.waits(&txid));
    node.mine(stranger_key(), &[]);
    update(&mut disk.open(), &mut node);
    assert!(node.waits(&txid), "the block after the tip may hold it");
}

#[test]
fn many_coins_are_gathered_in_standard_transactions() {
    let (_, mut wallet, mut node) = funded(&[]);
    let key = fresh(&mut wallet);
    for _ in 0..7 {
        let coin = node.stranger_coin(0).unwrap();
        let transaction = crate::memory_node::MemoryNode::stranger_pays(coin, &vec![(key, 10_000); 200], 20_000);
        node.admit(&transaction).unwrap();
        node.mine_all();
    }
    update(&mut wallet, &mut node);
    assert_eq!(wallet.coins().len(), 1_400);
    let error = wallet.prepare(&order(&[exactly(stranger_key(), 13_000_000)], 1), &mut rng(1)).unwrap_err();
    assert_eq!(error, BuildError::TooManyInputs { most: 999 });
    let all = wallet.consolidate(FeeRate::per_kilobyte(1_000), None).unwrap();
    assert_eq!(all.iter().map(|unsigned| unsigned.spent.len()).collect::<Vec<_>>(), [999, 401]);
    for unsigned in all {
        assert!(unsigned.bytes() <= 100_000 && check_fee(&unsigned).is_ok());
        let transaction = wallet.sign(&unsigned, &mut rng(1)).unwrap();
        assert_eq!(transaction.encoded_len(), unsigned.bytes());
        wallet.record::<MemoryError>(&transaction, Note::default(), NOW).unwrap();
        wallet.send(&mut node, &transaction.txid()).unwrap();
    }
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(wallet.coins().len(), 2);
    assert_eq!(units(wallet.balance().spendable), 14_000_000 - 2 * 60 - 1_400 * 100);
    assert_eq!(wallet.consolidate(rate(1), Some(Amount::from_units(10_000))), Err(BuildError::NothingToGather));
}

#[test]
fn a_wallet_that_watches_builds_and_does_not_sign() {
    let (_, wallet, mut node) = funded(&[1_000_000]);
    let keys = bloom_wallet::WalletKeys::watching(wallet.keys().account().clone(), Height(0));
    let mut watching = crate::keeping::Disk::with(std::rc::Rc::new(keys)).open();
    update(&mut watching, &mut node);
    assert_eq!(watching.balance(), wallet.balance());
    let unsigned = watching.prepare(&order(&[exactly(stranger_key(), 5_000)], 1), &mut rng(1)).unwrap();
    assert_eq!(watching.sign(&unsigned, &mut rng(1)), Err(BuildError::WatchOnly));
    // Signed elsewhere, it is recorded and sent like any other.
    let transaction = wallet.sign(&unsigned, &mut rng(1)).unwrap();
    watching.record::<MemoryError>(&transaction, Note::default(), NOW).unwrap();
    watching.send(&mut node, &transaction.txid()).unwrap();
    assert!(node.waits(&transaction.txid()));
}

#[test]
fn a_transaction_that_the_law_refuses_does_not_leave() {
    let (_, mut wallet, _) = funded(&[1_000_000]);
    let unsigned = wallet.prepare(&order(&[exactly(stranger_key(), 5_000)], 1), &mut rng(1)).unwrap();
    let unsigned_body = unsigned.body.clone();
    let forged = bloom_consensus::Transaction::new(unsigned_body, vec![[7; 64]]).unwrap();
    let refused = wallet.record::<MemoryError>(&forged, Note::default(), NOW);
    assert!(matches!(refused, Err(bloom_wallet::WalletError::Build(BuildError::Rule(_)))), "{refused:?}");
    assert!(wallet.book().record(&forged.txid()).is_none());
    let mut other_network = DEV.clone();
    other_network.network_id.0[0] ^= 1;
    let signed = unsigned.sign(&other_network.network_id, &wallet.keys().seed().unwrap(), wallet.tip(), &mut rng(1));
    assert!(wallet.record::<MemoryError>(&signed.unwrap(), Note::default(), NOW).is_err());
}

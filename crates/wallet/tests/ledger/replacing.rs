//! Raising fees and taking payments back.

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Outpoint, Txid};
use bloom_wallet::book::Status;
use bloom_wallet::build::{Recipient, Share};
use bloom_wallet::replace::Raise;
use bloom_wallet::{BuildError, Note, Wallet, WalletError};

use crate::keeping::{Memory, NOW, exactly, fresh, funded, order, pay, rate, rng, update};
use crate::memory_node::{MemoryError, MemoryNode, stranger_key};

fn send(wallet: &mut Wallet<Memory>, node: &mut MemoryNode, raise: &Raise) -> Result<Txid, WalletError<MemoryError>> {
    let transaction = wallet.sign(&raise.unsigned, &mut rng(1))?;
    wallet.record::<MemoryError>(&transaction, Note { id: None, replaces: raise.replaces }, NOW)?;
    wallet.send(node, &transaction.txid())?;
    Ok(transaction.txid())
}

fn fee(wallet: &Wallet<Memory>, txid: &Txid) -> u64 {
    wallet.book().record(txid).unwrap().fee.unwrap().units()
}

#[test]
fn a_bump_pays_the_same_from_the_change_and_a_chain_of_them_stays_one_payment() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let first = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    let mut last = first;
    for n in 0..4 {
        let raise = wallet.bump(&last, None, rate(1)).unwrap();
        assert_eq!(raise.replaces, Some(last));
        assert!(
            raise
                .unsigned
                .body
                .outputs()
                .contains(&bloom_consensus::Output { amount: Amount::from_units(300_000), key: stranger_key() })
        );
        assert!(raise.unsigned.fee.units() >= fee(&wallet, &last) + raise.unsigned.bytes() as u64, "bump {n}");
        let next = send(&mut wallet, &mut node, &raise).unwrap();
        assert_eq!(wallet.view().status(&last), Status::Replaced { by: next });
        last = next;
    }
    assert_eq!(wallet.balance().outgoing.units(), 300_000 + fee(&wallet, &last));
    assert_eq!(node.mempool.len(), 1);
    let why = wallet.bump(&first, None, rate(1)).unwrap_err().to_string();
    assert!(why.contains("was replaced by"), "{why}");
    node.mine_all();
    update(&mut wallet, &mut node);
    assert!(matches!(wallet.view().status(&first), Status::Conflicted { .. } | Status::Replaced { .. }));
    assert_eq!(wallet.balance().total().units(), 1_000_000 - 300_000 - fee(&wallet, &last));
    let why = wallet.bump(&last, None, rate(1)).unwrap_err().to_string();
    assert!(why.contains("is confirmed at height"), "{why}");
}

#[test]
fn the_one_that_was_replaced_may_be_confirmed_all_the_same() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let first = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    let old = node.mempool[0].transaction.clone();
    let raise = wallet.bump(&first, None, rate(1)).unwrap();
    let second = send(&mut wallet, &mut node, &raise).unwrap();
    node.mine(stranger_key(), &[old]);
    update(&mut wallet, &mut node);
    assert!(matches!(wallet.view().status(&first), Status::Confirmed(_)));
    assert_eq!(wallet.view().status(&second), Status::Conflicted { by: first });
    assert_eq!(wallet.balance().total().units(), 1_000_000 - 300_000 - fee(&wallet, &first));
}

#[test]
fn a_bump_without_change_adds_a_coin() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let everything = Recipient { key: stranger_key(), share: Share::Rest };
    let first = pay(&mut wallet, &mut node, &order(&[everything], 1), 1).unwrap();
    let missing = wallet.bump(&first, Some(rate(5)), rate(1));
    assert!(matches!(missing, Err(BuildError::Insufficient { .. })), "{missing:?}");
    let key = fresh(&mut wallet);
    let coin = node.stranger_coin(0).unwrap();
    node.mine(stranger_key(), &[MemoryNode::stranger_pays(coin, &[(key, 50_000)], 1_000)]);
    update(&mut wallet, &mut node);
    let raise = wallet.bump(&first, Some(rate(5)), rate(1)).unwrap();
    assert_eq!((raise.unsigned.spent.len(), raise.unsigned.fee.units()), (2, 5 * 300));
    send(&mut wallet, &mut node, &raise).unwrap();
    assert_eq!(wallet.balance().change.units(), 50_000 - 1_500 + 160);
}

#[test]
fn a_rate_that_is_not_higher_is_refused() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let txid = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 7), 1).unwrap();
    let expected = BuildError::RateNotHigher { got: rate(7), present: rate(7) };
    assert_eq!(wallet.bump(&txid, Some(rate(7)), rate(1)).unwrap_err(), expected);
    assert_eq!(wallet.bump(&txid, Some(FeeRate::per_kilobyte(7_001)), rate(1)).map(|_| ()), Ok(()));
    let unknown = Txid([9; 32]);
    assert_eq!(wallet.bump(&unknown, None, rate(1)).unwrap_err(), BuildError::Unknown { txid: unknown });
}

#[test]
fn a_payment_is_taken_back_by_one_to_oneself() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let first = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    let raise = wallet.cancel::<MemoryError>(&first, None, rate(1)).unwrap().unwrap();
    let second = send(&mut wallet, &mut node, &raise).unwrap();
    assert!(node.waits(&second) && !node.waits(&first));
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(wallet.balance().spendable.units(), 1_000_000 - fee(&wallet, &second));
    let why = wallet.cancel::<MemoryError>(&second, None, rate(1)).unwrap_err().to_string();
    assert!(why.contains("is confirmed"), "{why}");
}

#[test]
fn a_payment_that_was_not_sent_is_taken_back_at_once() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let mut order = order(&[exactly(stranger_key(), 300_000)], 1);
    order.not_before.0 = node.height() + 10;
    let txid = pay(&mut wallet, &mut node, &order, 1).unwrap();
    assert_eq!(wallet.cancel::<MemoryError>(&txid, None, rate(1)).unwrap(), None);
    assert_eq!(wallet.view().status(&txid), Status::Withdrawn);
    assert_eq!(wallet.balance().spendable.units(), 1_000_000);
}

#[test]
fn taking_back_what_was_not_sent_takes_back_all_that_it_replaces() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let mut order = order(&[exactly(stranger_key(), 300_000)], 1);
    order.not_before.0 = node.height() + 3;
    let mut payments = vec![pay(&mut wallet, &mut node, &order, 1).unwrap()];
    for _ in 0..2 {
        let raise = wallet.bump(payments.last().unwrap(), None, rate(1)).unwrap();
        payments.push(send(&mut wallet, &mut node, &raise).unwrap());
    }
    assert_eq!(wallet.cancel::<MemoryError>(payments.last().unwrap(), None, rate(1)).unwrap(), None);
    for _ in 0..4 {
        node.mine_all();
        update(&mut wallet, &mut node);
    }
    assert!(node.submitted.is_empty(), "{:?}", node.submitted);
    assert!(payments.iter().all(|txid| wallet.view().status(txid) == Status::Withdrawn));
    assert_eq!(wallet.balance().spendable.units(), 1_000_000);
}

#[test]
fn what_takes_the_place_of_a_sent_payment_is_not_just_forgotten() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let first = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    let raise = wallet.bump(&first, None, rate(1)).unwrap();
    node.broken = true;
    send(&mut wallet, &mut node, &raise).unwrap_err();
    node.broken = false;
    let second = raise.unsigned.body.txid();
    assert_eq!(wallet.view().status(&second), Status::Recorded);
    let raise = wallet.cancel::<MemoryError>(&second, None, rate(1)).unwrap().expect("the node has the first");
    let third = send(&mut wallet, &mut node, &raise).unwrap();
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(wallet.balance().spendable.units(), 1_000_000 - fee(&wallet, &third));
}

#[test]
fn a_payment_whose_change_is_spent_is_not_replaced() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let stranger = [exactly(stranger_key(), 300_000)];
    let first = pay(&mut wallet, &mut node, &order(&stranger, 1), 1).unwrap();
    let second = pay(&mut wallet, &mut node, &order(&stranger, 1), 1).unwrap();
    let why = wallet.cancel::<MemoryError>(&first, None, rate(1)).unwrap_err().to_string();
    assert!(why.contains(&second.to_string()), "{why}");
    assert!(wallet.bump(&second, None, rate(1)).is_ok());
}

#[test]
fn a_child_pays_for_its_parent() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let key = fresh(&mut wallet);
    let parent = node.fund(key, 500_000);
    update(&mut wallet, &mut node);
    let parent_rate = FeeRate::of(Amount::from_units(1_000), parent.encoded_len());
    let raise = wallet.bump(&parent.txid(), Some(rate(20)), rate(1)).unwrap();
    assert_eq!(raise.replaces, None);
    assert_eq!(raise.unsigned.body.inputs(), [Outpoint { txid: parent.txid(), index: 0 }]);
    let both = parent.encoded_len() + raise.unsigned.bytes();
    assert_eq!(raise.unsigned.fee.units() + 1_000, 20 * both as u64);
    send(&mut wallet, &mut node, &raise).unwrap();
    assert_eq!(wallet.balance().incoming, Amount::ZERO);
    let no_higher = wallet.bump(&parent.txid(), Some(parent_rate), rate(1)).unwrap_err();
    assert!(matches!(no_higher, BuildError::RateNotHigher { .. }), "{no_higher}");
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(wallet.balance().spendable.units(), 1_500_000 - raise.unsigned.fee.units());
}

#[test]
fn a_high_fee_is_measured_against_what_it_is_for_and_not_against_what_comes_back() {
    let (_, mut wallet, mut node) = funded(&[50_000_000]);
    let key = fresh(&mut wallet);
    let parent = node.fund(key, 500_000).txid();
    update(&mut wallet, &mut node);
    let own = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 500_000)], 1), 1).unwrap();
    let high =
        |raise: &Raise| matches!(raise.check_fee(), Err(BuildError::HighFee { paid, .. }) if paid.units() == 500_000);
    assert!(high(&wallet.bump(&parent, Some(rate(1_000)), rate(1)).unwrap()), "a child");
    assert!(high(&wallet.bump(&own, Some(rate(1_000)), rate(1)).unwrap()), "a replacement");
    assert!(high(&wallet.cancel::<MemoryError>(&own, Some(rate(1_000)), rate(1)).unwrap().unwrap()), "a cancellation");
    for txid in [parent, own] {
        assert_eq!(wallet.bump(&txid, Some(rate(100)), rate(1)).unwrap().check_fee(), Ok(()));
    }
}

#[test]
fn what_is_prepared_instead_of_another_spends_a_coin_of_it() {
    let (_, wallet, _) = funded(&[400_000, 500_000, 600_000, 700_000]);
    for coin in wallet.coins() {
        for (seed, units) in [100_000, coin.amount.units() - 160, 800_000, 1_000_000, 1_400_000].into_iter().enumerate()
        {
            let order = order(&[exactly(stranger_key(), units)], 1);
            let built = wallet.prepare_instead(&order, &[coin.outpoint], &mut rng(seed as u64)).unwrap();
            assert!(built.body.inputs().contains(&coin.outpoint), "{units} of {}", coin.amount);
            assert!(built.fee.units() < built.bytes() as u64 + 600, "{}", built.fee);
            wallet.sign(&built, &mut rng(1)).unwrap();
        }
    }
}

#[test]
fn what_the_node_refuses_is_withdrawn_and_the_old_one_stands() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let first = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    let raise = wallet.bump(&first, None, rate(1)).unwrap();
    // Its recipient spends it on with a fee that the replacement does not make good.
    let output = node.mempool[0].transaction.body().outputs().iter().position(|output| output.key == stranger_key());
    let outpoint = Outpoint { txid: first, index: output.unwrap() as u32 };
    let coin = bloom_consensus::Coin {
        output: node.mempool[0].transaction.body().outputs()[outpoint.index as usize],
        height: bloom_consensus::Height(0),
        is_coinbase: false,
    };
    node.admit(&MemoryNode::stranger_pays((outpoint, coin), &[(stranger_key(), 100_000)], 50_000)).unwrap();
    let refused = send(&mut wallet, &mut node, &raise);
    assert!(matches!(refused, Err(WalletError::Refused { .. })), "{refused:?}");
    assert!(wallet.history().iter().all(|entry| entry.txid != raise.unsigned.body.txid()), "{:?}", wallet.history());
    assert_eq!(wallet.view().status(&first), Status::Pending);
    assert_eq!(wallet.balance().outgoing.units(), 300_000 + fee(&wallet, &first));
}

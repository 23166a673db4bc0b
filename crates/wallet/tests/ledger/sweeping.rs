//! The coins of another key brought into the wallet: all that may be spent, once, and nothing else.

use bloom_consensus::{Amount, Height};
use bloom_wallet::book::Status;
use bloom_wallet::size::DUST;
use bloom_wallet::sweep::{Found, Sweep, find};
use bloom_wallet::{BuildError, KeyChain, Note, Remark, Wallet};
use secp256k1::Keypair;

use crate::keeping::{ALICE, BOB, Disk, Memory, NOW, fresh, rate, rng, update};
use crate::memory_node::{DEV, MemoryError, MemoryNode, key_of, stranger, stranger_key};

const REWARD: u64 = 685_410_196;

/// A wallet with nothing, and a node whose 130 blocks pay the stranger: eight of their rewards are mature.
fn begin() -> (Disk, Wallet<Memory>, MemoryNode) {
    let (disk, mut node) = (Disk::of(ALICE), MemoryNode::new());
    let mut wallet = disk.open();
    update(&mut wallet, &mut node);
    (disk, wallet, node)
}

fn units(amount: Amount) -> u64 {
    amount.units()
}

fn look(node: &MemoryNode) -> Found {
    find(node, &stranger_key()).unwrap()
}

fn record(wallet: &mut Wallet<Memory>, sweep: &Sweep, pair: &Keypair) -> bloom_consensus::Txid {
    let transaction = sweep.sign(&DEV.network_id, pair, wallet.tip(), &mut rng(1)).unwrap();
    assert_eq!(transaction.encoded_len(), sweep.bytes());
    wallet.record::<MemoryError>(&transaction, Note::default(), NOW).unwrap();
    transaction.txid()
}

fn sweep_all(wallet: &mut Wallet<Memory>, node: &mut MemoryNode) -> Vec<Sweep> {
    let sweeps = look(node).pay_to(wallet.sweep_key(), rate(1)).unwrap();
    for sweep in &sweeps {
        let txid = record(wallet, sweep, &stranger());
        wallet.send(node, &txid).unwrap();
        wallet.told([txid]).unwrap();
    }
    sweeps
}

#[test]
fn what_is_mature_arrives_and_the_rest_stays_where_it_is() {
    let (_, mut wallet, mut node) = begin();
    let found = look(&node);
    assert_eq!((units(found.mature_total()), units(found.immature_total())), (8 * REWARD, 122 * REWARD));
    assert_eq!((found.immature.len(), found.immature[&Height(132)]), (122, Amount::from_units(REWARD)));
    assert_eq!((found.all_at(), found.leaving), (Some(Height(252)), Amount::ZERO));

    let sweeps = sweep_all(&mut wallet, &mut node);
    let [sweep] = &sweeps[..] else { panic!("{sweeps:?}") };
    assert_eq!((sweep.coins.len(), units(sweep.fee), sweep.rate()), (8, 860, rate(1)));
    assert_eq!(units(wallet.balance().incoming), 8 * REWARD - 860);
    let found = look(&node);
    assert_eq!((found.mature_total(), units(found.leaving)), (Amount::ZERO, 8 * REWARD));
    assert_eq!(found.pay_to(wallet.sweep_key(), rate(1)), Ok(vec![]), "not twice");

    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(
        (units(wallet.balance().spendable), units(wallet.balance().total())),
        (sweep_sum(&sweeps), sweep_sum(&sweeps))
    );
    let found = look(&node);
    assert_eq!((units(found.mature_total()), found.leaving), (REWARD, Amount::ZERO), "one more has matured");
    // Paid to a receiving key, so that words alone find it.
    let coin = wallet.coins()[0];
    assert_eq!(
        (coin.path.chain, coin.path.index, wallet.book().next_index(KeyChain::Receive)),
        (KeyChain::Receive, 0, 1)
    );
}

fn sweep_sum(sweeps: &[Sweep]) -> u64 {
    sweeps.iter().map(|sweep| units(sweep.amount)).sum()
}

#[test]
fn many_coins_take_as_many_standard_transactions_as_it_needs() {
    let (_, mut wallet, mut node) = begin();
    let pair = Keypair::from_secret_bytes([9; 32]).unwrap();
    for _ in 0..5 {
        let coin = node.stranger_coin(0).unwrap();
        // Every tenth holds no more than spending it costs.
        let outputs: Vec<_> = (0..250).map(|n| (key_of(&pair), if n % 10 == 0 { 100 } else { 10_000 })).collect();
        node.mine(stranger_key(), &[MemoryNode::stranger_pays(coin, &outputs, 20_000)]);
    }
    update(&mut wallet, &mut node);
    let found = find(&node, &key_of(&pair)).unwrap();
    let sweeps = found.pay_to(wallet.sweep_key(), rate(1)).unwrap();
    assert_eq!(sweeps.iter().map(|sweep| sweep.coins.len()).collect::<Vec<_>>(), [999, 126]);
    for sweep in &sweeps {
        assert!(sweep.bytes() <= 100_000 && sweep.check_fee().is_ok());
        let txid = record(&mut wallet, sweep, &pair);
        wallet.send(&mut node, &txid).unwrap();
    }
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(units(wallet.balance().spendable), 1_125 * 9_900 - 2 * 60);
    let left = find(&node, &key_of(&pair)).unwrap();
    assert_eq!((units(left.mature_total()), left.pay_to(wallet.sweep_key(), rate(1))), (125 * 100, Ok(vec![])));
}

#[test]
fn a_sweep_whose_process_died_is_sent_by_the_next_one_and_not_made_twice() {
    let (disk, mut wallet, mut node) = begin();
    let sweeps = look(&node).pay_to(wallet.sweep_key(), rate(1)).unwrap();
    let txid = record(&mut wallet, &sweeps[0], &stranger());
    drop(wallet);
    assert!(!node.waits(&txid));
    let mut wallet = disk.open();
    assert_eq!(update(&mut wallet, &mut node), [Remark::Sent { txid }]);
    assert!(node.waits(&txid) && sweep_all(&mut wallet, &mut node).is_empty());
}

#[test]
fn a_sweep_that_a_reorganisation_rescinds_and_the_mempool_drops_is_sent_again() {
    let (disk, mut wallet, mut node) = begin();
    let txid = sweep_all(&mut wallet, &mut node)[0].body.txid();
    node.mine_all();
    update(&mut wallet, &mut node);
    assert!(matches!(wallet.view().status(&txid), Status::Confirmed(_)));
    node.disconnect(1);
    node.evict(&txid);
    node.mine(stranger_key(), &[]);
    let mut wallet = {
        drop(wallet);
        disk.open()
    };
    update(&mut wallet, &mut node);
    assert!(node.waits(&txid));
    node.mine_all();
    update(&mut wallet, &mut node);
    assert!(matches!(wallet.view().status(&txid), Status::Confirmed(_)));
}

#[test]
fn a_sweep_that_another_wallet_was_faster_with_is_forgotten() {
    let (_, mut wallet, mut node) = begin();
    let sweeps = look(&node).pay_to(wallet.sweep_key(), rate(1)).unwrap();
    let txid = record(&mut wallet, &sweeps[0], &stranger());
    let mut other = Disk::of(BOB).open();
    update(&mut other, &mut node);
    sweep_all(&mut other, &mut node);
    node.mine_all();
    let remarks = update(&mut wallet, &mut node);
    assert!(matches!(&remarks[..], [Remark::SweepNotTaken { txid: told, .. }] if *told == txid), "{remarks:?}");
    assert_eq!((wallet.view().status(&txid), units(wallet.balance().total())), (Status::Withdrawn, 0));
    assert_eq!(update(&mut wallet, &mut node), []);
    assert_eq!(sweep_all(&mut wallet, &mut node)[0].coins.len(), 1, "what has matured since");
}

#[test]
fn a_sweep_that_the_node_refuses_at_once_is_withdrawn() {
    let (_, mut wallet, mut node) = begin();
    let sweeps = look(&node).pay_to(wallet.sweep_key(), rate(1)).unwrap();
    let txid = record(&mut wallet, &sweeps[0], &stranger());
    node.disconnect(125);
    assert!(matches!(wallet.send(&mut node, &txid), Err(bloom_wallet::WalletError::Refused { .. })));
    assert_eq!(units(wallet.balance().total()), 0);
}

#[test]
fn blocks_that_are_pruned_are_not_needed() {
    let (_, mut wallet, mut node) = begin();
    node.pruned_below = 131;
    assert_eq!(sweep_all(&mut wallet, &mut node)[0].coins.len(), 8);
}

#[test]
fn fees_are_held_against_what_arrives() {
    let (_, wallet, node) = begin();
    let key = wallet.sweep_key();
    let too_low = BuildError::RateTooLow { got: rate(0), least: rate(1) };
    assert_eq!(look(&node).pay_to(key, rate(0)), Err(too_low));
    // 860 bytes at a million units each are more than a tenth of eight rewards.
    let sweep = look(&node).pay_to(key, rate(1_000_000)).unwrap().remove(0);
    assert!(matches!(sweep.check_fee(), Err(BuildError::HighFee { .. })) && sweep.amount >= DUST);
    assert_eq!(look(&node).pay_to(key, rate(6_900_000)), Ok(vec![]), "no coin is worth its input");
}

#[test]
fn another_key_signs_for_nothing() {
    let (_, wallet, node) = begin();
    let sweep = look(&node).pay_to(wallet.sweep_key(), rate(1)).unwrap().remove(0);
    let other = Keypair::from_secret_bytes([8; 32]).unwrap();
    let signed = sweep.sign(&DEV.network_id, &other, wallet.tip(), &mut rng(1));
    assert!(matches!(signed, Err(BuildError::Rule(_))), "{signed:?}");
}

#[test]
fn a_sweep_goes_where_words_alone_find_it_however_many_addresses_were_given() {
    let (disk, mut wallet, mut node) = begin();
    for _ in 0..20 {
        fresh(&mut wallet);
    }
    sweep_all(&mut wallet, &mut node);
    node.mine_all();
    update(&mut wallet, &mut node);
    let mut restored = disk.restored().open();
    update(&mut restored, &mut node);
    assert!(restored.balance() == wallet.balance() && units(restored.balance().spendable) > 0);
}

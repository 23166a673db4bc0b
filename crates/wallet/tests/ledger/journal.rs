//! Payments are recorded before they are sent: whatever dies when, each is paid once.

use bloom_consensus::Txid;
use bloom_wallet::book::Status;
use bloom_wallet::{Note, Remark, Wallet, WalletError};

use crate::keeping::{Memory, NOW, exactly, funded, order, pay, rng, update};
use crate::memory_node::{MemoryError, MemoryNode, stranger_key};

/// Builds, signs and records.
fn record(wallet: &mut Wallet<Memory>, units: u64, id: Option<&str>) -> Txid {
    let unsigned = wallet.prepare(&order(&[exactly(stranger_key(), units)], 1), &mut rng(1)).unwrap();
    let transaction = wallet.sign(&unsigned, &mut rng(1)).unwrap();
    let note = Note { id: id.map(str::to_owned), replaces: None };
    wallet.record::<MemoryError>(&transaction, note, NOW).unwrap();
    transaction.txid()
}

fn paid_to_stranger(node: &MemoryNode, units: u64) -> usize {
    let outputs = node.mempool.iter().flat_map(|waiting| waiting.transaction.body().outputs());
    outputs.filter(|output| output.key == stranger_key() && output.amount.units() == units).count()
}

#[test]
fn a_payment_recorded_and_not_sent_is_sent_by_the_next_command_and_paid_once() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000, 1_000_000]);
    let txid = record(&mut wallet, 300_000, None);
    drop(wallet); // dies between recording and sending
    assert!(node.mempool.is_empty());
    let mut wallet = disk.open();
    assert_eq!(update(&mut wallet, &mut node), [Remark::Sent { txid }]);
    // The command that is repeated finds that it was made.
    assert_eq!(wallet.untold(&[exactly(stranger_key(), 300_000)]), Some(txid));
    assert_eq!(wallet.untold(&[exactly(stranger_key(), 300_001)]), None);
    wallet.told([txid]).unwrap();
    assert_eq!(wallet.untold(&[exactly(stranger_key(), 300_000)]), None, "asked for again later, it is another one");
    assert_eq!((node.submitted.as_slice(), paid_to_stranger(&node, 300_000)), (&[txid][..], 1));
}

#[test]
fn a_payment_sent_and_not_told_of_is_not_made_twice() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000, 1_000_000]);
    let txid = record(&mut wallet, 300_000, None);
    wallet.send(&mut node, &txid).unwrap();
    drop(wallet); // dies before it says so
    let mut wallet = disk.open();
    assert_eq!(update(&mut wallet, &mut node), [Remark::Sent { txid }]);
    assert_eq!(wallet.untold(&[exactly(stranger_key(), 300_000)]), Some(txid));
    assert_eq!(node.submitted, [txid], "the node has it: it is not sent again");
}

#[test]
fn coins_of_a_recorded_payment_are_reserved() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    let txid = record(&mut wallet, 300_000, None);
    drop(wallet);
    node.broken = true;
    let mut wallet = disk.open();
    assert!(wallet.update(&mut node, NOW).is_err());
    assert_eq!(wallet.view().status(&txid), Status::Recorded);
    assert_eq!(wallet.balance().reserved.units(), 1_000_000);
    assert!(wallet.prepare(&order(&[exactly(stranger_key(), 900_000)], 1), &mut rng(1)).is_err());
}

#[test]
fn a_name_makes_a_payment_once_for_ever() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    let txid = record(&mut wallet, 300_000, Some("rent 12/26"));
    wallet.send(&mut node, &txid).unwrap();
    wallet.told([txid]).unwrap();
    node.mine_all();
    let mut wallet = disk.open();
    update(&mut wallet, &mut node);
    let by_id = |id: &str, units| wallet.by_id::<MemoryError>(id, &[exactly(stranger_key(), units)]);
    assert_eq!(by_id("rent 12/26", 300_000).unwrap(), Some(txid));
    assert_eq!(by_id("rent 01/27", 300_000).unwrap(), None);
    assert!(matches!(by_id("rent 12/26", 300_001), Err(WalletError::IdTaken { .. })));
}

#[test]
fn a_payment_that_the_mempool_lost_is_sent_again() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let txid = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    node.evict(&txid);
    assert!(update(&mut wallet, &mut node).is_empty());
    assert!(node.waits(&txid));
}

#[test]
fn a_payment_that_the_node_refuses_is_withdrawn_and_its_coins_are_free() {
    let (_, mut wallet, mut node) = funded(&[1_000_000]);
    let txid = record(&mut wallet, 300_000, None);
    let other = pay_the_same_coin_elsewhere(&wallet, &mut node);
    let refused = wallet.send(&mut node, &txid);
    assert!(matches!(refused, Err(WalletError::Refused { .. })), "{refused:?}");
    assert_eq!(wallet.view().status(&txid), Status::Withdrawn);
    update(&mut wallet, &mut node);
    assert_eq!(wallet.view().status(&other), Status::Pending, "a copy of the wallet made it");
}

#[test]
fn a_payment_handed_in_again_with_other_signatures_stays_the_payment_that_it_is() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    let unsigned = wallet.prepare(&order(&[exactly(stranger_key(), 300_000)], 1), &mut rng(1)).unwrap();
    let [first, again] = [1, 2].map(|seed| wallet.sign(&unsigned, &mut rng(seed)).unwrap());
    assert!(first.txid() == again.txid() && first.wtxid() != again.wtxid());
    let (txid, note) = (first.txid(), Note { id: Some("rent".to_owned()), replaces: None });
    wallet.record::<MemoryError>(&first, note, NOW).unwrap();
    wallet.send(&mut node, &txid).unwrap();
    wallet.told([txid]).unwrap();
    let payment = wallet.book().record(&txid).unwrap().payment.clone();
    wallet.record::<MemoryError>(&again, Note::default(), NOW).unwrap();
    assert_eq!(wallet.book().record(&txid).unwrap().payment, payment, "named, sent and told of, as before");
    // Even a node that calls it refused has it, and what waits spends its coins.
    node.fussy = true;
    assert!(matches!(wallet.send(&mut node, &txid), Err(WalletError::Refused { .. })));
    assert_eq!(wallet.view().status(&txid), Status::Pending);
    assert!(wallet.coins().iter().all(|coin| coin.own_pending));
    drop(wallet);
    let mut wallet = disk.open();
    update(&mut wallet, &mut node);
    assert_eq!(wallet.book().record(&txid).unwrap().payment, payment, "what waits is not withdrawn");
    node.fussy = false;
    node.evict(&txid);
    update(&mut wallet, &mut node);
    assert!(node.waits(&txid));
}

/// A copy of the wallet on another machine pays from the same coin at a high rate.
fn pay_the_same_coin_elsewhere(wallet: &Wallet<Memory>, node: &mut MemoryNode) -> Txid {
    let mut copy = crate::keeping::Disk::of(crate::keeping::ALICE).open();
    update(&mut copy, node);
    assert_eq!(copy.keys().account(), wallet.keys().account());
    pay(&mut copy, node, &order(&[exactly(stranger_key(), 500_000)], 50), 2).unwrap()
}

#[test]
fn a_book_reads_back_and_one_of_another_version_is_refused() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    let text = serde_json::to_string(wallet.book()).unwrap();
    let back: bloom_wallet::book::Book = serde_json::from_str(&text).unwrap();
    assert_eq!((&back, disk.open().book()), (wallet.book(), wallet.book()));
    let later = text.replacen("\"version\":1", "\"version\":2", 1);
    let error = serde_json::from_str::<bloom_wallet::book::Book>(&later).unwrap_err().to_string();
    assert!(error.contains("version 2, expected 1"), "{error}");
}

//! Reading the chain: restoring, gaps, reorganisations, what is pruned.

use std::rc::Rc;

use bloom_consensus::Height;
use bloom_wallet::book::Status;
use bloom_wallet::build::{Recipient, Share};
use bloom_wallet::watch::GAP_LIMIT;
use bloom_wallet::{KeyChain, Remark, WalletError, WalletKeys, Words, scan::ScanError};

use crate::keeping::{ALICE, Disk, NOW, exactly, fresh, funded, order, pay, update};
use crate::memory_node::{MemoryError, MemoryNode, stranger_key};

#[test]
fn restoring_from_words_alone_finds_every_coin_change_included() {
    let (disk, mut wallet, mut node) = funded(&[600_000_000]);
    for n in 0..30 {
        // Addresses in no order, some never used; change of every payment; a reward.
        let keys: Vec<_> = (0..3).map(|_| fresh(&mut wallet)).collect();
        node.fund(keys[n % 3], 1_000_000 + n as u64);
        pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 2_000_000)], 1), n as u64).unwrap();
        node.mine_all();
        if n % 7 == 0 {
            node.mine(keys[1], &[]);
        }
        update(&mut wallet, &mut node);
    }
    assert!(wallet.book().next_index(KeyChain::Receive) > 80 && wallet.book().next_index(KeyChain::Change) >= 30);
    let mut restored = disk.restored().open();
    update(&mut restored, &mut node);
    assert_eq!(restored.balance(), wallet.balance());
    assert_eq!(restored.coins(), wallet.coins());
    assert_eq!(restored.history().len(), wallet.history().len());
}

#[test]
fn a_key_beyond_the_gap_that_is_paid_before_the_gap_is_closed_is_found() {
    let disk = Disk::of(ALICE);
    let wallet = disk.open();
    let mut node = MemoryNode::new();
    let key = |index| wallet.watch().key(&wallet.watch().path_of(KeyChain::Receive, index));
    // 25 is seen only once 10 is known, which is paid later.
    node.fund(key(25), 1_000_000);
    node.mine_all();
    node.fund(key(10), 2_000_000);
    node.mine_all();
    let mut restored = disk.open();
    update(&mut restored, &mut node);
    assert_eq!(restored.balance().spendable.units(), 3_000_000);
}

#[test]
fn a_coin_beyond_the_gap_that_is_spent_after_the_gap_is_closed_is_seen_to_be_spent() {
    let disk = Disk::of(ALICE);
    let mut full = disk.restored().open();
    let mut node = MemoryNode::new();
    let key = |index| full.watch().key(&full.watch().path_of(KeyChain::Receive, index));
    let (at_10, at_25) = (key(10), key(25));
    for (key, units) in [(at_25, 5_000_000), (at_10, 2_000_000)] {
        node.fund(key, units);
        node.mine_all();
    }
    update(&mut full, &mut node);
    let all = Recipient { key: stranger_key(), share: Share::Rest };
    pay(&mut full, &mut node, &order(&[all], 1), 1).unwrap();
    node.mine_all();
    update(&mut full, &mut node);
    let mut restored = disk.restored().open();
    update(&mut restored, &mut node);
    assert_eq!((restored.balance(), restored.coins()), (full.balance(), vec![]));
    assert_eq!(restored.history().len(), 3);
}

#[test]
fn a_key_beyond_the_gap_is_found_by_the_next_scan_if_one_is_interrupted() {
    let disk = Disk::of(ALICE);
    let wallet = disk.open();
    let mut node = MemoryNode::new();
    let key = |index| wallet.watch().key(&wallet.watch().path_of(KeyChain::Receive, index));
    for (index, units) in [(25, 5_000_000), (10, 2_000_000)] {
        node.fund(key(index), units);
        node.mine_all();
    }
    node.mine(stranger_key(), &[]);
    node.stuck = true;
    let mut restored = disk.open();
    assert!(restored.update(&mut node, NOW).is_err());
    node.stuck = false;
    let mut restored = disk.open();
    update(&mut restored, &mut node);
    assert_eq!(restored.balance().spendable.units(), 7_000_000);
}

#[test]
fn a_key_beyond_the_gap_that_a_waiting_payment_closes_is_found() {
    let disk = Disk::of(ALICE);
    let wallet = disk.open();
    let mut node = MemoryNode::new();
    let key = |index| wallet.watch().key(&wallet.watch().path_of(KeyChain::Receive, index));
    node.fund(key(25), 5_000_000);
    node.mine_all();
    node.fund(key(10), 2_000_000);
    let mut restored = disk.open();
    update(&mut restored, &mut node);
    let balance = restored.balance();
    assert_eq!((balance.spendable.units(), balance.incoming.units()), (5_000_000, 2_000_000));
}

#[test]
fn no_more_addresses_are_given_than_a_search_would_find() {
    let (_, mut wallet, mut node) = funded(&[]);
    let given: Vec<_> =
        std::iter::repeat_with(|| wallet.fresh_key::<MemoryError>()).take_while(Result::is_ok).collect();
    let last = given.last().unwrap().as_ref().unwrap().0.index;
    assert_eq!(last, GAP_LIMIT - 1);
    assert!(matches!(wallet.fresh_key::<MemoryError>(), Err(WalletError::NoFreshAddress { unused: GAP_LIMIT })));
    let key = given[5].as_ref().unwrap().1;
    node.fund(key, 1_000_000);
    node.mine_all();
    update(&mut wallet, &mut node);
    assert!(wallet.fresh_key::<MemoryError>().is_ok());
}

#[test]
fn a_payment_rescinded_by_a_reorganisation_is_said_to_be() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    let txid = pay(&mut wallet, &mut node, &order(&[exactly(stranger_key(), 300_000)], 1), 1).unwrap();
    node.mine_all();
    update(&mut wallet, &mut node);
    let Status::Confirmed(block) = wallet.view().status(&txid) else { panic!("not confirmed") };
    node.disconnect(1);
    node.mine(stranger_key(), &[]);
    node.mine(stranger_key(), &[]);
    drop(wallet); // the next command notices it
    let mut wallet = disk.open();
    let remarks = update(&mut wallet, &mut node);
    assert_eq!(remarks, [Remark::Rescinded { txid, block, status: Status::Pending }]);
    let entry = wallet.history().into_iter().find(|entry| entry.txid == txid).unwrap();
    assert_eq!((entry.status, entry.rescinded), (Status::Pending, Some(block)));
    assert!(update(&mut wallet, &mut node).is_empty(), "it is said once");
    node.mine_all();
    update(&mut wallet, &mut node);
    let entry = wallet.history().into_iter().find(|entry| entry.txid == txid).unwrap();
    assert!(matches!(entry.status, Status::Confirmed(_)) && entry.rescinded.is_none());
}

#[test]
fn a_received_payment_that_a_double_spend_undoes_is_gone_from_the_balance() {
    let (_, mut wallet, mut node) = funded(&[]);
    let key = fresh(&mut wallet);
    let coin = node.stranger_coin(0).unwrap();
    let payment = MemoryNode::stranger_pays(coin, &[(key, 5_000_000)], 1_000);
    node.mine(stranger_key(), std::slice::from_ref(&payment));
    update(&mut wallet, &mut node);
    assert_eq!(wallet.balance().spendable.units(), 5_000_000);
    node.disconnect(1);
    node.mine(stranger_key(), &[MemoryNode::stranger_pays(coin, &[(stranger_key(), 5_000_000)], 2_000)]);
    let remarks = update(&mut wallet, &mut node);
    assert!(matches!(remarks[..], [Remark::Rescinded { status: Status::Gone, .. }]), "{remarks:?}");
    assert_eq!(wallet.balance().total().units(), 0);
}

#[test]
fn a_reward_of_a_lost_branch_is_no_coin_and_maturity_follows_the_branch() {
    let (_, mut wallet, mut node) = funded(&[]);
    let key = fresh(&mut wallet);
    node.mine(key, &[]);
    update(&mut wallet, &mut node);
    let height = node.height();
    assert_eq!(wallet.balance().immature.keys().copied().collect::<Vec<_>>(), [Height(height + 123)]);
    for _ in 0..121 {
        node.mine(stranger_key(), &[]);
    }
    update(&mut wallet, &mut node);
    assert_eq!(wallet.balance().spendable.units(), 0);
    node.mine(stranger_key(), &[]);
    update(&mut wallet, &mut node);
    assert_eq!(wallet.balance().spendable.units(), 685_410_196, "the next block is 123 above its own");
    node.disconnect(123);
    node.mine(stranger_key(), &[]);
    let remarks = update(&mut wallet, &mut node);
    assert!(matches!(remarks[..], [Remark::Rescinded { status: Status::Gone, .. }]), "{remarks:?}");
    assert_eq!(wallet.balance().total().units(), 0);
}

#[test]
fn a_reorganisation_deeper_than_what_is_remembered_is_undone_too() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    let fork = node.clone();
    for _ in 0..700 {
        node.mine(stranger_key(), &[]);
    }
    let key = fresh(&mut wallet);
    node.fund(key, 2_000_000);
    node.mine_all();
    update(&mut wallet, &mut node);
    assert_eq!(wallet.balance().spendable.units(), 3_000_000);
    let mut other = fork;
    for _ in 0..702 {
        other.mine(key_of_bob(), &[]);
    }
    let mut wallet = disk.open();
    update(&mut wallet, &mut other);
    let mut restored = disk.restored().open();
    update(&mut restored, &mut other);
    assert_eq!(wallet.balance(), restored.balance());
    assert_eq!(wallet.balance().spendable.units(), 1_000_000);
}

#[test]
fn a_reorganisation_that_forks_below_the_birthday_is_read_from_its_fork() {
    let mut node = MemoryNode::new();
    let keys = WalletKeys::from_words(Words::parse(ALICE).unwrap(), String::new().into(), 0, Height(node.height() - 2));
    let disk = Disk::with(Rc::new(keys));
    let mut wallet = disk.open();
    update(&mut wallet, &mut node);
    let key = fresh(&mut wallet);
    let oldest = (0..).map_while(|nth| node.stranger_coin(nth)).min_by_key(|(_, coin)| coin.height).unwrap();
    let payment = MemoryNode::stranger_pays(oldest, &[(key, 1_000_000)], 1_000);
    let txid = payment.txid();
    node.mine(stranger_key(), &[payment]);
    update(&mut wallet, &mut node);
    let height = node.height();
    node.disconnect(6);
    node.mine_all(); // below the birthday
    for _ in 0..10 {
        node.mine(stranger_key(), &[]);
    }
    drop(wallet);
    let mut wallet = disk.open();
    assert_eq!(update(&mut wallet, &mut node), [], "another block holds it");
    let Status::Confirmed(block) = wallet.view().status(&txid) else { panic!("not confirmed") };
    assert_eq!((block.height, wallet.balance().spendable.units()), (Height(height - 5), 1_000_000));
}

fn key_of_bob() -> bloom_consensus::OutputKey {
    crate::keeping::keys_of(crate::keeping::BOB).account().key(KeyChain::Receive, 0)
}

#[test]
fn what_was_pruned_is_said_and_what_was_read_is_kept() {
    let (disk, mut wallet, mut node) = funded(&[1_000_000]);
    node.mine(stranger_key(), &[]);
    node.pruned_below = node.height();
    update(&mut wallet, &mut node); // what it read before, it need not read again
    let mut restored = disk.restored().open();
    let error = restored.update(&mut node, NOW).unwrap_err();
    assert!(matches!(&error, WalletError::Scan(ScanError::Pruned { height: Height(0), .. })), "{error}");
    assert!(error.to_string().contains("keeps all blocks") && error.to_string().contains("--data-dir"), "{error}");
}

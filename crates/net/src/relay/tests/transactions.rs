//! Transactions among the honest.

use std::collections::BTreeSet;

use bloom_consensus::Wtxid;

use super::*;
use crate::wire::Response;

const SECOND: Duration = Duration::from_secs(1);

fn waits(wire: &Wire, node: usize, transaction: &Transaction) -> bool {
    wire.at(node).chain().mempool().get_by_witness(&transaction.wtxid()).is_some()
}

fn announced(wire: &mut Wire, puppet: usize) -> Vec<Wtxid> {
    let wtxids = |note| if let Note::Transactions(wtxids) = note { wtxids } else { Vec::new() };
    notes(wire, puppet).into_iter().flat_map(wtxids).collect()
}

/// The one request for transactions that a puppet has heard.
fn asked(wire: &mut Wire, puppet: usize) -> (AnswerId, Vec<Wtxid>) {
    let requests = requests(wire, puppet);
    let [(id, Request::Transactions { wtxids })] = &requests[..] else { panic!("{requests:?}") };
    (*id, wtxids.clone())
}

#[test]
fn a_transaction_goes_down_a_line_and_is_sent_over_each_link_once() {
    let mut wire = Wire::new();
    for node in 0..5 {
        engine(&mut wire);
        if node > 0 {
            wire.connect(node - 1, node);
        }
    }
    wire.run(5 * SECOND);
    wire.log.clear();
    let transaction = pay(coin(1), &[2], 10_000);
    wire.submit(0, transaction.clone());
    assert!(wire.run_until(120 * SECOND, |wire| (0..5).all(|node| waits(wire, node, &transaction))));
    wire.run(30 * SECOND);
    let sent = |line: &&String| line.contains("Answer") && line.contains("Transactions(");
    assert_eq!(wire.log.iter().filter(sent).count(), 4);
    let told = |line: &&String| line.contains("Send") && line.contains("Transactions(");
    assert_eq!(wire.log.iter().filter(told).count(), 4);
}

#[test]
fn announcements_come_in_batches_and_not_at_once() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (hears, _) = puppet(&mut wire, node);
    wire.run(30 * SECOND);
    let all: BTreeSet<_> = (1..=6).map(|height| pay(coin(height), &[2], 10_000).wtxid()).collect();
    for height in 1..=6 {
        wire.submit(node, pay(coin(height), &[2], 10_000));
    }
    wire.run(wire.latency);
    assert!(announced(&mut wire, hears).is_empty());
    wire.run(60 * SECOND);
    let told = announced(&mut wire, hears);
    assert_eq!((told.len(), told.into_iter().collect()), (6, all));
}

#[test]
fn who_joins_is_told_of_what_waits_best_first() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let mut transactions: Vec<_> = (1..=5).map(|n| pay(coin(n as usize), &[2], 1_000 * (n * 7 % 11))).collect();
    transactions.iter().for_each(|transaction| wire.submit(node, transaction.clone()));
    let new = wire.puppet();
    wire.connect(new, node);
    wire.run(60 * SECOND);
    let told = announced(&mut wire, new);
    let mempool = wire.at(node).chain().mempool();
    transactions.sort_by_key(|one| std::cmp::Reverse(mempool.get(&one.txid()).unwrap().fee()));
    assert_eq!(told, transactions.iter().map(Transaction::wtxid).collect::<Vec<_>>());
}

#[test]
fn the_next_announcer_is_asked_when_the_first_stalls() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (stalls, one) = puppet(&mut wire, node);
    let (honest, other) = puppet(&mut wire, node);
    let transaction = pay(coin(1), &[2], 10_000);
    let note = || Note::Transactions(vec![transaction.wtxid()]);
    wire.say(one, note());
    wire.say(other, note());
    wire.run(SECOND);
    assert_eq!(asked(&mut wire, stalls).1, [transaction.wtxid()]);
    assert!(requests(&mut wire, honest).is_empty());
    wire.run(2 * SECOND);
    let (id, wtxids) = asked(&mut wire, honest);
    assert_eq!(wtxids, [transaction.wtxid()]);
    wire.answer(id, Response::Transactions(vec![transaction.clone()]));
    wire.run(SECOND);
    assert!(waits(&wire, node, &transaction));
    assert_eq!(faults(&wire, node), [Fault::Stalled]);
}

#[test]
fn the_next_announcer_is_asked_when_the_first_leaves_or_has_it_no_more() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let ends: Vec<_> = (0..3).map(|_| puppet(&mut wire, node)).collect();
    let transaction = pay(coin(1), &[2], 10_000);
    ends.iter().for_each(|(_, end)| wire.say(*end, Note::Transactions(vec![transaction.wtxid()])));
    wire.run(Duration::from_millis(200));
    asked(&mut wire, ends[0].0);
    wire.hang_up(ends[0].1);
    wire.run(Duration::from_millis(200));
    let (id, _) = asked(&mut wire, ends[1].0);
    wire.answer(id, Response::NotFound);
    wire.run(Duration::from_millis(200));
    let (id, _) = asked(&mut wire, ends[2].0);
    wire.answer(id, Response::Transactions(vec![transaction.clone()]));
    wire.run(Duration::from_millis(200));
    assert!(waits(&wire, node, &transaction));
    assert!(faults(&wire, node).is_empty());
}

#[test]
fn a_child_waits_for_its_parent_which_its_sender_is_asked_for() {
    let mut wire = Wire::new();
    let (node, other) = (engine(&mut wire), engine(&mut wire));
    let parent = pay(coin(1), &[OWNER], 10_000);
    let child = pay(output_of(&parent, 0), &[2], 10_000);
    let (sender, end) = puppet(&mut wire, node);
    wire.say(end, Note::Transactions(vec![child.wtxid()]));
    wire.run(Duration::from_millis(200));
    let (id, _) = asked(&mut wire, sender);
    wire.answer(id, Response::Transactions(vec![child.clone()]));
    wire.run(Duration::from_millis(200));
    let (id, ids) = asked(&mut wire, sender);
    assert_eq!(ids, [Wtxid(parent.txid().0)]);
    wire.answer(id, Response::Transactions(vec![parent.clone()]));
    wire.run(Duration::from_millis(200));
    assert!(waits(&wire, node, &parent) && waits(&wire, node, &child));
    assert!(faults(&wire, node).is_empty());

    // An engine gives a parent that is asked for so.
    wire.submit(other, parent.clone());
    let (asker, end) = puppet(&mut wire, other);
    wire.ask(end, Request::Transactions { wtxids: vec![Wtxid(parent.txid().0)] });
    wire.run(Duration::from_millis(200));
    let given = |event: &Event| matches!(event, Event::Response { response: Response::Transactions(list), .. } if list[..] == [parent.clone()]);
    assert!(wire.heard(asker).iter().any(given));
}

#[test]
fn a_child_whose_parent_was_confirmed_meanwhile_is_taken_with_the_block() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let parent = pay(coin(1), &[OWNER], 10_000);
    let child = pay(output_of(&parent, 0), &[2], 10_000);
    let (sender, end) = puppet(&mut wire, node);
    wire.say(end, Note::Transactions(vec![child.wtxid()]));
    wire.run(Duration::from_millis(200));
    let (id, _) = asked(&mut wire, sender);
    wire.answer(id, Response::Transactions(vec![child.clone()]));
    wire.run(Duration::from_millis(200));
    let block = next_block(&wire, node, 9, vec![parent]);
    give(&mut wire, node, &[block]);
    assert!(waits(&wire, node, &child));
}

#[test]
fn what_a_reorganisation_gives_back_is_announced_again() {
    let mut wire = Wire::new();
    let (node, other) = (engine(&mut wire), engine(&mut wire));
    let transaction = pay(coin(1), &[2], 10_000);
    wire.submit(node, transaction.clone());
    let lost = wire.mine(node);
    assert_eq!(lost.transactions, std::slice::from_ref(&transaction));
    let (hears, _) = puppet(&mut wire, node);
    wire.run(30 * SECOND);
    assert!(announced(&mut wire, hears).is_empty());
    for _ in 0..2 {
        let block = next_block(&wire, other, 9, Vec::new());
        give(&mut wire, other, std::slice::from_ref(&block));
        let (accepted, _) = {
            let now = wire.clock();
            wire.at_mut(node).submit_block(&block, now)
        };
        accepted.unwrap();
    }
    assert_eq!(tip(&wire, node), tip(&wire, other));
    wire.run(60 * SECOND);
    assert_eq!(announced(&mut wire, hears), [transaction.wtxid()]);
}

#[test]
fn what_was_refused_is_not_asked_for_again_before_the_tip_changes() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (sender, end) = puppet(&mut wire, node);
    let (inputs, spent) = coin(1);
    let output = Output { amount: Amount::from_units(spent.amount.units() - 10_000), key: output_key(2) };
    let early = sign(Height(TRUNK_BLOCKS as u64 + 2), vec![inputs], vec![output], &[spent]);
    let note = || Note::Transactions(vec![early.wtxid()]);
    wire.say(end, note());
    wire.run(Duration::from_millis(200));
    let (id, _) = asked(&mut wire, sender);
    wire.answer(id, Response::Transactions(vec![early.clone()]));
    wire.run(Duration::from_millis(200));
    wire.say(end, note());
    wire.run(Duration::from_millis(200));
    assert!(requests(&mut wire, sender).is_empty());
    wire.mine(node);
    wire.say(end, note());
    wire.run(Duration::from_millis(200));
    let (id, _) = asked(&mut wire, sender);
    wire.answer(id, Response::Transactions(vec![early.clone()]));
    wire.run(Duration::from_millis(200));
    assert!(waits(&wire, node, &early));
    assert!(faults(&wire, node).is_empty());
}

#[test]
fn what_came_back_from_a_block_and_is_longer_than_any_that_is_relayed_is_told_nobody() {
    let mut wire = Wire::new();
    let (node, other) = (engine(&mut wire), engine(&mut wire));
    let long = pay(coin(1), &[2; 2_600], 200_000);
    let lost = next_block(&wire, node, 8, vec![long.clone()]);
    give(&mut wire, node, &[lost]);
    for _ in 0..2 {
        let block = next_block(&wire, other, 9, Vec::new());
        give(&mut wire, other, std::slice::from_ref(&block));
        give(&mut wire, node, &[block]);
    }
    assert!(waits(&wire, node, &long));
    let (hears, end) = puppet(&mut wire, node);
    wire.run(60 * SECOND);
    assert!(announced(&mut wire, hears).is_empty());
    wire.ask(end, Request::Transactions { wtxids: vec![long.wtxid()] });
    wire.run(SECOND);
    let refused = |event: &Event| matches!(event, Event::Response { response: Response::NotFound, .. });
    assert!(wire.heard(hears).iter().any(refused));
}

#[test]
fn what_was_announced_while_behind_is_asked_for_as_soon_as_it_no_longer_is() {
    let mut wire = Wire::new();
    let (ahead, node) = (engine(&mut wire), engine(&mut wire));
    for _ in 0..20 {
        wire.mine(ahead);
    }
    let (sender, end) = puppet(&mut wire, node);
    wire.connect(ahead, node);
    assert!(wire.run_until(10 * SECOND, |wire| wire.at(node).is_behind()));
    let transaction = pay(coin(1), &[2], 10_000);
    let tip = wire.at(node).chain().chain().tip();
    // It is heard while behind, and next of whoever showed the longer chain that it is gone before it gave any of it:
    // nothing is missing any more, and no tip says so.
    wire.say(end, Note::Transactions(vec![transaction.wtxid()]));
    wire.cut(ahead, node, true);
    assert!(wire.at(node).is_behind());
    assert!(wire.run_until(10 * SECOND, |wire| !wire.at(node).is_behind()));
    assert_eq!(wire.at(node).chain().chain().tip(), tip);
    wire.run(wire.latency * 2);
    assert_eq!(asked(&mut wire, sender).1, [transaction.wtxid()]);
}

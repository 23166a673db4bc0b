//! Transactions of every invalid kind, and who is blamed for them; storms.

use bloom_chain::mempool::policy::MAX_TRANSACTION_BYTES;
use bloom_consensus::{OutputKey, Wtxid};

use super::*;
use crate::event::Action;
use crate::wire::Response;

/// Has a puppet announce a transaction and serve it when it is asked; what it was blamed for.
fn offer(wire: &mut Wire, node: usize, transaction: &Transaction) -> Vec<Fault> {
    let (sender, end) = puppet(wire, node);
    let before = faults(wire, node).len();
    wire.say(end, Note::Transactions(vec![transaction.wtxid()]));
    wire.run(Duration::from_millis(100));
    let requests = requests(wire, sender);
    let [(id, Request::Transactions { wtxids })] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(wtxids, &[transaction.wtxid()]);
    wire.answer(*id, Response::Transactions(vec![transaction.clone()]));
    wire.run(Duration::from_millis(100));
    faults(wire, node).split_off(before)
}

fn output(units: u64) -> Output {
    Output { amount: Amount::from_units(units), key: output_key(2) }
}

fn spoiled(transaction: &Transaction) -> Transaction {
    let mut signatures = transaction.signatures().to_vec();
    signatures[0][63] ^= 1;
    Transaction::new(transaction.body().clone(), signatures).unwrap()
}

#[test]
fn who_sends_what_no_chain_could_hold_is_blamed_for_every_kind_of_it() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let ((first, worth), (second, same)) = (coin(1), coin(2));
    let units = worth.amount.units();
    let (low, high) = (first.min(second), first.max(second));
    let pair = [worth, same];
    let off_curve = Output { amount: Amount::from_units(units / 2), key: OutputKey([255; 32]) };
    let invalid = [
        sign(Height(0), vec![high, low], vec![output(units)], &pair),
        sign(Height(0), vec![low, low], vec![output(units)], &pair),
        sign(Height(0), vec![first], vec![output(units / 2), output(0)], &[worth]),
        sign(Height(0), vec![first], vec![off_curve], &[worth]),
        sign(Height(0), vec![first], vec![output(u64::MAX), output(u64::MAX)], &[worth]),
        sign(Height(0), vec![first], vec![output(units + 1)], &[worth]),
        spoiled(&pay(coin(1), &[2], 10_000)),
    ];
    for transaction in invalid {
        let blamed = offer(&mut wire, node, &transaction);
        assert!(matches!(blamed[..], [Fault::InvalidTransaction(_)]), "{transaction:?}: {blamed:?}");
    }
    assert!(wire.at(node).chain().mempool().is_empty());
}

#[test]
fn nobody_is_blamed_for_what_another_node_may_take() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let units = coin(1).1.amount.units();
    let waiting = pay(coin(3), &[2], 10_000);
    wire.submit(node, waiting.clone());
    let unripe = TRUNK_BLOCKS - 1;
    let unknown = (Outpoint { txid: waiting.txid(), index: 7 }, coin(1).1);
    let harmless = [
        // Not yet.
        sign(Height(100_000), vec![coin(1).0], vec![output(units - 10_000)], &[coin(1).1]),
        pay(coin(unripe), &[2], 10_000),
        // Unknown here.
        pay((Outpoint { txid: bloom_consensus::Txid([3; 32]), index: 0 }, coin(1).1), &[2], 10_000),
        pay(unknown, &[2], 10_000),
        // Not wanted here: it pays too little, or not enough to replace, or makes dust.
        pay(coin(1), &[2], 0),
        pay(coin(3), &[4], 10_001),
        sign(Height(0), vec![coin(1).0], vec![output(1), output(units - 10_000)], &[coin(1).1]),
        // The same as waits, under other signatures.
        spoiled(&waiting),
    ];
    for transaction in harmless {
        let blamed = offer(&mut wire, node, &transaction);
        assert!(blamed.is_empty(), "{transaction:?}: {blamed:?}");
    }
    assert_eq!(wire.at(node).chain().mempool().len(), 1);
}

#[test]
fn who_goes_on_sending_invalid_ones_is_banned_and_who_relays_good_ones_is_not() {
    let mut wire = Wire::new();
    let (node, honest) = (engine(&mut wire), engine(&mut wire));
    wire.connect(honest, node);
    let (sender, end) = puppet(&mut wire, node);
    for height in 1..=12 {
        let good = pay(coin(height), &[2], 10_000);
        let bad = spoiled(&good);
        wire.submit(honest, good);
        wire.say(end, Note::Transactions(vec![bad.wtxid()]));
        wire.run(Duration::from_millis(100));
        for (id, request) in requests(&mut wire, sender) {
            assert_eq!(request, Request::Transactions { wtxids: vec![bad.wtxid()] });
            wire.answer(id, Response::Transactions(vec![bad.clone()]));
        }
        wire.run(Duration::from_millis(100));
    }
    assert!(wire.between(sender, node).is_empty());
    wire.run(Duration::from_secs(60));
    assert_eq!(wire.at(node).chain().mempool().len(), 12);
    assert_eq!(wire.between(honest, node).len(), 1);
}

#[test]
fn a_copy_with_spoiled_signatures_does_not_keep_the_honest_one_out() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let good = pay(coin(1), &[2], 10_000);
    let bad = spoiled(&good);
    assert_eq!(good.txid(), bad.txid());
    assert!(matches!(offer(&mut wire, node, &bad)[..], [Fault::InvalidTransaction(_)]));
    assert!(offer(&mut wire, node, &good).is_empty());
    assert!(wire.at(node).chain().mempool().get_by_witness(&good.wtxid()).is_some());
}

#[test]
fn an_answer_with_what_was_not_asked_for_is_a_wrong_answer() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (sender, end) = puppet(&mut wire, node);
    let (asked_for, other) = (pay(coin(1), &[2], 10_000), pay(coin(2), &[2], 10_000));
    wire.say(end, Note::Transactions(vec![asked_for.wtxid()]));
    wire.run(Duration::from_millis(100));
    let requests = requests(&mut wire, sender);
    wire.answer(requests[0].0, Response::Transactions(vec![other]));
    wire.run(Duration::from_millis(100));
    assert_eq!(faults(&wire, node), [Fault::WrongAnswer]);
    assert!(wire.at(node).chain().mempool().is_empty());
}

/// Its length is looked at before its keys, the first of which is off the curve.
#[test]
fn a_transaction_longer_than_any_that_is_relayed_is_not_looked_at() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (outpoint, worth) = coin(1);
    let mut outputs = vec![output(1_000); 2_600];
    outputs[0].key = OutputKey([255; 32]);
    let long = sign(Height(0), vec![outpoint], outputs.clone(), &[worth]);
    assert!(long.encoded_len() > MAX_TRANSACTION_BYTES);
    let blamed = offer(&mut wire, node, &long);
    assert!(matches!(blamed[..], [Fault::Flood(_)]), "{blamed:?}");
    outputs.truncate(2_400);
    let blamed = offer(&mut wire, node, &sign(Height(0), vec![outpoint], outputs, &[worth]));
    assert!(matches!(blamed[..], [Fault::InvalidTransaction(_)]), "{blamed:?}");
}

#[test]
fn whose_transactions_come_to_nothing_is_not_asked_for_more_and_others_are() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (sender, end) = puppet(&mut wire, node);
    let (honest, other) = puppet(&mut wire, node);
    let [peer] = wire.between(node, sender)[..] else { panic!("not connected") };
    let fees_nothing = pay(coin(1), &[2; 1_250], 0);
    // As if it had sent many of them: one more, and there is nothing left.
    let now = wire.clock();
    wire.at_mut(node).hub_for_test().now = now;
    wire.at_mut(node).hub_for_test().judged_in_vain(peer, (4 << 20) - 1_000);
    wire.say(end, Note::Transactions(vec![fees_nothing.wtxid()]));
    wire.run(Duration::from_millis(100));
    let asked = requests(&mut wire, sender);
    wire.answer(asked[0].0, Response::Transactions(vec![fees_nothing]));
    wire.run(Duration::from_millis(50));
    let good = pay(coin(2), &[2], 10_000);
    wire.say(end, Note::Transactions(vec![good.wtxid()]));
    wire.say(other, Note::Transactions(vec![good.wtxid()]));
    wire.run(Duration::from_millis(100));
    assert!(requests(&mut wire, sender).is_empty());
    let asked = requests(&mut wire, honest);
    assert!(matches!(&asked[..], [(_, Request::Transactions { wtxids })] if wtxids[..] == [good.wtxid()]), "{asked:?}");
    assert!(faults(&wire, node).is_empty());
}

/// The same note 100 000 times, without time passing: one question, and whoever does so is thrown out.
#[test]
fn a_storm_of_one_announcement_is_one_question_and_ends_with_who_makes_it() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (storms, end) = puppet(&mut wire, node);
    let [peer] = wire.between(node, storms)[..] else { panic!("not connected") };
    let wtxids = vec![Wtxid([7; 32]); 10];
    let mut asked = 0;
    let mut gone_after = None;
    for number in 0..100_000_u64 {
        wire.now += Duration::from_micros(100);
        let now = wire.clock();
        let event = Event::Note { peer, note: Note::Transactions(wtxids.clone()) };
        let actions = wire.at_mut(node).handle(event, now);
        asked += actions.iter().filter(|action| matches!(action, Action::Ask { .. })).count();
        if actions.iter().any(|action| matches!(action, Action::Disconnect { .. })) {
            gone_after.get_or_insert(number);
        }
    }
    assert_eq!(asked, 1);
    assert!(gone_after.is_some());
    let _ = end;
}

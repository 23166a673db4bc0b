//! New blocks that are not what they seem, and who is blamed for it.

use super::*;
use crate::relay::compact::compact;
use crate::wire::Response;

const SECOND: Duration = Duration::from_secs(1);

/// A compact block with a true proof and another coinbase than the block's.
fn with_wrong_coinbase(block: &Block) -> Note {
    let mut lie = compact(block, &block.hash(), 7);
    lie.coinbase = Coinbase::new(block.header.template.height, vec![99], Vec::new()).unwrap();
    Note::Compact(Box::new(lie))
}

#[test]
fn a_wrong_body_for_a_good_header_condemns_neither_it_nor_who_relayed_it() {
    let mut wire = Wire::new();
    let (miner, node) = (engine(&mut wire), engine(&mut wire));
    let (liar, end) = puppet(&mut wire, node);
    let block = next_block(&wire, miner, 9, Vec::new());
    wire.say(end, with_wrong_coinbase(&block));
    wire.run(Duration::from_millis(100));
    // It is asked for whole; the liar has nothing to say to that.
    let asked = requests(&mut wire, liar);
    let [(id, Request::Blocks { hashes })] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(hashes, &[block.hash()]);
    assert!(faults(&wire, node).is_empty());
    wire.answer(*id, Response::Blocks(Vec::new()));
    // The right body comes from another.
    give(&mut wire, miner, std::slice::from_ref(&block));
    wire.connect(miner, node);
    assert!(wire.run_until(20 * SECOND, |wire| tip(wire, node) == block.hash()));
    // It does not answer what it is asked later, and is blamed for that alone.
    assert!(faults(&wire, node).iter().all(|fault| *fault == Fault::Stalled));
    assert_eq!(wire.between(liar, node).len(), 1);
}

#[test]
fn of_two_copies_the_right_one_is_taken_while_the_wrong_one_is_still_asked_about() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (_, liar) = puppet(&mut wire, node);
    let (_, honest) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, Vec::new());
    let mut lie = compact(&block, &block.hash(), 7);
    lie.short_ids = vec![[1; 6]; 3];
    wire.say(liar, Note::Compact(Box::new(lie)));
    wire.run(Duration::from_millis(100));
    assert_ne!(tip(&wire, node), block.hash());
    wire.say(honest, Note::Compact(Box::new(compact(&block, &block.hash(), 8))));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
}

#[test]
fn a_liar_in_front_that_then_stalls_costs_half_a_second() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (_, liar) = puppet(&mut wire, node);
    let (honest, other) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, Vec::new());
    wire.say(liar, with_wrong_coinbase(&block));
    wire.run(Duration::from_millis(50));
    wire.say(other, Note::Blocks(vec![block.header]));
    wire.run(Duration::from_millis(100));
    assert!(requests(&mut wire, honest).is_empty());
    wire.run(Duration::from_millis(600));
    let asked = requests(&mut wire, honest);
    let [(id, Request::Compact { .. })] = &asked[..] else { panic!("{asked:?}") };
    wire.answer(*id, Response::Compact(Box::new(compact(&block, &block.hash(), 8))));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
}

#[test]
fn short_ids_that_are_there_twice_are_asked_for() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (bringer, end) = puppet(&mut wire, node);
    let transactions: Vec<_> = (1..=3).map(|height| pay(coin(height), &[2], 10_000)).collect();
    transactions.iter().for_each(|transaction| wire.submit(node, transaction.clone()));
    let block = next_block(&wire, node, 9, transactions.clone());
    let mut colliding = compact(&block, &block.hash(), 7);
    colliding.short_ids[2] = colliding.short_ids[0];
    wire.say(end, Note::Compact(Box::new(colliding)));
    wire.run(Duration::from_millis(100));
    let asked = requests(&mut wire, bringer);
    let [(id, Request::BlockTransactions { positions, .. })] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(positions, &[0, 2]);
    wire.answer(*id, Response::Transactions(vec![transactions[0].clone(), transactions[2].clone()]));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
}

#[test]
fn parts_of_another_number_than_asked_for_are_a_wrong_answer() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (bringer, end) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, vec![pay(coin(1), &[2], 10_000), pay(coin(2), &[2], 10_000)]);
    wire.say(end, Note::Compact(Box::new(compact(&block, &block.hash(), 7))));
    wire.run(Duration::from_millis(100));
    let asked = requests(&mut wire, bringer);
    wire.answer(asked[0].0, Response::Transactions(block.transactions[..1].to_vec()));
    wire.run(Duration::from_millis(100));
    assert_eq!(faults(&wire, node), [Fault::WrongAnswer]);
    let asked = requests(&mut wire, bringer);
    wire.answer(asked[0].0, Response::Blocks(vec![block.clone()]));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
}

#[test]
fn who_serves_another_body_whole_is_banned_and_the_next_is_asked() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (liar, end) = puppet(&mut wire, node);
    let (honest, other) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, Vec::new());
    wire.say(end, with_wrong_coinbase(&block));
    wire.say(other, Note::Blocks(vec![block.header]));
    wire.run(Duration::from_millis(100));
    let asked = requests(&mut wire, liar);
    let wrong = Block { coinbase: Coinbase::new(Height(1), vec![99], Vec::new()).unwrap(), ..block.clone() };
    wire.answer(asked[0].0, Response::Blocks(vec![wrong]));
    wire.run(Duration::from_millis(100));
    assert!(matches!(faults(&wire, node)[..], [Fault::InvalidBlock(_)]), "{:?}", faults(&wire, node));
    assert!(wire.between(liar, node).is_empty());
    let asked = requests(&mut wire, honest);
    let [(id, Request::Compact { .. })] = &asked[..] else { panic!("{asked:?}") };
    wire.answer(*id, Response::Compact(Box::new(compact(&block, &block.hash(), 8))));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
}

#[test]
fn a_body_that_is_invalid_condemns_its_header_and_not_who_relayed_it_compact() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (bringer, end) = puppet(&mut wire, node);
    let height = Height(TRUNK_BLOCKS as u64 + 1);
    let too_much = Output { amount: Amount::from_units(u64::MAX / 2), key: output_key(9) };
    let coinbase = Coinbase::new(height, vec![9], vec![too_much]).unwrap();
    let time = Timestamp(TRUNK[TRUNK_BLOCKS - 1].header.template.timestamp.0 + 1);
    let block = child_with(wire.at(node).chain(), time, coinbase, Vec::new());
    wire.say(end, Note::Compact(Box::new(compact(&block, &block.hash(), 7))));
    wire.run(Duration::from_millis(100));
    assert!(wire.at(node).chain().chain().known(&block.hash()).unwrap().unwrap().condemned);
    assert!(faults(&wire, node).is_empty());
    // It is not asked for again, and who goes on announcing it is let go.
    for _ in 0..20 {
        wire.say(end, Note::Blocks(vec![block.header]));
        wire.run(Duration::from_millis(50));
    }
    assert!(requests(&mut wire, bringer).is_empty());
    assert!(wire.between(bringer, node).is_empty());
    assert!(faults(&wire, node).is_empty());
}

#[test]
fn who_serves_an_invalid_block_whole_is_let_go_and_not_banned() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (bringer, end) = puppet(&mut wire, node);
    // The same coin twice: of each such block an honest node may have judged all but what it spends.
    let twice = vec![pay(coin(1), &[2], 10_000), pay(coin(1), &[3], 10_000)];
    let block = next_block(&wire, node, 9, twice);
    wire.say(end, Note::Blocks(vec![block.header]));
    for _ in 0..4 {
        wire.run(Duration::from_millis(100));
        for (id, request) in requests(&mut wire, bringer) {
            let is_whole = matches!(request, Request::Blocks { .. });
            wire.answer(id, if is_whole { Response::Blocks(vec![block.clone()]) } else { Response::Busy });
        }
    }
    assert!(wire.at(node).chain().chain().known(&block.hash()).unwrap().unwrap().condemned);
    assert!(faults(&wire, node).is_empty() && wire.between(bringer, node).is_empty());
    assert!(wire.at(node).bans().is_empty());
}

#[test]
fn a_false_proof_is_blamed_and_goes_no_further() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (liar, end) = puppet(&mut wire, node);
    let (other, _) = puppet(&mut wire, node);
    let mut header = next_block(&wire, node, 9, Vec::new()).header;
    // The ticket is the hash of the whole seal: search for a false one that meets it.
    let difficulty = header.template.difficulty;
    let meets = |header: &bloom_consensus::Header| {
        bloom_consensus::ticket::meets(&header.block_hash(), header.seal.bloom_end + 1, difficulty)
    };
    header.seal.certificate_hash = [0; 32];
    while !meets(&header) {
        header.seal.extra_nonce += 1;
    }
    wire.say(end, Note::Blocks(vec![header]));
    wire.run(Duration::from_millis(100));
    assert_eq!(faults(&wire, node), [Fault::FalseProof]);
    assert!(wire.between(liar, node).is_empty());
    assert!(!notes(&mut wire, other).contains(&Note::Blocks(vec![header])));
}

#[test]
fn a_header_that_breaks_a_rule_is_blamed_and_one_ahead_of_the_clock_is_not() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (_, end) = puppet(&mut wire, node);
    let (other, _) = puppet(&mut wire, node);
    let early = child(wire.at(node).chain(), Timestamp(wire.clock().unix.0 + 1_000), 9, Vec::new());
    wire.say(end, Note::Compact(Box::new(compact(&early, &early.hash(), 7))));
    let far = child(wire.at(node).chain(), Timestamp(wire.clock().unix.0 + 8_000), 9, Vec::new());
    wire.say(end, Note::Compact(Box::new(compact(&far, &far.hash(), 7))));
    wire.run(Duration::from_millis(100));
    assert!(faults(&wire, node).is_empty());
    assert!(notes(&mut wire, other).is_empty());
    assert_eq!(wire.at(node).chain().chain().waiting().1, 1);
    assert_ne!(tip(&wire, node), early.hash());

    let mut header = next_block(&wire, node, 9, Vec::new()).header;
    header.seal.nonce = 1_000_000;
    wire.say(end, Note::Blocks(vec![header]));
    wire.run(Duration::from_millis(100));
    assert!(matches!(faults(&wire, node)[..], [Fault::InvalidHeader(_)]));
}

#[test]
fn who_stalls_is_replaced_within_seconds() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (_, stalls) = puppet(&mut wire, node);
    let (honest, other) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, Vec::new());
    wire.say(stalls, Note::Blocks(vec![block.header]));
    wire.say(other, Note::Blocks(vec![block.header]));
    wire.run(Duration::from_millis(2_500));
    assert_eq!(faults(&wire, node), [Fault::Stalled]);
    let asked = requests(&mut wire, honest);
    wire.answer(asked[0].0, Response::Compact(Box::new(compact(&block, &block.hash(), 7))));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
}

/// Short ids of what is not there.
fn junk(block: &Block, salt: u64) -> Note {
    let mut lie = compact(block, &block.hash(), salt);
    lie.short_ids = vec![[1; 6]; 3];
    Note::Compact(Box::new(lie))
}

#[test]
fn one_peer_does_not_use_up_the_copies_of_a_block() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    // The first is asked to push, and has places of its own.
    puppet(&mut wire, node);
    let (_, liar) = puppet(&mut wire, node);
    let (_, honest) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, Vec::new());
    (0..4).for_each(|salt| wire.say(liar, junk(&block, salt)));
    wire.run(Duration::from_millis(100));
    wire.say(honest, Note::Compact(Box::new(compact(&block, &block.hash(), 8))));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
    assert!(faults(&wire, node).is_empty());
}

#[test]
fn a_good_copy_is_asked_about_while_who_sent_a_bad_one_stalls() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (_, liar) = puppet(&mut wire, node);
    let (honest, other) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, vec![pay(coin(1), &[2], 10_000)]);
    wire.say(liar, junk(&block, 1));
    wire.run(Duration::from_millis(50));
    wire.say(other, Note::Compact(Box::new(compact(&block, &block.hash(), 8))));
    wire.run(Duration::from_millis(700));
    let asked = requests(&mut wire, honest);
    let [(id, Request::BlockTransactions { positions, .. })] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(positions, &[0]);
    wire.answer(*id, Response::Transactions(block.transactions.clone()));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
}

/// Each says that it is busy as late as it can without a second being asked.
#[test]
fn however_many_announce_a_block_and_are_slow_whom_this_node_chose_is_asked_soon() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let honest = wire.puppet();
    wire.connect(node, honest);
    let slow: Vec<_> = (0..20).map(|_| puppet(&mut wire, node)).collect();
    let [end] = wire.between(honest, node)[..] else { panic!("not one connection") };
    let block = next_block(&wire, node, 9, Vec::new());
    slow.iter().for_each(|(_, slow)| wire.say(*slow, Note::Blocks(vec![block.header])));
    wire.run(Duration::from_millis(100));
    wire.say(end, Note::Blocks(vec![block.header]));
    let mut waited = Duration::ZERO;
    while tip(&wire, node) != block.hash() && waited < Duration::from_secs(20) {
        wire.run(Duration::from_millis(350));
        waited += Duration::from_millis(350);
        for (puppet, _) in &slow {
            for (id, _) in requests(&mut wire, *puppet) {
                wire.answer(id, Response::Busy);
            }
        }
        for (id, request) in requests(&mut wire, honest) {
            if let Request::Compact { .. } = request {
                wire.answer(id, Response::Compact(Box::new(compact(&block, &block.hash(), 8))));
            }
        }
    }
    assert!(waited < Duration::from_millis(1_500), "{waited:?}");
}

#[test]
fn when_all_who_announced_a_block_fail_each_of_them_is_known_to_have_it() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (first, one) = puppet(&mut wire, node);
    let (second, other) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, Vec::new());
    wire.say(one, Note::Blocks(vec![block.header]));
    wire.say(other, Note::Blocks(vec![block.header]));
    let mut busy = 0;
    // First as Busy as each may be, then the first gives nothing at all.
    for _ in 0..120 {
        wire.run(Duration::from_millis(100));
        requests(&mut wire, first).into_iter().for_each(|(id, _)| wire.answer(id, Response::Busy));
        for (id, request) in requests(&mut wire, second) {
            let is_late = busy >= 2 && matches!(request, Request::Blocks { .. });
            busy += 1;
            wire.answer(id, if is_late { Response::Blocks(vec![block.clone()]) } else { Response::Busy });
        }
    }
    assert_eq!(tip(&wire, node), block.hash());
}

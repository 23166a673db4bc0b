//! New blocks among the honest.

use super::*;
use crate::event::Action;
use crate::relay::compact::compact;
use crate::wire::Response;

const SECOND: Duration = Duration::from_secs(1);

fn line(engines: usize) -> Wire {
    let mut wire = Wire::new();
    for node in 0..engines {
        engine(&mut wire);
        if node > 0 {
            wire.connect(node - 1, node);
        }
    }
    wire.run(3 * SECOND);
    wire
}

fn all_have(wire: &Wire, engines: usize, hash: BlockHash) -> bool {
    (0..engines).all(|node| tip(wire, node) == hash)
}

#[test]
fn a_block_goes_down_a_line_of_five_and_over_each_link_once() {
    let mut wire = line(5);
    let transactions: Vec<_> = (1..=4).map(|height| pay(coin(height), &[2, 3], 10_000)).collect();
    for transaction in &transactions {
        wire.submit(2, transaction.clone());
    }
    let waits = |wire: &Wire, node: usize| wire.at(node).chain().mempool().len() == 4;
    assert!(wire.run_until(60 * SECOND, |wire| (0..5).all(|node| waits(wire, node))));

    wire.log.clear();
    let hash = wire.mine(0).hash();
    assert!(wire.run_until(2 * SECOND, |wire| all_have(wire, 5, hash)));
    wire.run(5 * SECOND);
    let notes =
        |line: &&String| line.contains("Send") && (line.contains("Compact(") || line.contains("Blocks([Header"));
    assert_eq!(wire.log.iter().filter(notes).count(), 4, "{:#?}", wire.log);
    assert!((0..5).all(|node| wire.at(node).chain().mempool().is_empty() && faults(&wire, node).is_empty()));
}

#[test]
fn many_blocks_one_after_the_other_leave_everybody_on_one_tip() {
    let mut wire = line(4);
    wire.connect(0, 3);
    wire.run(SECOND);
    let mut hash = tip(&wire, 0);
    for number in 0..12 {
        hash = wire.mine(if number < 6 { 0 } else { 2 }).hash();
        wire.run(Duration::from_millis(if number % 3 == 0 { 5 } else { 300 }));
        if number == 5 {
            assert!(wire.run_until(20 * SECOND, |wire| all_have(wire, 4, hash)));
        }
    }
    assert!(wire.run_until(20 * SECOND, |wire| all_have(wire, 4, hash)));
    assert!((0..4).all(|node| faults(&wire, node).is_empty()));
}

#[test]
fn a_block_that_is_found_while_hellos_are_exchanged_is_told_to_who_comes() {
    let mut wire = Wire::new();
    let (dials, takes) = (engine(&mut wire), engine(&mut wire));
    wire.connect(dials, takes);
    wire.run(wire.latency * 3 / 2); // its hello is on its way, the answer is not there
    let hash = wire.mine(dials).hash();
    assert!(wire.run_until(2 * SECOND, |wire| tip(wire, takes) == hash));
    assert!(faults(&wire, takes).is_empty());
}

#[test]
fn a_header_goes_on_before_its_body_is_there() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (bringer, end) = puppet(&mut wire, node);
    let (first, _) = puppet(&mut wire, node);
    let (other, _) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, vec![pay(coin(1), &[2], 10_000)]);
    wire.say(end, Note::Blocks(vec![block.header]));
    wire.run(Duration::from_millis(200));
    for hears in [first, other] {
        assert_eq!(notes(&mut wire, hears), [Note::Blocks(vec![block.header])]);
    }
    assert_ne!(tip(&wire, node), block.hash());
    let asked = requests(&mut wire, bringer);
    assert!(matches!(asked[..], [(_, Request::Compact { hash })] if hash == block.hash()), "{asked:?}");
}

#[test]
fn what_is_missing_is_asked_for_by_position() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (bringer, end) = puppet(&mut wire, node);
    let transactions: Vec<_> = (1..=4).map(|height| pay(coin(height), &[2], 10_000)).collect();
    for known in [1, 3] {
        wire.submit(node, transactions[known].clone());
    }
    let block = next_block(&wire, node, 9, transactions.clone());
    wire.say(end, Note::Compact(Box::new(compact(&block, &block.hash(), 5))));
    wire.run(Duration::from_millis(100));
    let asked = requests(&mut wire, bringer);
    let [(id, Request::BlockTransactions { positions, .. })] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(positions, &[0, 2]);
    wire.answer(*id, Response::Transactions(vec![transactions[0].clone(), transactions[2].clone()]));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), block.hash());
    assert!(faults(&wire, node).is_empty());
}

#[test]
fn who_has_no_body_yet_says_so_and_is_asked_again_or_another_is() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (first, end) = puppet(&mut wire, node);
    let block = next_block(&wire, node, 9, Vec::new());
    let hash = block.hash();
    wire.say(end, Note::Blocks(vec![block.header]));
    wire.run(Duration::from_millis(45));
    let asked = requests(&mut wire, first);
    // The engine itself, asked meanwhile, has none either.
    let (asker, asks) = puppet(&mut wire, node);
    wire.ask(asks, Request::Compact { hash });
    wire.run(Duration::from_millis(45));
    let answers = wire.heard(asker);
    assert!(answers.iter().any(|event| matches!(event, Event::Response { response: Response::NotFound, .. })));

    wire.answer(asked[0].0, Response::NotFound);
    wire.run(Duration::from_millis(300));
    let again = requests(&mut wire, first);
    assert!(matches!(again[..], [(_, Request::Compact { .. })]), "{again:?}");
    wire.answer(again[0].0, Response::Compact(Box::new(compact(&block, &hash, 1))));
    wire.run(Duration::from_millis(100));
    assert_eq!(tip(&wire, node), hash);
    assert!(faults(&wire, node).is_empty());
}

#[test]
fn a_competing_block_at_the_tips_height_is_fetched_too() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (_, end) = puppet(&mut wire, node);
    let transactions = vec![pay(coin(1), &[2], 10_000), pay(coin(2), &[2], 10_000)];
    let (one, other) =
        (next_block(&wire, node, 8, transactions.clone()), next_block(&wire, node, 9, transactions.clone()));
    for block in [&one, &other] {
        if *block == one {
            transactions.iter().for_each(|transaction| wire.submit(node, transaction.clone()));
        }
        wire.say(end, Note::Compact(Box::new(compact(block, &block.hash(), 5))));
        wire.run(Duration::from_millis(100));
    }
    assert_eq!(tip(&wire, node), one.hash());
    // Put together from the block that it competes with, which holds the same.
    assert!(wire.at(node).chain().chain().block(&other.hash()).unwrap().is_some());
}

#[test]
fn those_that_bring_blocks_first_push_and_who_is_replaced_stops() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let puppets: Vec<_> = (0..4).map(|_| puppet(&mut wire, node)).collect();
    let mut pushes: Vec<Vec<bool>> = vec![Vec::new(); 4];
    for bringer in [2, 3, 3, 2] {
        let block = next_block(&wire, node, 9, Vec::new());
        wire.say(puppets[bringer].1, Note::Compact(Box::new(compact(&block, &block.hash(), 5))));
        wire.run(SECOND);
        assert_eq!(tip(&wire, node), block.hash());
        for (at, (puppet, _)) in puppets.iter().enumerate() {
            let told = notes(&mut wire, *puppet);
            pushes[at].extend(told.iter().filter_map(|note| match note {
                Note::PushBlocks(wanted) => Some(*wanted),
                _ => None,
            }));
        }
    }
    // The first was asked when it joined, which was before it was listened to.
    assert_eq!(pushes, [vec![false], vec![], vec![true, false, true], vec![true, false]]);
}

#[test]
fn only_who_wants_it_is_pushed_a_long_compact_block() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (wants, end) = puppet(&mut wire, node);
    let (other, _) = puppet(&mut wire, node);
    wire.say(end, Note::PushBlocks(true));
    let fan = pay(coin(1), &[OWNER; 300], 100_000);
    wire.submit(node, fan.clone());
    let first = wire.mine(node);
    wire.run(SECOND);
    for hears in [wants, other] {
        let told = notes(&mut wire, hears);
        assert!(told.iter().any(|note| matches!(note, Note::Compact(block) if block.header == first.header)));
    }
    for index in 0..300 {
        wire.submit(node, pay(output_of(&fan, index), &[2], 10_000));
    }
    let second = wire.mine(node);
    assert_eq!(second.transactions.len(), 300);
    wire.run(SECOND);
    let pushed = notes(&mut wire, wants);
    assert!(pushed.iter().any(|note| matches!(note, Note::Compact(block) if block.header == second.header)));
    let told = notes(&mut wire, other);
    assert!(told.contains(&Note::Blocks(vec![second.header])), "{told:?}");
}

#[test]
fn the_same_seed_and_events_give_the_same_actions() {
    let run = || {
        let mut wire = line(3);
        for height in 1..=6 {
            wire.submit(height % 3, pay(coin(height), &[2, 3], 10_000 + height as u64));
            wire.run(Duration::from_millis(700));
            if height % 2 == 0 {
                wire.mine(height % 3);
            }
        }
        wire.run(10 * SECOND);
        wire.log
    };
    assert_eq!(run(), run());
}

/// What an engine does at once about a note, as text.
fn at_once(wire: &mut Wire, node: usize, event: Event) -> Vec<Action> {
    let now = wire.clock();
    wire.at_mut(node).handle(event, now)
}

#[test]
fn no_more_blocks_are_put_together_than_there_is_room_for() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let blocks: Vec<_> = (10..22).map(|key| next_block(&wire, node, key, Vec::new())).collect();
    let mut asked = 0;
    for (number, block) in blocks.iter().enumerate() {
        if number % 3 == 0 {
            puppet(&mut wire, node);
        }
        let puppet = 1 + number / 3;
        let [peer] = wire.between(node, puppet)[..] else { panic!("no connection") };
        let actions = at_once(&mut wire, node, Event::Note { peer, note: Note::Blocks(vec![block.header]) });
        let compact = |action: &&Action| matches!(action, Action::Ask { request: Request::Compact { .. }, .. });
        let asks = actions.iter().filter(compact).count();
        asked += asks;
        assert_eq!(asks, usize::from(number % 3 < 2 && asked <= 8), "{number}");
        // Nobody answers, and none of the assemblies ends.
        wire.latency = Duration::ZERO;
    }
    assert_eq!(asked, 8);
}

#[test]
fn a_header_whose_proof_its_peer_may_not_cost_now_is_proven_later_and_not_forgotten() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (bringer, end) = puppet(&mut wire, node);
    let [peer] = wire.between(node, bringer)[..] else { panic!("not connected") };
    let block = next_block(&wire, node, 9, Vec::new());
    // What comes back while the note is under way does not suffice.
    for _ in 0..2 {
        assert!(wire.at_mut(node).hub_for_test().charge_rounds(peer, 500_000));
        wire.at_mut(node).hub_for_test().now.elapsed += SECOND;
    }
    wire.say(end, Note::Blocks(vec![block.header]));
    assert!(wire.run_until(5 * SECOND, |wire| wire.at(node).status().best_header.is_some()));
    wire.run(Duration::from_millis(200));
    let asked = requests(&mut wire, bringer);
    let [(id, Request::Blocks { .. })] = &asked[..] else { panic!("{asked:?}") };
    wire.answer(*id, Response::Blocks(vec![block.clone()]));
    wire.run(SECOND);
    assert_eq!(tip(&wire, node), block.hash());
}

#[test]
fn who_has_been_given_its_share_is_told_busy_before_anything_is_looked_up() {
    let mut wire = Wire::new();
    let node = engine(&mut wire);
    let (asker, end) = puppet(&mut wire, node);
    let [peer] = wire.between(node, asker)[..] else { panic!("not connected") };
    let nowhere = BlockHash([7; 32]);
    let questions = || {
        [
            Request::Compact { hash: nowhere },
            Request::BlockTransactions { hash: nowhere, positions: vec![0] },
            Request::Transactions { wtxids: vec![bloom_consensus::Wtxid([7; 32])] },
            Request::Blocks { hashes: vec![nowhere] },
        ]
    };
    let answers = |wire: &mut Wire| {
        questions().into_iter().for_each(|question| wire.ask(end, question));
        wire.run(Duration::from_millis(200));
        let heard = wire.heard(asker).into_iter();
        heard
            .filter_map(|event| if let Event::Response { response, .. } = event { Some(response) } else { None })
            .collect::<Vec<_>>()
    };
    assert_eq!(answers(&mut wire), vec![Response::NotFound; 4]);
    assert!(wire.at_mut(node).hub_for_test().charge_answer(peer, 1 << 30));
    assert_eq!(answers(&mut wire), vec![Response::Busy; 4]);
    assert!(faults(&wire, node).is_empty());
}

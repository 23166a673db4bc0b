//! Attacks 15, 17, 21 and 31: what the mempool takes, what it refuses and by which rule, and what it does when the tip
//! moves.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::sync::LazyLock;

use bloom_chain::mempool::policy::{DUST_UNITS, MAX_CHAIN, MAX_REPLACED, MAX_TRANSACTION_BYTES, MIN_RELAY_RATE};
use bloom_chain::{AdmitError, Admitted, Chain, FeeRate, LiveChain, MempoolLimits, Options, Outcome};
use bloom_consensus::{Amount, Block, Height, Outpoint, Output, Timestamp, Transaction, TransactionViolation, genesis};
use bloom_kernel::{Backend, Batch};
use common::*;

/// 160 blocks that pay key 1, of which those up to 37 are mature at the tip.
static TRUNK: LazyLock<Line> = LazyLock::new(|| Line::dev().grow(160, 1));
const REWARD: u64 = 685_410_196;

fn live() -> LiveChain {
    live_on(&TRUNK, MempoolLimits::default())
}

fn live_on(line: &Line, limits: MempoolLimits) -> LiveChain {
    let mut live = LiveChain::in_memory(&DEV, bulk(), limits).unwrap();
    take(&mut live, &line.blocks[1..]);
    live
}

fn take<'a>(live: &mut LiveChain, blocks: impl IntoIterator<Item = &'a Block>) {
    for block in blocks {
        live.accept(block, 0, NOW).unwrap();
    }
    live.mempool().audit(live.chain()).unwrap();
}

fn coin(height: u64) -> (Outpoint, Output, u8) {
    let (outpoint, output) = TRUNK.reward_at(height);
    (outpoint, output, 1)
}

/// An output of a transaction that pays `key`.
fn output(transaction: &Transaction, index: u32, key: u8) -> (Outpoint, Output, u8) {
    let output = transaction.body().outputs()[index as usize];
    (Outpoint { txid: transaction.txid(), index }, output, key)
}

/// Pays a trunk's reward back to key 1, less a fee.
fn simple(height: u64, fee: u64) -> Transaction {
    spend(&DEV, &[coin(height)], &[(1, REWARD - fee)], 0)
}

/// Spends the first output of a transaction to key 1.
fn child(parent: &Transaction, fee: u64) -> Transaction {
    let from = output(parent, 0, 1);
    spend(&DEV, &[from], &[(1, from.1.amount.units() - fee)], 0)
}

fn submit(live: &mut LiveChain, transaction: &Transaction) -> Result<Admitted, AdmitError> {
    let result = live.submit(transaction.clone(), NOW);
    live.mempool().audit(live.chain()).unwrap();
    result
}

/// Mines the mempool's own draft.
fn mine(live: &mut LiveChain) -> Block {
    let time = Timestamp(live.chain().tip().timestamp.0 + 1);
    let draft = live.draft(output_key(2), time).unwrap();
    let block = genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect())));
    let outcome = live.accept(&block, 0, NOW).unwrap().outcome;
    assert_eq!(outcome, Outcome::Extended);
    live.mempool().audit(live.chain()).unwrap();
    block
}

#[test]
fn what_is_good_waits_and_is_mined_with_its_fee() {
    let mut live = live();
    let parent = simple(1, 1_000);
    let child = child(&parent, 3_000);
    let admitted = submit(&mut live, &parent).unwrap();
    assert_eq!((admitted.fee, admitted.known), (Amount::from_units(1_000), false));
    submit(&mut live, &child).unwrap();
    assert!(submit(&mut live, &child).unwrap().known, "once more does no harm");
    assert_eq!(live.mempool().len(), 2);
    assert_eq!(live.mempool().spender_of(&coin(1).0), Some(parent.txid()));
    let entry = live.mempool().get(&child.txid()).unwrap();
    assert_eq!((entry.ancestors().count, entry.ancestors().fees.units()), (2, 4_000));
    let block = mine(&mut live);
    assert_eq!(block.transactions, [parent, child]);
    let reward = bloom_consensus::reward::reward(Height(161)).units();
    assert_eq!(block.coinbase.outputs()[0].amount.units(), reward + 4_000);
    assert!(live.mempool().is_empty());
}

#[test]
fn what_no_next_block_may_hold_is_refused_by_the_law() {
    let mut live = live();
    let mut refused = |transaction: &Transaction| match submit(&mut live, transaction).unwrap_err() {
        AdmitError::Invalid(violation) => violation,
        other => panic!("{other}"),
    };
    let spent_nowhere =
        spend(&DEV, &[(Outpoint { txid: simple(1, 1).txid(), index: 0 }, coin(1).1, 1)], &[(1, 500)], 0);
    assert!(matches!(refused(&spent_nowhere), TransactionViolation::MissingInput { .. }));
    let immature = refused(&simple(39, 1_000));
    assert!(matches!(immature, TransactionViolation::Immature { got: Height(161), expected: Height(162), .. }));
    let early = spend(&DEV, &[coin(1)], &[(1, 500)], 162);
    assert!(matches!(refused(&early), TransactionViolation::NotBefore { expected: Height(162), .. }));
    let overspent = spend(&DEV, &[coin(1)], &[(1, REWARD + 1)], 0);
    assert!(matches!(refused(&overspent), TransactionViolation::Overspend { .. }));
    let stolen = spend(&DEV, &[(coin(1).0, coin(1).1, 2)], &[(2, REWARD - 1_000)], 0);
    assert!(matches!(refused(&stolen), TransactionViolation::Signature { .. }));
    let twice = spend(&DEV, &[coin(1), coin(1)], &[(1, 2 * REWARD - 1_000)], 0);
    assert!(matches!(refused(&twice), TransactionViolation::DuplicateInput { .. }));
    // At the next height all is well.
    submit(&mut live, &simple(38, 1_000)).unwrap();
    submit(&mut live, &spend(&DEV, &[coin(2)], &[(1, 500)], 161)).unwrap();
}

#[test]
fn a_copy_with_spoiled_signatures_does_not_shut_out_the_honest_one() {
    let honest = simple(1, 1_000);
    let mut signatures = honest.signatures().to_vec();
    signatures[0][63] ^= 1;
    let spoiled = Transaction::new(honest.body().clone(), signatures).unwrap();
    assert_eq!(spoiled.txid(), honest.txid());
    let mut live = live();
    for _ in 0..2 {
        let refused = submit(&mut live, &spoiled).unwrap_err();
        assert!(matches!(refused, AdmitError::Invalid(TransactionViolation::Signature { .. })), "{refused}");
    }
    submit(&mut live, &honest).unwrap();
    let refused = submit(&mut live, &spoiled).unwrap_err();
    assert!(matches!(refused, AdmitError::OtherSignatures { .. }), "{refused}");
    assert_eq!(mine(&mut live).transactions, [honest]);
}

#[test]
fn a_replacement_pays_for_what_it_replaces_and_for_itself() {
    let mut live = live();
    let (first, relay) = (simple(1, 2_000), 160);
    submit(&mut live, &first).unwrap();
    let cheap = submit(&mut live, &simple(1, 2_000 + relay - 1)).unwrap_err();
    let expected_fee = Amount::from_units(2_000 + relay);
    assert!(matches!(cheap, AdmitError::ReplacementFee { expected, .. } if expected == expected_fee), "{cheap}");
    let second = simple(1, 2_000 + relay);
    assert_eq!(submit(&mut live, &second).unwrap().replaced, [first.txid()]);
    // A child's fee counts: both leave, so both are paid for.
    let grown = child(&second, 5_000);
    submit(&mut live, &grown).unwrap();
    let unpaid = submit(&mut live, &simple(1, 7_000)).unwrap_err();
    assert!(matches!(unpaid, AdmitError::ReplacementFee { .. }), "{unpaid}");
    let third = simple(1, 2_160 + 5_000 + 160);
    assert_eq!(submit(&mut live, &third).unwrap().replaced, [second.txid(), grown.txid()]);
    // More in all, but less for its bytes: a miner would lose.
    let long = spend(&DEV, &[coin(1), coin(2), coin(3)], &[(1, 3 * REWARD - 8_000)], 0);
    let slower = submit(&mut live, &long).unwrap_err();
    assert!(matches!(slower, AdmitError::ReplacementRate { .. }), "{slower}");
    assert!(live.mempool().contains(&third.txid()));
}

#[test]
fn a_replacement_neither_spends_what_it_replaces_nor_stands_on_strangers() {
    let mut live = live();
    let (parent, stranger) = (simple(1, 1_000), simple(2, 200));
    submit(&mut live, &parent).unwrap();
    submit(&mut live, &stranger).unwrap();
    let own_child = spend(&DEV, &[coin(1), output(&parent, 0, 1)], &[(1, REWARD)], 0);
    let refused = submit(&mut live, &own_child).unwrap_err();
    assert!(matches!(refused, AdmitError::SpendsReplaced { txid } if txid == parent.txid()), "{refused}");
    let pinned = spend(&DEV, &[coin(1), output(&stranger, 0, 1)], &[(1, 2 * REWARD - 90_000)], 0);
    let refused = submit(&mut live, &pinned).unwrap_err();
    assert!(matches!(refused, AdmitError::NewUnconfirmedInput { .. }), "{refused}");
    // What the replaced one stood on is no stranger.
    let sibling = child(&parent, 1_000);
    submit(&mut live, &sibling).unwrap();
    let better = child(&parent, 2_000);
    assert_eq!(submit(&mut live, &better).unwrap().replaced, [sibling.txid()]);
}

#[test]
fn a_replacement_does_not_hide_behind_a_cheap_parent_of_one_conflict() {
    let mut live = live();
    // 40 KB at one unit a byte, and a child of it that a replacement may stand beside.
    let mut to = vec![(1, 1_000); 1_000];
    to[0].1 = 600_000_000;
    to[999].1 = REWARD - 600_000_000 - 998_000 - 40_120;
    let cheap = spend(&DEV, &[coin(1)], &to, 0);
    let of_cheap = child(&cheap, 300);
    // Stands on nothing: worth 62 units a byte to a miner.
    let alone = simple(2, 10_000);
    for transaction in [&cheap, &of_cheap, &alone] {
        submit(&mut live, transaction).unwrap();
    }
    let mut from = [output(&cheap, 0, 1), coin(2)];
    from.sort_by_key(|(outpoint, _, _)| *outpoint);
    let replaces_both = |fee| spend(&DEV, &from, &[(1, 600_000_000 + REWARD - fee)], 0);
    let refused = submit(&mut live, &replaces_both(20_000)).unwrap_err();
    assert!(matches!(refused, AdmitError::ReplacementRate { txid, .. } if txid == alone.txid()), "{refused}");
    // A parent that both have may be cheap, and one that is paid for may be anybody's.
    let better = child(&cheap, 1_000);
    assert_eq!(submit(&mut live, &better).unwrap().replaced, [of_cheap.txid()]);
    let paid = replaces_both(10_000 * 260);
    assert_eq!(submit(&mut live, &paid).unwrap().replaced.len(), 2);
}

#[test]
fn at_most_a_hundred_are_replaced_at_once() {
    let mut live = live();
    // Five families of 21: one parent with 20 children.
    let parents: Vec<_> =
        (1..=5).map(|height| spend(&DEV, &[coin(height)], &[(1, REWARD / 20 - 100); 20], 0)).collect();
    for parent in &parents {
        submit(&mut live, parent).unwrap();
        for index in 0..20 {
            let from = output(parent, index, 1);
            submit(&mut live, &spend(&DEV, &[from], &[(1, from.1.amount.units() - 200)], 0)).unwrap();
        }
    }
    let coins: Vec<_> = (1..=5).map(coin).collect();
    let all = spend(&DEV, &coins, &[(1, 4 * REWARD)], 0);
    let refused = submit(&mut live, &all).unwrap_err();
    assert!(matches!(refused, AdmitError::ReplacesTooMany), "{refused}");
    let four = spend(&DEV, &coins[..4], &[(1, 3 * REWARD)], 0);
    assert_eq!(submit(&mut live, &four).unwrap().replaced.len(), 84);
    assert_eq!(MAX_REPLACED, 100);
}

#[test]
fn chains_end_at_25_and_at_their_bytes() {
    let mut live = live();
    let mut chain = vec![simple(1, 500)];
    for _ in 1..MAX_CHAIN {
        let next = child(chain.last().unwrap(), 500);
        chain.push(next);
    }
    for link in &chain {
        submit(&mut live, link).unwrap();
    }
    let refused = submit(&mut live, &child(chain.last().unwrap(), 500)).unwrap_err();
    assert!(matches!(refused, AdmitError::TooManyAncestors), "{refused}");
    // A block of the whole chain makes room for another.
    assert_eq!(mine(&mut live).transactions, chain);
    submit(&mut live, &child(chain.last().unwrap(), 500)).unwrap();

    // One parent of many.
    let parent = spend(&DEV, &[coin(2)], &[(1, REWARD / 30); 25], 0);
    submit(&mut live, &parent).unwrap();
    let children: Vec<_> = (0..25).map(|at| spend(&DEV, &[output(&parent, at, 1)], &[(1, 500)], 0)).collect();
    for child in &children[..24] {
        submit(&mut live, child).unwrap();
    }
    let refused = submit(&mut live, &children[24]).unwrap_err();
    assert!(matches!(refused, AdmitError::TooManyDescendants { got: 26, .. }), "{refused}");

    let long = spend(&DEV, &[coin(3)], &[(1, 1_000); 1_500], 0);
    submit(&mut live, &long).unwrap();
    let longer = spend(&DEV, &[output(&long, 0, 1), coin(4)], &[(1, 1_000); 1_100], 0);
    let refused = submit(&mut live, &longer).unwrap_err();
    assert!(matches!(refused, AdmitError::AncestorBytes { got: 104_340 }), "{refused}");
}

#[test]
fn what_policy_refuses_a_block_may_hold() {
    let mut live = live();
    let dust = spend(&DEV, &[coin(1)], &[(1, DUST_UNITS - 1), (1, REWARD / 2)], 0);
    let refused = submit(&mut live, &dust).unwrap_err();
    assert!(matches!(refused, AdmitError::Dust { position: 0, .. }), "{refused}");
    let long = spend(&DEV, &[coin(2)], &[(1, 1_000); 2_498], 0);
    let refused = submit(&mut live, &long).unwrap_err();
    assert!(matches!(refused, AdmitError::TooLong { got } if got == MAX_TRANSACTION_BYTES + 40), "{refused}");
    let free = simple(3, 159);
    let refused = submit(&mut live, &free).unwrap_err();
    assert!(matches!(refused, AdmitError::FeeRate { expected, .. } if expected == MIN_RELAY_RATE), "{refused}");
    let mut line = TRUNK.clone();
    let block = line.mine(2, vec![dust, long, free]).clone();
    take(&mut live, [&block]);
    // It comes back from a branch that lost, whatever it pays.
    let hash = block.hash();
    live.invalidate(&hash, NOW).unwrap();
    live.mempool().audit(live.chain()).unwrap();
    assert_eq!(live.mempool().len(), 3);
    assert_eq!(submit(&mut live, &simple(4, 160)).unwrap().txid, simple(4, 160).txid());
}

#[test]
fn a_full_pool_drops_the_package_that_pays_least_and_asks_for_more_until_time_passes() {
    let limits = MempoolLimits { max_bytes: 10_000, ..MempoolLimits::default() };
    let mut live = live_on(&TRUNK, limits);
    let mut evicted = Vec::new();
    // A cheap parent whose child pays well for both stays; the cheapest that stands alone goes first.
    let parent = simple(1, 160);
    let saviour = child(&parent, 50_000);
    submit(&mut live, &parent).unwrap();
    submit(&mut live, &saviour).unwrap();
    for height in 2..30 {
        match submit(&mut live, &simple(height, 1_000 * height)) {
            Ok(admitted) => evicted.extend(admitted.evicted),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(live.mempool().bytes() <= 10_000);
    assert_eq!(evicted[..2], [simple(2, 2_000).txid(), simple(3, 3_000).txid()]);
    assert!(live.mempool().contains(&parent.txid()) && live.mempool().contains(&saviour.txid()));
    let asked = live.mempool().min_fee_rate();
    assert!(asked > FeeRate::per_kilobyte(100_000), "{asked}");
    let refused = submit(&mut live, &simple(30, 1_000)).unwrap_err();
    assert!(matches!(refused, AdmitError::FeeRate { expected, .. } if expected == asked), "{refused}");
    let full = submit(&mut live, &simple(30, asked.fee(160).units())).unwrap_err();
    assert!(matches!(full, AdmitError::Full { .. }), "{full}");
    live.retry(Timestamp(NOW.0 + 10 * 86_400)).unwrap();
    assert_eq!(live.mempool().min_fee_rate(), MIN_RELAY_RATE);
}

#[test]
fn what_waits_too_long_is_forgotten_with_what_stands_on_it() {
    let mut live = live();
    let parent = simple(1, 1_000);
    submit(&mut live, &parent).unwrap();
    let week = |weeks: u64| Timestamp(NOW.0 + weeks * 7 * 86_400);
    live.submit(child(&parent, 1_000), week(1)).unwrap();
    live.submit(simple(2, 1_000), week(1)).unwrap();
    live.retry(week(2)).unwrap();
    assert_eq!(live.mempool().len(), 3, "to the second, it may stay");
    live.retry(Timestamp(week(2).0 + 601)).unwrap();
    assert_eq!(live.mempool().len(), 1);
    live.mempool().audit(live.chain()).unwrap();
}

#[test]
fn what_a_lost_branch_held_comes_back_unless_it_conflicts_or_is_immature() {
    let trunk = TRUNK.clone();
    let (kept, contested) = (simple(1, 1_000), simple(2, 1_000));
    let grown = child(&kept, 1_000);
    let mut old = trunk.clone();
    old.mine(2, vec![kept.clone(), contested.clone()]);
    // On the old branch this reward is mature; it is made anew by the next.
    let mut new = trunk.clone().grow(1, 3);
    let elsewhere = |height| spend(&DEV, &[coin(height)], &[(3, REWARD - 7_000)], 0);
    new.mine(3, vec![elsewhere(2), elsewhere(5)]);
    let mut live = live_on(&old, MempoolLimits::default());
    let waiting = simple(3, 1_000);
    let orphaned = child(&contested, 1_000);
    let rival = simple(5, 1_000);
    for transaction in [&grown, &waiting, &orphaned, &rival, &child(&rival, 1_000)] {
        submit(&mut live, transaction).unwrap();
    }
    take(&mut live, &new.blocks[trunk.blocks.len()..]);
    let ids: Vec<_> = live.mempool().iter().map(|entry| entry.transaction().txid()).collect();
    assert!([&kept, &grown, &waiting].iter().all(|one| ids.contains(&one.txid())), "{ids:?}");
    assert_eq!(ids.len(), 3, "the contested ones and what stands on them are gone");
    assert_eq!(live.mempool().get(&grown.txid()).unwrap().ancestors().count, 2, "its parent waits again");

    // A block taken off makes immature what had just matured, and too early what was just allowed.
    let height = live.chain().tip().height.0;
    let mature = simple(height + 1 - 123, 1_000);
    let early = spend(&DEV, &[coin(4)], &[(1, REWARD - 1_000)], height + 1);
    submit(&mut live, &mature).unwrap();
    submit(&mut live, &early).unwrap();
    submit(&mut live, &child(&mature, 1_000)).unwrap();
    let tip = live.chain().tip().hash;
    live.invalidate(&tip, NOW).unwrap();
    live.mempool().audit(live.chain()).unwrap();
    assert!(!live.mempool().contains(&mature.txid()) && !live.mempool().contains(&early.txid()));
    assert!(live.mempool().contains(&waiting.txid()));
}

#[test]
fn a_template_fills_a_block_to_the_byte() {
    let mut live = live();
    // Ten of 100 000 bytes and frame leave 48 356: sizes are multiples of 20.
    for height in 1..=10 {
        let many = spend(&DEV, &[coin(height)], &[(1, 500); 2_497], 0);
        assert_eq!(many.encoded_len(), MAX_TRANSACTION_BYTES);
        submit(&mut live, &many).unwrap();
    }
    let cheap = |coins: &[(Outpoint, Output, u8)], outputs: usize| {
        let mut to = vec![(1, 500); outputs];
        to[0].1 = coins.len() as u64 * REWARD - 500 * outputs as u64 - 60_000;
        spend(&DEV, coins, &to, 0)
    };
    let too_long = cheap(&[coin(11)], 1_206);
    assert_eq!(too_long.encoded_len(), 48_360);
    submit(&mut live, &too_long).unwrap();
    let draft = live.draft(output_key(2), Timestamp(NOW.0 - 1)).unwrap();
    assert_eq!(draft.contents().transactions.len(), 10);
    let fits = cheap(&[coin(12), coin(13)], 1_203);
    assert_eq!(fits.encoded_len(), 48_340);
    submit(&mut live, &fits).unwrap();
    let block = mine(&mut live);
    assert_eq!((block.transactions.len(), block.encoded_len()), (11, 1_048_560));
    assert_eq!(live.mempool().len(), 1);
}

#[test]
fn what_waits_survives_a_restart_and_a_bad_file_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    feed(&mut Chain::open(dir.path(), &DEV, Options::default()).unwrap(), &TRUNK.blocks[1..]);
    let open = || LiveChain::open(dir.path(), &DEV, Options::default(), MempoolLimits::default(), NOW).unwrap();
    let mut live = open();
    let parent = simple(1, 1_000);
    submit(&mut live, &parent).unwrap();
    submit(&mut live, &child(&parent, 1_000)).unwrap();
    assert!(!dir.path().join("mempool.dat").exists());
    live.save().unwrap();
    drop(live);
    let live = open();
    assert_eq!((live.mempool().len(), live.loaded().kept, live.loaded().dropped), (2, 2, 0));
    live.mempool().audit(live.chain()).unwrap();
    drop(live);

    let file = dir.path().join("mempool.dat");
    let good = std::fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let reseal = |mut head: Vec<u8>| {
        let checksum = blake3::hash(&head);
        head.extend(checksum.as_bytes());
        head
    };
    let head = good[..good.len() - 32].to_vec();
    let changed = |at: usize, byte: u8| {
        let mut head = head.clone();
        head[at] = byte;
        reseal(head)
    };
    for (bytes, word) in [
        (flipped, "damaged"),
        (good[..good.len() - 1].to_vec(), "damaged"),
        (Vec::new(), "damaged"),
        (changed(0, b'x'), "no waiting transactions"),
        (changed(8, 2), "format 2"),
        (changed(12, head[12] ^ 1), "of network"),
        (reseal(head[..head.len() - 1].to_vec()), "damaged"),
    ] {
        std::fs::write(&file, &bytes).unwrap();
        let live = open();
        let fault = live.loaded().fault.as_ref().unwrap().to_string();
        assert!(fault.contains(word) && fault.contains("kept as"), "{fault}");
        assert!(live.mempool().is_empty() && !file.exists());
        assert_eq!(std::fs::read(dir.path().join("mempool.dat.unusable")).unwrap(), bytes);
    }

    // What the chain has contradicted meanwhile is dropped.
    std::fs::write(&file, &good).unwrap();
    let mut line = TRUNK.clone();
    line.mine(2, vec![simple(1, 9_000)]);
    common::open(dir.path()).accept(line.tip(), 0, NOW).unwrap();
    let live = open();
    assert_eq!((live.mempool().len(), live.loaded().dropped), (0, 2));
}

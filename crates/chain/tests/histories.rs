//! Attacks 21, 22 and 24 as one property: whatever the order in which the blocks of a random tree arrive, with orphans,
//! duplicates, invalid blocks and marks set and taken back in between, after every step the tip is the block that the law
//! names and what is unspent is what a fresh replay of its branch leaves, to the unit: coins issued less coins burnt.
//!
//! `BLOOM_HISTORIES=10000 cargo test --release -p bloom-chain --test histories`; 150 by default.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bloom_chain::{AcceptError, Chain, MarkError};
use bloom_consensus::reward::{issued, reward};
use bloom_consensus::{
    Amount, Block, BlockHash, Body, Coinbase, Height, Outpoint, Output, Timestamp, Transaction, signing,
};
use common::*;
use secp256k1::schnorr;

/// Heights below which all trees are one: the coins of the first of them are mature.
const TRUNK: u64 = 128;
const NODES: usize = 14;
const HISTORIES_PER_TREE: u64 = 50;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Copy)]
struct Coin {
    output: Output,
    owner: u8,
    mature_at: u64,
}

/// A block of a tree with what the law says of it, reckoned without the chain.
#[derive(Clone)]
struct Node {
    line: Line,
    parent: Option<usize>,
    coins: BTreeMap<Outpoint, Coin>,
    burnt: u64,
    valid: bool,
    /// Of the fresh replay of its branch; none for an invalid one.
    digest: Option<[u8; 32]>,
}

impl Node {
    fn block(&self) -> &Block {
        self.line.tip()
    }

    fn hash(&self) -> BlockHash {
        self.block().hash()
    }

    fn trunk() -> Self {
        let line = Line::dev().grow(usize::try_from(TRUNK).unwrap(), 1);
        let coin = |height| {
            let (outpoint, output) = line.reward_at(height);
            (outpoint, Coin { output, owner: 1, mature_at: height + 123 })
        };
        let coins = (1..=TRUNK).map(coin).collect();
        let digest = Some(replayed(&line).1);
        Self { coins, line, parent: None, burnt: 0, valid: true, digest }
    }

    /// A child with random payments, which may burn some of what it could claim, or be invalid.
    fn child(&self, number: usize, parent: usize, random: &mut Random) -> Self {
        let mut child = Self { parent: Some(parent), ..self.clone() };
        let height = self.line.height() + 1;
        let mut fees = 0;
        let transactions: Vec<_> =
            (0..random.below(3)).filter_map(|_| child.payment(height, random, &mut fees)).collect();
        let due = reward(Height(height)).units() + fees;
        let burnt = if random.one_in(3) { random.below(usize::try_from(due).unwrap()) as u64 } else { 0 };
        let greed = u64::from(random.one_in(10));
        let owner = u8::try_from(random.below(4)).unwrap() + 1;
        let output = Output { amount: Amount::from_units(due - burnt * (1 - greed) + greed), key: output_key(owner) };
        // The number sets twins apart.
        let data = vec![u8::try_from(number).unwrap()];
        let coinbase = Coinbase::new(Height(height), data, vec![output]).unwrap();
        let outpoint = Outpoint { txid: coinbase.id(), index: 0 };
        child.coins.insert(outpoint, Coin { output, owner, mature_at: height + 123 });
        let time = Timestamp(self.block().header.template.timestamp.0 + 1);
        child.line.mine_with(time, coinbase, transactions);
        child.burnt += burnt;
        child.valid &= greed == 0;
        child.digest = child.valid.then(|| replayed(&child.line).1);
        child
    }

    /// A transaction that spends a coin or two to one or two owners, less a fee.
    fn payment(&mut self, height: u64, random: &mut Random, fees: &mut u64) -> Option<Transaction> {
        let ripe: Vec<_> = self.coins.iter().filter(|(_, coin)| coin.mature_at <= height).map(|(at, _)| *at).collect();
        let wanted = 1 + random.below(2);
        let inputs: BTreeSet<_> = (0..wanted.min(ripe.len())).map(|_| ripe[random.below(ripe.len())]).collect();
        let spent: Vec<_> = inputs.iter().map(|outpoint| self.coins[outpoint]).collect();
        let sum: u64 = spent.iter().map(|coin| coin.output.amount.units()).sum();
        if sum < 1000 {
            return None;
        }
        let fee = random.below(500) as u64;
        let owners: Vec<_> = (0..=random.below(2)).map(|_| u8::try_from(random.below(4)).unwrap() + 1).collect();
        let share = (sum - fee) / owners.len() as u64;
        let output = |owner: &u8| Output { amount: Amount::from_units(share), key: output_key(*owner) };
        let outputs: Vec<_> = owners.iter().map(output).collect();
        *fees += sum - share * owners.len() as u64;
        let body = Body::new(Height(0), inputs.iter().copied().collect(), outputs.clone()).unwrap();
        let outputs_spent: Vec<_> = spent.iter().map(|coin| coin.output).collect();
        let common = signing::common(&DEV.network_id, &body, &outputs_spent).unwrap();
        let sign = |(i, coin): (u32, &Coin)| {
            schnorr::sign_no_aux_rand(&signing::digest(&common, i), &keypair(coin.owner)).to_byte_array()
        };
        let transaction = Transaction::new(body, (0..).zip(&spent).map(sign).collect()).unwrap();
        self.coins.retain(|outpoint, _| !inputs.contains(outpoint));
        for ((index, output), owner) in (0..).zip(outputs).zip(owners) {
            let outpoint = Outpoint { txid: transaction.txid(), index };
            self.coins.insert(outpoint, Coin { output, owner, mature_at: 0 });
        }
        Some(transaction)
    }
}

/// Node 0 is the trunk's last block.
fn tree(trunk: &Node, random: &mut Random) -> Vec<Node> {
    let mut nodes = vec![trunk.clone()];
    while nodes.len() <= NODES {
        // Now and then from anywhere, mostly from the newest ones: long branches.
        let newest = nodes.len().saturating_sub(3);
        let parent =
            if random.one_in(4) { random.below(nodes.len()) } else { newest + random.below(nodes.len() - newest) };
        nodes.push(nodes[parent].child(nodes.len(), parent, random));
    }
    nodes
}

/// What the law says of a history so far.
struct Oracle<'a> {
    nodes: &'a [Node],
    /// In the order in which they were filed.
    filed: Vec<usize>,
    orphans: Vec<usize>,
    marked: BTreeSet<usize>,
}

impl Oracle<'_> {
    fn arrive(&mut self, node: usize) {
        let parent = self.nodes[node].parent.unwrap();
        if self.filed.contains(&node) || self.orphans.contains(&node) {
            return;
        }
        if !self.filed.contains(&parent) {
            self.orphans.push(node);
            return;
        }
        let mut next = VecDeque::from([node]);
        while let Some(node) = next.pop_front() {
            self.filed.push(node);
            next.extend(self.orphans.extract_if(.., |orphan| self.nodes[*orphan].parent == Some(node)));
        }
    }

    fn may_be_followed(&self, node: usize) -> bool {
        let mut branch = std::iter::successors(Some(node), |at| self.nodes[*at].parent);
        self.nodes[node].valid && branch.all(|at| !self.marked.contains(&at))
    }

    /// The heaviest, and of equals the first filed.
    fn tip(&self) -> &Node {
        let candidates = self.filed.iter().filter(|node| self.may_be_followed(**node)).map(|node| &self.nodes[*node]);
        candidates.rev().max_by_key(|node| node.line.height()).unwrap()
    }
}

/// A step of a history, done on the chain and on the oracle.
fn step(chain: &mut Chain, oracle: &mut Oracle<'_>, random: &mut Random) {
    let node = 1 + random.below(NODES);
    let hash = oracle.nodes[node].hash();
    match random.below(10) {
        0 | 1 => match chain.invalidate(&hash) {
            Ok(_) => oracle.marked.extend([node]),
            Err(MarkError::Unknown { .. }) => assert!(!oracle.filed.contains(&node)),
            Err(MarkError::Condemned { .. }) => assert!(!oracle.nodes[node].valid),
            Err(other) => panic!("{other}"),
        },
        2 | 3 => match chain.reconsider(&hash) {
            Ok(_) => {
                let branch = std::iter::successors(Some(node), |at| oracle.nodes[*at].parent);
                let branch: BTreeSet<_> = branch.collect();
                oracle.marked.retain(|at| !branch.contains(at));
            }
            Err(MarkError::NotMarked { .. } | MarkError::Unknown { .. }) => {}
            Err(MarkError::Condemned { .. }) => assert!(!oracle.nodes[node].valid),
            Err(other) => panic!("{other}"),
        },
        _ => {
            match chain.accept(oracle.nodes[node].block(), random.below(3) as u64, NOW) {
                Ok(_) => {}
                Err(AcceptError::Store(error)) => panic!("{error}"),
                Err(error) => assert!(oracle.nodes.iter().any(|node| !node.valid), "{error}"),
            }
            oracle.arrive(node);
        }
    }
}

fn check(chain: &Chain, oracle: &Oracle<'_>) {
    let expected = oracle.tip();
    assert_eq!(chain.tip().hash, expected.hash());
    assert_eq!(chain.state_digest().unwrap(), expected.digest.unwrap());
}

fn history(trunk: &[Block], nodes: &[Node], random: &mut Random) {
    let mut chain = in_memory(&DEV);
    feed(&mut chain, trunk);
    let mut oracle = Oracle { nodes, filed: vec![0], orphans: Vec::new(), marked: BTreeSet::new() };
    for _ in 0..10 + random.below(40) {
        step(&mut chain, &mut oracle, random);
        check(&chain, &oracle);
    }
    // In the end everything arrives and every mark goes.
    for (at, node) in nodes.iter().enumerate().skip(1) {
        let _ = chain.accept(node.block(), 0, NOW); // refused if it is known to be invalid
        oracle.arrive(at);
    }
    for at in std::mem::take(&mut oracle.marked) {
        match chain.reconsider(&nodes[at].hash()) {
            Ok(_) | Err(MarkError::NotMarked { .. }) => {}
            Err(MarkError::Condemned { .. }) => assert!(!nodes[at].valid),
            Err(other) => panic!("{other}"),
        }
    }
    check(&chain, &oracle);
    let (coins, tip) = (chain.coins_state().unwrap(), oracle.tip());
    let expected = tip.coins.values().map(|coin| coin.output.amount.units()).sum::<u64>();
    assert_eq!((coins.coins, coins.total.units()), (tip.coins.len() as u64, expected));
    for key in tip.coins.values().map(|coin| coin.output.key).collect::<BTreeSet<_>>() {
        let owned = tip.coins.iter().filter(|(_, coin)| coin.output.key == key);
        let owned = owned.map(|(outpoint, coin)| (*outpoint, coin.output));
        let found = chain.coins_of(&key).unwrap().into_iter();
        assert!(owned.eq(found.map(|(outpoint, coin)| (outpoint, coin.output))), "coins of {key}");
    }
    assert_eq!(coins.issued, issued(Height(tip.line.height())));
    assert_eq!(coins.burnt.units(), tip.burnt);
    if random.one_in(20) {
        verify(&mut chain, TRUNK).unwrap();
    }
}

#[test]
fn after_every_step_of_any_history_the_state_is_that_of_a_fresh_replay() {
    let histories: u64 = std::env::var("BLOOM_HISTORIES").map_or(150, |number| number.parse().unwrap());
    let trunk = Node::trunk();
    for seed in 0..histories.div_ceil(HISTORIES_PER_TREE) {
        let mut random = Random(seed);
        let nodes = tree(&trunk, &mut random);
        for _ in 0..HISTORIES_PER_TREE.min(histories - seed * HISTORIES_PER_TREE) {
            history(&trunk.line.blocks, &nodes, &mut random);
        }
    }
}

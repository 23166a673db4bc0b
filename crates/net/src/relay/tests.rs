//! Engines and puppets on one chain, whose first rewards are ripe.

mod blocks;
mod lies;
mod transactions;
mod verdicts;

use std::sync::LazyLock;
use std::time::Duration;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{
    Amount, Block, BlockHash, Body, Coinbase, Draft, Height, Outpoint, Output, Params, Timestamp, Transaction, genesis,
    reward, signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::schnorr;

use crate::event::{AnswerId, ConnId, Event, Report};
use crate::testing::{BEGIN, Wire, keypair, output_key};
use crate::wire::{Note, Request};
use crate::{Config, Fault};

/// Whose the rewards of the trunk are.
const OWNER: u8 = 1;
const TRUNK_BLOCKS: usize = 150;

static DEV: LazyLock<Params> = LazyLock::new(Params::dev);

/// Blocks a second apart, the last of them at the beginning of virtual time.
static TRUNK: LazyLock<Vec<Block>> = LazyLock::new(|| {
    let mut chain = LiveChain::in_memory(&DEV, Options::default(), MempoolLimits::default()).unwrap();
    let first = BEGIN.0 - TRUNK_BLOCKS as u64;
    let mut grow = |time| {
        let block = child(&chain, Timestamp(time), OWNER, Vec::new());
        chain.accept(&block, 0, BEGIN).unwrap();
        block
    };
    (1..=TRUNK_BLOCKS as u64).map(|n| grow(first + n)).collect()
});

/// A block on a chain's tip that pays its reward to a key.
fn child(chain: &LiveChain, time: Timestamp, key: u8, transactions: Vec<Transaction>) -> Block {
    let height = Height(chain.chain().tip().height.0 + 1);
    let outputs = vec![Output { amount: reward::reward(height), key: output_key(key) }];
    let coinbase = Coinbase::new(height, vec![key], outputs).unwrap();
    child_with(chain, time, coinbase, transactions)
}

fn child_with(chain: &LiveChain, time: Timestamp, coinbase: Coinbase, transactions: Vec<Transaction>) -> Block {
    let (parent, ancestors) = (chain.chain().tip().as_parent(), chain.chain().ancestors());
    let draft = Draft::child(&DEV, &parent, &ancestors, time, coinbase, transactions).unwrap();
    genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect())))
}

/// A block that could come next at an engine, which does not hear of it.
fn next_block(wire: &Wire, engine: usize, key: u8, transactions: Vec<Transaction>) -> Block {
    let time = Timestamp(wire.at(engine).chain().chain().tip().timestamp.0 + 1);
    child(wire.at(engine).chain(), time, key, transactions)
}

/// An engine that has the trunk and seeks nobody by itself.
fn engine(wire: &mut Wire) -> usize {
    let node = wire.engine(Config { outbound: 0, ..Config::default() });
    give(wire, node, &TRUNK);
    node
}

fn give(wire: &mut Wire, node: usize, blocks: &[Block]) {
    let now = wire.clock();
    for block in blocks {
        wire.at_mut(node).submit_block(block, now).0.unwrap();
    }
}

/// A puppet that an engine has let in: its number and its end of the connection.
fn puppet(wire: &mut Wire, engine: usize) -> (usize, ConnId) {
    let puppet = wire.puppet();
    wire.connect(puppet, engine);
    wire.run(Duration::from_secs(1));
    let [end] = wire.between(puppet, engine)[..] else { panic!("not one connection") };
    wire.heard(puppet);
    (puppet, end)
}

fn tip(wire: &Wire, engine: usize) -> BlockHash {
    wire.at(engine).chain().chain().tip().hash
}

/// The reward of the trunk's block at a height.
fn coin(height: usize) -> (Outpoint, Output) {
    let coinbase = &TRUNK[height - 1].coinbase;
    (Outpoint { txid: coinbase.id(), index: 0 }, coinbase.outputs()[0])
}

/// What an output of a transaction is worth.
fn output_of(transaction: &Transaction, index: u32) -> (Outpoint, Output) {
    (Outpoint { txid: transaction.txid(), index }, transaction.body().outputs()[index as usize])
}

/// Spends a coin of the owner's, in equal parts to keys, less a fee.
fn pay((outpoint, output): (Outpoint, Output), to: &[u8], fee: u64) -> Transaction {
    let share = (output.amount.units() - fee) / to.len() as u64;
    let outputs = to.iter().map(|key| Output { amount: Amount::from_units(share), key: output_key(*key) }).collect();
    sign(Height(0), vec![outpoint], outputs, &[output])
}

fn sign(not_before: Height, inputs: Vec<Outpoint>, outputs: Vec<Output>, spent: &[Output]) -> Transaction {
    let body = Body::new(not_before, inputs, outputs).unwrap();
    let common = signing::common(&DEV.network_id, &body, spent).unwrap();
    let sign = |input| schnorr::sign_no_aux_rand(&signing::digest(&common, input), &keypair(OWNER)).to_byte_array();
    let signatures = (0..).take(spent.len()).map(sign).collect();
    Transaction::new(body, signatures).unwrap()
}

fn faults(wire: &Wire, engine: usize) -> Vec<Fault> {
    let fault = |report: &Report| if let Report::Blamed { fault, .. } = report { Some(fault.clone()) } else { None };
    wire.reports[engine].iter().filter_map(fault).collect()
}

/// What a puppet was asked since it was last looked at, hello and addresses aside.
fn requests(wire: &mut Wire, puppet: usize) -> Vec<(AnswerId, Request)> {
    let request = |event| match event {
        Event::Request { request: Request::Addresses | Request::Hello(_) | Request::Headers { .. }, .. } => None,
        Event::Request { id, request, .. } => Some((id, request)),
        _ => None,
    };
    wire.heard(puppet).into_iter().filter_map(request).collect()
}

/// What a puppet was told since it was last looked at, addresses aside.
fn notes(wire: &mut Wire, puppet: usize) -> Vec<Note> {
    let note = |event| match event {
        Event::Note { note: Note::Addresses(_), .. } => None,
        Event::Note { note, .. } => Some(note),
        _ => None,
    };
    wire.heard(puppet).into_iter().filter_map(note).collect()
}

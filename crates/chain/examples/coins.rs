//! What a chain with a million unspent outputs takes: how long a new process needs to open it, and how much memory before
//! and after every coin was looked up. `coins [OUTPUTS] [DIR]`.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bloom_chain::{Chain, Options};
use bloom_consensus::reward::reward;
use bloom_consensus::{
    Amount, Block, Body, Coinbase, Draft, Height, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, genesis,
    signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::{Keypair, schnorr};

/// Outputs of each transaction, so that the million has ten thousand ids.
const SHARES: usize = 100;
/// Transactions of so many outputs that a block of 1 MiB holds.
const BLOCK: usize = 250;
const NOW: Timestamp = Timestamp(u64::MAX);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_else(|| "1000000".to_owned());
    let dir = arguments.next().map_or_else(|| std::env::temp_dir().join("bloom-coins"), PathBuf::from);
    if first == "measure" {
        return measure(&dir);
    }
    let outputs: usize = first.parse().expect("a number of outputs");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).expect("a directory of an earlier run");
    }
    let start = Instant::now();
    build(&dir, outputs);
    let file = std::fs::metadata(dir.join("chain.redb")).expect("the chain's file").len();
    println!("built in {:.1} s, {} MB on the disk", start.elapsed().as_secs_f64(), file >> 20);
    // What this process has allocated is not the chain's.
    let status = Command::new(std::env::current_exe().expect("this program"))
        .arg("measure")
        .arg(&dir)
        .status()
        .expect("this program starts");
    assert!(status.success(), "the measurement failed");
    std::fs::remove_dir_all(&dir).expect("the directory just made");
}

/// Opens the chain and looks up everything that its blocks made.
fn measure(dir: &Path) {
    let start = Instant::now();
    let chain = Chain::open(dir, &Params::dev(), Options::default()).expect("a chain");
    let facts = chain.template_facts().expect("readable");
    println!("opened at height {} in {:.3} s: {}", facts.height.0 - 1, start.elapsed().as_secs_f64(), memory());
    let start = Instant::now();
    let (mut looked, mut unspent) = (0_u64, 0_u64);
    for height in 1..facts.height.0 {
        let hash = chain.hash_at(Height(height)).expect("readable").expect("below the tip");
        let block = chain.block(&hash).expect("readable").expect("on the chain");
        let made = |txid, count: usize| (0..).take(count).map(move |index| Outpoint { txid, index });
        let coinbase = made(block.coinbase.id(), block.coinbase.outputs().len());
        let others = block.transactions.iter().flat_map(|one| made(one.txid(), one.body().outputs().len()));
        for outpoint in coinbase.chain(others) {
            looked += 1;
            unspent += u64::from(chain.coin(&outpoint).expect("readable").is_some());
        }
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / looked as f64;
    println!("{unspent} unspent outputs, looked up in {each:.1} µs each: {}", memory());
}

/// Resident memory now and at most so far.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

fn build(dir: &Path, outputs: usize) {
    let pair = Keypair::from_secret_bytes([7; 32]).expect("below the group's order");
    let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
    let params = Params::dev();
    let options = Options { blocks_per_commit: 64, ..Options::default() };
    let mut chain = Chain::open(dir, &params, options).expect("a directory to write to");
    let first = mine(&mut chain, &params, key, Vec::new());
    for _ in 0..122 {
        mine(&mut chain, &params, key, Vec::new());
    }
    let reward = first.coinbase.outputs().first().copied().expect("one");
    let fan = pay(&params, &pair, (Outpoint { txid: first.coinbase.id(), index: 0 }, reward), outputs / SHARES);
    mine(&mut chain, &params, key, vec![fan.clone()]);
    let coins: Vec<_> = outputs_of(&fan).collect();
    for some in coins.chunks(BLOCK) {
        let some = some.iter().map(|coin| pay(&params, &pair, *coin, SHARES)).collect();
        mine(&mut chain, &params, key, some);
    }
    chain.flush().expect("room on the disk");
}

/// A transaction that spends a coin to `count` outputs in equal parts, under the same key.
fn pay(params: &Params, pair: &Keypair, (outpoint, output): (Outpoint, Output), count: usize) -> Transaction {
    let share = Output { amount: Amount::from_units(output.amount.units() / count as u64), key: output.key };
    let body = Body::new(Height(0), vec![outpoint], vec![share; count]).expect("1 in, 1 out at least");
    let common = signing::common(&params.network_id, &body, &[output]).expect("1 input, 1 output spent");
    let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), pair);
    Transaction::new(body, vec![signature.to_byte_array()]).expect("1 input, 1 signature")
}

fn outputs_of(transaction: &Transaction) -> impl Iterator<Item = (Outpoint, Output)> {
    let txid = transaction.txid();
    (0..).map(move |index| Outpoint { txid, index }).zip(transaction.body().outputs().iter().copied())
}

fn mine(chain: &mut Chain, params: &Params, key: OutputKey, transactions: Vec<Transaction>) -> Block {
    let tip = chain.tip();
    let height = Height(tip.height.0 + 1);
    let coinbase = Coinbase::new(height, Vec::new(), vec![Output { amount: reward(height), key }]).expect("no data");
    let time = Timestamp(tip.timestamp.0 + 1);
    let draft = Draft::child(params, &tip.as_parent(), &chain.ancestors(), time, coinbase, transactions);
    let mut batch = Box::new(Batch::new(Backend::detect()));
    let block = genesis::forge(draft.expect("a readable chain"), &mut batch);
    chain.accept(&block, 0, NOW).expect("a valid block");
    block
}

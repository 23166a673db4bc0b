//! How fast blocks full of payments of one input and two outputs are connected, each durable before the next, and how
//! soon a draft of them is judged: `connect [BLOCKS] [DIR]`.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bloom_chain::{Chain, Options};
use bloom_consensus::reward::reward;
use bloom_consensus::{
    Amount, Block, Body, Coinbase, Draft, Height, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, genesis,
    signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::{Keypair, schnorr};

/// As many payments of 200 bytes as a block of 1 MiB holds.
const PAYMENTS: usize = 5_200;
const NOW: Timestamp = Timestamp(u64::MAX);

/// Everything is paid to one key.
struct Payer {
    params: Params,
    pair: Keypair,
    key: OutputKey,
}

impl Payer {
    fn new() -> Self {
        let pair = Keypair::from_secret_bytes([7; 32]).expect("below the group's order");
        let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
        Self { params: Params::dev(), pair, key }
    }

    fn output(&self, units: u64) -> Output {
        Output { amount: Amount::from_units(units), key: self.key }
    }

    /// A transaction that spends a coin to `count` outputs in equal parts.
    fn pay(&self, (outpoint, output): (Outpoint, Output), count: usize) -> Transaction {
        let share = output.amount.units() / count as u64;
        let body = Body::new(Height(0), vec![outpoint], vec![self.output(share); count]).expect("1 in, 1 out at least");
        let common = signing::common(&self.params.network_id, &body, &[output]).expect("1 input, 1 output spent");
        let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &self.pair);
        Transaction::new(body, vec![signature.to_byte_array()]).expect("1 input, 1 signature")
    }

    fn draft(&self, chain: &Chain, transactions: Vec<Transaction>) -> Draft {
        let tip = chain.tip();
        let height = Height(tip.height.0 + 1);
        let coinbase = Coinbase::new(height, Vec::new(), vec![self.output(reward(height).units())]).expect("no data");
        let time = Timestamp(tip.timestamp.0 + 1);
        Draft::child(&self.params, &tip.as_parent(), &chain.ancestors(), time, coinbase, transactions)
            .expect("a readable chain")
    }

    fn mine(&self, chain: &mut Chain, transactions: Vec<Transaction>) -> Block {
        let mut batch = Box::new(Batch::new(Backend::detect()));
        let block = genesis::forge(self.draft(chain, transactions), &mut batch);
        chain.accept(&block, 0, NOW).expect("a valid block");
        block
    }
}

fn outputs(transaction: &Transaction) -> impl Iterator<Item = (Outpoint, Output)> {
    let txid = transaction.txid();
    (0..).map(move |index| Outpoint { txid, index }).zip(transaction.body().outputs().iter().copied())
}

/// Blocks of payments, on a chain in memory, after the `trunk` that makes their coins.
fn story(payer: &Payer, count: usize) -> (Vec<Block>, Vec<Block>) {
    let options = Options { blocks_per_commit: usize::MAX, ..Options::default() };
    let mut chain = Chain::in_memory(&payer.params, options).expect("memory");
    let mut trunk: Vec<Block> = (0..122 + count).map(|_| payer.mine(&mut chain, Vec::new())).collect();
    let rewards: Vec<_> = trunk
        .iter()
        .map(|block| {
            (Outpoint { txid: block.coinbase.id(), index: 0 }, block.coinbase.outputs().first().copied().expect("one"))
        })
        .take(count)
        .collect();
    trunk.push(payer.mine(&mut chain, Vec::new()));
    let mut fans = Vec::new();
    for some in rewards.chunks(4) {
        let some: Vec<_> = some.iter().map(|reward| payer.pay(*reward, PAYMENTS)).collect();
        trunk.push(payer.mine(&mut chain, some.clone()));
        fans.extend(some);
    }
    let blocks = fans.iter().map(|fan| {
        let payments = outputs(fan).map(|coin| payer.pay(coin, 2)).collect();
        payer.mine(&mut chain, payments)
    });
    let blocks = blocks.collect();
    (trunk, blocks)
}

/// What the mempool would do with a block's transactions.
fn remember(chain: &mut Chain, block: &Block) {
    for transaction in &block.transactions {
        let coins = transaction.body().inputs().iter().map(|outpoint| chain.coin(outpoint).expect("readable"));
        let spent: Vec<_> = coins.map(|coin| coin.expect("unspent").output).collect();
        chain.verify_transaction(transaction, &spent).expect("a valid transaction");
    }
}

fn open(dir: &Path, params: &Params, blocks_per_commit: usize) -> Chain {
    Chain::open(dir, params, Options { blocks_per_commit, ..Options::default() }).expect("a directory to write to")
}

/// From the bytes that a peer sends to the block on the disk.
fn connect(chain: &mut Chain, block: &Block) -> Duration {
    let bytes = block.encode();
    let start = Instant::now();
    let block = Block::decode(&bytes).expect("its encoding");
    chain.accept(&block, 0, NOW).expect("a valid block");
    start.elapsed()
}

fn report(name: &str, inputs: usize, times: &[Duration]) {
    let total: Duration = times.iter().sum();
    let worst = times.iter().max().copied().unwrap_or_default();
    println!(
        "{name:<36} {:>8.0} inputs/s, {:>7.2} ms a block on average, {:>7.2} ms at worst",
        inputs as f64 / total.as_secs_f64(),
        total.as_secs_f64() * 1e3 / times.len() as f64,
        worst.as_secs_f64() * 1e3,
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(20, |count| count.parse().expect("a number of blocks"));
    let dir = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from).join("bloom-connect");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).expect("a directory of an earlier run");
    }
    let payer = Payer::new();
    let (trunk, blocks) = story(&payer, count);
    let inputs = blocks.len() * PAYMENTS;
    println!("{} blocks of {PAYMENTS} payments, {} bytes each", blocks.len(), blocks[0].encoded_len());
    for name in ["cold", "seen by the mempool"] {
        let dir = dir.join(name);
        let mut chain = open(&dir, &payer.params, 64);
        trunk.iter().for_each(|block| drop(chain.accept(block, 0, NOW).expect("a valid block")));
        chain.flush().expect("room on the disk");
        drop(chain);
        let mut chain = open(&dir, &payer.params, 1);
        let (mut connected, mut judged) = (Vec::new(), Vec::new());
        for block in &blocks {
            if name != "cold" {
                remember(&mut chain, block);
                let draft = payer.draft(&chain, block.transactions.clone());
                for _ in 0..10 {
                    let start = Instant::now();
                    chain.check_draft(&draft).expect("a valid draft");
                    judged.push(start.elapsed());
                }
            }
            connected.push(connect(&mut chain, block));
        }
        report(name, inputs, &connected);
        if name != "cold" {
            report("its draft judged", inputs * 10, &judged);
        }
    }
    std::fs::remove_dir_all(&dir).expect("the directory just made");
}

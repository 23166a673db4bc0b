//! How fast transactions enter the mempool, and how soon after a new tip there is a block to work on.
//!
//!     cargo run --release -p bloom-chain --example mempool [-- WAITING TIPS]
//!
//! WAITING (50 000) payments of one input and two outputs wait, a third of them spending from others that wait; TIPS (100)
//! blocks are mined from templates, and after each as many payments come as it took. Everything in memory, on this thread
//! but for what the validator shares out.

#![expect(clippy::print_stdout, reason = "an example prints what it measures")]
#![expect(clippy::unwrap_used, reason = "an example that cannot go on ends")]

use std::time::{Duration, Instant};

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{
    Amount, Block, Body, Coinbase, Draft, Height, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, genesis,
    reward, signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::{Keypair, schnorr};

const NOW: Timestamp = Timestamp(1_800_000_000);
/// Outputs of one transaction that makes coins.
const FAN: usize = 2_000;
const ENTRIES: usize = 10_000;

fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let waiting = arguments.first().copied().unwrap_or(50_000);
    let tips = arguments.get(1).copied().unwrap_or(100);
    let mut bench = Bench::new();
    // Each template takes at most 5 250 payments of 200 bytes.
    let payments = bench.payments(waiting + ENTRIES + tips * 5_250);
    println!("{} payments are signed", payments.len());
    let mut payments = payments.into_iter();

    let before = resident();
    let began = Instant::now();
    bench.submit(payments.by_ref().take(ENTRIES));
    let took = began.elapsed();
    println!("entry: {ENTRIES} in {took:.2?}, {:.0}/s", ENTRIES as f64 / took.as_secs_f64());
    bench.submit(payments.by_ref().take(waiting - ENTRIES));
    let pool = bench.live.mempool();
    println!(
        "{} wait: {:.1} MB by the mempool's account, {:.1} MB of the process",
        pool.len(),
        pool.bytes() as f64 / 1e6,
        (resident() - before) as f64 / 1e6
    );

    let (mut full, mut empty, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..tips {
        let time = Timestamp(bench.live.chain().tip().timestamp.0 + 1);
        let draft = bench.live.draft(bench.key, time).unwrap();
        let block = genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect())));
        accepted.push(timed(|| bench.accept(&block)));
        let time = Timestamp(time.0 + 1);
        empty.push(timed(|| bench.live.empty_draft(bench.key, time).unwrap()));
        full.push(timed(|| bench.live.draft(bench.key, time).unwrap()));
        bench.submit(payments.by_ref().take(block.transactions.len()));
    }
    report("empty draft", &mut empty);
    report("full template, validated", &mut full);
    report("block accepted, mempool in step", &mut accepted);
}

struct Bench {
    live: LiveChain,
    params: Params,
    pair: Keypair,
    key: OutputKey,
    batch: Box<Batch>,
}

impl Bench {
    fn new() -> Self {
        let params = Params::dev();
        let pair = Keypair::from_secret_bytes([7; 32]).unwrap();
        let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
        let live = LiveChain::in_memory(&params, Options::default(), MempoolLimits::default()).unwrap();
        Self { live, params, pair, key, batch: Box::new(Batch::new(Backend::detect())) }
    }

    fn accept(&mut self, block: &Block) {
        self.live.accept(block, 0, NOW).unwrap();
    }

    fn submit(&mut self, payments: impl Iterator<Item = Transaction>) {
        for payment in payments {
            self.live.submit(payment, NOW).unwrap();
        }
    }

    fn mine(&mut self, transactions: Vec<Transaction>) -> Block {
        let chain = self.live.chain();
        let facts = chain.template_facts().unwrap();
        let outputs = vec![Output { amount: reward::reward(facts.height), key: self.key }];
        let coinbase = Coinbase::new(facts.height, Vec::new(), outputs).unwrap();
        let parent = chain.tip().as_parent();
        let ancestors = chain.ancestors();
        let draft =
            Draft::child(&self.params, &parent, &ancestors, facts.min_timestamp, coinbase, transactions).unwrap();
        let block = genesis::forge(draft, &mut self.batch);
        self.accept(&block);
        block
    }

    fn sign(&self, inputs: &[(Outpoint, Output)], amounts: &[u64]) -> Transaction {
        let outputs = amounts.iter().map(|units| Output { amount: Amount::from_units(*units), key: self.key });
        let outpoints = inputs.iter().map(|(outpoint, _)| *outpoint).collect();
        let body = Body::new(Height(0), outpoints, outputs.collect()).unwrap();
        let spent: Vec<_> = inputs.iter().map(|(_, output)| *output).collect();
        let common = signing::common(&self.params.network_id, &body, &spent).unwrap();
        let sign = |input| schnorr::sign_no_aux_rand(&signing::digest(&common, input), &self.pair).to_byte_array();
        let signatures = (0..).take(spent.len()).map(sign).collect();
        Transaction::new(body, signatures).unwrap()
    }

    /// Payments of varied fees; every third spends the first output of the one before it.
    fn payments(&mut self, count: usize) -> Vec<Transaction> {
        let coins = (count * 2).div_ceil(3) + 1;
        let funded = coins.div_ceil(FAN);
        let first = u64::try_from(funded).unwrap();
        let mut rewards = Vec::new();
        for _ in 0..first + 123 {
            let block = self.mine(Vec::new());
            rewards.push((Outpoint { txid: block.coinbase.id(), index: 0 }, block.coinbase.outputs()[0]));
        }
        let share = rewards[0].1.amount.units() / FAN as u64;
        let fans: Vec<_> = rewards.iter().take(funded).map(|coin| self.sign(&[*coin], &vec![share; FAN])).collect();
        for chunk in fans.chunks(12) {
            self.mine(chunk.to_vec());
        }
        let mut free = fans.iter().flat_map(outputs);
        let mut payments: Vec<Transaction> = Vec::with_capacity(count);
        for number in 0..count {
            let from = match payments.last() {
                Some(parent) if number % 3 == 2 => outputs(parent).next().unwrap(),
                _ => free.next().unwrap(),
            };
            let fee = 200 + (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 20_000;
            let half = (from.1.amount.units() - fee) / 2;
            payments.push(self.sign(&[from], &[half, half]));
        }
        payments
    }
}

fn outputs(transaction: &Transaction) -> impl Iterator<Item = (Outpoint, Output)> {
    let txid = transaction.txid();
    (0..).zip(transaction.body().outputs()).map(move |(index, output)| (Outpoint { txid, index }, *output))
}

/// How long it takes to have the result, not to drop it.
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    let result = work();
    let took = began.elapsed();
    drop(result);
    took
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: p50 {:.2?}, p99 {:.2?}, worst {:.2?}", at(50), at(99), at(100));
}

/// Bytes of memory that the process has, where the system tells.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

//! Transactions for measuring a dev network, paid from coins of one well-known key.
//!
//! - `dev_payments address` prints the address to mine to.
//! - `dev_payments split DIR COUNT` splits coins in a directory that no node has into COUNT at least, by transactions that
//!   wait there: the next block takes them.
//! - `dev_payments spend DIR COUNT` prints COUNT signed transactions, a line each, of a coin each.
//! - `dev_payments chain DIR BLOCKS PAYMENTS` makes so many blocks, each with so many payments as soon as there are coins
//!   for them: the first have fewer.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::collections::VecDeque;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::constants::COINBASE_MATURITY;
use bloom_consensus::{
    Amount, Body, Height, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, address, genesis, signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::{Keypair, schnorr};

/// Outputs of one splitting transaction.
const PARTS: u64 = 1_000;
/// What a splitting transaction pays, and then each of those that spend its parts.
const FEES: (u64, u64) = (1_000_000, 10_000);
/// Blocks of a chain that are committed at once.
const COMMIT: usize = 64;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let pair = Keypair::from_secret_bytes([1; 32]).expect("one is a secret key");
    let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
    let params = Params::dev();
    match words.as_slice() {
        ["address"] => println!("{}", address::encode(&params.address_prefix, &key).expect("dev's prefix is good")),
        ["split", dir, count] => split(Path::new(dir), &params, &pair, key, count.parse().expect("a number")),
        ["spend", dir, count] => spend(Path::new(dir), &params, &pair, key, count.parse().expect("a number")),
        ["chain", dir, blocks, payments] => {
            let (blocks, payments) = (blocks.parse().expect("a number"), payments.parse().expect("a number"));
            chain(Path::new(dir), &params, &pair, key, blocks, payments);
        }
        _ => panic!("expected address, split DIR COUNT, spend DIR COUNT or chain DIR BLOCKS PAYMENTS"),
    }
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs())
}

fn open(dir: &Path, params: &Params) -> LiveChain {
    LiveChain::open(dir, params, Options::default(), MempoolLimits::default(), now()).expect("a chain that nobody uses")
}

fn pay(params: &Params, pair: &Keypair, coin: (Outpoint, Output), outputs: Vec<Output>) -> Transaction {
    let body = Body::new(Height(0), vec![coin.0], outputs).expect("inputs and outputs within bounds");
    let common = signing::common(&params.network_id, &body, &[coin.1]).expect("the coin that it spends");
    let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), pair);
    Transaction::new(body, vec![signature.to_byte_array()]).expect("a signature an input")
}

/// Coins of the key that can be spent now, the dearest first.
fn coins(live: &LiveChain, key: OutputKey) -> Vec<(Outpoint, Output)> {
    let height = live.chain().tip().height.0;
    let is_ripe = |created: u64, is_coinbase: bool| !is_coinbase || height + 1 >= created + COINBASE_MATURITY;
    let all = live.chain().coins_of(&key).expect("a store that can be read");
    let ripe = all.into_iter().filter(|(_, coin)| is_ripe(coin.height.0, coin.is_coinbase));
    let mut coins: Vec<_> = ripe.map(|(outpoint, coin)| (outpoint, coin.output)).collect();
    coins.sort_by_key(|(_, output)| std::cmp::Reverse(output.amount));
    coins
}

fn split(dir: &Path, params: &Params, pair: &Keypair, key: OutputKey, count: u64) {
    let mut live = open(dir, params);
    for coin in coins(&live, key).into_iter().take(usize::try_from(count.div_ceil(PARTS)).expect("a few")) {
        let each = Amount::from_units((coin.1.amount.units() - FEES.0) / PARTS);
        let outputs = (0..PARTS).map(|_| Output { amount: each, key }).collect();
        let taken = live.submit(pay(params, pair, coin, outputs), now()).expect("a good transaction");
        println!("{}", taken.txid);
    }
    live.save().expect("room on the disk");
}

fn spend(dir: &Path, params: &Params, pair: &Keypair, key: OutputKey, count: u64) {
    let live = open(dir, params);
    let count = usize::try_from(count).expect("a few thousand");
    let mut coins = coins(&live, key);
    coins.reverse(); // the parts, not whole rewards
    assert!(coins.len() >= count, "only {} coins can be spent: split more, and mine a block", coins.len());
    for coin in coins.into_iter().take(count) {
        let amount = Amount::from_units(coin.1.amount.units() - FEES.1);
        println!("{}", hex::encode(pay(params, pair, coin, vec![Output { amount, key }]).encode()));
    }
}

fn chain(dir: &Path, params: &Params, pair: &Keypair, key: OutputKey, blocks: u64, payments: usize) {
    let mut live = open(dir, params);
    live.set_blocks_per_commit(COMMIT);
    let mut batch = Box::new(Batch::new(Backend::detect()));
    let mut coins: VecDeque<(u64, Outpoint, Output)> = VecDeque::new();
    for height in 1..=blocks {
        let ready = |coin: &mut (u64, Outpoint, Output)| coin.0 + COINBASE_MATURITY < height;
        for (_, outpoint, coin) in (0..payments).map_while(|_| coins.pop_front_if(ready)).collect::<Vec<_>>() {
            let half = Amount::from_units((coin.amount.units() - FEES.1) / 2);
            let paid = pay(params, pair, (outpoint, coin), vec![Output { amount: half, key }; 2]);
            let txid = paid.txid();
            let parts = (0..).zip(paid.body().outputs()).map(|(index, part)| (height, Outpoint { txid, index }, *part));
            coins.extend(parts);
            live.submit(paid, now()).expect("a good payment");
        }
        let time = live.chain().template_facts().expect("a store that can be read").min_timestamp;
        let block = genesis::forge(live.draft(key, time).expect("a good draft"), &mut batch);
        let outpoint = Outpoint { txid: block.coinbase.id(), index: 0 };
        coins.extend(block.coinbase.outputs().first().map(|output| (height, outpoint, *output)));
        live.accept(&block, 0, now()).expect("a good block");
    }
    live.flush().and_then(|()| live.save()).expect("room on the disk");
    println!("{}", live.chain().tip().hash);
}

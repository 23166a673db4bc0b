//! Random ledger objects with their encodings, ids, digests and roots, one JSON object per line, for an independent
//! implementation to agree with: `cargo run -p bloom-consensus --example ledger_cases -- --seed 1 --count 1000`.
//!
//! Numbers of 64 bits are decimal strings, bytes are hex. Only encodings are meant: keys and signatures are random bytes.
#![expect(clippy::print_stdout, reason = "the cases are this program's output")]

use bloom_consensus::{
    Amount, Body, Coinbase, Height, NetworkId, Outpoint, Output, OutputKey, Transaction, Txid, Wtxid, merkle, signing,
};
use serde_json::{Value, json};

fn main() {
    let (mut seed, mut count) = (1, 1000);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (flag.as_str(), number) {
            ("--seed", Some(number)) => seed = number,
            ("--count", Some(number)) => count = number,
            _ => {
                println!("usage: ledger_cases [--seed S] [--count N]");
                std::process::exit(2);
            }
        }
    }
    let mut random = SplitMix(seed);
    for n in 0..count {
        let case = match n % 4 {
            0 | 1 => transaction(&mut random),
            2 => coinbase(&mut random),
            _ => merkle_tree(&mut random),
        };
        println!("{case}");
    }
}

fn transaction(random: &mut SplitMix) -> Value {
    let inputs: Vec<_> = (0..random.count(1, 6)).map(|_| outpoint(random)).collect();
    let outputs = outputs(random, 1);
    let spent: Vec<Output> = inputs.iter().map(|_| output(random)).collect();
    let signatures: Vec<[u8; 64]> = inputs.iter().map(|_| random.bytes()).collect();
    let body = Body::new(Height(random.number()), inputs, outputs).expect("at least one of each");
    let transaction = Transaction::new(body.clone(), signatures).expect("one for each input");
    let network = NetworkId(random.bytes());
    let common = signing::common(&network, &body, &spent).expect("one for each input");
    let digests = (0..).zip(&spent).map(|(i, _)| hex::encode(signing::digest(&common, i)));
    let input = |input: &Outpoint| json!({ "txid": input.txid.to_string(), "index": input.index });
    json!({
        "kind": "transaction",
        "not_before": body.not_before().to_string(),
        "inputs": body.inputs().iter().map(input).collect::<Vec<_>>(),
        "outputs": outputs_json(body.outputs()),
        "signatures": transaction.signatures().iter().map(hex::encode).collect::<Vec<_>>(),
        "network_id": network.to_string(),
        "spent": outputs_json(&spent),
        "body": hex::encode(body.encode()),
        "encoded": hex::encode(transaction.encode()),
        "txid": transaction.txid().to_string(),
        "wtxid": transaction.wtxid().to_string(),
        "common": hex::encode(common),
        "digests": digests.collect::<Vec<_>>(),
    })
}

fn coinbase(random: &mut SplitMix) -> Value {
    let data = (0..random.count(0, 96)).map(|_| random.bytes::<1>()[0]).collect();
    let outputs = outputs(random, 0);
    let coinbase = Coinbase::new(Height(random.number()), data, outputs).expect("at most 96 bytes");
    json!({
        "kind": "coinbase",
        "height": coinbase.height().to_string(),
        "data": hex::encode(coinbase.data()),
        "outputs": outputs_json(coinbase.outputs()),
        "encoded": hex::encode(coinbase.encode()),
        "id": coinbase.id().to_string(),
    })
}

fn merkle_tree(random: &mut SplitMix) -> Value {
    let coinbase = Txid(random.bytes());
    let wtxids: Vec<Wtxid> = (0..random.count(0, 33)).map(|_| Wtxid(random.bytes())).collect();
    let others = wtxids.iter().map(ToString::to_string);
    json!({
        "kind": "merkle",
        "leaves": std::iter::once(coinbase.to_string()).chain(others).collect::<Vec<_>>(),
        "root": merkle::root(&coinbase, wtxids.iter().copied()).to_string(),
    })
}

fn outpoint(random: &mut SplitMix) -> Outpoint {
    Outpoint { txid: Txid(random.bytes()), index: u32::from_le_bytes(random.bytes()) >> random.count(0, 31) }
}

fn outputs(random: &mut SplitMix, least: u64) -> Vec<Output> {
    (0..random.count(least, 5)).map(|_| output(random)).collect()
}

fn output(random: &mut SplitMix) -> Output {
    Output { amount: Amount::from_units(random.number()), key: OutputKey(random.bytes()) }
}

fn outputs_json(outputs: &[Output]) -> Vec<Value> {
    let one = |output: &Output| json!({ "amount": output.amount.units().to_string(), "key": output.key.to_string() });
    outputs.iter().map(one).collect()
}

/// Steele, Lea and Flood's SplitMix64: small, seeded, the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[7])
    }

    fn count(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// A number of any length, so that short ones are as common as long ones; now and then the least or the most.
    fn number(&mut self) -> u64 {
        match self.count(0, 19) {
            0 => 0,
            1 => u64::MAX,
            _ => self.next() >> self.count(0, 63),
        }
    }
}

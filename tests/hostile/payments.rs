//! Transactions that no chain could hold (attacks 29): who sends them is banned, who relays good ones is not.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use bloom_consensus::{Amount, Body, Height, Outpoint, Output, OutputKey, Transaction, Txid, signing};
use bloom_net::wire::{Note, Request, Response};
use secp256k1::schnorr;

use super::attacker::{DEV, Liar, SOON, hello};
use super::chains::serve_until;
use super::forge::{Line, output_key, owner};
use super::honest::Honest;
use super::node::{agree_on, wait_for};
use super::support::{Home, number};

/// Copies of each kind: ten ban.
const COPIES: u64 = 12;
const FEE: u64 = 10_000;

fn coin(line: &Line, height: usize) -> (Outpoint, Output) {
    let coinbase = &line.blocks[height].coinbase;
    (Outpoint { txid: coinbase.id(), index: 0 }, coinbase.outputs()[0])
}

fn output(units: u64) -> Output {
    Output { amount: Amount::from_units(units), key: output_key() }
}

fn sign(coins: &[(Outpoint, Output)], outputs: Vec<Output>) -> Transaction {
    let (inputs, spent): (Vec<_>, Vec<_>) = coins.iter().copied().unzip();
    let body = Body::new(Height(0), inputs, outputs).unwrap();
    let common = signing::common(&DEV.network_id, &body, &spent).unwrap();
    let sign = |input| schnorr::sign_no_aux_rand(&signing::digest(&common, input), &owner()).to_byte_array();
    let signatures = (0..).take(spent.len()).map(sign).collect();
    Transaction::new(body, signatures).unwrap()
}

/// A transaction of each kind that no chain could hold; copies differ in an amount.
fn invalid(line: &Line, copy: u64) -> Vec<(&'static str, Transaction)> {
    let mut pair = [coin(line, 1), coin(line, 2)];
    pair.sort_by_key(|(outpoint, _)| std::cmp::Reverse(*outpoint));
    let one = coin(line, 1);
    let units = one.1.amount.units();
    let few = output(1_000_000 + copy);
    let mut spoiled = sign(&[one], vec![output(units - FEE - copy)]).signatures().to_vec();
    spoiled[0][63] ^= 1;
    let body = sign(&[one], vec![output(units - FEE - copy)]).body().clone();
    vec![
        ("inputs out of order", sign(&pair, vec![few])),
        ("an input twice", sign(&[one, one], vec![few])),
        ("an output of nothing", sign(&[one], vec![few, output(0)])),
        ("a key off the curve", sign(&[one], vec![few, Output { key: OutputKey([255; 32]), ..few }])),
        ("sums that overflow", sign(&[one], vec![output(u64::MAX - copy), output(u64::MAX)])),
        ("more out than in", sign(&[one], vec![output(units + 1 + copy)])),
        ("a forged signature", Transaction::new(body, spoiled).unwrap()),
    ]
}

#[test]
fn who_sends_transactions_that_no_chain_could_hold_is_banned_and_who_relays_good_ones_is_not() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let line = Line::mine(130, 8);
    serve_until(&honest, &line, |honest| number(&honest.node.status()["height"]) == 130);
    agree_on(&honest.all(), &honest.node.tip());
    let kinds = invalid(&line, 0).len();
    honest.under("invalid transactions", |address| {
        for kind in 0..kinds {
            let copies: Vec<_> = (0..COPIES).map(|copy| invalid(&line, copy).swap_remove(kind)).collect();
            let liar = Liar::join(address, &hello()).unwrap();
            liar.say(Note::Transactions(copies.iter().map(|(_, copy)| copy.wtxid()).collect()));
            let is_gone = liar.serve(SOON, |_, request| match request {
                Request::Transactions { wtxids } => {
                    let asked = |(_, copy): &&(&str, Transaction)| wtxids.contains(&copy.wtxid());
                    Some(Response::Transactions(copies.iter().filter(asked).map(|(_, copy)| copy.clone()).collect()))
                }
                _ => Some(Response::NotFound),
            });
            assert!(is_gone, "{}", copies[0].0);
        }
    });
    let status = honest.node.status();
    assert_eq!((number(&status["bans"]), number(&status["mempool"]["transactions"])), (kinds as u64, 0));

    // Without their parents none can be judged: they are bounded, and nobody is banned for a few.
    let orphans: Vec<_> = (0..200)
        .map(|copy| {
            sign(&[(Outpoint { txid: Txid([3; 32]), index: copy }, output(5_000_000))], vec![output(4_000_000)])
        })
        .collect();
    let sender = Liar::join(honest.address(), &hello()).unwrap();
    sender.say(Note::Transactions(orphans.iter().map(Transaction::wtxid).collect()));
    sender.serve(std::time::Duration::from_secs(3), |_, request| match request {
        Request::Transactions { wtxids } => {
            let asked = |orphan: &&Transaction| wtxids.contains(&orphan.wtxid());
            Some(Response::Transactions(orphans.iter().filter(asked).cloned().collect()))
        }
        _ => Some(Response::NotFound),
    });

    let (one, fee) = (coin(&line, 1), FEE);
    let good = sign(&[one], vec![output(one.1.amount.units() - fee)]);
    let hex: String = good.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    honest.relay.ok(&format!("tx send {hex}"));
    wait_for("the good one", || number(&honest.node.status()["mempool"]["transactions"]) == 1);
    honest.stands();
    assert_eq!(number(&honest.node.status()["bans"]), kinds as u64);
    honest.stop();
}

//! `bloom mempool` shows what waits in a data directory, from process to process, until `bloom mine` confirms it.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{
    Amount, Body, Height, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, genesis, signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::{Keypair, schnorr};
use support::{Home, number, text};

/// Spends all of a coin but a fee, back to its key.
fn pay(params: &Params, pair: &Keypair, (outpoint, spent): (Outpoint, Output), fee: u64) -> Transaction {
    let output = Output { amount: Amount::from_units(spent.amount.units() - fee), key: spent.key };
    let body = Body::new(Height(0), vec![outpoint], vec![output]).unwrap();
    let common = signing::common(&params.network_id, &body, &[spent]).unwrap();
    let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), pair).to_byte_array();
    Transaction::new(body, vec![signature]).unwrap()
}

/// A directory whose first coin is mature and was paid on twice, both of which wait.
fn prepare(home: &Home) -> [Transaction; 2] {
    let params = Params::dev();
    let pair = Keypair::from_secret_bytes([9; 32]).unwrap();
    let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
    let (options, now) = (Options { blocks_per_commit: 4, ..Options::default() }, bloom_miner::unix_time());
    let mut live = LiveChain::open(&home.path("d"), &params, options, MempoolLimits::default(), now).unwrap();
    let mut batch = Box::new(Batch::new(Backend::detect()));
    let mut first = None;
    for _ in 0..124 {
        let time = Timestamp(live.chain().tip().timestamp.0 + 1);
        let block = genesis::forge(live.draft(key, time).unwrap(), &mut batch);
        live.accept(&block, 0, now).unwrap();
        let coin = (Outpoint { txid: block.coinbase.id(), index: 0 }, block.coinbase.outputs()[0]);
        first.get_or_insert(coin);
    }
    let parent = pay(&params, &pair, first.unwrap(), 500);
    let made = (Outpoint { txid: parent.txid(), index: 0 }, parent.body().outputs()[0]);
    let child = pay(&params, &pair, made, 1_500);
    for transaction in [&parent, &child] {
        live.submit(transaction.clone(), now).unwrap();
    }
    live.save().unwrap();
    [parent, child]
}

#[test]
fn what_waits_is_shown_kept_from_process_to_process_and_mined() {
    let home = Home::new();
    let [parent, child] = prepare(&home);
    for _ in 0..2 {
        let listed = home.run("mempool list --json --data-dir d").ok().json_lines();
        let told: Vec<_> = listed.iter().map(|line| (text(&line["txid"]), number(&line["bytes"]))).collect();
        assert_eq!(told, [(parent.txid().to_string(), 160), (child.txid().to_string(), 160)]);
    }
    let summary = home.run("mempool --json --data-dir d").ok().json();
    assert_eq!((number(&summary["transactions"]), text(&summary["fees"])), (2, "2000".to_owned()));
    assert_eq!(text(&summary["min_rate"]), "1");
    let shown = home.run(&format!("mempool show {} --json --data-dir d", child.txid())).ok().json();
    assert_eq!(shown["parents"], serde_json::json!([parent.txid().to_string()]));
    assert_eq!((number(&shown["ancestors"]["count"]), text(&shown["rate"])), (2, "9.375".to_owned()));
    assert_eq!(text(&shown["encoded"]), hex::encode(child.encode()));
    for line in ["mempool list", &format!("mempool show {}", child.txid())] {
        let said = home.run(&format!("{line} --data-dir d")).ok().stdout;
        assert!(said.contains(&child.txid().to_string()) && said.contains("9.375"), "{said}");
    }
    home.run(&format!("mempool show {} --data-dir d", "0".repeat(64)))
        .refused(1, &["no transaction 000", "waits here"]);
    home.run("mempool show nonsense --data-dir d").refused(2, &["64 digits"]);

    let mined = home.run("mine --pace 0 --blocks 1 --data-dir d").ok();
    assert!(mined.stderr.contains("6.85412196 BLOOM"), "reward and fees: {}", mined.stderr);
    let block = home.run("chain show 125 --json --data-dir d").ok().json();
    let held: Vec<_> = block["transactions"].as_array().unwrap().iter().map(|one| text(&one["txid"])).collect();
    assert_eq!(held, [parent.txid().to_string(), child.txid().to_string()]);
    assert_eq!(number(&home.run("mempool --json --data-dir d").ok().json()["transactions"]), 0);
    home.run("verify --data-dir d").ok();
}

#[test]
fn what_an_imported_branch_displaces_waits_again() {
    let home = Home::new();
    let payments = prepare(&home).map(|transaction| transaction.txid().to_string());
    home.run("chain export trunk --data-dir d").ok();
    home.run("chain import trunk --data-dir e").ok();
    home.run("mine --pace 0 --blocks 1 --data-dir d").ok();
    assert!(home.run("mempool list --json --data-dir d").ok().json_lines().is_empty(), "all of it is confirmed");
    home.run("mine --pace 0 --blocks 3 --data-dir e").ok();
    home.run("chain export branch --from 125 --data-dir e").ok();
    let imported = home.run("chain import branch --json --data-dir d").ok().json();
    assert_eq!((number(&imported["taken"]), number(&imported["height"])), (3, 127));
    let listed = home.run("mempool list --json --data-dir d").ok().json_lines();
    let told: Vec<_> = listed.iter().map(|line| text(&line["txid"])).collect();
    assert_eq!(told, payments);
}

#[test]
fn a_damaged_file_of_what_waits_is_said_and_the_chain_goes_on() {
    let home = Home::new();
    prepare(&home);
    let mut bytes = std::fs::read(home.path("d/mempool.dat")).unwrap();
    bytes[100] ^= 1;
    home.write("d/mempool.dat", &bytes);
    let summary = home.run("mempool --json --data-dir d").ok();
    assert!(summary.stderr.contains("mempool.dat") && summary.stderr.contains("damaged"), "{}", summary.stderr);
    assert_eq!(number(&summary.json()["transactions"]), 0);
    let again = home.run("mine --pace 0 --blocks 1 --data-dir d").ok();
    assert!(!again.stderr.contains("damaged"), "it was set aside: {}", again.stderr);
    home.run("mempool --data-dir nowhere").refused(3, &["no chain in nowhere"]);
}

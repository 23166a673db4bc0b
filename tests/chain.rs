//! `bloom chain` and `bloom tx` as their users meet them: branches, archives, pruning, and proofs without a chain.

mod support;

use std::fs;

use support::{Home, number, text};

fn mine(home: &Home, directory: &str, blocks: u64) {
    home.run(&format!("mine --json --pace 0 --blocks {blocks} --data-dir {directory}")).ok();
}

fn hash_at(home: &Home, directory: &str, height: u64) -> String {
    text(&home.run(&format!("chain show {height} --json --data-dir {directory}")).ok().json()["hash"])
}

fn state(home: &Home, directory: &str) -> serde_json::Value {
    home.run(&format!("chain state --json --data-dir {directory}")).ok().json()
}

#[test]
fn a_block_is_invalidated_shown_as_such_and_reconsidered() {
    let home = Home::new();
    mine(&home, "d", 5);
    let before = state(&home, "d");
    let (third, fifth) = (hash_at(&home, "d", 3), hash_at(&home, "d", 5));
    let done = home.run(&format!("chain invalidate {third} --json --data-dir d")).ok().json();
    assert_eq!((number(&done["height"]), done["disconnected"].as_array().unwrap().len()), (2, 3));
    // The same parent, second and payee: what is mined must be another block all the same.
    mine(&home, "d", 1);
    let tips = home.run("chain tips --json --data-dir d").ok().json_lines();
    let tip = |status: &str| tips.iter().find(|tip| tip["status"] == status).unwrap();
    assert_eq!((number(&tip("active")["height"]), number(&tip("active")["branch"])), (3, 0));
    assert_eq!(tip("invalidated")["hash"], fifth);
    assert_eq!((number(&tip("invalidated")["height"]), number(&tip("invalidated")["branch"])), (5, 3));
    let told = home.run("chain tips --data-dir d").ok();
    assert!(told.stdout.contains("invalidated") && told.stdout.contains("active"), "{}", told.stdout);
    home.run("verify --data-dir d").ok();
    home.run(&format!("chain reconsider {fifth} --data-dir d")).ok();
    assert_eq!(state(&home, "d"), before);
    home.run(&format!("chain reconsider {fifth} --data-dir d")).refused(1, &["is not invalidated"]);
    let genesis = hash_at(&home, "d", 0);
    home.run(&format!("chain invalidate {genesis} --data-dir d")).refused(1, &["genesis"]);
    home.run(&format!("chain invalidate {} --data-dir d", "0".repeat(64))).refused(1, &["not known here"]);
    home.run("chain invalidate 12 --data-dir d").refused(2, &["64 digits"]);
}

#[test]
fn an_archive_carries_the_chain_to_another_directory() {
    let home = Home::new();
    mine(&home, "d", 30);
    let exported = home.run("chain export blocks --json --data-dir d").ok().json();
    assert_eq!(number(&exported["blocks"]), 30);
    assert!(!home.path("blocks.unfinished").exists());
    home.run("chain export blocks --data-dir d").refused(2, &["exists"]);
    home.run("chain export more --from 31 --data-dir d").refused(2, &["expected 1 to 30"]);
    assert!(!home.path("more").exists() && !home.path("more.unfinished").exists());

    let imported = home.run("chain import blocks --json --data-dir e").ok().json();
    assert_eq!((number(&imported["taken"]), number(&imported["known"])), (30, 0));
    assert_eq!(state(&home, "e"), state(&home, "d"));
    let again = home.run("chain import blocks --json --data-dir e").ok().json();
    assert_eq!((number(&again["taken"]), number(&again["known"])), (0, 30));
    home.run("verify --data-dir e").ok();

    home.run("chain import blocks --network test --data-dir t").refused(1, &["is of network", "expected"]);
    assert!(!home.path("t").exists(), "no chain is begun for it");
    let mut bytes = fs::read(home.path("blocks")).unwrap();
    bytes.truncate(bytes.len() / 2);
    home.write("half", &bytes);
    home.run("chain import half --data-dir h").refused(1, &["ends within", "copy it again"]);
    let reached = number(&state(&home, "h")["height"]);
    assert!((10..20).contains(&reached), "what was whole stays: {reached}");
    home.run("chain import blocks --data-dir h").ok();
    assert_eq!(state(&home, "h"), state(&home, "d"));
}

#[test]
fn a_pruned_directory_goes_on_and_says_what_it_cannot_do() {
    let home = Home::new();
    mine(&home, "d", 1100);
    let before = state(&home, "d");
    home.run("chain prune --keep 999 --data-dir d").refused(2, &["expected at least 1000"]);
    let pruned = home.run("chain prune --json --data-dir d").ok().json();
    assert_eq!((number(&pruned["pruned_below"]), number(&pruned["kept"])), (101, 1000));
    assert!(number(&pruned["bytes_after"]) < number(&pruned["bytes_before"]), "{pruned}");
    assert_eq!(state(&home, "d"), before);
    let tip = home.run("chain tip --data-dir d").ok();
    assert!(tip.stdout.contains("blocks below height 101"), "{}", tip.stdout);
    home.run("chain show 100 --data-dir d").refused(1, &["was pruned", "only its header is left"]);
    home.run("chain show 101 --data-dir d").ok();
    let verified = home.run("verify --data-dir d").ok();
    assert!(verified.stderr.contains("below height 101 were pruned"), "{}", verified.stderr);
    home.run("verify --reindex --data-dir d").refused(3, &["was pruned", "begin anew"]);
    home.run("chain export blocks --data-dir d").refused(1, &["--from 101"]);
    home.run("chain export blocks --from 101 --data-dir d").ok();
    mine(&home, "d", 3);
    assert_eq!(number(&home.run("chain tip --json --data-dir d").ok().json()["pruned_below"]), 104);

    home.run("mine --json --pace 0 --blocks 1010 --prune --data-dir p").ok();
    let tip = home.run("chain tip --json --data-dir p").ok().json();
    assert_eq!((number(&tip["pruned_below"]), number(&tip["kept"])), (11, 1000));
}

#[test]
fn a_proof_is_made_from_a_chain_and_checked_without_one() {
    let home = Home::new();
    mine(&home, "d", 12);
    let shown = home.run("chain show 7 --json --data-dir d").ok().json();
    let txid = text(&shown["coinbase"]["id"]);
    home.run(&format!("tx prove {txid} --out proof.json --data-dir d")).ok();
    let hinted = home.run(&format!("tx prove {txid} --height 7 --confirmations 3 --data-dir d")).ok();
    home.write("short.json", &hinted.stdout);
    home.run(&format!("tx prove {txid} --out proof.json --data-dir d")).refused(2, &["no file has"]);
    home.run(&format!("tx prove {txid} --height 6 --data-dir d")).refused(1, &["is not in the block at height 6"]);
    home.run(&format!("tx prove {txid} --height 60 --data-dir d")).refused(2, &["the tip is at 12"]);
    home.run(&format!("tx prove {} --data-dir d", "0".repeat(64))).refused(1, &["is not on the chain"]);
    fs::remove_dir_all(home.path("d")).unwrap();

    let proven = home.run("tx verify proof.json --json").ok().json();
    assert_eq!((number(&proven["height"]), number(&proven["confirmations"])), (7, 6));
    assert_eq!((text(&proven["txid"]), text(&proven["block"])), (txid.clone(), text(&shown["hash"])));
    assert_eq!(number(&home.run("tx verify short.json --json").ok().json()["confirmations"]), 3);
    let told = home.run("tx verify proof.json").ok();
    assert!(told.stdout.contains(&txid) && told.stderr.contains("not proven"), "{}{}", told.stdout, told.stderr);
    home.run("tx verify proof.json --network main").refused(1, &["proof of network", "expected"]);

    // A proof of which any one thing is changed proves nothing.
    let proof = fs::read_to_string(home.path("proof.json")).unwrap();
    let other = |from: &str, to: &str| {
        let changed = proof.replacen(from, to, 1);
        assert_ne!(changed, proof, "{from}");
        home.write("changed.json", changed);
        home.run("tx verify changed.json")
    };
    other("\"position\": 0", "\"position\": 1").refused(1, &["a coinbase stands at 0"]);
    other("\"count\": 1", "\"count\": 2").refused(1, &["expected 1 at that position"]);
    other("\"version\": 1", "\"version\": 2").refused(1, &["update the program"]);
    other("\"path\": []", "\"path\": [], \"more\": 1").refused(1, &["unknown field"]);
    other("0700000000000000", "0800000000000000").refused(1, &["root"]);
}

#[test]
fn files_that_are_no_proof_are_refused_each_for_its_own_reason() {
    let home = Home::new();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/bad/proofs");
    let cases = [
        ("not-json.json", "expected"),
        ("other-format.json", "got format"),
        ("both.json", "either coinbase or transaction"),
        ("neither.json", "either coinbase or transaction"),
        ("key-twice.json", "duplicate field"),
        ("odd-hex.json", "hexadecimal digits"),
        ("long-path.json", "expected at most 16"),
        ("trailing-byte.json", "trailing bytes"),
    ];
    assert_eq!(fs::read_dir(directory).unwrap().count(), cases.len(), "every file is tried");
    for (name, words) in cases {
        home.run(&format!("tx verify {directory}/{name}")).refused(1, &["is not a proof that can be read", words]);
    }
    home.write("huge.json", vec![b' '; (8 << 20) + 1]);
    home.run("tx verify huge.json").refused(1, &["at most 8388608 bytes"]);
}

#[test]
fn a_transaction_is_told_from_digits_and_from_files() {
    let home = Home::new();
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/vectors.json")).unwrap();
    let row = &vectors["ledger"]["transactions"][0];
    let encoded = text(&row["encoded"]);
    let from_digits = home.run(&format!("tx decode {encoded} --json")).ok().json();
    home.write("digits", format!("{encoded}\n"));
    home.write("bytes", hex::decode(&encoded).unwrap());
    for name in ["digits", "bytes"] {
        assert_eq!(home.run(&format!("tx decode {name} --json")).ok().json(), from_digits);
    }
    assert_eq!((&from_digits["txid"], &from_digits["wtxid"]), (&row["txid"], &row["wtxid"]));
    assert_eq!(number(&from_digits["bytes"]), encoded.len() as u64 / 2);
    let on_main = home.run(&format!("tx decode {encoded} --network main")).ok();
    assert!(on_main.stdout.contains("BLOOM to bloom1q"), "{}", on_main.stdout);
    home.run(&format!("tx decode {encoded}00")).refused(1, &["trailing bytes"]);
    home.run("tx decode 00").refused(1, &["not a transaction", "cut short"]);
    home.run("tx decode nowhere").refused(2, &["neither hexadecimal digits nor a file"]);
}

//! `bloom mine` makes a chain that every other command agrees about.

mod support;

use bloom_consensus::{Header, address};
use bloom_kernel::certificate_hash;
use serde_json::Value;
use support::{Finished, Home, blocks, number, text};

/// 2020-01-01, dev's genesis.
const DEV_GENESIS_TIME: u64 = 1_577_836_800;
const DEV_GENESIS: &str = "1beba1004f45f0d66dab89fcff6e0ce3b09ccaf313da52b6d3337dad0378f5f7";
/// An address of main.
const ADDRESS: &str = "bloom1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqyzd49l";

fn mined(finished: &Finished) -> Vec<Value> {
    finished.json_lines().into_iter().filter(|line| line["event"] == "block").collect()
}

#[test]
fn every_command_agrees_about_what_was_mined() {
    let home = Home::new();
    let first = home.run("mine --json --pace 0 --blocks 7 --data-dir d").ok();
    let again = home.run("mine --json --pace 0 --blocks 3 --data-dir d").ok();
    let start = again.json_lines()[0].clone();
    assert_eq!((&start["event"], number(&start["height"])), (&Value::from("start"), 7), "it goes on where it was");
    let mined: Vec<_> = mined(&first).into_iter().chain(mined(&again)).collect();
    let times: Vec<u64> = mined.iter().map(|block| number(&block["timestamp"])).collect();
    assert_eq!(times, (1..=10).map(|height| DEV_GENESIS_TIME + height).collect::<Vec<_>>(), "at pace 0, parent + 1");
    let mut expected = blocks(&mined);
    expected.insert(0, (0, DEV_GENESIS.to_owned()));
    assert!(expected.iter().map(|(height, _)| *height).eq(0..=10));

    let mut listed = blocks(&home.run("chain list --count 100 --json --data-dir d").ok().json_lines());
    listed.reverse();
    assert_eq!(listed, expected);
    let (_, hash) = expected.last().unwrap();
    let tip = home.run("chain --json --data-dir d").ok().json();
    assert_eq!((number(&tip["height"]), &text(&tip["hash"])), (10, hash));
    assert_eq!(text(&tip["work"]), (11_u64 << 22).to_string(), "eleven blocks at a quarter");
    let end = again.json_lines().pop().unwrap();
    assert_eq!((&end["event"], &end["blocks"], &text(&end["tip"])), (&Value::from("end"), &Value::from(3), hash));
    let verified = home.run("verify --json --data-dir d").ok().json();
    assert_eq!((number(&verified["height"]), &text(&verified["tip"])), (10, hash));
    assert_eq!([&verified["proofs"], &verified["bodies"], &verified["replayed"]].map(number), [11, 11, 10]);
    assert_eq!(verified["state"], tip["state"]);
}

#[test]
fn a_block_is_shown_with_its_proof_by_height_and_by_hash() {
    let home = Home::new();
    let mined = mined(&home.run("mine --json --pace 0 --blocks 2 --data-dir d").ok());
    let hash = text(&mined[1]["hash"]);
    let shown = home.run("chain show 2 --json --data-dir d").ok().json();
    assert_eq!(shown, home.run(&format!("chain --json show {hash} --data-dir d")).ok().json());
    for (shown, announced) in ["hash", "timestamp", "difficulty_q24", "bloom_end", "nonce", "extra_nonce"]
        .map(|key| (&shown[key], &mined[1][key]))
    {
        assert_eq!(shown, announced);
    }
    assert_eq!(shown["prev_hash"], mined[0]["hash"]);
    assert_eq!(shown["on_chain"], true);

    let header: [u8; 156] = hex::decode(text(&shown["header"])).unwrap().try_into().unwrap();
    let certificate: [u8; 316] = hex::decode(text(&shown["certificate"])).unwrap().try_into().unwrap();
    let header = Header::from_bytes(&header).unwrap();
    assert_eq!(header.block_hash().to_string(), hash);
    assert_eq!(header.seal.certificate_hash, certificate_hash(&certificate));
    assert_eq!(text(&shown["certificate_hash"]), hex::encode(certificate_hash(&certificate)));
    assert_eq!(shown["coinbase"]["outputs"][0]["amount"], "685410196");
}

#[test]
fn people_are_told_the_same_as_programs() {
    let home = Home::new();
    let mined = home.run("mine --pace 0 --blocks 2 --data-dir d").ok();
    assert_eq!(mined.stdout.lines().count(), 2, "{}", mined.stdout);
    assert!(mined.stderr.contains("2 blocks in ") && mined.stderr.contains("13.70820392 BLOOM"), "{}", mined.stderr);
    let hash = text(&home.run("chain tip --json --data-dir d").ok().json()["hash"]);
    for line in ["chain", "chain tip", "chain list", "chain list --count 1", "chain show 2", "verify"] {
        let said = home.run(&format!("{line} --data-dir d")).ok().stdout;
        assert!(said.contains(&hash), "{line}: {said}");
    }
    assert!(mined.stdout.lines().last().unwrap().contains(&hash));
    home.run("chain show 3 --data-dir d").refused(2, &["no block at height 3", "tip is at 2"]);
    home.run(&format!("chain show {} --data-dir d", "0".repeat(64))).refused(1, &["no block 0000", "is stored here"]);
    home.run("verify --from 3 --data-dir d").refused(2, &["--from: got height 3, expected at most", "2"]);
    assert_eq!(number(&home.run("verify --from 2 --json --data-dir d").ok().json()["proofs"]), 1);
}

#[test]
fn without_flags_it_mines_in_the_platforms_directory() {
    let home = Home::new();
    let start = home.run("mine --blocks 1 --json").ok().json_lines()[0].clone();
    let directory = text(&start["data_dir"]);
    assert!(directory.starts_with(home.path("").to_str().unwrap()) && directory.ends_with("bloomcoin/dev"));
    assert_eq!((&start["network"], number(&start["height"])), (&Value::from("dev"), 0));
    let tip = home.run("chain --json").ok().json();
    assert_eq!(number(&tip["height"]), 1);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(number(&tip["timestamp"]).abs_diff(now) < 300, "a block's time is the clock's: {tip}");
    home.run("verify").ok();
}

#[test]
fn the_environment_names_network_and_directory() {
    let home = Home::new();
    let mut command = home.bloom(["mine", "--json", "--pace", "0", "--blocks", "1"]);
    command.env("BLOOM_DATA_DIR", "elsewhere").env("BLOOM_NETWORK", "dev");
    support::Running::start(command).finish().ok();
    assert!(home.path("elsewhere/chain.redb").exists());
    let mut command = home.bloom(["chain"]);
    command.env("BLOOM_DATA_DIR", "elsewhere").env("BLOOM_NETWORK", "nowhere");
    support::Running::start(command).finish().refused(2, &["unknown network nowhere"]);
}

#[test]
fn an_address_is_paid_and_no_key_is_made() {
    let home = Home::new();
    let address = address::encode("dbloom", &address::decode("bloom", ADDRESS).unwrap()).unwrap();
    home.run(&format!("mine --pace 0 --blocks 1 --data-dir d --address {address}")).ok();
    let shown = home.run("chain show 1 --json --data-dir d").ok().json();
    assert_eq!(shown["coinbase"]["outputs"][0]["address"], address);
    assert!(!home.path("d/miner.key").exists());
}

#[test]
fn an_address_of_another_network_or_of_none_is_refused_before_anything_is_made() {
    let home = Home::new();
    for (address, words) in [
        (ADDRESS, ["another network", "got prefix bloom, expected dbloom"]),
        ("", ["--address", "not an address"]),
        ("dbloom1qgarbage", ["--address", "not an address"]),
    ] {
        let mine = home.bloom(["mine", "--blocks", "1", "--data-dir", "d", "--address", address]);
        support::Running::start(mine).finish().refused(2, &words);
    }
    assert!(!home.path("d").exists());
}

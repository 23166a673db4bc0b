//! A network of one's own, from a parameter file, with a difficulty that follows the blocks; and the clock.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::time::UNIX_EPOCH;

use bloom_consensus::Difficulty;
use bloom_consensus::difficulty::{asert_phi, golden};
use serde_json::Value;
use support::{Home, number, text};

/// The keys of a parameter file but for rule, time and nonces.
const GARDEN: &str = r#"
name = "garden"
difficulty_q24 = 16777216
min_difficulty_q24 = 4194304
text = "a garden of our own"
rpc_port = 37618
peer_port = 37617
address_prefix = "gbloom"
"#;

fn now() -> u64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Writes `garden.toml` with the nonces that `bloom genesis` finds for it.
fn plant(home: &Home, rule: &str, time: u64) {
    let keys = format!("{GARDEN}rule = \"{rule}\"\ntime = {time}\n");
    home.write("draft.toml", format!("{keys}extra_nonce = 0\nnonce = 1\n"));
    let genesis = home.run("genesis --network draft.toml --json").ok().json();
    let nonces = format!("extra_nonce = {}\nnonce = {}\n", text(&genesis["extra_nonce"]), genesis["nonce"]);
    home.write("garden.toml", keys + &nonces);
    home.run("mine --network garden.toml --blocks 0").ok();
    let tip = home.run("chain --network garden.toml --json").ok().json();
    assert_eq!(tip["hash"], genesis["network_id"], "the chain begins with that genesis");
}

fn q24(block: &Value) -> Difficulty {
    Difficulty::from_q24(text(&block["difficulty_q24"]).parse().unwrap()).unwrap()
}

/// Mines on the garden; the announced blocks.
fn mine(home: &Home, blocks: u64) -> Vec<Value> {
    let mined = home.run(&format!("mine --network garden.toml --json --blocks {blocks}")).ok();
    home.run("verify --network garden.toml").ok();
    let start = &mined.json_lines()[0];
    assert_eq!(start["network"], "garden");
    assert!(text(&start["address"]).starts_with("gbloom1"));
    mined.json_lines().into_iter().filter(|line| line["event"] == "block").collect()
}

#[test]
fn asert_phi_follows_every_block() {
    let home = Home::new();
    let genesis_time = now() - 60;
    plant(&home, "asert-phi", genesis_time);
    let blocks = mine(&home, 40);
    let mut parent_time = genesis_time;
    for (height, block) in (1..).zip(&blocks) {
        let expected = asert_phi(Difficulty::ONE, height, parent_time - genesis_time, Difficulty::MIN);
        assert_eq!(q24(block), expected, "height {height}");
        parent_time = number(&block["timestamp"]);
    }
    assert!(q24(blocks.last().unwrap()) > Difficulty::ONE, "40 blocks in less than 40 times 7 minutes");
}

#[test]
fn golden_follows_every_interval() {
    let home = Home::new();
    let genesis_time = now() - 600;
    plant(&home, "golden", genesis_time);
    let blocks = mine(&home, 125);
    assert!(blocks[..122].iter().all(|block| q24(block) == Difficulty::ONE));
    let elapsed = number(&blocks[121]["timestamp"]) - genesis_time;
    let expected = golden(Difficulty::ONE, 122, elapsed, Difficulty::MIN);
    assert!(blocks[122..].iter().all(|block| q24(block) == expected), "from height 123 on");
    assert_eq!(expected.q24(), 4 << 24, "quadrupled at most");
}

#[test]
fn networks_do_not_share_a_directory() {
    let home = Home::new();
    plant(&home, "none", 1_600_000_000);
    home.run("mine --pace 0 --blocks 1 --data-dir d").ok();
    for network in ["garden.toml", "test", "main"] {
        for command in ["mine --blocks 1", "chain", "verify", "verify --reindex"] {
            home.run(&format!("{command} --network {network} --data-dir d"))
                .refused(3, &["holds the chain of network", "choose another data directory or network"]);
        }
    }
    let tip = home.run("chain --json --data-dir d").ok().json();
    assert_eq!(number(&tip["height"]), 1, "and nothing is lost");
    let default = text(&home.run("mine --network garden.toml --blocks 1 --json").ok().json_lines()[0]["data_dir"]);
    assert!(!default.contains("dev"), "every network has its own by default: {default}");
}

#[test]
fn blocks_never_run_further_ahead_than_the_clock_allows() {
    let home = Home::new();
    home.run("mine --blocks 1 --data-dir d").ok();
    let first = number(&home.run("chain --json --data-dir d").ok().json()["timestamp"]);
    let mut mine = home.start("mine --json --pace 0 --data-dir d");
    let wait = number(&mine.event("ahead")["wait_secs"]);
    assert!((1..=840).contains(&wait), "{wait}");
    mine.signal("INT");
    mine.finish().ok();
    let tip = home.run("chain --json --data-dir d").ok().json();
    let (height, last) = (number(&tip["height"]), number(&tip["timestamp"]));
    assert_eq!(last - first, height - 1, "a second apart");
    assert!(height > 840 && last <= now() + 840, "height {height}, {last} at {}", now());

    let mut mine = home.start("mine --pace 0 --data-dir d");
    for _ in 0..2 {
        mine.line().expect("it goes on as the clock does");
    }
    mine.signal("INT");
    let said = mine.finish().ok().stderr;
    assert!(said.contains("more than 840 s ahead of the clock: waiting"), "people are told too: {said}");
}

#[test]
fn the_network_of_the_readme_can_be_mined_on() {
    let home = Home::new();
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    home.write("garden.toml", rest.split_once("```").unwrap().0);
    home.run("mine --network garden.toml --blocks 0").ok();
}

//! A reorganisation of 1 100 blocks in a process that is killed at random moments of it: what is found afterwards is the
//! one branch or the other, whole, and in the end the state is that of a fresh replay of the heavier one.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "../crates/chain/tests/common/mod.rs"]
mod common;
mod support;

use std::fs;
use std::thread;
use std::time::Duration;

use bloom_chain::{Chain, Outcome};
use bloom_consensus::Block;
use common::{DEV, Line, bulk, contended_branches, feed, replayed};
use support::{Home, Random, number, text};

/// Blocks of the branch that loses; the one that wins has one more.
const LENGTH: u64 = 1100;

fn store(home: &Home, directory: &str, blocks: &[Block]) -> Outcome {
    let mut chain = Chain::open(&home.path(directory), &DEV, bulk()).unwrap();
    let last = feed(&mut chain, blocks);
    chain.flush().unwrap();
    last
}

fn copy(home: &Home, from: &str, to: &str) {
    fs::create_dir_all(home.path(to)).unwrap();
    for name in ["chain.redb", "chain.mark"] {
        fs::copy(home.path(from).join(name), home.path(to).join(name)).unwrap();
    }
}

/// Tip and digest as `chain state` tells them.
fn state(home: &Home, directory: &str) -> (String, String) {
    let state = home.run(&format!("chain state --json --data-dir {directory}")).ok().json();
    (text(&state["hash"]), text(&state["state"]))
}

fn expected(line: &Line) -> (String, String) {
    let (tip, digest) = replayed(line);
    (tip.hash.to_string(), hex::encode(digest))
}

#[test]
fn a_kill_at_any_moment_of_a_reorganisation_of_1100_blocks_leaves_one_branch_whole() {
    let kills: u64 = std::env::var("BLOOM_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let home = Home::new();
    let (one, other) = contended_branches(LENGTH);
    let (before, after) = (expected(&one), expected(&other));
    store(&home, "one", &one.blocks);
    store(&home, "other", &other.blocks);
    home.run("chain export other.blocks --data-dir other").ok();
    // Everything but the block that tips the balance.
    copy(&home, "one", "even");
    assert_eq!(store(&home, "even", &other.blocks[151..other.blocks.len() - 1]), Outcome::SideBranch);
    assert_eq!(state(&home, "even"), before);

    const IMPORT: &str = "chain import other.blocks --json --data-dir";
    copy(&home, "even", "timed");
    let timed = home.run(&format!("{IMPORT} timed")).ok();
    assert_eq!(number(&timed.json()["taken"]), 1);
    assert_eq!(state(&home, "timed"), after);
    let moments = u64::try_from(timed.took.as_micros()).unwrap();

    let mut random = Random(22);
    for kill in 0..kills {
        // Of every four one dies on the way there, where blocks are only filed.
        let (from, directory) = (if kill % 4 == 0 { "one" } else { "even" }, format!("killed-{kill}"));
        copy(&home, from, &directory);
        let import = home.start(&format!("{IMPORT} {directory}"));
        thread::sleep(Duration::from_micros(random.below(moments)));
        import.kill().did_not_panic();
        let found = state(&home, &directory);
        assert!(found == before || found == after, "kill {kill}: {found:?}");
        home.run(&format!("{IMPORT} {directory}")).ok();
        assert_eq!(state(&home, &directory), after, "kill {kill}");
        if kill == 1 {
            home.run(&format!("verify --data-dir {directory}")).ok();
        }
        fs::remove_dir_all(home.path(&directory)).unwrap();
    }
}

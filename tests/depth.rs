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
use bloom_consensus::{Block, Transaction};
use common::{DEV, Line, bulk, feed, pay, replayed};
use support::{Home, Random, number, text};

/// Blocks of the branch that loses; the one that wins has one more.
const LENGTH: u64 = 1100;

/// Two branches from height 150 on that have transactions in common, transactions that conflict, and transactions that
/// only one of them can hold: they spend what it alone has made, or what is mature on it earlier.
fn branches() -> (Line, Line) {
    let trunk = Line::dev().grow(150, 1);
    let (mut one, mut other) = (trunk.clone(), trunk.clone());
    let common: Vec<Transaction> = (1..=8).map(|height| pay(&DEV, trunk.reward_at(height), 1, &[3, 4])).collect();
    for n in 1..=LENGTH + 1 {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        match n {
            // The same payments, in the one branch early and in the other late: they come back.
            1..=8 => ours.push(common[n as usize - 1].clone()),
            1001..=1008 => theirs.push(common[n as usize - 1001].clone()),
            // Conflicts: the same coin to one or to another.
            11..=24 => {
                ours.push(pay(&DEV, trunk.reward_at(n), 1, &[5]));
                theirs.push(pay(&DEV, trunk.reward_at(n), 1, &[6, 7]));
            }
            // Coins that only this branch has made, as soon as they are mature.
            124.. if n % 10 == 0 => {
                ours.push(pay(&DEV, one.reward_at(150 + n - 123), 8, &[5, 6]));
                theirs.push(pay(&DEV, other.reward_at(150 + n - 123), 9, &[7]));
            }
            _ => {}
        }
        if n <= LENGTH {
            one.mine(8, ours);
        }
        other.mine(9, theirs);
    }
    (one, other)
}

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
    let (one, other) = branches();
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

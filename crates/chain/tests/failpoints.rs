//! Attack 23 at every named write point: a process that dies there leaves a directory that opens by itself, verifies,
//! and has every block that was announced. And a full disk loses nothing.
#![cfg(feature = "failpoints")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use bloom_chain::failpoints::{DISK_FULL, FAILPOINTS, setup};
use bloom_chain::{AcceptError, Chain, Keep, LeafStatus, LiveChain, MempoolLimits, Options, StoreError};
use bloom_consensus::{Amount, Block, BlockHash, Coinbase, Height, Output};
use common::*;

/// A failpoint set in this process is met by all of it: its tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// What the victim is given, in this order: a reorganisation with spends, and an invalid block among it.
fn story() -> (Vec<Block>, Block) {
    let trunk = Line::dev().grow(125, 1);
    let mut one = trunk.clone();
    one.mine(2, vec![pay(&DEV, trunk.reward_at(1), 1, &[3])]);
    let mut other = trunk.clone().grow(1, 4);
    other.mine(4, vec![pay(&DEV, trunk.reward_at(2), 1, &[3, 4])]);
    let mut greedy = trunk.clone();
    let nothing = Output { amount: Amount::ZERO, key: output_key(1) };
    let time = bloom_consensus::Timestamp(trunk.tip().header.template.timestamp.0 + 1);
    let invalid =
        greedy.mine_with(time, Coinbase::new(Height(126), vec![], vec![nothing]).unwrap(), Vec::new()).clone();
    let mut blocks = one.blocks[1..].to_vec();
    blocks.extend_from_slice(&other.blocks[126..]);
    blocks.extend_from_slice(&other.clone().grow(3, 4).blocks[128..]);
    (blocks, invalid)
}

/// The process that dies: works through the story, announcing every block that it has stored, and reindexes.
#[test]
fn the_victim() {
    let Some(dir) = std::env::var_os("BLOOM_TEST_DIR").map(PathBuf::from) else { return };
    setup();
    let (blocks, invalid) = story();
    let mut chain = open(&dir);
    for (number, block) in blocks.iter().enumerate() {
        chain.accept(block, 0, NOW).unwrap();
        println!("ANNOUNCED {}", block.hash());
        if number == 125 {
            chain.accept(&invalid, 0, NOW).unwrap_err();
        }
    }
    let tip = chain.tip().hash;
    chain.invalidate(&tip).unwrap();
    chain.reconsider(&tip).unwrap();
    drop(chain);
    let mut live = LiveChain::open(&dir, &DEV, Options::default(), MempoolLimits::default(), NOW).unwrap();
    assert!(live.loaded().fault.is_none(), "a death left no half file");
    let trunk = Line::dev().grow(125, 1);
    for height in [3, 2] {
        let (outpoint, output) = trunk.reward_at(height);
        let payment = spend(&DEV, &[(outpoint, output, 1)], &[(1, output.amount.units() - 1_000)], 0);
        // The second coin is spent on the branch that won.
        assert_eq!(live.submit(payment, NOW).is_ok(), height == 3);
        live.save().unwrap();
    }
    drop(live);
    let (mut chain, _) = Chain::reindex(&dir, &DEV, Options::default(), &mut |_| {}).unwrap();
    chain.prune(Keep::LEAST, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    println!("FINISHED");
}

/// Runs the victim with an action at one point; what it announced and whether it lived.
fn run_victim(dir: &Path, actions: &str) -> (Vec<BlockHash>, bool) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_victim", "--nocapture"])
        .env("BLOOM_TEST_DIR", dir)
        .env("FAILPOINTS", actions)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let announced = said.lines().filter_map(|line| line.split_once("ANNOUNCED ")?.1.parse().ok()).collect();
    (announced, output.status.success() && said.contains("FINISHED"))
}

#[test]
fn a_kill_at_any_write_point_loses_nothing_that_was_announced() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (blocks, _) = story();
    for name in FAILPOINTS {
        let mut kills = 0;
        // The first time the point is met, and later ones.
        for skipped in [0, 1, 7, 60, 126, 300] {
            let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            let actions = if skipped == 0 { format!("{name}=return") } else { format!("{name}={skipped}*off->return") };
            let (announced, lived) = run_victim(dir.path(), &actions);
            if lived {
                break; // the point is not met as often as that
            }
            kills += 1;
            let what = format!("{actions}, {} announced", announced.len());
            let mut chain = Chain::open(dir.path(), &DEV, Options::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
            for hash in &announced {
                assert!(chain.block(hash).unwrap().is_some(), "{what}: block {hash} is gone");
            }
            verify(&mut chain, 0).unwrap_or_else(|error| panic!("{what}: {error}"));
            feed(&mut chain, &blocks);
            for leaf in chain.leaves().unwrap() {
                if leaf.status == LeafStatus::Invalidated {
                    chain.reconsider(&leaf.hash).unwrap(); // the victim died between marking and unmarking
                }
            }
            assert_eq!(chain.tip().height, Height(130), "{what}: it goes on");
        }
        assert!(kills > 0, "{name} was never met");
    }
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let line = Line::dev().grow(40, 1);
    let mut chain = open(dir.path());
    feed(&mut chain, &line.blocks[..20]);
    let before = state(&chain);
    fail::cfg(DISK_FULL, "return").unwrap();
    let error = chain.accept(&line.blocks[20], 0, NOW).unwrap_err();
    assert!(matches!(error, AcceptError::Store(StoreError::DiskFull { .. })), "{error}");
    assert!(error.to_string().contains("free some space"));
    assert_eq!(chain.tip(), before.0);
    let again = chain.accept(&line.blocks[20], 0, NOW).unwrap_err();
    assert!(matches!(again, AcceptError::Store(StoreError::Closed)), "{again}");
    drop(chain);
    fail::cfg(DISK_FULL, "off").unwrap();
    let mut chain = open(dir.path());
    assert_eq!(state(&chain), before);
    feed(&mut chain, &line.blocks[20..]);
    assert_eq!(state(&chain), replayed(&line));
}

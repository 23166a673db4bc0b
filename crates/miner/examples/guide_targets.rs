//! The design guide's performance targets, measured on this machine.
//!
//! `cargo run --release -p bloom-miner --example guide_targets`
#![expect(clippy::print_stdout, reason = "an example's answer goes to the terminal")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bloom_consensus::{Difficulty, Draft, Timestamp};
use bloom_miner::{LucasNonceGenerator, MineError, MinerConfig, StopSignal, calculate_new_difficulty, mine_block};

const BLOCKS: u32 = 25;
const CALLS: u32 = 100_000;

fn main() -> Result<(), MineError> {
    let times: Vec<u64> = (0..123).map(|i| 400 + i % 41).collect();
    let mut difficulty = Difficulty::ONE;
    let retarget = mean(CALLS, || difficulty = calculate_new_difficulty(black_box(difficulty), black_box(&times)));
    let mut generator = LucasNonceGenerator::new();
    let nonce = mean(CALLS, || {
        black_box(generator.next());
    });
    let config = MinerConfig::default();
    let began = Instant::now();
    for i in 0..BLOCKS {
        let draft = Draft::genesis(i.to_le_bytes().to_vec(), Timestamp(1), Difficulty::ONE)
            .expect("four bytes of data are at most 96");
        mine_block(&config, draft, &StopSignal::new(), |_| {})?;
    }
    let block = began.elapsed() / BLOCKS;
    println!("mine_block at difficulty 1     {block:?} on average, threads started anew each time; target 10 s");
    println!("calculate_new_difficulty       {retarget:?}; target 1 ms");
    println!("LucasNonceGenerator::next      {nonce:?}; target 10 µs");
    println!("memory of this process         {}; target 100 MB", peak_memory());
    Ok(())
}

fn mean(calls: u32, mut call: impl FnMut()) -> Duration {
    let began = Instant::now();
    (0..calls).for_each(|_| call());
    began.elapsed() / calls
}

/// The most memory that was resident, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("unknown".to_owned(), |peak| peak.trim().to_owned())
}

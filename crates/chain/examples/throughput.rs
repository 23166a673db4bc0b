//! How fast blocks are stored, verified, reindexed and opened again: `throughput [BLOCKS] [DIR]`.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use bloom_chain::{Chain, LiveChain, MempoolLimits, Options, VerifyProgress};
use bloom_consensus::reward::reward;
use bloom_consensus::{
    Ancestor, Ancestors, Block, Coinbase, Draft, Height, Output, OutputKey, Params, Timestamp, genesis,
};
use bloom_kernel::{Backend, Batch};

/// On dev every block asks the same difficulty; only the parent's time is needed.
struct Dev<'a>(&'a Params, &'a Block);

impl Ancestors for Dev<'_> {
    type Error = Infallible;

    fn at(&self, _: Height) -> Result<Ancestor, Infallible> {
        Ok(Ancestor { timestamp: self.1.header.template.timestamp, difficulty: self.0.genesis_difficulty() })
    }
}

fn mine(params: &Params, count: usize) -> Vec<Block> {
    let mut batch = Box::new(Batch::new(Backend::detect()));
    // The x coordinate of the curve's generator: a key like any other.
    let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse::<bloom_consensus::Txid>();
    let key = OutputKey(key.expect("64 hexadecimal digits").0);
    let mut blocks = vec![params.genesis.clone()];
    for height in (1..=count as u64).map(Height) {
        let parent = blocks.last().expect("genesis at least");
        let outputs = vec![Output { amount: reward(height), key }];
        let coinbase = Coinbase::new(height, Vec::new(), outputs).expect("no data");
        let time = Timestamp(parent.header.template.timestamp.0 + 1);
        let ancestors = Dev(params, parent);
        let Ok(draft) = Draft::child(params, &parent.header.as_parent(), &ancestors, time, coinbase, Vec::new());
        blocks.push(genesis::forge(draft, &mut batch));
    }
    blocks
}

fn store(name: &str, dir: &Path, params: &Params, blocks: &[Block], options: Options) {
    let mut chain = Chain::open(dir, params, options).expect("a directory to write to");
    let start = Instant::now();
    for block in blocks {
        chain.accept(block, 0, Timestamp(u64::MAX)).expect("a valid block");
    }
    chain.flush().expect("room on the disk");
    report(name, blocks.len(), start);
}

/// As catching up does: proofs were checked side by side before, and a mempool follows.
fn proven(name: &str, dir: &Path, params: &Params, blocks: &[Block], options: Options) {
    let now = Timestamp(u64::MAX);
    let open = LiveChain::open(dir, params, options, MempoolLimits::default(), now);
    let memory = LiveChain::in_memory(params, options, MempoolLimits::default());
    for (place, chain) in [("disk", open), ("memory", memory)] {
        let mut chain = chain.expect("a directory to write to");
        let start = Instant::now();
        for block in blocks {
            chain.accept_proven(block, 0, now).expect("a valid block");
        }
        chain.flush().expect("room on the disk");
        report(&format!("{name}, {place}"), blocks.len(), start);
    }
}

fn report(name: &str, blocks: usize, start: Instant) {
    let secs = start.elapsed().as_secs_f64();
    println!("{name:<40} {blocks:>8} blocks {secs:>8.3} s {:>10.0} blocks/s", blocks as f64 / secs);
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(20_000, |count| count.parse().expect("a number of blocks"));
    let dir = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from).join("bloom-throughput");
    let _ = std::fs::remove_dir_all(&dir);
    let params = Params::dev();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let blocks = mine(&params, count);
    let few = blocks.get(..count.min(2000)).expect("at most all");

    let options = Options::default();
    store("each durable", &dir.join("single"), &params, few, options);
    let bulk = Options { blocks_per_commit: 64, ..options };
    store("64 per commit", &dir.join("bulk"), &params, &blocks, bulk);
    proven("64 per commit, proven before", &dir.join("proven"), &params, &blocks, bulk);

    // Copied while it is open: what a kill would leave.
    let killed = dir.join("killed");
    let chain = Chain::open(&dir.join("bulk"), &params, options).expect("it was just written");
    std::fs::create_dir_all(&killed).expect("room on the disk");
    for name in ["chain.redb", "chain.mark"] {
        std::fs::copy(dir.join("bulk").join(name), killed.join(name)).expect("room on the disk");
    }
    drop(chain);
    let start = Instant::now();
    drop(Chain::open(&killed, &params, options).expect("it repairs itself"));
    report("opening after a kill", count, start);

    let start = Instant::now();
    let mut chain = Chain::open(&dir.join("bulk"), &params, options).expect("it was just written");
    report("opening, every page checked", count, start);
    let (start, mut phase) = (Instant::now(), [None; 3]);
    let mut progress = |progress: VerifyProgress| {
        let now = Some(start.elapsed().as_secs_f64());
        match progress {
            VerifyProgress::Proofs { .. } => phase[0] = now,
            VerifyProgress::Bodies { .. } => phase[1] = now,
            VerifyProgress::Spending { .. } => phase[2] = now,
        }
    };
    chain.verify(Height(0), threads, &mut progress, &AtomicBool::new(false)).expect("valid blocks");
    println!("verify on {threads} threads: seconds after proofs, bodies, spending: {phase:.3?}");
    drop(chain);

    let start = Instant::now();
    let (chain, _) = Chain::reindex(&dir.join("bulk"), &params, options, &mut |_| {}).expect("whole blocks");
    report("reindex", count, start);
    drop(chain);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak memory unknown"));
    let _ = std::fs::remove_dir_all(&dir);
}

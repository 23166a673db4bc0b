//! The command line.

pub(crate) mod lab;
mod node;
pub(crate) mod spending;
mod tx;
pub(crate) mod wallet;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use bloom_consensus::{Amount, Txid};
use bloom_kernel::Backend;
use clap::{Args, Parser, Subcommand, value_parser};
use clap_complete::Shell;

use self::lab::LabArgs;
pub(crate) use self::node::{NodeArgs, PeersAction, PeersArgs};
pub(crate) use self::tx::{TxAction, TxArgs};
use self::wallet::WalletArgs;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BLOOM_COMMIT"), ")");

/// Proof-of-Coherence: mine by synchronising oscillators, and verify what others mined.
#[derive(Debug, Parser)]
#[command(name = "bloom", version = VERSION, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node: chain, mempool, network and, when asked, miner
    Node(NodeArgs),
    /// Look at the peers of a node, add and ban them
    Peers(PeersArgs),
    /// Mine blocks on the chain in the data directory
    Mine(MineArgs),
    /// Check everything stored anew: proofs, bodies, spending
    Verify(VerifyArgs),
    /// Look at the chain, and choose which branches may be it
    Chain(ChainArgs),
    /// Keep keys, receive and pay
    Wallet(WalletArgs),
    /// Read a transaction, prove that it is in a block, check such a proof
    Tx(TxArgs),
    /// Look at the transactions that wait for a block
    Mempool(MempoolArgs),
    /// Measure every backend of this machine
    Bench(BenchArgs),
    /// Check or make known answers
    Vectors(VectorsArgs),
    /// Run one attempt
    Attempt(AttemptArgs),
    /// Say what to expect of a difficulty on this machine
    Estimate(EstimateArgs),
    /// Run networks of real nodes in virtual time
    Lab(LabArgs),
    /// Make a genesis block
    Genesis(GenesisArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
}

/// Which chain, and where it is kept.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The network: main, test, dev, or a parameter file
    #[arg(long, global = true, default_value = "dev", value_name = "NETWORK|FILE", env = "BLOOM_NETWORK")]
    pub(crate) network: String,
    /// Where the chain is kept [default: the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "BLOOM_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MineArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Stop after this many blocks
    #[arg(long, value_name = "N")]
    pub(crate) blocks: Option<u64>,
    /// Threads to mine with [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Drop old blocks, now and from now on: headers, coins and the last 1000 blocks stay
    #[arg(long)]
    pub(crate) prune: bool,
    /// Whom to pay [default: a key of this data directory's own]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Least seconds between two blocks [default: 1 on dev, else 0]
    #[arg(long, value_name = "SECS", value_parser = value_parser!(u32).range(0..=86_400))]
    pub(crate) pace: Option<u32>,
    /// Instruction set to use: portable, avx2 or avx512 [default: the fastest here]
    #[arg(long)]
    pub(crate) backend: Option<Backend>,
    /// Watts that this machine draws while it mines, for the estimate of energy where it cannot be measured
    #[arg(long, value_name = "W", value_parser = watts)]
    pub(crate) watts: Option<f64>,
    /// Print JSON, an object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The first height whose proof is checked; bodies and spending always are from the start
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    pub(crate) from: u64,
    /// Threads to check with [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Instruction set to use: portable, avx2 or avx512 [default: the fastest here]
    #[arg(long)]
    pub(crate) backend: Option<Backend>,
    /// Rebuild the chain file from the blocks found in it first
    #[arg(long)]
    pub(crate) reindex: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) query: Option<ChainQuery>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChainQuery {
    /// The last block of the chain (the default)
    Tip,
    /// The last blocks of the chain
    List {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u64).range(1..=100_000))]
        count: u64,
    },
    /// One block with its proof, certificate and transactions
    Show {
        /// Its height on the chain, or its hash on any branch
        #[arg(value_name = "HEIGHT|HASH")]
        block: String,
    },
    /// The last blocks of all branches: which is the chain, which were left, which are excluded and why
    Tips,
    /// The set of unspent outputs in a line: equal on two nodes if and only if they agree
    State,
    /// Write the chain into an archive, to be imported elsewhere
    Export {
        /// Where to; - for stdout. It gets its name when it is whole, until then it is FILE.unfinished
        file: PathBuf,
        /// The first height
        #[arg(long, value_name = "HEIGHT", default_value_t = 1)]
        from: u64,
    },
    /// Take the blocks of an archive, each judged by all the rules; what is here already is skipped
    Import {
        /// What `bloom chain export` wrote; - for stdin
        file: PathBuf,
    },
    /// Drop old blocks, now and from now on: headers, coins and the last blocks stay
    Prune {
        /// How many of the last blocks to keep: 1000 or more [default: as before, or 1000]
        #[arg(long, value_name = "N")]
        keep: Option<u64>,
    },
    /// Follow neither a block nor what stands on it, until told to reconsider
    Invalidate {
        /// The block's hash
        #[arg(value_name = "HASH")]
        hash: String,
    },
    /// Take an invalidation back, of the block or of one that it stands on
    Reconsider {
        /// The block's hash
        #[arg(value_name = "HASH")]
        hash: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct MempoolArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to show [default: a summary]
    #[command(subcommand)]
    pub(crate) query: Option<MempoolQuery>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MempoolQuery {
    /// All that wait, each after those that it spends from
    List,
    /// One of them
    Show {
        /// Its id
        txid: Txid,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Seconds to measure for
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = value_parser!(u32).range(1..=3_600))]
    pub(crate) seconds: u32,
    /// Threads of the batch measurements
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads)]
    pub(crate) threads: NonZeroUsize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VectorsArgs {
    #[command(subcommand)]
    pub(crate) action: VectorsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VectorsAction {
    /// Check a file of known answers, section by section
    Check {
        /// A file in the format of vectors.json
        file: PathBuf,
        /// Instruction set to check [default: every one of this machine]
        #[arg(long)]
        backend: Option<Backend>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make known answers in the same format
    Make {
        /// Any text: the same tag gives the same vectors
        #[arg(long)]
        tag: String,
        /// Rows in each section
        #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AttemptArgs {
    /// The challenge, 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    pub(crate) challenge: String,
    /// The extra nonce
    #[arg(long, value_name = "N")]
    pub(crate) extra_nonce: u64,
    /// The nonce, one of the 24 Lucas nonces
    #[arg(long, value_name = "N")]
    pub(crate) nonce: u32,
    /// The difficulty times 2^24
    #[arg(long, value_name = "N")]
    pub(crate) difficulty_q24: u128,
    /// Plot r round by round
    #[arg(long)]
    pub(crate) trace: bool,
    /// Draw phases and r to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Instruction set to use: portable, avx2 or avx512 [default: the fastest here]
    #[arg(long)]
    pub(crate) backend: Option<Backend>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// The difficulty, from 0.25 to 2^64 [default: those of the networks]
    #[arg(long, value_name = "D")]
    pub(crate) difficulty: Option<String>,
    /// Say instead how many confirmations a payment of so much deserves
    #[arg(long, value_name = "BLOOM", conflicts_with_all = ["difficulty", "threads", "watts"])]
    pub(crate) amount: Option<Amount>,
    /// The height at which that payment is in a block
    #[arg(long, value_name = "HEIGHT", default_value_t = 1, requires = "amount")]
    pub(crate) height: u64,
    /// Threads to reckon with [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Watts that this machine draws while it mines, where they cannot be measured
    #[arg(long, value_name = "W", value_parser = watts)]
    pub(crate) watts: Option<f64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GenesisArgs {
    /// The network whose rule and difficulty it is for: main, test, dev, or a parameter file
    #[arg(long, value_name = "NETWORK|FILE")]
    pub(crate) network: String,
    /// Its time, in seconds since 1970 [for a parameter file: the file's]
    #[arg(long, value_name = "SECS")]
    pub(crate) time: Option<u64>,
    /// Its text, at most 96 bytes [for a parameter file: the file's]
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Threads to search with [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where to write them; it must exist
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// More threads than a machine has cores only get in each other's way; where the system refuses them, it is too late.
const MOST_THREADS: usize = 1_024;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(threads) if threads.get() <= MOST_THREADS => Ok(threads),
        _ => Err(format!("got {text}, expected a number from 1 to {MOST_THREADS}")),
    }
}

fn watts(text: &str) -> Result<f64, String> {
    let watts: f64 = text.parse().map_err(|_| format!("got {text}, expected a number of watts"))?;
    if watts > 0.0 && watts < 1e6 {
        Ok(watts)
    } else {
        Err(format!("got {watts}, expected more than 0 and less than a million"))
    }
}

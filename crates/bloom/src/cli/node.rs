//! `bloom node` and `bloom peers`.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use bloom_kernel::Backend;
use clap::{Args, Subcommand, value_parser};

use super::{Place, threads};

/// Every flag but where the chain is may stand in the configuration file instead, under the same name.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The configuration file [default: bloom.toml in the data directory, if there is one]
    #[arg(long, value_name = "FILE", env = "BLOOM_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where to take connections, or none; may be given again [default: the network's port on all addresses]
    #[arg(long, value_name = "ADDR:PORT", env = "BLOOM_LISTEN", value_delimiter = ',')]
    pub(crate) listen: Vec<String>,
    /// A peer to connect to, and to no others but those given so
    #[arg(long, value_name = "ADDR:PORT", env = "BLOOM_CONNECT", value_delimiter = ',')]
    pub(crate) connect: Vec<String>,
    /// A peer to connect to, beside those that are found
    #[arg(long, value_name = "ADDR:PORT", env = "BLOOM_ADD_PEER", value_delimiter = ',')]
    pub(crate) add_peer: Vec<String>,
    /// A name that stands for the addresses of nodes
    #[arg(long, value_name = "HOST[:PORT]", env = "BLOOM_SEED", value_delimiter = ',')]
    pub(crate) seed: Vec<String>,
    /// Most connections that others may make [default: 64]
    #[arg(long, value_name = "N", env = "BLOOM_MAX_PEERS")]
    pub(crate) max_peers: Option<usize>,
    /// Look for nodes on this link (on dev)
    #[arg(long, value_name = "BOOL", env = "BLOOM_MDNS", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) mdns: Option<bool>,
    /// Ask the router to open the port
    #[arg(long, value_name = "BOOL", env = "BLOOM_UPNP", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) upnp: Option<bool>,
    /// Look for nodes in the distributed hash table [default: true, unless --connect]
    #[arg(long, value_name = "BOOL", env = "BLOOM_KADEMLIA", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) kademlia: Option<bool>,
    /// A SOCKS5 proxy that all connections to others go through
    #[arg(long, value_name = "ADDR:PORT", env = "BLOOM_SOCKS5")]
    pub(crate) socks5: Option<String>,
    /// Mine, too
    #[arg(long, value_name = "BOOL", env = "BLOOM_MINE", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) mine: Option<bool>,
    /// Threads to mine with [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads, env = "BLOOM_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Whom to pay [default: a key of this data directory's own]
    #[arg(long, value_name = "ADDRESS", env = "BLOOM_ADDRESS")]
    pub(crate) address: Option<String>,
    /// Least seconds between two blocks mined here [default: 1 on dev, else 0]
    #[arg(long, value_name = "SECS", value_parser = value_parser!(u32).range(0..=86_400), env = "BLOOM_PACE")]
    pub(crate) pace: Option<u32>,
    /// Mine no more after so many blocks; the node goes on
    #[arg(long, value_name = "N", env = "BLOOM_BLOCKS")]
    pub(crate) blocks: Option<u64>,
    /// Drop old blocks, now and from now on: headers, coins and the last 1000 blocks stay
    #[arg(long, value_name = "BOOL", env = "BLOOM_PRUNE", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) prune: Option<bool>,
    /// A command to run on each new tip, %s standing for its hash; no shell reads it
    #[arg(long, value_name = "CMD", env = "BLOOM_NOTIFY")]
    pub(crate) notify: Option<String>,
    /// How much to log: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL", env = "BLOOM_LOG")]
    pub(crate) log: Option<String>,
    /// Warn when fewer MiB are free where the data directory is [default: 1024]
    #[arg(long, value_name = "MIB", env = "BLOOM_DISK_WARN_MIB")]
    pub(crate) disk_warn_mib: Option<u64>,
    /// Stop when fewer MiB are free there [default: 256]
    #[arg(long, value_name = "MIB", env = "BLOOM_DISK_STOP_MIB")]
    pub(crate) disk_stop_mib: Option<u64>,
    /// Instruction set to use: portable, avx2 or avx512 [default: the fastest here]
    #[arg(long)]
    pub(crate) backend: Option<Backend>,
    /// Print what happens as JSON, an object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) action: Option<PeersAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeersAction {
    /// The peers that the node has
    List,
    /// The node in a few lines: tip, peers, mempool, bytes, memory
    Status,
    /// Have the node seek a peer
    Add {
        /// Where it is
        #[arg(value_name = "ADDR:PORT")]
        address: String,
    },
    /// Have the node seek a peer no more, and leave it
    Remove {
        /// Where it is
        #[arg(value_name = "ADDR:PORT")]
        address: String,
    },
    /// Keep an address out
    Ban {
        /// The address; of an IPv6 one its /64
        #[arg(value_name = "IP")]
        ip: IpAddr,
        /// For how long
        #[arg(long, value_name = "N", default_value_t = 24, value_parser = value_parser!(u64).range(1..=876_000))]
        hours: u64,
    },
    /// Let an address in again
    Unban {
        /// The address, or the key, as `bans` shows it
        #[arg(value_name = "IP|KEY")]
        who: String,
    },
    /// Who is kept out, and until when
    Bans,
}

//! What a transport is told, and why it does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bloom_consensus::Timestamp;
use libp2p::identity::Keypair;
use thiserror::Error;

use super::key::KeyError;
use crate::address::PeerAddr;
use crate::event::BanKey;

/// What a transport is told when it starts.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// The node's key: see [`super::node_key`].
    pub key: Keypair,
    /// Where to take connections; port 0 lets the system choose. None: takes none.
    pub listen: Vec<PeerAddr>,
    /// The network's magic, in the names of its protocols.
    pub magic: [u8; 4],
    /// What this node calls itself to others.
    pub agent: String,
    /// Most connections that others may have made. A few more are let in, for the engine to choose who gives way.
    pub max_inbound: usize,
    /// Most connections of one IPv4 address or IPv6 /64 other than the loopback.
    pub per_address: usize,
    /// Whether to look for peers on this link, and be found there.
    pub mdns: bool,
    /// Whether to ask a router to open the port; needs the feature `upnp`.
    pub upnp: bool,
    /// Whether to look for peers in the distributed hash table, and serve it.
    pub kademlia: bool,
    /// A SOCKS5 proxy that all outbound connections go through.
    pub socks5: Option<SocketAddr>,
    /// Whom to keep out from the start.
    pub bars: Vec<(BanKey, Timestamp)>,
}

impl TransportConfig {
    /// A transport that takes no connections and looks for nobody.
    #[must_use]
    pub fn new(key: Keypair, magic: [u8; 4]) -> Self {
        let engine = crate::Config::default();
        Self {
            key,
            listen: Vec::new(),
            magic,
            agent: engine.agent,
            max_inbound: engine.max_inbound,
            per_address: engine.per_address,
            mdns: false,
            upnp: false,
            kademlia: false,
            socks5: None,
            bars: Vec::new(),
        }
    }
}

/// Why a transport does not start.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The node's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {why}; {hint}")]
    Listen {
        /// Which.
        address: PeerAddr,
        /// As the system says.
        why: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// An address that is not listened on, though nothing was said against it.
    #[error("listening on {address} did not begin within {secs} s; choose another with --listen")]
    ListenSilent {
        /// Which.
        address: PeerAddr,
        /// How long was waited.
        secs: u64,
    },
    /// The runtime's threads.
    #[error("cannot start the network's threads: {0}; raise the limit on processes (ulimit -u)")]
    Threads(io::Error),
    /// Noise.
    #[error("cannot set up encryption with the node's key: {0}")]
    Noise(#[from] libp2p::noise::Error),
    /// mDNS.
    #[error("cannot look for peers on this link: {0}; go without --mdns")]
    Mdns(io::Error),
    /// This program was built without it.
    #[error("this program was built without UPnP; build it with --features upnp, or go without --upnp")]
    NoUpnp,
}

/// Where a transport's own files are.
#[must_use]
pub fn node_key_path(directory: &std::path::Path) -> PathBuf {
    directory.join("node.key")
}

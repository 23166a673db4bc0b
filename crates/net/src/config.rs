//! How an engine is told to behave.

use crate::address::PeerAddr;

/// What an engine's operator may choose.
#[derive(Clone, Debug)]
pub struct Config {
    /// What this node calls itself to others.
    pub agent: String,
    /// The port that others reach this node at; none if it takes no connections.
    pub listen_port: Option<u16>,
    /// Most connections that others may have made.
    pub max_inbound: usize,
    /// Connections that this node seeks, by its own choice among the addresses it knows.
    pub outbound: usize,
    /// Peers that are always sought, beside those that the engine chooses.
    pub added: Vec<PeerAddr>,
    /// If there are any, the only peers that are sought.
    pub connect: Vec<PeerAddr>,
    /// Whether addresses that only this machine or this site can reach are good: on dev networks.
    pub allow_local: bool,
    /// Most connections of one address, if it is not this machine's.
    pub per_address: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            agent: format!("bloom/{}", env!("CARGO_PKG_VERSION")),
            listen_port: None,
            max_inbound: 64,
            outbound: 8,
            added: Vec::new(),
            connect: Vec::new(),
            allow_local: false,
            per_address: 3,
        }
    }
}

//! The socket in the data directory through which other commands ask a running node: one JSON line there, one back.
//!
//! Only the node's user can open it (mode 0600). A request is a [`Request`]; an answer is an object with either `error`, a
//! text, or what [`Request`] says.

pub(crate) mod answer;
mod client;
mod server;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use client::{ControlError, ask, is_served};
pub(crate) use server::Server;

/// The socket's name in a data directory.
pub const SOCKET: &str = "node.sock";

/// The longest transaction in hexadecimal digits, and what is around it.
const MAX_REQUEST_BYTES: u64 = (2 << 20) + 4096;
/// A list of all bans is the longest answer.
const MAX_ANSWER_BYTES: u64 = 4 << 20;
/// A line must have come, or gone, within this.
const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// What a node may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Tip, headers, peers, mempool and memory: an object.
    Status,
    /// `peers`: a list of objects.
    Peers,
    /// Seek a peer; `added`: whether there was room.
    Add {
        /// Where, with its port.
        address: String,
    },
    /// Seek a peer no more; `removed`: whether it was sought.
    Remove {
        /// Where, with its port.
        address: String,
    },
    /// Keep an address out; `until`: when that ends.
    Ban {
        /// Whom.
        ip: IpAddr,
        /// For so many seconds.
        secs: u64,
    },
    /// Let somebody in again; `unbanned`: whether he was kept out.
    Unban {
        /// An IP address, or the 64 digits of a peer's key.
        who: String,
    },
    /// `bans`: a list of objects.
    Bans,
    /// Take a transaction and pass it on; `txid`, `fee` and whether it was `known`.
    Submit {
        /// In hexadecimal digits.
        transaction: String,
    },
    /// Mine some blocks more, where the node was told to mine a number of them; `left`: how many that makes.
    Mine {
        /// How many.
        blocks: u64,
    },
    /// End.
    Stop,
}

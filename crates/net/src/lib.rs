//! The network: what nodes say to each other, and what a node decides about it.
//!
//! - [`Engine`] is the node's behaviour as a state machine without sockets, clocks or threads: events and the time go in,
//!   actions come out, and the same seed and events give the same actions to the byte. It owns the chain and its mempool.
//! - [`wire`] holds the messages with their bounds; [`event`] what the engine hears and does; [`address`] who is where,
//!   [`book`] which of them are known.
//! - `transport` carries it over libp2p; a simulator carries it through virtual time.
//!
//! The design, with every bound and what each event may cost, is `docs/network.md`.

pub mod address;
pub mod book;
mod config;
mod engine;
pub mod event;
mod fault;
mod hub;
mod peers;
mod relay;
mod sync;
#[cfg(test)]
mod testing;
#[cfg(feature = "transport")]
pub mod transport;
pub mod wire;

pub use address::{NetGroup, PeerAddr};
pub use book::Book;
pub use config::Config;
pub use engine::{Engine, PeerInfo, Status};
pub use event::{Action, Event, Now};
pub use fault::{BAN_SCORE, Fault};
pub use peers::{BAN_SECS, Ban, BanError, MAX_BANS};

//! Who carries an engine's messages: libp2p in a node, a queue in tests.

use std::sync::Arc;

use bloom_net::event::ConnId;
use bloom_net::{Action, PeerAddr};

/// What the engine's thread needs of whoever carries its messages. What comes in arrives through a channel.
pub trait Carrier: Send {
    /// Does what the engine wants done: anything but [`Action::Prove`] and [`Action::Tell`]. It does not wait for it.
    fn perform(&self, action: Action);

    /// What it tells of itself.
    fn traffic(&self) -> Arc<dyn Traffic>;

    /// Closes everything, within a second or so.
    fn stop(self: Box<Self>);
}

/// What a carrier tells of itself, to any thread.
pub trait Traffic: Send + Sync {
    /// Bytes received from and sent to each connection so far.
    fn traffic(&self) -> Vec<(ConnId, u64, u64)>;

    /// Where connections are taken.
    fn listening(&self) -> Vec<PeerAddr>;
}

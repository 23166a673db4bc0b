//! Who was let go for stalling: it may come back at once, but not to hold everybody up again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{BanKey, ConnId};
use crate::hub::Hub;

/// How long whoever was let go for stalling is asked for no body, come back as often as it may.
const REST: Duration = Duration::from_secs(120);
/// Stallers remembered; the oldest goes.
const MOST_RESTING: usize = 64;

/// Stallers, and until when each rests, the soonest first.
#[derive(Debug, Default)]
pub(super) struct Resting(VecDeque<(BanKey, Duration)>);

impl Resting {
    pub(super) fn put(&mut self, hub: &Hub, peer: ConnId) {
        let Some(key) = key(hub, peer) else { return };
        self.0.retain(|(other, _)| *other != key);
        if self.0.len() >= MOST_RESTING {
            self.0.pop_front();
        }
        self.0.push_back((key, hub.now.elapsed + REST));
    }

    /// When a peer may be asked for bodies.
    pub(super) fn until(&self, hub: &Hub, peer: ConnId) -> Duration {
        let key = key(hub, peer);
        let rests = self.0.iter().find(|(resting, _)| Some(*resting) == key);
        rests.map_or(hub.now.elapsed, |(_, until)| hub.now.elapsed.max(*until))
    }
}

fn key(hub: &Hub, peer: ConnId) -> Option<BanKey> {
    hub.peers.get(peer).map(crate::peers::Peer::ban_key)
}

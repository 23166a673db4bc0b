//! What peers say the time is: told to the operator when it is another than here, and nothing else (attacks 13).

use std::time::Duration;

use super::{Peers, Role};
use crate::event::Report;
use crate::hub::Hub;

/// A difference of the median that is worth a line.
const SKEW_SECS: u64 = 60;
/// Of how many peers at least.
const QUORUM: usize = 3;
/// How long nothing more is said of it.
const SILENCE: Duration = Duration::from_secs(3_600);

/// When the clock was last spoken of.
#[derive(Debug, Default)]
pub(super) struct Clock {
    told: Option<Duration>,
}

impl Clock {
    /// Compares clocks when a peer was let in.
    pub(super) fn compare(&mut self, hub: &mut Hub) {
        let now = hub.now.elapsed;
        let Some(ahead_secs) = median(&hub.peers).filter(|ahead| ahead.unsigned_abs() > SKEW_SECS) else { return };
        if self.told.is_none_or(|told| now >= told + SILENCE) {
            self.told = Some(now);
            hub.tell(Report::ClockSkew { ahead_secs });
        }
    }
}

/// How far this clock is ahead of the median of those that were chosen or given, not of those that came.
fn median(peers: &Peers) -> Option<i64> {
    let chosen = peers.joined().filter(|(_, peer)| matches!(peer.role, Role::Slot | Role::Given));
    let mut ahead: Vec<i64> = chosen.map(|(_, peer)| peer.ahead_secs).collect();
    ahead.sort_unstable();
    (ahead.len() >= QUORUM).then(|| ahead[ahead.len() / 2])
}

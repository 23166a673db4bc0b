//! Peers that this node had chosen and that are gone without its doing: it may be the network that was cut, so they are
//! sought again soon, and ever less often the longer they are away.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::PeerAddr;

/// Most of them; the one that has been away longest is given up first.
const MOST_LOST: usize = 32;
/// An address is tried again after an eighth of the time that it has been away, between these.
const SHARE: u32 = 8;
const LEAST_WAIT: Duration = Duration::from_secs(4);
const MOST_WAIT: Duration = Duration::from_secs(60);
/// For how long.
const GIVEN_UP: Duration = Duration::from_secs(6 * 3_600);

/// Who was lost: since when, and when to try next.
#[derive(Debug, Default)]
pub(super) struct Lost {
    peers: BTreeMap<PeerAddr, (Duration, Duration)>,
}

impl Lost {
    pub(super) fn add(&mut self, now: Duration, address: PeerAddr) {
        self.peers.insert(address, (now, now + LEAST_WAIT));
        if self.peers.len() > MOST_LOST {
            let oldest = self.peers.iter().min_by_key(|(_, (since, _))| *since).map(|(address, _)| *address);
            oldest.map(|address| self.peers.remove(&address));
        }
    }

    /// Somebody is there.
    pub(super) fn found(&mut self, address: &PeerAddr) {
        self.peers.remove(address);
    }

    /// Whom to try now; each is due again later.
    pub(super) fn due(&mut self, now: Duration) -> Vec<PeerAddr> {
        self.peers.retain(|_, (since, _)| now < *since + GIVEN_UP);
        let mut due = Vec::new();
        for (address, (since, next)) in &mut self.peers {
            if *next <= now {
                *next = now + (now.saturating_sub(*since) / SHARE).clamp(LEAST_WAIT, MOST_WAIT);
                due.push(*address);
            }
        }
        due
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.peers.values().map(|(_, next)| *next).min()
    }
}

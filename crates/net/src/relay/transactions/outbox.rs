//! What each peer is to be told of, and when: in batches at random times, so that who had a transaction first is not plain.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bloom_chain::mempool::policy::MAX_TRANSACTION_BYTES;
use bloom_chain::{Mempool, MempoolEntry};
use bloom_consensus::Wtxid;
use bloom_kernel::fixed::log2_q32;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::event::{ConnId, Direction};
use crate::relay::recent::Recent;
use crate::wire::MAX_TRANSACTIONS_ANNOUNCED;

/// Transactions that a peer is known to have.
pub(crate) const TRANSACTIONS_KNOWN: usize = 5_000;
/// Transactions that a peer is yet to be told of; those that came first are dropped.
pub(crate) const MOST_QUEUED: usize = 5_000;
/// The mean time between two batches to a peer that this node chose.
pub(crate) const MEAN_OUTBOUND: Duration = Duration::from_millis(500);
/// The same to those that chose this node, all of which have one clock: who has several connections learns no more by it.
pub(crate) const MEAN_INBOUND: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Peer {
    direction: Direction,
    has: Recent<Wtxid>,
    queue: VecDeque<Wtxid>,
    /// To be told of all that waits, first.
    is_new: bool,
    next: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    peers: BTreeMap<ConnId, Peer>,
    next_inbound: Duration,
}

impl Outbox {
    pub(crate) fn joined(&mut self, peer: ConnId, direction: Direction, now: Duration, random: &mut ChaCha8Rng) {
        let next = Some(self.draw(direction, now, random));
        let has = Recent::new(TRANSACTIONS_KNOWN);
        self.peers.insert(peer, Peer { direction, has, queue: VecDeque::new(), is_new: true, next });
    }

    pub(crate) fn left(&mut self, peer: ConnId) {
        self.peers.remove(&peer);
    }

    pub(crate) fn has(&mut self, peer: ConnId, wtxid: Wtxid) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.has.insert(wtxid);
        }
    }

    /// Everybody that does not have it is to be told.
    pub(crate) fn announce(&mut self, wtxid: Wtxid, now: Duration, random: &mut ChaCha8Rng) {
        let lacks = self.peers.iter().filter(|(_, peer)| !peer.has.contains(&wtxid));
        let lacks: Vec<_> = lacks.map(|(peer, _)| *peer).collect();
        self.queue(&lacks, wtxid, now, random);
    }

    fn queue(&mut self, peers: &[ConnId], wtxid: Wtxid, now: Duration, random: &mut ChaCha8Rng) {
        for peer in peers {
            let Some(direction) = self.peers.get(peer).map(|peer| peer.direction) else { continue };
            let is_idle = self.peers.get(peer).is_some_and(|peer| peer.next.is_none());
            let next = is_idle.then(|| self.draw(direction, now, random));
            let Some(peer) = self.peers.get_mut(peer) else { continue };
            peer.next = peer.next.or(next);
            peer.queue.push_back(wtxid);
            if peer.queue.len() > MOST_QUEUED {
                peer.queue.pop_front();
            }
        }
    }

    /// When the next batch is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.peers.values().filter_map(|peer| peer.next).min()
    }

    /// The batches that are due: what still waits, of what the peer does not have.
    pub(crate) fn due(
        &mut self,
        mempool: &Mempool,
        now: Duration,
        random: &mut ChaCha8Rng,
    ) -> Vec<(ConnId, Vec<Wtxid>)> {
        let due = self.peers.iter().filter(|(_, peer)| peer.next.is_some_and(|next| next <= now));
        let due: Vec<_> = due.map(|(peer, _)| *peer).collect();
        let mut batches = Vec::new();
        for id in due {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if std::mem::take(&mut peer.is_new) {
                let best = mempool.best_first().map(|entry: &MempoolEntry| entry.transaction().wtxid());
                peer.queue = best.take(MOST_QUEUED).collect();
            }
            let batch = peer.take_batch(mempool);
            let (is_empty, direction) = (peer.queue.is_empty(), peer.direction);
            let next = if is_empty { None } else { Some(self.draw(direction, now, random)) };
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.next = next;
            }
            if !batch.is_empty() {
                batches.push((id, batch));
            }
        }
        batches
    }

    fn draw(&mut self, direction: Direction, now: Duration, random: &mut ChaCha8Rng) -> Duration {
        match direction {
            Direction::Outbound => now + exponential(random, MEAN_OUTBOUND),
            Direction::Inbound => {
                if self.next_inbound <= now {
                    self.next_inbound = now + exponential(random, MEAN_INBOUND);
                }
                self.next_inbound
            }
        }
    }
}

impl Peer {
    fn take_batch(&mut self, mempool: &Mempool) -> Vec<Wtxid> {
        let mut batch = Vec::new();
        while batch.len() < MAX_TRANSACTIONS_ANNOUNCED
            && let Some(wtxid) = self.queue.pop_front()
        {
            if mempool.get_by_witness(&wtxid).is_some_and(is_relayed) && self.has.insert(wtxid) {
                batch.push(wtxid);
            }
        }
        batch
    }
}

/// Whether others are told of what waits: one that came back from a block may be longer than any that is taken.
pub(crate) fn is_relayed(entry: &MempoolEntry) -> bool {
    entry.bytes() <= MAX_TRANSACTION_BYTES
}

/// A time drawn so that what has been waited for says nothing about what is left: mean·−ln(u), in integers.
fn exponential(random: &mut ChaCha8Rng, mean: Duration) -> Duration {
    /// ln 2 in Q32.
    const LN_2: u128 = 2_977_044_471;
    let drawn = u128::from(random.next_u64() | 1);
    let log2 = (64_i64 << 32).saturating_sub(log2_q32(drawn)); // −log2(u), between 0 and 64
    let nanos = (mean.as_nanos() * u128::from(log2.unsigned_abs()) * LN_2) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    /// Of 10 000 the mean is within 3 %, and 1/e of them are above it.
    #[test]
    fn times_between_batches_are_exponential() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mean = Duration::from_secs(1);
        let times: Vec<_> = (0..10_000).map(|_| exponential(&mut random, mean)).collect();
        let total: Duration = times.iter().sum();
        assert!((9_700..10_300).contains(&total.as_secs()), "{total:?}");
        let above = times.iter().filter(|time| **time > mean).count();
        assert!((3_500..3_860).contains(&above), "{above}");
    }
}

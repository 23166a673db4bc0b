//! What catching up knows of each peer.

use std::collections::VecDeque;
use std::time::Duration;

use bloom_consensus::{BlockHash, Header};

use crate::event::{ConnId, JobId, RequestId};

/// Headers of a peer that were not all judged yet: one message at most.
#[derive(Debug)]
pub(super) struct Batch {
    /// Those that wait, in order, each on the one before.
    pub(super) waiting: VecDeque<(BlockHash, Header)>,
    /// The job that checks the proofs of those before.
    pub(super) job: Option<JobId>,
    /// Whether the peer has more to show after these.
    pub(super) more: bool,
}

/// Headers whose proofs are being checked.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) peer: ConnId,
    pub(super) slice: Vec<(BlockHash, Header)>,
}

/// A request for headers on its way.
#[derive(Debug)]
pub(super) struct HeadersAsked {
    pub(super) id: RequestId,
    /// What the answer must stand on.
    pub(super) locator: Vec<BlockHash>,
}

/// A peer that was let in.
#[derive(Debug)]
pub(super) struct Source {
    /// The last header that it has shown, if that is in the tree.
    pub(super) best: Option<BlockHash>,
    /// Whether it may have headers that it was not asked for yet.
    pub(super) has_more: bool,
    /// Whether what is under way was asked for because it may have more.
    pub(super) leads: bool,
    /// Whether its last answer was full.
    pub(super) climbs: bool,
    /// Since it last delivered: how often it was asked whether it has the branch that is followed.
    pub(super) probes: u32,
    pub(super) asked: Option<HeadersAsked>,
    pub(super) batch: Option<Batch>,
    /// It is not asked for headers, nor are its headers judged, before then.
    pub(super) headers_after: Duration,
    /// When it was last asked for headers.
    pub(super) asked_at: Duration,
    /// It is not asked for bodies before then.
    pub(super) bodies_after: Duration,
    /// Requests for bodies that it may have at a time: fewer when it was slow, more when it answers.
    pub(super) allowance: usize,
    /// When it last delivered bodies.
    pub(super) delivered: Option<Duration>,
    /// How often it held everybody up.
    pub(super) stalls: u32,
    /// How often it was busy since it last delivered.
    pub(super) refusals: u32,
    /// How often it did not have what it had shown the headers of.
    pub(super) misses: u32,
}

impl Source {
    pub(super) fn new(has_more: bool, now: Duration) -> Self {
        Self {
            best: None,
            has_more,
            leads: false,
            climbs: false,
            probes: 0,
            asked: None,
            batch: None,
            headers_after: now,
            asked_at: now,
            bodies_after: now,
            allowance: 2,
            delivered: None,
            stalls: 0,
            refusals: 0,
            misses: 0,
        }
    }

    /// Whether headers of it are under way.
    pub(super) fn is_busy(&self) -> bool {
        self.asked.is_some() || self.batch.is_some()
    }
}

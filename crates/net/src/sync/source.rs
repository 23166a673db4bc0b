//! What catching up knows of each peer.

use std::collections::VecDeque;
use std::time::Duration;

use bloom_consensus::{BlockHash, Header, Height, Timestamp, Work};

use crate::event::{ConnId, JobId, Now, RequestId};

/// How long a peer waits that was asked for headers in vain, the first time.
const PAUSE: Duration = Duration::from_secs(1);

/// Who did not have what it showed is asked again after this time at the latest.
const LONGEST_REST: Duration = Duration::from_secs(600);
/// Who held nobody up for so long begins anew.
const STALLS_FORGIVEN: Duration = Duration::from_secs(600);

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
    /// The most proven work of a header that it has shown, and that it was not found to lack since.
    pub(super) shown: Work,
    /// When it last showed more than before.
    pub(super) advanced: Option<Duration>,
    /// How often since then it was asked for headers in vain.
    pub(super) barren: u32,
    /// The highest header on the chain, or filed beside it, that it has shown in a full answer of known ones: so one whose branch
    /// leaves the chain far below the tip is asked on from there.
    pub(super) walked: Option<(Height, BlockHash)>,
    /// Whether its last answer took it higher than before.
    pub(super) walks: bool,
    /// Announcements that did not connect and came to nothing.
    pub(super) unconnected: u32,
    /// Its next headers are ahead of the clock until then.
    pub(super) ahead_until: Option<Timestamp>,
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
    /// How often it held everybody up of late, and when it last did.
    pub(super) stalls: u32,
    pub(super) stalled_at: Duration,
    /// How often it was busy since it last delivered.
    pub(super) refusals: u32,
    /// How often since it last delivered it did not have what it had shown the headers of.
    pub(super) misses: u32,
    /// What it shows is not followed before then.
    pub(super) rests_until: Duration,
}

impl Source {
    pub(super) fn new(has_more: bool, now: Duration) -> Self {
        Self {
            best: None,
            has_more,
            leads: false,
            climbs: false,
            shown: Work::ZERO,
            advanced: None,
            barren: 0,
            walked: None,
            walks: false,
            unconnected: 0,
            ahead_until: None,
            probes: 0,
            asked: None,
            batch: None,
            headers_after: now,
            asked_at: now,
            bodies_after: now,
            allowance: 2,
            delivered: None,
            stalls: 0,
            stalled_at: now,
            refusals: 0,
            misses: 0,
            rests_until: now,
        }
    }

    /// It has shown a proven header as its own.
    pub(super) fn shows(&mut self, hash: BlockHash, work: Work, now: Duration) {
        self.best = Some(hash);
        self.walked = None;
        if work > self.shown {
            self.shown = work;
            self.advanced = Some(now);
            (self.barren, self.unconnected) = (0, 0);
        }
    }

    /// It has shown a header that the chain has filed.
    pub(super) fn walk_to(&mut self, hash: BlockHash, height: Height) {
        if self.walked.is_none_or(|(highest, _)| height > highest) {
            self.walked = Some((height, hash));
            self.walks = true;
        }
    }

    /// It was asked for headers in vain: others come first, and it waits ever longer.
    pub(super) fn brought_nothing(&mut self, now: Duration) {
        self.headers_after = self.headers_after.max(now + PAUSE * (1 << self.barren.min(6)));
        self.barren = self.barren.saturating_add(1);
    }

    /// It did not have what it had shown the headers of: it may have it later, and is asked ever more rarely.
    pub(super) fn missed(&mut self, now: Duration) {
        // What it was asked for beside that says nothing more.
        if self.is_usable(now) {
            self.rests_until = now + (PAUSE * (1 << self.misses.min(10))).min(LONGEST_REST);
            self.misses = self.misses.saturating_add(1);
        }
        self.allowance = 1;
        self.disown();
        self.headers_after = self.headers_after.max(self.rests_until);
        self.bodies_after = self.bodies_after.max(self.rests_until);
    }

    /// What it has shown counts no more: it is asked for it again.
    pub(super) fn disown(&mut self) {
        self.best = None;
        self.shown = Work::ZERO;
        self.has_more = true;
    }

    /// Whether what it shows may be followed.
    pub(super) fn is_usable(&self, now: Duration) -> bool {
        self.rests_until <= now
    }

    /// It held everybody up; how often it did of late.
    pub(super) fn stalled(&mut self, now: Duration) -> u32 {
        if now >= self.stalled_at + STALLS_FORGIVEN {
            self.stalls = 0;
        }
        self.stalled_at = now;
        self.stalls += 1;
        self.stalls
    }

    /// When it was asked for headers, or showed more.
    pub(super) fn lively_at(&self) -> Duration {
        self.advanced.map_or(self.asked_at, |at| at.max(self.asked_at))
    }

    /// Whether it may be asked for headers.
    pub(super) fn may_be_asked(&self, now: Now) -> bool {
        let is_ahead = self.ahead_until.is_some_and(|until| until > now.unix);
        !self.is_busy() && self.headers_after <= now.elapsed && !is_ahead
    }

    /// Whether headers of it are under way.
    pub(super) fn is_busy(&self) -> bool {
        self.asked.is_some() || self.batch.is_some()
    }
}

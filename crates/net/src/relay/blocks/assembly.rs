//! A block on its way in: whose header is proven, who has announced it, and whom to ask for what is missing next.

use std::collections::BTreeSet;
use std::time::Duration;

use bloom_consensus::{BlockHash, Header};

use crate::event::{ConnId, RequestId};
use crate::relay::compact::Partial;
use crate::wire::Request;

/// How long a compact block may take before the next announcer is asked.
const COMPACT_WITHIN: Duration = Duration::from_secs(2);
/// How long transactions or a whole block may take: up to a mebibyte.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// Who is slow has company after this: a second is asked beside it, so that a liar in front costs no more.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// Requests under way for one block.
pub(crate) const MOST_PENDING: usize = 2;
/// Who has announced a block and has no body yet is asked again after this.
pub(crate) const AGAIN_AFTER: Duration = Duration::from_millis(60);
/// And no more often than this, for one block.
pub(crate) const MOST_AGAIN: u32 = 30;
/// Announcers remembered of a block.
pub(crate) const MOST_ANNOUNCERS: usize = 16;
/// Compact copies of one block that are held against the mempool.
pub(crate) const MOST_COPIES: usize = 4;

/// What of a block is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Its short ids.
    Compact,
    /// What is missing beside the mempool.
    Missing,
    /// All of it.
    Whole,
}

/// Who has announced a block.
#[derive(Clone, Debug)]
struct Announcer {
    peer: ConnId,
    /// What it did not answer well.
    failed: BTreeSet<Part>,
    /// How often it had no body yet.
    not_yet: u32,
    /// Not to be asked before.
    again_at: Duration,
}

/// Whom to ask next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// This peer for this part.
    Ask(ConnId, Part),
    /// Nobody before then, or before somebody answers.
    Wait(Option<Duration>),
    /// Nobody: all have failed.
    GiveUp,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) peer: ConnId,
    pub(crate) part: Part,
    since: Duration,
    /// The copy that the missing ones are of.
    copy: usize,
}

/// A block that is being put together.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) header: Header,
    /// Who announced it first.
    pub(crate) source: ConnId,
    announcers: Vec<Announcer>,
    pending: Vec<Pending>,
    /// What is asked for now.
    part: Part,
    /// What is here of it, and who sent the short ids.
    pub(crate) partial: Option<(Partial, ConnId)>,
    copies: usize,
    partial_copy: usize,
    /// To be looked at again then.
    pub(crate) due: Option<Duration>,
}

impl Assembly {
    pub(crate) fn new(header: Header, peer: ConnId) -> Self {
        let mut assembly = Self {
            header,
            source: peer,
            announcers: Vec::new(),
            pending: Vec::new(),
            part: Part::Compact,
            partial: None,
            copies: 0,
            partial_copy: 0,
            due: None,
        };
        assembly.announced_by(peer);
        assembly
    }

    /// Who is asked first, of those that are still there.
    pub(crate) fn first(&self) -> Option<ConnId> {
        self.announcers.first().map(|announcer| announcer.peer)
    }

    /// Another has it. If copies had come to nothing so far, it may have one that does not.
    pub(crate) fn announced_by(&mut self, peer: ConnId) {
        let is_new = self.announcers.iter().all(|announcer| announcer.peer != peer);
        if is_new && self.announcers.len() < MOST_ANNOUNCERS {
            let again_at = Duration::ZERO;
            self.announcers.push(Announcer { peer, failed: BTreeSet::new(), not_yet: 0, again_at });
            if self.part == Part::Whole {
                self.part = Part::Compact;
            }
        }
    }

    /// A peer is gone; whether it was being asked.
    pub(crate) fn left(&mut self, peer: ConnId) -> bool {
        self.announcers.retain(|announcer| announcer.peer != peer);
        let before = self.pending.len();
        self.pending.retain(|pending| pending.peer != peer);
        self.pending.len() < before
    }

    /// A part was asked for.
    pub(crate) fn asked(&mut self, id: RequestId, peer: ConnId, part: Part, now: Duration) {
        self.pending.push(Pending { id, peer, part, since: now, copy: self.partial_copy });
    }

    /// What was asked for by this number; it is not under way any more.
    pub(crate) fn answered(&mut self, id: RequestId) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.id == id)?;
        Some(self.pending.remove(at))
    }

    /// What is here of the copy that a request was about, if it is still the one.
    pub(crate) fn partial_of(&self, pending: &Pending) -> Option<Partial> {
        let (partial, _) = self.partial.as_ref().filter(|_| pending.copy == self.partial_copy)?;
        Some(partial.clone())
    }

    /// Whether a peer's compact copy may be held against the mempool; counted if so.
    pub(crate) fn may_try_copy(&mut self, from: ConnId) -> bool {
        self.failed(from, Part::Compact);
        self.copies += 1;
        self.copies <= MOST_COPIES
    }

    /// Transactions of a compact copy are missing; whoever sent it is asked first.
    pub(crate) fn is_partial(&mut self, partial: Partial, from: ConnId) {
        self.partial = Some((partial, from));
        self.partial_copy = self.copies;
        self.part = Part::Missing;
        if let Some(at) = self.announcers.iter().position(|announcer| announcer.peer == from) {
            let announcer = self.announcers.remove(at);
            self.announcers.insert(0, announcer);
        }
    }

    /// What was put together is not the block: short ids collided, or somebody lied. Another's copy has another salt.
    pub(crate) fn is_not_it(&mut self) {
        self.partial = None;
        self.part = Part::Compact;
    }

    /// A peer has no body yet, and is asked again shortly, but not for ever.
    pub(crate) fn not_yet(&mut self, peer: ConnId, part: Part, now: Duration) {
        let Some(announcer) = self.announcers.iter_mut().find(|announcer| announcer.peer == peer) else { return };
        announcer.not_yet += 1;
        announcer.again_at = now + AGAIN_AFTER;
        if announcer.not_yet > MOST_AGAIN {
            self.failed(peer, part);
        }
    }

    /// A peer did not give what it was asked for. If it does not complete its own copy, that is not believed either.
    pub(crate) fn failed(&mut self, peer: ConnId, part: Part) {
        if let Some(announcer) = self.announcers.iter_mut().find(|announcer| announcer.peer == peer) {
            announcer.failed.insert(part);
        }
        if part == Part::Missing && self.partial.as_ref().is_some_and(|(_, from)| *from == peer) {
            self.is_not_it();
        }
    }

    /// Whom to ask for what. When nobody is left for the parts of a copy, another copy is asked for; when there is none, the
    /// whole block.
    pub(crate) fn next(&mut self, now: Duration) -> Step {
        let patient_until = self.pending.last().map(|pending| pending.since + PATIENCE);
        if self.pending.len() >= MOST_PENDING {
            return Step::Wait(None);
        }
        if patient_until.is_some_and(|until| until > now) {
            return Step::Wait(patient_until);
        }
        loop {
            let is_free = |peer| self.pending.iter().all(|pending| pending.peer != peer);
            let able = self.announcers.iter().filter(|one| !one.failed.contains(&self.part) && is_free(one.peer));
            // The first that may be asked now, or else the one whose time comes first.
            let next = able.min_by_key(|announcer| announcer.again_at.max(now));
            match (next, self.part) {
                (Some(announcer), part) if announcer.again_at <= now => return Step::Ask(announcer.peer, part),
                (Some(announcer), _) => return Step::Wait(Some(announcer.again_at)),
                (None, _) if !self.pending.is_empty() => return Step::Wait(None),
                (None, Part::Missing) => self.is_not_it(),
                (None, Part::Compact) => self.part = Part::Whole,
                (None, Part::Whole) => return Step::GiveUp,
            }
        }
    }

    /// The request for a part, and how long its answer may take.
    pub(crate) fn request(&self, hash: BlockHash, part: Part) -> (Request, Duration) {
        match part {
            Part::Compact => (Request::Compact { hash }, COMPACT_WITHIN),
            Part::Missing => {
                let positions = self.partial.as_ref().map(|(partial, _)| partial.missing()).unwrap_or_default();
                (Request::BlockTransactions { hash, positions }, BODY_WITHIN)
            }
            Part::Whole => (Request::Blocks { hashes: vec![hash] }, BODY_WITHIN),
        }
    }
}

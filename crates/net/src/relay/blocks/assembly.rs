//! A block on its way in: whose header is proven, who has announced it, and whom to ask for what is missing next.

use std::time::Duration;

use bloom_consensus::{BlockHash, Header};

use crate::event::{ConnId, RequestId};
use crate::relay::compact::Partial;
use crate::wire::Request;

/// How long an answer may take before the next announcer is asked.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
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
    failed: Vec<Part>,
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
    /// Nobody before then.
    Wait(Duration),
    /// Nobody: all have failed.
    GiveUp,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) peer: ConnId,
    pub(crate) part: Part,
}

/// A block that is being put together.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) header: Header,
    /// Who announced it first.
    pub(crate) source: ConnId,
    announcers: Vec<Announcer>,
    pub(crate) pending: Option<Pending>,
    /// What is asked for now.
    part: Part,
    pub(crate) partial: Option<Partial>,
    copies: usize,
    /// To be looked at again then.
    pub(crate) due: Option<Duration>,
}

impl Assembly {
    pub(crate) fn new(header: Header, peer: ConnId) -> Self {
        let mut assembly = Self {
            header,
            source: peer,
            announcers: Vec::new(),
            pending: None,
            part: Part::Compact,
            partial: None,
            copies: 0,
            due: None,
        };
        assembly.announced_by(peer);
        assembly
    }

    /// Who is asked first, of those that are still there.
    pub(crate) fn first(&self) -> Option<ConnId> {
        self.announcers.first().map(|announcer| announcer.peer)
    }

    pub(crate) fn announced_by(&mut self, peer: ConnId) {
        let is_new = self.announcers.iter().all(|announcer| announcer.peer != peer);
        if is_new && self.announcers.len() < MOST_ANNOUNCERS {
            self.announcers.push(Announcer { peer, failed: Vec::new(), not_yet: 0, again_at: Duration::ZERO });
        }
    }

    /// A peer is gone; what it was being asked.
    pub(crate) fn left(&mut self, peer: ConnId) -> Option<Pending> {
        self.announcers.retain(|announcer| announcer.peer != peer);
        self.pending.take_if(|pending| pending.peer == peer)
    }

    /// Whether another compact copy may be held against the mempool; counted if so.
    pub(crate) fn may_try_copy(&mut self) -> bool {
        self.copies += 1;
        self.copies <= MOST_COPIES
    }

    /// A compact copy is here, of which these are missing; whoever sent it is asked first.
    pub(crate) fn is_partial(&mut self, partial: Partial, from: ConnId) {
        self.partial = Some(partial);
        self.part = Part::Missing;
        if let Some(at) = self.announcers.iter().position(|announcer| announcer.peer == from) {
            let announcer = self.announcers.remove(at);
            self.announcers.insert(0, announcer);
        }
    }

    /// What was put together is not the block: from now on it is asked for whole.
    pub(crate) fn is_not_it(&mut self) {
        self.partial = None;
        self.part = Part::Whole;
    }

    /// A peer has no body yet, and is asked again shortly, but not for ever.
    pub(crate) fn not_yet(&mut self, peer: ConnId, part: Part, now: Duration) {
        let Some(announcer) = self.announcers.iter_mut().find(|announcer| announcer.peer == peer) else { return };
        announcer.not_yet += 1;
        announcer.again_at = now + AGAIN_AFTER;
        if announcer.not_yet > MOST_AGAIN {
            announcer.failed.push(part);
        }
    }

    /// A peer did not give what it was asked for.
    pub(crate) fn failed(&mut self, peer: ConnId, part: Part) {
        if let Some(announcer) = self.announcers.iter_mut().find(|announcer| announcer.peer == peer) {
            announcer.failed.push(part);
        }
    }

    /// Whom to ask for what. When nobody is left for a part, the whole block is asked for.
    pub(crate) fn next(&mut self, now: Duration) -> Step {
        loop {
            let able = self.announcers.iter().filter(|announcer| !announcer.failed.contains(&self.part));
            // The first that may be asked now, or else the one whose time comes first.
            let next = able.min_by_key(|announcer| announcer.again_at.max(now));
            match next {
                Some(announcer) if announcer.again_at <= now => return Step::Ask(announcer.peer, self.part),
                Some(announcer) => return Step::Wait(announcer.again_at),
                None if self.part == Part::Whole => return Step::GiveUp,
                None => self.is_not_it(),
            }
        }
    }

    pub(crate) fn request(&self, hash: BlockHash, part: Part) -> Request {
        match part {
            Part::Compact => Request::Compact { hash },
            Part::Missing => {
                let positions = self.partial.as_ref().map(Partial::missing).unwrap_or_default();
                Request::BlockTransactions { hash, positions }
            }
            Part::Whole => Request::Blocks { hashes: vec![hash] },
        }
    }
}

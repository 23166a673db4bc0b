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
    /// What is here of it, and who sent the short ids.
    pub(crate) partial: Option<(Partial, ConnId)>,
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
            self.announcers.push(Announcer { peer, failed: BTreeSet::new(), not_yet: 0, again_at: Duration::ZERO });
        }
    }

    /// A peer is gone; whether it was being asked.
    pub(crate) fn left(&mut self, peer: ConnId) -> bool {
        self.announcers.retain(|announcer| announcer.peer != peer);
        self.pending.take_if(|pending| pending.peer == peer).is_some()
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
        loop {
            let able = self.announcers.iter().filter(|announcer| !announcer.failed.contains(&self.part));
            // The first that may be asked now, or else the one whose time comes first.
            let next = able.min_by_key(|announcer| announcer.again_at.max(now));
            match (next, self.part) {
                (Some(announcer), part) if announcer.again_at <= now => return Step::Ask(announcer.peer, part),
                (Some(announcer), _) => return Step::Wait(announcer.again_at),
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

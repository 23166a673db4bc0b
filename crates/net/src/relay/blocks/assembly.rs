//! A block on its way in: whose header is proven, who has announced it, and whom to ask for what is missing next.

use std::collections::{BTreeMap, BTreeSet};
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
/// Requests under way for one block, and one more of a peer that this node chose.
pub(crate) const MOST_PENDING: usize = 2;
/// A block that takes longer is left to whoever catches up.
pub(crate) const MOST_TIME: Duration = Duration::from_secs(10);
/// Who has announced a block and has no body yet is asked again after this.
pub(crate) const AGAIN_AFTER: Duration = Duration::from_millis(60);
/// And no more often than this, for one block.
pub(crate) const MOST_AGAIN: u32 = 30;
/// Announcers remembered of a block: so many that this node chose, and so many others.
pub(crate) const MOST_ANNOUNCERS: usize = 16;
/// Compact copies of one block that are held against the mempool, one of an announcer: of those that this node chose, and of
/// others, who cannot use up the places of the former.
pub(crate) const MOST_COPIES: usize = 4;
pub(crate) const MOST_COPIES_OF_OTHERS: usize = 2;

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
    /// Whether this node dialled it, or asked it to push.
    is_chosen: bool,
    /// Whether its copy was held against the mempool.
    is_copied: bool,
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
    pub(crate) copy: usize,
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
    /// What is here of each copy of which something is missing, and who sent it.
    partials: BTreeMap<usize, (Partial, ConnId)>,
    /// The copy that is asked about now.
    current: usize,
    /// Copies that were held against the mempool, of those that this node chose and of others.
    copies: (usize, usize),
    begun: Duration,
    /// What those have used up of the patience that there is with all, who did not give what they were asked for.
    spent: Duration,
    /// To be looked at again then.
    pub(crate) due: Option<Duration>,
}

impl Assembly {
    pub(crate) fn new(header: Header, peer: ConnId, is_chosen: bool, now: Duration) -> Self {
        let mut assembly = Self {
            header,
            source: peer,
            announcers: Vec::new(),
            pending: Vec::new(),
            part: Part::Compact,
            partials: BTreeMap::new(),
            current: 0,
            copies: (0, 0),
            begun: now,
            spent: Duration::ZERO,
            due: None,
        };
        assembly.announced_by(peer, is_chosen);
        assembly
    }

    /// Who has it, of those that are still there.
    pub(crate) fn announcers(&self) -> Vec<ConnId> {
        self.announcers.iter().map(|announcer| announcer.peer).collect()
    }

    /// When it is given up.
    pub(crate) fn ends(&self) -> Duration {
        self.begun + MOST_TIME
    }

    /// Another has it. If copies had come to nothing so far, it may have one that does not.
    pub(crate) fn announced_by(&mut self, peer: ConnId, is_chosen: bool) {
        let is_new = self.announcers.iter().all(|announcer| announcer.peer != peer);
        let alike = self.announcers.iter().filter(|announcer| announcer.is_chosen == is_chosen).count();
        if is_new && alike < MOST_ANNOUNCERS {
            self.announcers.push(Announcer {
                peer,
                is_chosen,
                is_copied: false,
                failed: BTreeSet::new(),
                not_yet: 0,
                again_at: Duration::ZERO,
            });
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
        self.pending.push(Pending { id, peer, part, since: now, copy: self.current });
    }

    /// What was asked for by this number; it is not under way any more.
    pub(crate) fn answered(&mut self, id: RequestId) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.id == id)?;
        Some(self.pending.remove(at))
    }

    /// What is here of the copy that a request was about, if it is still believed.
    pub(crate) fn partial_of(&self, pending: &Pending) -> Option<Partial> {
        self.partials.get(&pending.copy).map(|(partial, _)| partial.clone())
    }

    /// Whether a request was about the copy of whom it was asked of.
    pub(crate) fn is_own(&self, pending: &Pending) -> bool {
        self.partials.get(&pending.copy).is_some_and(|(_, from)| *from == pending.peer)
    }

    /// Whether a peer's compact copy may be held against the mempool; counted if so.
    pub(crate) fn may_try_copy(&mut self, from: ConnId) -> bool {
        self.failed(from, Part::Compact);
        let has_place = (self.has_place(true), self.has_place(false));
        let Some(announcer) = self.announcers.iter_mut().find(|announcer| announcer.peer == from) else { return false };
        let (copies, has_place) =
            if announcer.is_chosen { (&mut self.copies.0, has_place.0) } else { (&mut self.copies.1, has_place.1) };
        let may = has_place && !announcer.is_copied;
        if may {
            announcer.is_copied = true;
            *copies += 1;
        }
        may
    }

    /// Whether another copy may be held against the mempool.
    fn has_place(&self, is_chosen: bool) -> bool {
        if is_chosen { self.copies.0 < MOST_COPIES } else { self.copies.1 < MOST_COPIES_OF_OTHERS }
    }

    /// Transactions of a compact copy are missing; whoever sent it is asked first.
    pub(crate) fn is_partial(&mut self, partial: Partial, from: ConnId) {
        self.partials.insert(self.copies.0 + self.copies.1, (partial, from));
        self.part = Part::Missing;
    }

    /// What was put together of a copy is not the block: short ids collided, or somebody lied. Another's copy has another
    /// salt.
    pub(crate) fn is_not_it(&mut self, copy: usize) {
        self.partials.remove(&copy);
        if self.partials.is_empty() && self.part == Part::Missing {
            self.part = Part::Compact;
        }
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

    /// A request came to nothing: what it took is no more to be waited for.
    pub(crate) fn failed_late(&mut self, pending: &Pending, now: Duration) {
        self.spent += now.saturating_sub(pending.since);
        self.failed(pending.peer, pending.part);
    }

    /// A peer did not give what it was asked for. If it does not complete its own copy, that is not believed either.
    pub(crate) fn failed(&mut self, peer: ConnId, part: Part) {
        if let Some(announcer) = self.announcers.iter_mut().find(|announcer| announcer.peer == peer) {
            announcer.failed.insert(part);
        }
        let own = self.partials.iter().find(|(_, (_, from))| *from == peer).map(|(copy, _)| *copy);
        if let Some(copy) = own.filter(|_| part == Part::Missing) {
            self.is_not_it(copy);
        }
    }

    /// Whom to ask for what. When nobody is left for the parts of copies, another copy is asked for; when there is none, the
    /// whole block.
    pub(crate) fn next(&mut self, now: Duration) -> Step {
        if now >= self.ends() {
            return Step::GiveUp;
        }
        let patience = PATIENCE.saturating_sub(self.spent);
        let patient_until = self.pending.last().map(|pending| pending.since + patience);
        if self.pending.len() > MOST_PENDING {
            return Step::Wait(None);
        }
        if patient_until.is_some_and(|until| until > now) {
            return Step::Wait(patient_until);
        }
        loop {
            match (self.first_able(self.part, now), self.part) {
                (Some((at, peer, copy)), part) if at <= now => {
                    self.current = copy;
                    return Step::Ask(peer, part);
                }
                (Some((at, ..)), _) => return Step::Wait(Some(at)),
                // Whoever is asked is slow, and may yet answer: that is waited for, and the whole block is asked for beside it.
                (None, _) if !self.pending.is_empty() => {
                    return match self.first_able(Part::Whole, now) {
                        Some((at, peer, _)) if at <= now => Step::Ask(peer, Part::Whole),
                        Some((at, ..)) => Step::Wait(Some(at)),
                        None => Step::Wait(None),
                    };
                }
                (None, Part::Missing) => {
                    self.partials.clear();
                    self.part = Part::Compact;
                }
                (None, Part::Compact) => self.part = Part::Whole,
                (None, Part::Whole) => return Step::GiveUp,
            }
        }
    }

    /// Of those that may be asked for a part the first by time, when that is, and about which copy: first about its own, and
    /// first of those that this node chose.
    fn first_able(&self, part: Part, now: Duration) -> Option<(Duration, ConnId, usize)> {
        let is_full = self.pending.len() >= MOST_PENDING;
        let able = self.announcers.iter().filter(|one| {
            let is_free = self.pending.iter().all(|pending| pending.peer != one.peer);
            let has_place = part != Part::Compact || self.has_place(one.is_chosen) && !one.is_copied;
            is_free && has_place && (one.is_chosen || !is_full) && !one.failed.contains(&part)
        });
        let first = able.filter_map(|one| {
            let own = self.partials.iter().find(|(_, (_, from))| *from == one.peer);
            let copy = match part {
                Part::Missing => *own.or_else(|| self.partials.first_key_value())?.0,
                Part::Compact | Part::Whole => 0,
            };
            Some((one.again_at.max(now), !one.is_chosen, own.is_none(), one.peer, copy))
        });
        let first = first.min_by_key(|(at, is_other, is_of_others, ..)| (*at, *is_other, *is_of_others));
        first.map(|(at, _, _, peer, copy)| (at, peer, copy))
    }

    /// The request for a part, and how long its answer may take.
    pub(crate) fn request(&self, hash: BlockHash, part: Part) -> (Request, Duration) {
        match part {
            Part::Compact => (Request::Compact { hash }, COMPACT_WITHIN),
            Part::Missing => {
                let partial = self.partials.get(&self.current);
                let positions = partial.map(|(partial, _)| partial.missing()).unwrap_or_default();
                (Request::BlockTransactions { hash, positions }, BODY_WITHIN)
            }
            Part::Whole => (Request::Blocks { hashes: vec![hash] }, BODY_WITHIN),
        }
    }
}

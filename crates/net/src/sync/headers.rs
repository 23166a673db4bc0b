//! Headers: asked for, judged in the context of their ancestors as they come, their proofs in slices.

use std::time::Duration;

use bloom_chain::StoreError;
use bloom_consensus::constants::FUTURE_LIMIT_SECS;
use bloom_consensus::rules;
use bloom_consensus::{BlockHash, CheckError, Header, Height, Parent, RuleViolation, Work};

use super::CatchUp;
use super::source::{Batch, HeadersAsked, Job};
use super::tree::{Line, Node};
use crate::Fault;
use crate::event::{ConnId, Failure, JobId, RequestId};
use crate::hub::{Hub, Purpose};
use crate::wire::{MAX_HEADERS, MAX_LOCATOR, Request, Response};

/// Proofs that are checked at a time: what a peer that sends false ones gets of this machine.
const SLICE: usize = 64;
/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Peers that headers are asked of at a time, while there is more to come: should one lie about its work, the other does not.
const LEADERS: usize = 2;
/// A peer that has shown too little to be asked for the next bodies is asked for headers as often as this.
const PROBE: Duration = Duration::from_secs(1);
/// A peer that has nothing more to show is asked as often as this all the same: an announcement may have been lost.
const REFRESH: Duration = Duration::from_secs(300);
/// How long a peer waits whose proofs cost more than it may, or that is busy.
const PAUSE: Duration = Duration::from_secs(1);
/// Headers in a row at the beginning of a locator.
const LOCATOR_ROW: u64 = 10;

/// What a look at the next headers of a batch came to.
enum Next {
    /// All were looked at.
    Done,
    /// They have to wait for somebody else's job.
    Wait,
    /// The next ones, whose proofs are to be checked.
    Slice(Vec<(BlockHash, Header)>),
    /// What is left of them is of no use, and nobody's fault.
    Drop,
    /// They are ahead of the clock.
    Later(Duration),
    /// They stand on what was condemned.
    Condemned,
    /// They break a rule.
    Invalid(RuleViolation),
}

impl CatchUp {
    /// Whether headers are being fetched that a full answer promised, on a branch that has more work than the chain.
    pub(super) fn is_fetching_headers(&self, hub: &Hub) -> bool {
        let tip = hub.chain.chain().tip().work;
        let is_heavier = |best: BlockHash| self.tree.get(&best).is_none_or(|node| node.work > tip);
        self.sources.values().any(|source| source.climbs && source.best.is_some_and(is_heavier))
    }

    /// When headers are to be looked at again at the latest.
    pub(super) fn headers_wake(&self, now: Duration) -> Option<Duration> {
        let due = |source: &super::Source| {
            if let Some(batch) = &source.batch {
                return batch.job.is_none().then_some(source.headers_after);
            }
            if source.asked.is_some() {
                return None;
            }
            Some(match source.has_more {
                true => source.headers_after,
                false if self.path.len() > 0 => source.asked_at + probe_time(source),
                false => source.asked_at + REFRESH,
            })
        };
        // What is due and was not done waits for something else to happen.
        self.sources.values().filter_map(due).filter(|at| *at > now).min()
    }

    /// Asks who may have more, best claims first; then those that have not shown enough to be asked for bodies.
    pub(super) fn ask_for_headers(&mut self, hub: &mut Hub) -> Result<(), StoreError> {
        let now = hub.now.elapsed;
        let mut leaders = self.sources.values().filter(|source| source.leads && source.is_busy()).count();
        let mut idle: Vec<(Work, ConnId)> = Vec::new();
        for (id, source) in &self.sources {
            if !source.is_busy() && source.headers_after <= now {
                let claim =
                    hub.peers.get(*id).and_then(|peer| peer.hello.as_ref()).map_or(Work::ZERO, |hello| hello.work);
                idle.push((claim, *id));
            }
        }
        idle.sort_by_key(|(work, id)| (std::cmp::Reverse(*work), *id));
        for (_, peer) in idle {
            let Some(source) = self.sources.get(&peer) else { continue };
            let (best, has_more, age) = (source.best, source.has_more, now.saturating_sub(source.asked_at));
            let is_leader = has_more && leaders < LEADERS;
            let is_probe = age >= probe_time(source) && self.is_short_of(peer);
            let is_refresh = age >= REFRESH;
            if !(is_leader || is_probe || is_refresh) || !self.make_room(hub, peer) {
                continue;
            }
            leaders += usize::from(is_leader);
            // One that has shown its best goes on from there. Another is asked from before the best that is known, so that its
            // answer shows whether it has that.
            let start = if best.is_some() && is_leader { best } else { self.path.before_target() };
            let locator = self.locator(hub, start)?;
            let id = hub.ask(peer, Purpose::CatchUp, Request::Headers { locator: locator.clone() }, ANSWER_TIME);
            if let Some(source) = self.sources.get_mut(&peer) {
                source.asked = Some(HeadersAsked { id, locator });
                source.asked_at = now;
                source.has_more = false;
                source.leads = is_leader;
                source.probes += u32::from(is_probe);
            }
        }
        Ok(())
    }

    /// Whether there is room for another answer of this peer. A branch that fills its room without having more work than the
    /// chain is not followed: who shows it is let go.
    fn make_room(&mut self, hub: &mut Hub, peer: ConnId) -> bool {
        let needed = MAX_HEADERS.min(self.tree.bounds.of_peer);
        if self.tree.room(peer) >= needed {
            return true;
        }
        let of_peer = self.tree.room_of(peer) < needed;
        let tip = hub.chain.chain().tip().work;
        let best = self.sources.get(&peer).and_then(|source| source.best);
        if of_peer && best.and_then(|best| self.tree.get(&best)).is_none_or(|node| node.work <= tip) {
            self.let_go(hub, peer, "its headers fill their room without more work than the chain has");
        }
        let bests = self.sources.values().filter(|_| of_peer).filter_map(|source| source.best);
        let kept: Vec<_> = bests.chain(self.path.target()).collect();
        self.tree.keep_only(kept);
        let Some(source) = self.sources.get_mut(&peer) else { return false };
        let is_room = self.tree.room(peer) >= needed;
        if !is_room {
            source.headers_after = hub.now.elapsed + PAUSE;
        }
        is_room
    }

    /// From a header of the tree, or the tip, back to genesis: ten in a row, then in steps that double.
    pub(super) fn locator(&self, hub: &Hub, start: Option<BlockHash>) -> Result<Vec<BlockHash>, StoreError> {
        let chain = hub.chain.chain();
        let mut locator = Vec::new();
        let mut at = start;
        while let Some(hash) = at
            && locator.len() < MAX_LOCATOR / 4
        {
            locator.push(hash);
            at = self.tree.get(&hash).map(Node::parent);
        }
        let (mut height, mut step) = (chain.tip().height.0, 1);
        for row in 0.. {
            locator.extend(chain.hash_at(Height(height))?.filter(|hash| !locator.contains(hash)));
            if row >= LOCATOR_ROW {
                step *= 2;
            }
            match height.checked_sub(step) {
                Some(lower) if locator.len() < MAX_LOCATOR - 1 => height = lower,
                _ => break,
            }
        }
        let genesis = chain.params().genesis.hash();
        if locator.last() != Some(&genesis) {
            locator.push(genesis);
        }
        Ok(locator)
    }

    pub(super) fn headers_came(
        &mut self,
        hub: &mut Hub,
        peer: ConnId,
        id: RequestId,
        response: Response,
    ) -> Result<(), StoreError> {
        let Some(source) = self.sources.get_mut(&peer) else { return Ok(()) };
        let Some(asked) = source.asked.take_if(|asked| asked.id == id) else { return Ok(()) };
        source.climbs = false;
        match response {
            Response::Headers(headers) => {
                let Some(first) = headers.first() else { return Ok(()) };
                if !asked.locator.contains(&first.template.prev_hash) {
                    self.convict(hub, peer, Fault::Unconnected);
                    return Ok(());
                }
                let more = headers.len() >= MAX_HEADERS;
                self.take_headers(hub, peer, &headers, more)
            }
            Response::Busy => {
                source.headers_after = hub.now.elapsed + PAUSE;
                source.has_more = true;
                Ok(())
            }
            Response::NotFound => Ok(()),
            _ => {
                self.convict(hub, peer, Fault::WrongAnswer);
                Ok(())
            }
        }
    }

    pub(super) fn headers_failed(&mut self, hub: &mut Hub, peer: ConnId, id: RequestId, failure: Failure) {
        let Some(source) = self.sources.get_mut(&peer) else { return };
        if source.asked.take_if(|asked| asked.id == id).is_none() {
            return;
        }
        source.climbs = false;
        if failure == Failure::Timeout {
            self.convict(hub, peer, Fault::Stalled);
        }
    }

    pub(super) fn headers_announced(
        &mut self,
        hub: &mut Hub,
        peer: ConnId,
        headers: &[Header],
    ) -> Result<(), StoreError> {
        let Some(first) = headers.first() else { return Ok(()) };
        let parent = first.template.prev_hash;
        let is_connected = self.tree.contains(&parent) || hub.chain.chain().known(&parent)?.is_some();
        let Some(source) = self.sources.get_mut(&peer) else { return Ok(()) };
        if !is_connected || source.is_busy() {
            // It has what is not known here: it is asked for the way there.
            source.has_more = true;
            return Ok(());
        }
        self.take_headers(hub, peer, headers, false)
    }

    /// Takes one message of headers to be judged, the only one of its peer.
    fn take_headers(&mut self, hub: &mut Hub, peer: ConnId, headers: &[Header], more: bool) -> Result<(), StoreError> {
        let hashes: Vec<_> = headers.iter().map(Header::block_hash).collect();
        if headers.iter().skip(1).zip(&hashes).any(|(header, parent)| header.template.prev_hash != *parent) {
            self.convict(hub, peer, Fault::Unconnected);
            return Ok(());
        }
        let Some(source) = self.sources.get_mut(&peer) else { return Ok(()) };
        let waiting = hashes.into_iter().zip(headers.iter().copied()).take(MAX_HEADERS).collect();
        source.batch = Some(Batch { waiting, job: None, more });
        source.climbs = more;
        self.judge_next(hub, peer)
    }

    /// Goes on with all headers that had to wait.
    pub(super) fn judge_waiting(&mut self, hub: &mut Hub) -> Result<(), StoreError> {
        let now = hub.now.elapsed;
        let waits = |source: &super::Source| {
            source.headers_after <= now && source.batch.as_ref().is_some_and(|batch| batch.job.is_none())
        };
        let waiting: Vec<_> = self.sources.iter().filter(|(_, source)| waits(source)).map(|(peer, _)| *peer).collect();
        waiting.into_iter().try_for_each(|peer| self.judge_next(hub, peer))
    }

    /// Judges the next headers of a peer and has their proofs checked.
    fn judge_next(&mut self, hub: &mut Hub, peer: ConnId) -> Result<(), StoreError> {
        let next = self.look_at_next(hub, peer)?;
        let Some(source) = self.sources.get_mut(&peer) else { return Ok(()) };
        match next {
            Next::Wait => {}
            Next::Done => {
                source.has_more |= source.batch.take().is_some_and(|batch| batch.more);
            }
            Next::Drop => source.batch = None,
            Next::Later(wait) => {
                source.batch = None;
                source.has_more = true;
                source.headers_after = hub.now.elapsed + wait;
            }
            Next::Condemned => self.let_go(hub, peer, "its chain has a block that was found invalid"),
            Next::Invalid(violation) => self.convict(hub, peer, Fault::InvalidHeader(violation.to_string())),
            Next::Slice(slice) => self.have_proven(hub, peer, slice),
        }
        Ok(())
    }

    fn have_proven(&mut self, hub: &mut Hub, peer: ConnId, slice: Vec<(BlockHash, Header)>) {
        let rounds = slice.iter().map(|(_, header)| u64::from(header.seal.bloom_end) + 1).sum();
        let is_within = hub.charge_rounds(peer, rounds);
        let Some(source) = self.sources.get_mut(&peer) else { return };
        let Some(batch) = &mut source.batch else { return };
        if !is_within {
            source.headers_after = hub.now.elapsed + PAUSE;
            return;
        }
        let job = hub.prove(slice.iter().map(|(_, header)| *header).collect());
        batch.waiting.drain(..slice.len());
        self.proving.extend(slice.iter().map(|(hash, _)| *hash));
        batch.job = Some(job);
        self.jobs.insert(job, Job { peer, slice });
    }

    /// Passes over what is known and takes the next few that are not, if they break no rule.
    fn look_at_next(&mut self, hub: &Hub, peer: ConnId) -> Result<Next, StoreError> {
        let chain = hub.chain.chain();
        let Some(source) = self.sources.get_mut(&peer) else { return Ok(Next::Drop) };
        let Some(batch) = &mut source.batch else { return Ok(Next::Drop) };
        while let Some((hash, header)) = batch.waiting.front() {
            if self.tree.contains(hash) {
                source.best = Some(*hash);
            } else if self.tree.contains(&header.template.prev_hash) {
                break;
            } else if let Some(known) = chain.known(hash)? {
                match (known.condemned, known.shunned) {
                    (true, _) => return Ok(Next::Condemned),
                    (_, true) => return Ok(Next::Drop),
                    _ => {}
                }
            } else {
                break;
            }
            batch.waiting.pop_front();
        }
        let Some((_, first)) = batch.waiting.front() else { return Ok(Next::Done) };
        let first = first.template.prev_hash;
        let Some(mut height) = (match self.tree.get(&first) {
            Some(node) => Some(node.height()),
            None => match chain.known(&first)? {
                Some(known) if known.condemned => return Ok(Next::Condemned),
                Some(known) if known.shunned => return Ok(Next::Drop),
                known => known.map(|known| known.header.template.height),
            },
        }) else {
            // Its parent was forgotten meanwhile.
            return Ok(Next::Later(PAUSE));
        };
        let (mut parent, mut slice) = (first, Vec::new());
        for (hash, header) in batch.waiting.iter().take(SLICE.min(self.tree.room(peer))) {
            if self.proving.contains(hash) {
                break;
            }
            let ancestors = Line { judged: &slice, tree: &self.tree, chain, parent };
            match rules::header::check(chain.params(), header, &Parent { hash: parent, height }, &ancestors) {
                Ok(_) => {}
                Err(CheckError::Rule(violation)) => return Ok(Next::Invalid(violation)),
                Err(CheckError::Store(error)) => return Err(error),
            }
            let ahead = header.template.timestamp.0.saturating_sub(hub.now.unix.0);
            if ahead > FUTURE_LIMIT_SECS {
                if slice.is_empty() {
                    return Ok(Next::Later(Duration::from_secs((ahead - FUTURE_LIMIT_SECS).min(3_600))));
                }
                break;
            }
            slice.push((*hash, *header));
            (parent, height) = (*hash, header.template.height);
        }
        match batch.waiting.front() {
            Some((hash, _)) if slice.is_empty() && self.proving.contains(hash) => Ok(Next::Wait),
            // There is no room for more of its headers until bodies have come.
            _ if slice.is_empty() => Ok(Next::Later(PAUSE)),
            _ => Ok(Next::Slice(slice)),
        }
    }

    /// Keeps the headers whose proofs are true; who sent a false one is banned, and what follows it is dropped.
    pub(super) fn proofs_checked(
        &mut self,
        hub: &mut Hub,
        job: JobId,
        first_false: Option<usize>,
    ) -> Result<(), StoreError> {
        let Some(Job { peer, slice }) = self.jobs.remove(&job) else { return Ok(()) };
        slice.iter().for_each(|(hash, _)| {
            self.proving.remove(hash);
        });
        let batch = self.sources.get_mut(&peer).and_then(|source| source.batch.as_mut());
        let Some(batch) = batch.filter(|batch| batch.job == Some(job)) else { return self.judge_waiting(hub) };
        batch.job = None;
        let count = first_false.unwrap_or(slice.len());
        for (hash, header) in slice.iter().take(count) {
            let parent = header.template.prev_hash;
            let work = match self.tree.get(&parent) {
                Some(node) => Some(node.work),
                None => hub.chain.chain().known(&parent)?.map(|known| known.work),
            };
            let Some(work) = work else { break };
            let node = Node { header: *header, work: work.plus(header.template.difficulty), owner: peer };
            if !self.tree.insert(*hash, node) {
                break;
            }
            if let Some(source) = self.sources.get_mut(&peer) {
                source.best = Some(*hash);
            }
        }
        if count > 0
            && let Some(peer) = hub.peers.get_mut(peer)
        {
            peer.proven = true;
        }
        if first_false.is_some() {
            self.convict(hub, peer, Fault::FalseProof);
        } else {
            self.judge_next(hub, peer)?;
        }
        self.judge_waiting(hub)
    }
}

/// How long after it was last asked a peer is asked whether it has the branch that is followed: ever longer.
fn probe_time(source: &super::Source) -> Duration {
    match source.probes {
        0 => Duration::ZERO,
        probes => PROBE * (1 << probes.min(6)),
    }
}

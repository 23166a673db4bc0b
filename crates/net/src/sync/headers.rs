//! Headers: judged in the context of their ancestors as they come, their proofs in slices.

use std::collections::BTreeSet;
use std::time::Duration;

use bloom_chain::StoreError;
use bloom_consensus::constants::FUTURE_LIMIT_SECS;
use bloom_consensus::rules;
use bloom_consensus::{BlockHash, CheckError, Header, Height, Parent, RuleViolation, Timestamp};

use super::CatchUp;
use super::source::{Batch, Job};
use super::tree::{Line, Node};
use crate::Fault;
use crate::event::{ConnId, Failure, JobId, RequestId};
use crate::hub::Hub;
use crate::wire::{MAX_HEADERS, MAX_LOCATOR, Response};

/// Proofs that are checked at a time: what a peer that sends false ones gets of this machine.
const SLICE: usize = 64;
/// How long a peer waits whose proofs cost more than it may, or that is busy.
const PAUSE: Duration = Duration::from_secs(1);
/// Announcements of a peer that do not connect, each after it was asked for the way there and has shown nothing.
const MOST_UNCONNECTED: u32 = 10;
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
    /// They have to be asked for again.
    Later,
    /// They are ahead of the clock until then.
    Ahead(Timestamp),
    /// They stand on what was condemned.
    Condemned,
    /// They break a rule.
    Invalid(RuleViolation),
}

impl CatchUp {
    /// Whether there is room for another answer of this peer. A branch that fills its room without having more work than the
    /// chain is not followed: who shows it is let go.
    pub(super) fn make_room(&mut self, hub: &mut Hub, peer: ConnId) -> bool {
        let needed = self.tree.bounds.in_answer.min(self.tree.bounds.of_peer);
        if self.tree.room(peer) >= needed {
            return true;
        }
        let of_peer = self.tree.room_of(peer) < needed;
        let tip = hub.chain.chain().tip().work;
        // What it showed last may be forgotten, for it did not have a body: what counts is what it fills the room with.
        if of_peer && self.tree.heaviest_of(peer).is_none_or(|work| work <= tip) {
            self.let_go(hub, peer, "its headers fill their room without more work than the chain has");
        }
        self.keep_headers(of_peer);
        let Some(source) = self.sources.get_mut(&peer) else { return false };
        let is_room = self.tree.room(peer) >= needed;
        if !is_room {
            source.headers_after = hub.now.elapsed + PAUSE;
        }
        is_room
    }

    /// Keeps what the followed branch stands on and, if told so, what the peers have shown; who loses what it has shown is
    /// asked for it again.
    pub(super) fn keep_headers(&mut self, of_peers: bool) {
        let bests = self.sources.values().filter(|_| of_peers).filter_map(|source| source.best);
        let kept: Vec<_> = bests.chain(self.path.target()).collect();
        self.tree.keep_only(kept);
        for source in self.sources.values_mut() {
            if source.best.is_some_and(|best| !self.tree.contains(&best)) {
                source.disown();
            }
        }
    }

    /// From a header of the tree, or another that a peer has shown, and the tip, back to genesis: ten in a row, then in steps that double.
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
                // Whoever has a later entry of the locator, which comes first there, begins at that one.
                let after = asked.locator.iter().take_while(|hash| **hash != first.template.prev_hash);
                let after: BTreeSet<_> = after.collect();
                if !after.is_empty() && headers.iter().any(|header| after.contains(&header.block_hash())) {
                    source.brought_nothing(hub.now.elapsed);
                    self.convict(hub, peer, Fault::WrongAnswer);
                    return Ok(());
                }
                let more = headers.len() >= self.tree.bounds.in_answer;
                self.take_headers(hub, peer, &headers, more)
            }
            Response::Busy => {
                source.has_more = true;
                source.brought_nothing(hub.now.elapsed);
                Ok(())
            }
            Response::NotFound => Ok(()),
            _ => {
                source.brought_nothing(hub.now.elapsed);
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
        source.has_more = true;
        source.brought_nothing(hub.now.elapsed);
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
            // It has what is not known here: it is asked for the way there. Who says so again and again and, asked, shows
            // nothing, makes it up.
            if !is_connected && !source.has_more && !source.is_busy() {
                source.unconnected += 1;
                if source.unconnected > MOST_UNCONNECTED {
                    self.convict(hub, peer, Fault::Flood("announcements that do not connect"));
                    return Ok(());
                }
            }
            source.has_more = true;
            return Ok(());
        }
        source.leads = false;
        source.unconnected = 0;
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
        (source.climbs, source.walks) = (more, false);
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
                let more = source.batch.take().is_some_and(|batch| batch.more);
                source.has_more |= more;
                if !more {
                    source.walked = None;
                }
                // All of it known, it goes on more slowly, and is no reason to be behind.
                if more && source.advanced.is_none_or(|at| at < source.asked_at) {
                    source.climbs = false;
                    source.has_more = std::mem::take(&mut source.walks);
                    source.brought_nothing(hub.now.elapsed);
                }
            }
            Next::Drop => (source.batch, source.climbs) = (None, false),
            Next::Later => {
                (source.batch, source.climbs, source.has_more) = (None, false, true);
                source.headers_after = hub.now.elapsed + PAUSE;
            }
            Next::Ahead(until) => {
                (source.batch, source.climbs, source.has_more) = (None, false, true);
                source.ahead_until = Some(until);
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
        let Some(mut batch) = source.batch.take() else { return Ok(Next::Drop) };
        while let Some((hash, header)) = batch.waiting.front() {
            if let Some(node) = self.tree.get(hash) {
                source.shows(*hash, node.work, hub.now.elapsed);
            } else if self.tree.contains(&header.template.prev_hash) {
                break;
            } else if let Some(known) = chain.known(hash)? {
                match (known.condemned, known.shunned) {
                    (true, _) => return Ok(Next::Condemned),
                    (_, true) => return Ok(Next::Drop),
                    _ => source.walk_to(*hash, header.template.height),
                }
            } else {
                break;
            }
            batch.waiting.pop_front();
        }
        let batch = source.batch.insert(batch);
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
            return Ok(Next::Later);
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
                    return Ok(Next::Ahead(Timestamp(header.template.timestamp.0 - FUTURE_LIMIT_SECS)));
                }
                break;
            }
            slice.push((*hash, *header));
            (parent, height) = (*hash, header.template.height);
        }
        match batch.waiting.front() {
            Some((hash, _)) if slice.is_empty() && self.proving.contains(hash) => Ok(Next::Wait),
            // There is no room for more of its headers until bodies have come.
            _ if slice.is_empty() => Ok(Next::Later),
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
            let work = work.plus(header.template.difficulty);
            let node = Node { header: *header, work, owner: peer };
            if !self.tree.insert(*hash, node) {
                break;
            }
            if let Some(source) = self.sources.get_mut(&peer) {
                source.shows(*hash, work, hub.now.elapsed);
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

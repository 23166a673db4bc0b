//! Bodies in a moving window: asked for from all that have them, given to others when they do not come.

use std::collections::BTreeMap;
use std::time::Duration;

use bloom_consensus::constants::MAX_BLOCK_BYTES;
use bloom_consensus::rules::isolation;
use bloom_consensus::{Block, BlockHash};

use super::CatchUp;
use super::path::Path;
use crate::Fault;
use crate::event::{ConnId, Failure, RequestId};
use crate::hub::{Hub, Purpose};
use crate::wire::{MAX_BLOCKS_ASKED, MAX_BLOCKS_BYTES, Request, Response};

/// Blocks ahead of the tip that are asked for or kept.
const WINDOW_BLOCKS: usize = 1_024;
/// Bytes of them, what may still come counted at its most.
const WINDOW_BYTES: usize = 32 << 20;
/// Requests of a peer at a time.
const MOST_REQUESTS: usize = 4;
/// Bytes that a request is meant to bring.
const REQUEST_BYTES: usize = 768 << 10;
/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(4);
/// How long the next block of all may take when others answer.
const HEAD_TIME: Duration = Duration::from_millis(1_500);
/// A peer that holds everybody up so often is let go.
const MOST_STALLS: u32 = 2;
/// The same for one that alone has the branch: there is no other to take over, but it may be withheld.
const MOST_STALLS_ALONE: u32 = 4;
/// A peer that is busy so often in a row does not have what it shows.
const MOST_REFUSALS: u32 = 30;
/// Blocks below its tip that a peer is asked for which says that it keeps no more than the last ones: those that all keep, less
/// what it may be ahead by.
const KEPT_BY_ALL: u64 = 900;
/// How long a peer is left alone that is busy, failed or stalled.
const PAUSE: Duration = Duration::from_secs(1);

/// A body of the right root that waits for its turn.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) block: Block,
    pub(super) from: ConnId,
    pub(super) bytes: usize,
}

#[derive(Debug)]
struct Fetch {
    peer: ConnId,
    hashes: Vec<BlockHash>,
    since: Duration,
    /// Most bytes that it can bring.
    reserved: usize,
}

/// A peer that may be asked for bodies now.
struct Able {
    peer: ConnId,
    /// Blocks of the path that it has: from which on, and up to which.
    from: usize,
    reach: usize,
    /// Requests, and most of them at a time.
    under_way: usize,
    allowance: usize,
    request_len: usize,
}

/// What was asked for and what came.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    held: BTreeMap<BlockHash, Held>,
    held_bytes: usize,
    reserved: usize,
    requests: BTreeMap<RequestId, Fetch>,
    asked: BTreeMap<BlockHash, RequestId>,
    /// Of the blocks that came of late, in bytes; 0 before the first.
    average: usize,
}

impl Bodies {
    pub(super) fn is_request(&self, id: RequestId) -> bool {
        self.requests.contains_key(&id)
    }

    pub(super) fn is_held(&self, hash: &BlockHash) -> bool {
        self.held.contains_key(hash)
    }

    pub(super) fn take(&mut self, hash: &BlockHash) -> Option<Held> {
        let held = self.held.remove(hash)?;
        self.held_bytes -= held.bytes;
        Some(held)
    }

    /// The chain has it.
    pub(super) fn filed(&mut self, hash: &BlockHash) {
        self.take(hash);
        self.asked.remove(hash);
    }

    pub(super) fn keep_only(&mut self, is_wanted: impl Fn(&BlockHash) -> bool) {
        let gone: Vec<_> = self.held.keys().filter(|hash| !is_wanted(hash)).copied().collect();
        for hash in gone {
            self.take(&hash);
        }
        self.asked.retain(|hash, _| is_wanted(hash));
    }

    /// Where the first block of the window is that is neither here nor asked for.
    pub(super) fn first_free(&self, path: &Path) -> Option<usize> {
        self.free_from(path, 0)
    }

    fn free_from(&self, path: &Path, from: usize) -> Option<usize> {
        let end = path.len().min(WINDOW_BLOCKS);
        (from..end).find(|index| path.get(*index).is_some_and(|hash| self.is_free(&hash)))
    }

    fn is_free(&self, hash: &BlockHash) -> bool {
        !self.held.contains_key(hash) && !self.asked.contains_key(hash)
    }

    /// Takes a request off the list: what it asked for may be asked for again.
    fn close(&mut self, id: RequestId) -> Option<Fetch> {
        let fetch = self.requests.remove(&id)?;
        self.reserved -= fetch.reserved;
        for hash in &fetch.hashes {
            if self.asked.get(hash) == Some(&id) {
                self.asked.remove(hash);
            }
        }
        Some(fetch)
    }

    pub(super) fn forget(&mut self, peer: ConnId) {
        let of_peer = self.requests.iter().filter(|(_, fetch)| fetch.peer == peer).map(|(id, _)| *id);
        for id in of_peer.collect::<Vec<_>>() {
            self.close(id);
        }
    }

    fn under_way(&self, peer: ConnId) -> usize {
        self.requests.values().filter(|fetch| fetch.peer == peer).count()
    }

    /// Hashes of a request that is to bring neither too little nor too much: half as much for each time that it was late.
    fn request_len(&self, stalls: u32) -> usize {
        let average = if self.average == 0 { REQUEST_BYTES / 16 } else { self.average };
        ((REQUEST_BYTES >> stalls.min(8)) / average.max(1)).clamp(1, MAX_BLOCKS_ASKED)
    }

    fn hold(&mut self, hash: BlockHash, held: Held) {
        self.average = if self.average == 0 { held.bytes } else { (self.average * 7 + held.bytes) / 8 };
        self.held_bytes += held.bytes;
        if let Some(double) = self.held.insert(hash, held) {
            self.held_bytes -= double.bytes;
        }
    }
}

impl CatchUp {
    pub(super) fn is_next_here(&self) -> bool {
        self.path.first().is_some_and(|first| self.bodies.is_held(&first))
    }

    /// When bodies are to be looked after at the latest.
    pub(super) fn bodies_wake(&self, now: Duration) -> Option<Duration> {
        let head = self.head_fetch().map(|(_, fetch)| fetch.since + HEAD_TIME);
        let pauses =
            self.sources.values().map(|source| source.bodies_after).filter(|at| self.path.len() > 0 && *at > now);
        head.filter(|at| *at > now).into_iter().chain(pauses).min()
    }

    fn head_fetch(&self) -> Option<(RequestId, &Fetch)> {
        let id = self.bodies.asked.get(&self.path.first()?)?;
        Some((*id, self.bodies.requests.get(id)?))
    }

    /// Asks for what of the window is neither here nor asked for.
    pub(super) fn ask_for_bodies(&mut self, hub: &mut Hub) {
        if self.ahead_until.is_some() || self.bodies.first_free(&self.path).is_none() {
            return;
        }
        let now = hub.now.elapsed;
        let mut able = self.able(hub);
        let mut from = 0;
        while let Some(first) = self.bodies.free_from(&self.path, from) {
            let fits =
                able.iter_mut().filter(|one| (one.from..one.reach).contains(&first) && one.under_way < one.allowance);
            let Some(one) = fits.min_by_key(|one| one.under_way) else { return };
            let hashes: Vec<_> = (first..one.reach.min(WINDOW_BLOCKS))
                .take(one.request_len)
                .map_while(|index| self.path.get(index).filter(|hash| self.bodies.is_free(hash)))
                .collect();
            let reserved = (hashes.len() * MAX_BLOCK_BYTES).min(MAX_BLOCKS_BYTES);
            // The next block of all is asked for whatever waits for it.
            if first > 0 && self.bodies.held_bytes + self.bodies.reserved + reserved > WINDOW_BYTES {
                return;
            }
            one.under_way += 1;
            from = first + hashes.len();
            let request = Request::Blocks { hashes: hashes.clone() };
            let id = hub.ask(one.peer, Purpose::CatchUp, request, ANSWER_TIME);
            self.bodies.reserved += reserved;
            self.bodies.asked.extend(hashes.iter().map(|hash| (*hash, id)));
            self.bodies.requests.insert(id, Fetch { peer: one.peer, hashes, since: now, reserved });
        }
    }

    /// Who may be asked for bodies now, and for which. How far each has the path is found once for all that show the same.
    fn able(&self, hub: &Hub) -> Vec<Able> {
        let now = hub.now.elapsed;
        let mut reaches: BTreeMap<BlockHash, usize> = BTreeMap::new();
        let mut able = Vec::new();
        for (peer, source) in self.sources.iter().filter(|(_, source)| source.bodies_after <= now) {
            let Some(best) = source.best else { continue };
            let reach = *reaches.entry(best).or_insert_with(|| self.reach(Some(best)));
            if reach == 0 {
                continue;
            }
            able.push(Able {
                peer: *peer,
                from: self.kept_from(hub, *peer, best),
                reach,
                under_way: self.bodies.under_way(*peer),
                allowance: source.allowance,
                request_len: self.bodies.request_len(source.stalls),
            });
        }
        able
    }

    /// Where on the path begins what a peer still has the bodies of.
    fn kept_from(&self, hub: &Hub, peer: ConnId, best: BlockHash) -> usize {
        let hello = hub.peers.get(peer).and_then(|peer| peer.hello.as_ref());
        let Some(hello) = hello.filter(|hello| !hello.is_archive) else { return 0 };
        let shown = self.tree.get(&best).map_or(0, |node| node.height().0);
        let lowest = hello.height.0.max(shown).saturating_sub(KEPT_BY_ALL);
        usize::try_from(lowest.saturating_sub(self.path.height_of(0).0)).unwrap_or(usize::MAX)
    }

    pub(super) fn bodies_came(&mut self, hub: &mut Hub, peer: ConnId, id: RequestId, response: Response) {
        let Some(fetch) = self.bodies.close(id) else { return };
        match response {
            Response::Blocks(blocks) if !blocks.is_empty() => self.take_bodies(hub, peer, &fetch.hashes, blocks),
            Response::Blocks(_) | Response::NotFound => self.missed(hub, peer),
            Response::Busy => self.refused(hub, peer),
            _ => self.convict(hub, peer, Fault::WrongAnswer),
        }
    }

    fn take_bodies(&mut self, hub: &mut Hub, peer: ConnId, asked: &[BlockHash], blocks: Vec<Block>) {
        if blocks.len() > asked.len() {
            return self.wrong(hub, peer);
        }
        for (block, hash) in blocks.into_iter().zip(asked) {
            if block.hash() != *hash {
                return self.wrong(hub, peer);
            }
            // Of another root it is a bad copy: it says nothing about the header, and is asked for elsewhere.
            if let Err(fault) = isolation::check_root(&block) {
                return self.convict(hub, peer, Fault::InvalidBlock(fault.to_string()));
            }
            if self.path.index_of(block.header.template.height, hash).is_some_and(|index| index < WINDOW_BLOCKS) {
                let bytes = block.encoded_len();
                self.bodies.hold(*hash, Held { block, from: peer, bytes });
            }
        }
        if let Some(source) = self.sources.get_mut(&peer) {
            source.delivered = Some(hub.now.elapsed);
            (source.probes, source.refusals, source.misses) = (0, 0, 0);
            source.allowance = (source.allowance + 1).min(MOST_REQUESTS);
        }
    }

    /// It answered with what it was not asked for.
    fn wrong(&mut self, hub: &mut Hub, peer: ConnId) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.disown();
        }
        self.convict(hub, peer, Fault::WrongAnswer);
    }

    /// It does not have what it had shown the headers of.
    fn missed(&mut self, hub: &Hub, peer: ConnId) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.missed(hub.now.elapsed);
        }
    }

    /// It is busy.
    fn refused(&mut self, hub: &Hub, peer: ConnId) {
        self.pause(hub, peer);
        let Some(source) = self.sources.get_mut(&peer) else { return };
        source.refusals += 1;
        if source.refusals >= MOST_REFUSALS {
            source.refusals = 0;
            self.missed(hub, peer);
        }
    }

    fn pause(&mut self, hub: &Hub, peer: ConnId) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.bodies_after = hub.now.elapsed + PAUSE;
        }
    }

    pub(super) fn bodies_failed(&mut self, hub: &mut Hub, peer: ConnId, id: RequestId, failure: Failure) {
        if self.bodies.close(id).is_none() {
            return;
        }
        match failure {
            Failure::Timeout => self.stalled(hub, peer),
            Failure::Closed => self.pause(hub, peer),
        }
    }

    /// Gives the next block of all to another when its peer is slow and others are not.
    pub(super) fn replace_stalled(&mut self, hub: &mut Hub) {
        let now = hub.now.elapsed;
        let Some((_, fetch)) = self.head_fetch() else { return };
        let (slow, since) = (fetch.peer, fetch.since);
        let is_faster = |source: &super::Source| source.delivered.is_some_and(|at| at > since);
        let others = self.sources.iter().filter(|(peer, _)| **peer != slow);
        if now >= since + HEAD_TIME && others.into_iter().any(|(_, source)| is_faster(source)) {
            self.stalled(hub, slow);
        }
    }

    /// It held everybody up: what it was asked for is asked of others.
    fn stalled(&mut self, hub: &mut Hub, peer: ConnId) {
        self.bodies.forget(peer);
        self.pause(hub, peer);
        let is_alone = !self.sources.iter().any(|(other, source)| *other != peer && self.reach(source.best) > 0);
        if let Some(source) = self.sources.get_mut(&peer) {
            source.allowance = 1;
            let let_go = source.stalled(hub.now.elapsed) >= if is_alone { MOST_STALLS_ALONE } else { MOST_STALLS };
            hub.blame(peer, Fault::Stalled);
            if let_go {
                // Who alone has the branch is needed again, slow as it may be.
                if !is_alone {
                    self.resting.put(hub, peer);
                }
                self.let_go(hub, peer, "it stalled more than once");
            }
        }
    }
}

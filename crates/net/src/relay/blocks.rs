//! New blocks: their proof checked, then announced further; their bodies put together from what waits.

mod announcing;
mod assembly;
mod fetching;
mod served;
mod sides;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bloom_chain::{Known, StoreError};
use bloom_consensus::{BlockHash, Header, Transaction};

use crate::event::{AnswerId, ConnId, Failure, RequestId};
use crate::fault::Fault;
use crate::hub::{Happening, Hub};
use crate::relay::compact::compact_len;
use crate::relay::fail_on;
use crate::relay::headers::{Headers, Verdict};
use crate::relay::recent::Recent;
use crate::sync::CatchUp;
use crate::wire::{CompactBlock, Note, Request, Response};
use assembly::Assembly;
use served::Served;
use sides::Sides;

/// Blocks put together at a time, and of those that one peer announced first.
const MOST_ASSEMBLIES: usize = 8;
const MOST_ASSEMBLIES_OF_A_PEER: usize = 2;
/// Announcements kept until the block that they stand on is there.
const MOST_CHILDREN: usize = 8;
/// Blocks ahead of the clock that are not asked for again.
const MOST_EARLY: usize = 64;

/// A block as a peer announced it.
#[derive(Clone, Debug)]
struct Announcement {
    peer: ConnId,
    header: Header,
    compact: Option<CompactBlock>,
}

#[derive(Debug)]
pub(crate) struct BlockRelay {
    sides: Sides,
    headers: Headers,
    assemblies: BTreeMap<BlockHash, Assembly>,
    /// Of whom a part of which block was asked.
    asked: BTreeMap<RequestId, (ConnId, BlockHash)>,
    children: VecDeque<Announcement>,
    early: Recent<BlockHash>,
    served: Served,
}

impl Default for BlockRelay {
    fn default() -> Self {
        Self {
            sides: Sides::default(),
            headers: Headers::default(),
            assemblies: BTreeMap::new(),
            asked: BTreeMap::new(),
            children: VecDeque::new(),
            early: Recent::new(MOST_EARLY),
            served: Served::default(),
        }
    }
}

impl BlockRelay {
    /// [`Note::Blocks`], [`Note::Compact`] or [`Note::PushBlocks`].
    pub(crate) fn note(&mut self, hub: &mut Hub, catch_up: &mut CatchUp, peer: ConnId, note: Note) {
        let done = match note {
            Note::PushBlocks(wanted) => {
                self.sides.wants_push(peer, wanted);
                Ok(())
            }
            Note::Blocks(headers) => self.announced(hub, catch_up, peer, &headers, None),
            Note::Compact(compact) => self.announced(hub, catch_up, peer, &[compact.header], Some(*compact)),
            Note::Transactions(_) | Note::Addresses(_) => Ok(()),
        };
        fail_on(hub, done);
    }

    pub(crate) fn response(
        &mut self,
        hub: &mut Hub,
        catch_up: &mut CatchUp,
        peer: ConnId,
        id: RequestId,
        response: Response,
    ) {
        let Some((hash, pending)) = self.answered(id).filter(|(_, pending)| pending.peer == peer) else { return };
        let done = self.take_answer(hub, hash, pending, response);
        let done = done.and_then(|()| self.go_on(hub, catch_up, hash));
        fail_on(hub, done);
    }

    pub(crate) fn failed(
        &mut self,
        hub: &mut Hub,
        catch_up: &mut CatchUp,
        peer: ConnId,
        id: RequestId,
        failure: Failure,
    ) {
        if failure == Failure::Timeout {
            hub.blame(peer, Fault::Stalled);
        }
        let Some((hash, pending)) = self.answered(id) else { return };
        if let Some(assembly) = self.assemblies.get_mut(&hash) {
            assembly.failed_late(&pending, hub.now.elapsed);
        }
        let done = self.go_on(hub, catch_up, hash);
        fail_on(hub, done);
    }

    pub(crate) fn happened(&mut self, hub: &mut Hub, catch_up: &mut CatchUp, happening: &Happening) {
        let done = match happening {
            Happening::Joined(peer) => {
                self.sides.joined(hub, *peer);
                self.correct_hello(hub, *peer)
            }
            Happening::Left(peer) => self.left(hub, catch_up, *peer),
            Happening::Tip { connected, source, .. } => self.arrived(hub, catch_up, connected).and_then(|()| {
                if catch_up.is_behind() && source.is_some() { Ok(()) } else { self.announce_tip(hub, connected) }
            }),
            Happening::Transaction { .. } => Ok(()),
        };
        fail_on(hub, done);
    }

    /// Answers [`Request::Compact`] and [`Request::BlockTransactions`].
    pub(crate) fn serve(&mut self, hub: &mut Hub, peer: ConnId, id: AnswerId, request: Request) {
        if !hub.may_answer(peer) {
            hub.answer(peer, id, Response::Busy);
            return;
        }
        let response = match self.response_to(hub, peer, request) {
            Ok(Some((bytes, response))) if hub.charge_answer(peer, bytes) => response,
            Ok(Some(_)) => Response::Busy,
            Ok(None) => Response::NotFound,
            Err(error) => {
                hub.fail(error);
                Response::NotFound
            }
        };
        hub.answer(peer, id, response);
    }

    /// With how many bytes it is; none if the block is not kept.
    fn response_to(
        &mut self,
        hub: &mut Hub,
        peer: ConnId,
        request: Request,
    ) -> Result<Option<(usize, Response)>, StoreError> {
        let chain = hub.chain.chain();
        Ok(match request {
            Request::Compact { hash } => {
                self.sides.has(peer, hash);
                let compact = self.served.compact(chain, &hash, &mut hub.random)?;
                compact.map(|compact| (compact_len(compact), Response::Compact(Box::new(compact.clone()))))
            }
            Request::BlockTransactions { hash, positions } => {
                let found = self.served.transactions(chain, &hash, &positions, &mut hub.random)?;
                found.map(|list| (list.iter().map(Transaction::encoded_len).sum(), Response::Transactions(list)))
            }
            _ => None,
        })
    }

    pub(crate) fn wake(&mut self, hub: &mut Hub, catch_up: &mut CatchUp) {
        let now = hub.now.elapsed;
        let is_due = |assembly: &Assembly| assembly.due.is_some_and(|due| due <= now);
        let due: Vec<_> = self.assemblies.iter().filter(|(_, one)| is_due(one)).map(|(hash, _)| *hash).collect();
        for hash in due {
            let done = self.go_on(hub, catch_up, hash);
            fail_on(hub, done);
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.assemblies.values().filter_map(|assembly| assembly.due).min()
    }

    /// A peer has these, each on the one before. One that is new and stands on a known block is dealt with here, all else by
    /// whoever catches up.
    fn announced(
        &mut self,
        hub: &mut Hub,
        catch_up: &mut CatchUp,
        peer: ConnId,
        headers: &[Header],
        compact: Option<CompactBlock>,
    ) -> Result<(), StoreError> {
        let hashes: Vec<BlockHash> = headers.iter().map(Header::block_hash).collect();
        let parents = headers.iter().skip(1).map(|header| header.template.prev_hash);
        if parents.zip(&hashes).any(|(parent, hash)| parent != *hash) {
            hub.blame(peer, Fault::Unconnected);
            return Ok(());
        }
        let mut new = Vec::new();
        for (hash, header) in hashes.iter().zip(headers) {
            self.sides.has(peer, *hash);
            match hub.chain.chain().known(hash)? {
                Some(known) if known.condemned => {
                    self.sides.announced_condemned(hub, peer);
                    return Ok(());
                }
                Some(_) => {}
                None => new.push(*header),
            }
        }
        let [header] = new.as_slice() else {
            if !new.is_empty() {
                catch_up.announced(hub, peer, &new);
            }
            return Ok(());
        };
        self.announced_one(hub, catch_up, Announcement { peer, header: *header, compact })
    }

    fn announced_one(
        &mut self,
        hub: &mut Hub,
        catch_up: &mut CatchUp,
        announcement: Announcement,
    ) -> Result<(), StoreError> {
        let Announcement { peer, header, .. } = announcement;
        let parent = header.template.prev_hash;
        let known = hub.chain.chain().known(&parent)?;
        match known {
            Some(known) if known.condemned => self.sides.announced_condemned(hub, peer),
            Some(known) if !catch_up.is_behind() => return self.stands_on(hub, catch_up, known, announcement),
            None if self.assemblies.contains_key(&parent) && self.children.len() < MOST_CHILDREN => {
                self.children.push_back(announcement);
            }
            Some(_) | None => catch_up.announced(hub, peer, &[header]),
        }
        Ok(())
    }

    /// A block that stands on one that the chain has.
    fn stands_on(
        &mut self,
        hub: &mut Hub,
        catch_up: &mut CatchUp,
        parent: Known,
        announcement: Announcement,
    ) -> Result<(), StoreError> {
        let Announcement { peer, header, compact } = announcement;
        let hash = header.block_hash();
        if let Some(assembly) = self.assemblies.get_mut(&hash) {
            assembly.announced_by(peer, self.sides.is_chosen(hub, peer));
            return self.begin(hub, catch_up, hash, peer, compact);
        }
        let tip = hub.chain.chain().tip();
        // Below the tip's height it is old news, unless difficulties differ so much that it has more work.
        if header.template.height < tip.height {
            if parent.work.plus(header.template.difficulty) > tip.work {
                catch_up.announced(hub, peer, &[header]);
            }
            return Ok(());
        }
        if self.early.contains(&hash) {
            return Ok(());
        }
        match self.headers.judge(hub, peer, &header, hash)? {
            Verdict::Nothing => return Ok(()),
            Verdict::Later => {
                catch_up.announced(hub, peer, &[header]);
                return Ok(());
            }
            Verdict::Good => self.announce(hub, hash, header, compact.as_ref()),
            Verdict::Early => {}
        }
        let of_peer = self.assemblies.values().filter(|assembly| assembly.source == peer).count();
        if self.assemblies.len() >= MOST_ASSEMBLIES || of_peer >= MOST_ASSEMBLIES_OF_A_PEER {
            catch_up.announced(hub, peer, &[header]);
            return Ok(());
        }
        self.assemblies.insert(hash, Assembly::new(header, peer, self.sides.is_chosen(hub, peer), hub.now.elapsed));
        self.begin(hub, catch_up, hash, peer, compact)
    }

    /// Takes up the announcements that had waited for a block.
    fn free_children(&mut self, hub: &mut Hub, catch_up: &mut CatchUp, hash: BlockHash) -> Result<(), StoreError> {
        if self.children.is_empty() {
            return Ok(());
        }
        let stands_on_it = |child: &Announcement| child.header.template.prev_hash == hash;
        let (free, rest): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.children).into_iter().partition(stands_on_it);
        self.children = rest;
        free.into_iter().try_for_each(|child| self.announced_one(hub, catch_up, child))
    }

    /// Blocks are on the chain, whoever brought them: nothing is to be put together any more, and what waited for them is
    /// taken up.
    fn arrived(&mut self, hub: &mut Hub, catch_up: &mut CatchUp, connected: &[BlockHash]) -> Result<(), StoreError> {
        for hash in connected {
            self.assemblies.remove(hash);
            self.free_children(hub, catch_up, *hash)?;
        }
        Ok(())
    }

    fn left(&mut self, hub: &mut Hub, catch_up: &mut CatchUp, peer: ConnId) -> Result<(), StoreError> {
        self.sides.left(hub, peer);
        self.children.retain(|child| child.peer != peer);
        self.asked.retain(|_, (asked, _)| *asked != peer);
        let mut stopped = Vec::new();
        for (hash, assembly) in &mut self.assemblies {
            if assembly.left(peer) {
                stopped.push(*hash);
            }
        }
        stopped.into_iter().try_for_each(|hash| self.go_on(hub, catch_up, hash))
    }
}

//! Getting the body of a block whose proof is checked: from what waits, then what is missing, then the whole.

use bloom_chain::{AcceptError, MempoolEntry, Outcome, StoreError};
use bloom_consensus::{Block, BlockHash};

use super::BlockRelay;
use super::assembly::{PATIENCE, Part, Pending, Step};
use crate::event::{ConnId, RequestId};
use crate::fault::Fault;
use crate::hub::{Hub, Purpose};
use crate::relay::compact::Partial;
use crate::sync::CatchUp;
use crate::wire::{CompactBlock, Response};

impl BlockRelay {
    /// Holds a compact copy, if there is one, against what waits, and asks for what is missing.
    pub(super) fn begin(
        &mut self,
        hub: &mut Hub,
        catch_up: &mut CatchUp,
        hash: BlockHash,
        peer: ConnId,
        compact: Option<CompactBlock>,
    ) -> Result<(), StoreError> {
        if let Some(compact) = compact {
            self.put_together(hub, hash, peer, compact)?;
        }
        self.go_on(hub, catch_up, hash)
    }

    /// What an assembly needs next, if it is still one; what had waited for it, if not.
    pub(super) fn go_on(&mut self, hub: &mut Hub, catch_up: &mut CatchUp, hash: BlockHash) -> Result<(), StoreError> {
        let Some(assembly) = self.assemblies.get_mut(&hash) else { return self.free_children(hub, catch_up, hash) };
        let now = hub.now.elapsed;
        assembly.due = None;
        match assembly.next(now) {
            Step::Ask(peer, part) => {
                let (request, within) = assembly.request(hash, part);
                let id = hub.ask(peer, Purpose::Relay, request, within);
                assembly.asked(id, peer, part, now);
                assembly.due = Some((now + PATIENCE).min(assembly.ends()));
                self.asked.insert(id, (peer, hash));
                Ok(())
            }
            Step::Wait(until) => {
                let ends = assembly.ends();
                assembly.due = Some(until.map_or(ends, |until| until.min(ends)));
                Ok(())
            }
            Step::GiveUp => {
                let (header, announcers) = (assembly.header, assembly.announcers());
                self.assemblies.remove(&hash);
                for peer in announcers {
                    catch_up.announced(hub, peer, &[header]);
                }
                self.free_children(hub, catch_up, hash)
            }
        }
    }

    /// What was asked for by this number, unless that was given up meanwhile.
    pub(super) fn answered(&mut self, id: RequestId) -> Option<(BlockHash, Pending)> {
        let (_, hash) = self.asked.remove(&id)?;
        Some((hash, self.assemblies.get_mut(&hash)?.answered(id)?))
    }

    pub(super) fn take_answer(
        &mut self,
        hub: &mut Hub,
        hash: BlockHash,
        pending: Pending,
        response: Response,
    ) -> Result<(), StoreError> {
        let (now, Pending { peer, part, .. }) = (hub.now.elapsed, pending);
        let Some(assembly) = self.assemblies.get_mut(&hash) else { return Ok(()) };
        match (part, response) {
            (Part::Compact, Response::Compact(compact)) if compact.header == assembly.header => {
                return self.put_together(hub, hash, peer, *compact);
            }
            (Part::Missing, Response::Transactions(transactions)) => {
                let Some(mut partial) = assembly.partial_of(&pending) else { return Ok(()) };
                if !partial.fill(transactions) {
                    hub.blame(peer, Fault::WrongAnswer);
                    assembly.failed_late(&pending, now);
                    return Ok(());
                }
                match partial.block() {
                    Some(block) => return self.accept(hub, hash, block, None),
                    None => assembly.is_not_it(pending.copy),
                }
            }
            (Part::Whole, Response::Blocks(blocks)) => return self.take_whole(hub, peer, hash, blocks),
            (Part::Compact, Response::NotFound) => assembly.not_yet(peer, part, now),
            // Of another's copy it may have no such positions, for that may be a lie.
            (Part::Missing, Response::NotFound) if assembly.is_own(&pending) => assembly.not_yet(peer, part, now),
            (_, Response::NotFound | Response::Busy) => assembly.failed_late(&pending, now),
            _ => {
                hub.blame(peer, Fault::WrongAnswer);
                assembly.failed_late(&pending, now);
            }
        }
        Ok(())
    }

    /// A block served whole: whoever serves it answers for its being the one that was asked for.
    fn take_whole(
        &mut self,
        hub: &mut Hub,
        peer: ConnId,
        hash: BlockHash,
        blocks: Vec<Block>,
    ) -> Result<(), StoreError> {
        let Some(assembly) = self.assemblies.get_mut(&hash) else { return Ok(()) };
        assembly.failed(peer, Part::Whole);
        let mut blocks = blocks.into_iter();
        match (blocks.next(), blocks.next()) {
            (None, _) => {}
            (Some(block), None) if block.header == assembly.header => {
                if block.merkle_root() == block.header.template.merkle_root {
                    return self.accept(hub, hash, block, Some(peer));
                }
                hub.blame(peer, Fault::InvalidBlock("its body is not its header's".to_owned()));
            }
            _ => hub.blame(peer, Fault::WrongAnswer),
        }
        Ok(())
    }

    /// One walk over what waits.
    fn put_together(
        &mut self,
        hub: &mut Hub,
        hash: BlockHash,
        peer: ConnId,
        compact: CompactBlock,
    ) -> Result<(), StoreError> {
        let Some(assembly) = self.assemblies.get_mut(&hash) else { return Ok(()) };
        if !assembly.may_try_copy(peer) {
            return Ok(());
        }
        let waiting = hub.chain.mempool().entries().map(MempoolEntry::transaction);
        let rivals = self.served.competing(compact.header.template.prev_hash);
        let partial = Partial::new(compact, &hash, waiting.chain(rivals));
        if !partial.missing().is_empty() {
            assembly.is_partial(partial, peer);
            return Ok(());
        }
        match partial.block() {
            Some(block) => self.accept(hub, hash, block, None),
            None => Ok(()),
        }
    }

    /// Hands the chain a block whose root is its header's. Who served it whole is let go if it is invalid.
    fn accept(
        &mut self,
        hub: &mut Hub,
        hash: BlockHash,
        block: Block,
        whole_from: Option<ConnId>,
    ) -> Result<(), StoreError> {
        let Some(assembly) = self.assemblies.remove(&hash) else { return Ok(()) };
        let source = assembly.source;
        match hub.accept(&block, Some(source), true) {
            Ok(accepted) => match accepted.outcome {
                Outcome::Extended | Outcome::Reorganised { .. } | Outcome::SideBranch => {
                    self.served.keep(hash, block, &mut hub.random);
                    self.brought(hub, source);
                    self.announce_kept(hub, hash)?;
                }
                Outcome::SetAside { .. } => drop(self.early.insert(hash)),
                Outcome::Orphan | Outcome::Known => {}
            },
            Err(AcceptError::Store(error)) => return Err(error),
            Err(AcceptError::Refused { rejection, .. }) => {
                // Its header is condemned, so that nobody sends it twice. A block on a side branch is served by honest nodes
                // that have not judged what it spends.
                if let Some(peer) = whole_from {
                    hub.part(peer, &format!("a block of its is invalid: {rejection}"));
                }
            }
            // An ancestor's fault, or the time's, or this node's, which has pruned.
            Err(
                AcceptError::InvalidBranch { .. }
                | AcceptError::Condemned { .. }
                | AcceptError::Pruned { .. }
                | AcceptError::TooFarAhead { .. }
                | AcceptError::NoRoom { .. },
            ) => {}
        }
        Ok(())
    }
}

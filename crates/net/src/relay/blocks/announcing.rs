//! Telling others of a new block: as soon as its proof is checked, and once more where its body is needed for that.

use bloom_chain::StoreError;
use bloom_consensus::{BlockHash, Header};

use super::BlockRelay;
use crate::event::ConnId;
use crate::hub::Hub;
use crate::relay::compact::compact_len;
use crate::wire::{CompactBlock, MAX_ANNOUNCED, Note};

/// A compact block up to this length goes to everybody: a header would only be followed by a question.
const SMALL_BYTES: usize = 2_000;

impl BlockRelay {
    /// Before the body is known: compact if it came so, to those that asked for it and, when it is small, to everybody; as a
    /// header to the rest. Who wants it pushed waits for the body if there are no short ids yet.
    pub(super) fn announce(&mut self, hub: &mut Hub, hash: BlockHash, header: Header, compact: Option<&CompactBlock>) {
        let is_small = compact.is_some_and(|compact| compact_len(compact) <= SMALL_BYTES);
        let without = self.sides.without(hash);
        let (pushed, told): (Vec<_>, Vec<_>) = without.into_iter().partition(|(_, wants)| *wants || is_small);
        let peers = |list: Vec<(ConnId, bool)>| list.into_iter().map(|(peer, _)| peer).collect();
        self.sides.send(hub, hash, peers(told), || Note::Blocks(vec![header]));
        if let Some(compact) = compact {
            self.sides.send(hub, hash, peers(pushed), || Note::Compact(Box::new(compact.clone())));
        }
    }

    /// What this node's hello said of its tip is no longer so: who returned hello was no peer yet when others were told.
    pub(super) fn correct_hello(&mut self, hub: &mut Hub, peer: ConnId) -> Result<(), StoreError> {
        let tip = hub.chain.chain().tip().hash;
        if hub.peers.get(peer).and_then(|peer| peer.told).is_some_and(|told| told != tip)
            && let Some(header) = hub.chain.chain().header(&tip)?
        {
            self.sides.send(hub, tip, vec![peer], || Note::Blocks(vec![header]));
        }
        Ok(())
    }

    /// The chain has these now; who has not heard is told.
    pub(super) fn announce_tip(&mut self, hub: &mut Hub, connected: &[BlockHash]) -> Result<(), StoreError> {
        let Some(hash) = connected.last().copied() else { return Ok(()) };
        let without = self.sides.without(hash);
        if without.is_empty() {
            return Ok(());
        }
        if connected.len() == 1 {
            return self.announce_kept(hub, hash);
        }
        let mut headers = Vec::new();
        for hash in connected.iter().skip(connected.len().saturating_sub(MAX_ANNOUNCED)) {
            headers.extend(hub.chain.chain().header(hash)?);
        }
        let peers = without.into_iter().map(|(peer, _)| peer).collect();
        self.sides.send(hub, hash, peers, || Note::Blocks(headers));
        Ok(())
    }

    /// Announces a block whose body is here.
    pub(super) fn announce_kept(&mut self, hub: &mut Hub, hash: BlockHash) -> Result<(), StoreError> {
        let compact = self.served.compact(hub.chain.chain(), &hash, &mut hub.random)?.cloned();
        if let Some(compact) = compact {
            self.announce(hub, hash, compact.header, Some(&compact));
        }
        Ok(())
    }

    pub(super) fn brought(&mut self, hub: &mut Hub, peer: ConnId) {
        let now = hub.now.elapsed;
        if let Some(peer) = hub.peers.get_mut(peer) {
            peer.last_block = Some(now);
        }
        self.sides.brought(hub, peer);
    }
}

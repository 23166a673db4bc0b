//! A new block's header, judged before anything else is done about the block. Each is proven once, whoever sends it.

use bloom_chain::StoreError;
use bloom_consensus::rules::{clock, header};
use bloom_consensus::{BlockHash, CheckError, ClockVerdict, Header, Parent, proof};

use crate::event::ConnId;
use crate::fault::Fault;
use crate::hub::Hub;
use crate::relay::recent::Recent;

/// Headers remembered for their true proofs, and as many for false ones.
pub(crate) const PROOFS_REMEMBERED: usize = 1_024;

/// What is to be done about a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Relay it and get its body.
    Good,
    /// Get its body, which the chain keeps until its time has come, and tell nobody before.
    Early,
    /// Its proof is more than its peer may cost now: let whoever catches up have it, which can wait.
    Later,
    /// Nothing. Whoever is to blame for it was blamed.
    Nothing,
}

/// Judges headers whose parents the chain knows.
#[derive(Debug)]
pub(crate) struct Headers {
    proven: Recent<BlockHash>,
    refuted: Recent<BlockHash>,
}

impl Default for Headers {
    fn default() -> Self {
        Self { proven: Recent::new(PROOFS_REMEMBERED), refuted: Recent::new(PROOFS_REMEMBERED) }
    }
}

impl Headers {
    /// Rules, then the budget, then the proof: the cheap before the dear.
    pub(crate) fn judge(
        &mut self,
        hub: &mut Hub,
        peer: ConnId,
        header: &Header,
        hash: BlockHash,
    ) -> Result<Verdict, StoreError> {
        if self.refuted.contains(&hash) {
            hub.blame(peer, Fault::FalseProof);
            return Ok(Verdict::Nothing);
        }
        let is_early = match clock::judge(header.template.timestamp, hub.now.unix) {
            ClockVerdict::Fine => false,
            ClockVerdict::SetAside { .. } => true,
            ClockVerdict::Dropped { .. } => return Ok(Verdict::Nothing),
        };
        let good = if is_early { Verdict::Early } else { Verdict::Good };
        if self.proven.contains(&hash) { Ok(good) } else { self.prove(hub, peer, header, hash, good) }
    }

    /// `good`, if it is.
    fn prove(
        &mut self,
        hub: &mut Hub,
        peer: ConnId,
        header: &Header,
        hash: BlockHash,
        good: Verdict,
    ) -> Result<Verdict, StoreError> {
        let chain = hub.chain.chain();
        let parent = header.template.prev_hash;
        let (Some(known), Some(ancestors)) = (chain.known(&parent)?, chain.ancestors_of(&parent)?) else {
            return Ok(Verdict::Nothing);
        };
        let parent = Parent { hash: parent, height: known.header.template.height };
        match header::check(chain.params(), header, &parent, &ancestors) {
            Ok(_) => {}
            Err(CheckError::Rule(violation)) => {
                hub.blame(peer, Fault::InvalidHeader(violation.to_string()));
                return Ok(Verdict::Nothing);
            }
            Err(CheckError::Store(error)) => return Err(error),
        }
        if !hub.charge_rounds(peer, u64::from(header.seal.bloom_end) + 1) {
            return Ok(Verdict::Later);
        }
        if proof::verify(header, &mut hub.solo).is_err() {
            self.refuted.insert(hash);
            hub.blame(peer, Fault::FalseProof);
            return Ok(Verdict::Nothing);
        }
        self.proven.insert(hash);
        if let Some(peer) = hub.peers.get_mut(peer) {
            peer.proven = true;
        }
        Ok(good)
    }
}

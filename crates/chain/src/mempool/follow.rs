//! The tip moves and the mempool follows: what a block holds leaves, what contradicts it leaves with all that stands on
//! it, and what a branch that lost had held comes back.

use bloom_consensus::{Block, BlockHash, Height, Timestamp};

use super::Mempool;
use super::admit::{Origin, next_height};
use super::entry::{MempoolEntry, memory};
use super::error::AdmitError;
use crate::{Chain, StoreError};

impl Mempool {
    /// Follows the chain to its tip. `given` is the block that arrived, which spares reading it where it is the tip.
    ///
    /// After an error the mempool is where it was or in between: the next call looks through all of it.
    pub(crate) fn follow(
        &mut self,
        chain: &mut Chain,
        given: Option<&Block>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tip = chain.tip().hash;
        if tip != self.tip {
            let from = std::mem::replace(&mut self.tip, BlockHash::ZERO);
            match given {
                Some(block) if block.header.template.prev_hash == from && block.hash() == tip => self.connect(block),
                _ => self.walk(chain, from, now)?,
            }
            (self.tip, self.height) = (tip, chain.tip().height);
            self.revision += 1;
        }
        self.pass_time(now);
        Ok(())
    }

    /// From a tip to another, whatever lies between them.
    fn walk(&mut self, chain: &mut Chain, from: BlockHash, now: Timestamp) -> Result<(), StoreError> {
        let Some((disconnected, fork)) = path_back(chain, from)? else {
            return self.revalidate(chain, now);
        };
        // Coins of the branch that lost are gone, or waiting again, or made anew at another height.
        let uprooted = self.take_above(fork);
        for height in fork.0 + 1..=chain.tip().height.0 {
            if let Some(block) = active_block(chain, Height(height))? {
                self.connect(&block);
            }
        }
        self.take_too_early(next_height(chain));
        self.bring_back(chain, &disconnected, now)?;
        self.readmit(chain, uprooted, now)
    }

    /// Takes everything out and in again.
    pub(crate) fn revalidate(&mut self, chain: &mut Chain, now: Timestamp) -> Result<(), StoreError> {
        let all: Vec<_> = self.graph.occupied().map(|(slot, _)| slot).collect();
        let entries = self.graph.remove_with_descendants(&all);
        self.readmit(chain, entries, now)
    }

    /// A block is on top of the tip: what it holds and what contradicts it leaves.
    fn connect(&mut self, block: &Block) {
        let height = block.header.template.height;
        self.estimator.fade();
        for transaction in &block.transactions {
            if let Some(slot) = self.graph.slot(&transaction.txid()) {
                let entry = self.graph.remove_confirmed(slot, height);
                if entry.speaks_for_its_rate() {
                    self.estimator.confirmed(entry.rate(), entry.height, height);
                }
                continue;
            }
            let spender = |input| self.graph.spender(input);
            let conflicts: Vec<_> = transaction.body().inputs().iter().filter_map(spender).collect();
            if !conflicts.is_empty() {
                self.graph.remove_with_descendants(&conflicts);
            }
        }
    }

    /// Takes out what spends a coin that was made above a height, with all that stands on it.
    fn take_above(&mut self, fork: Height) -> Vec<MempoolEntry> {
        let is_uprooted = |entry: &MempoolEntry| entry.newest_coin > fork;
        let slots: Vec<_> =
            self.graph.occupied().filter(|(_, entry)| is_uprooted(entry)).map(|(slot, _)| slot).collect();
        self.graph.remove_with_descendants(&slots)
    }

    /// Drops what the next block may not hold yet because the new branch is shorter.
    fn take_too_early(&mut self, next: Height) {
        let slots: Vec<_> =
            self.graph.occupied().filter(|(_, entry)| entry.earliest > next).map(|(slot, _)| slot).collect();
        self.graph.remove_with_descendants(&slots);
    }

    /// Takes in what blocks had held that are no longer on the chain, the lowest first: as much of it as would fill the
    /// mempool, so that a long branch of full blocks is not all judged again.
    fn bring_back(&mut self, chain: &mut Chain, blocks: &[BlockHash], now: Timestamp) -> Result<(), StoreError> {
        let mut left = self.limits.max_bytes;
        let height = chain.tip().height;
        for hash in blocks.iter().rev() {
            let Some(block) = chain.block(hash)? else { continue };
            for transaction in block.transactions {
                let Some(rest) = left.checked_sub(memory(&transaction)) else { return Ok(()) };
                left = rest;
                self.try_back(chain, transaction, Origin::Back { added: now, height }, now)?;
            }
        }
        Ok(())
    }

    /// Takes in what had been taken out.
    fn readmit(&mut self, chain: &mut Chain, entries: Vec<MempoolEntry>, now: Timestamp) -> Result<(), StoreError> {
        for MempoolEntry { transaction, added, height, .. } in entries {
            self.try_back(chain, transaction, Origin::Back { added, height }, now)?;
        }
        Ok(())
    }

    /// Whether it is back. That it is not is no failure: the new branch contradicts it, or does not allow it yet.
    pub(crate) fn try_back(
        &mut self,
        chain: &mut Chain,
        transaction: bloom_consensus::Transaction,
        origin: Origin,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self.admit(chain, transaction, origin, now) {
            Ok(_) => Ok(true),
            Err(AdmitError::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }
}

/// The blocks from a former tip back to the chain, and the height at which they meet; none if one is unknown.
fn path_back(chain: &Chain, from: BlockHash) -> Result<Option<(Vec<BlockHash>, Height)>, StoreError> {
    let mut path = Vec::new();
    let mut hash = from;
    loop {
        let Some(header) = chain.header(&hash)? else { return Ok(None) };
        if chain.is_active(&hash)? {
            return Ok(Some((path, header.template.height)));
        }
        path.push(hash);
        hash = header.template.prev_hash;
    }
}

fn active_block(chain: &Chain, height: Height) -> Result<Option<Block>, StoreError> {
    match chain.hash_at(height)? {
        Some(hash) => chain.block(&hash),
        None => Ok(None),
    }
}

//! The blocks of late, kept to be sent compact or in parts without reading them again.

use std::collections::VecDeque;

use bloom_chain::{Chain, StoreError};
use bloom_consensus::{Block, BlockHash, Transaction};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::relay::compact::compact;
use crate::wire::CompactBlock;

/// Blocks that are served compact or in parts; older ones are served whole.
pub(crate) const BLOCKS_SERVED: usize = 4;

#[derive(Debug)]
struct Kept {
    hash: BlockHash,
    block: Block,
    compact: CompactBlock,
}

#[derive(Debug, Default)]
pub(crate) struct Served(VecDeque<Kept>);

impl Served {
    fn find(&self, hash: &BlockHash) -> Option<&Kept> {
        self.0.iter().find(|kept| kept.hash == *hash)
    }

    /// Keeps a block that the chain has.
    pub(crate) fn keep(&mut self, hash: BlockHash, block: Block, random: &mut ChaCha8Rng) {
        if self.find(&hash).is_some() {
            return;
        }
        let compact = compact(&block, &hash, random.next_u64());
        self.0.push_back(Kept { hash, block, compact });
        if self.0.len() > BLOCKS_SERVED {
            self.0.pop_front();
        }
    }

    /// A block compact: one that is kept, or the tip.
    pub(crate) fn compact(
        &mut self,
        chain: &Chain,
        hash: &BlockHash,
        random: &mut ChaCha8Rng,
    ) -> Result<Option<&CompactBlock>, StoreError> {
        self.load(chain, hash, random)?;
        Ok(self.find(hash).map(|kept| &kept.compact))
    }

    /// Transactions of a block by position; none if it is not kept or has not as many.
    pub(crate) fn transactions(
        &mut self,
        chain: &Chain,
        hash: &BlockHash,
        positions: &[u32],
        random: &mut ChaCha8Rng,
    ) -> Result<Option<Vec<Transaction>>, StoreError> {
        self.load(chain, hash, random)?;
        let Some(kept) = self.find(hash) else { return Ok(None) };
        let at = |position: &u32| kept.block.transactions.get(usize::try_from(*position).ok()?).cloned();
        Ok(positions.iter().map(at).collect())
    }

    /// The transactions of kept blocks that are not the parent's: what a block that competes with them is likely to hold.
    pub(crate) fn competing(&self, parent: BlockHash) -> impl Iterator<Item = &Transaction> {
        let rivals = self.0.iter().filter(move |kept| kept.block.header.template.prev_hash == parent);
        rivals.flat_map(|kept| &kept.block.transactions)
    }

    /// Reads the tip, where nobody had it to give: after a start. Any other is not read, so that asking costs nothing.
    fn load(&mut self, chain: &Chain, hash: &BlockHash, random: &mut ChaCha8Rng) -> Result<(), StoreError> {
        if *hash == chain.tip().hash
            && self.find(hash).is_none()
            && let Some(block) = chain.block(hash)?
        {
            self.keep(*hash, block, random);
        }
        Ok(())
    }
}

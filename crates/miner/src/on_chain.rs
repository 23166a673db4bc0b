//! Mining on a chain that this process holds alone.

use bloom_chain::{AcceptError, Chain, Outcome, StoreError};
use bloom_consensus::{Block, BlockHash, Coinbase, Draft, Output, OutputKey, Timestamp, reward};

use crate::mining_loop::{MiningChain, unix_time};

/// A chain and the key that its new coins go to.
pub struct OnChain<'a> {
    chain: &'a mut Chain,
    payout: OutputKey,
}

/// Why mining on a chain ended.
#[derive(Debug, thiserror::Error)]
pub enum OnChainError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain refused a block that was mined on it.
    #[error("the chain did not take a block that was mined on it: {0}")]
    Refused(AcceptError),
    /// The chain filed the block, but not as its tip.
    #[error("the block {hash} was mined and did not become the tip: {outcome:?}")]
    NotTip {
        /// The block.
        hash: BlockHash,
        /// What became of it.
        outcome: Outcome,
    },
}

impl<'a> OnChain<'a> {
    /// Mines on `chain` and pays `payout`.
    #[must_use]
    pub fn new(chain: &'a mut Chain, payout: OutputKey) -> Self {
        Self { chain, payout }
    }
}

impl MiningChain for OnChain<'_> {
    type Error = OnChainError;

    fn tip(&mut self) -> Result<(BlockHash, Timestamp), OnChainError> {
        let tip = self.chain.tip();
        Ok((tip.hash, tip.timestamp))
    }

    /// The whole reward goes to one output; once there is none, the coinbase has no output.
    fn draft(&mut self, timestamp: Timestamp) -> Result<Draft, OnChainError> {
        let parent = self.chain.tip().as_parent();
        let height = self.chain.template_facts()?.height;
        let amount = reward::reward(height);
        let outputs = (amount.units() > 0).then_some(Output { amount, key: self.payout });
        let coinbase = Coinbase::new(height, Vec::new(), outputs.into_iter().collect())
            .expect("a coinbase without data and with an output above zero is well-formed");
        let ancestors = self.chain.ancestors();
        Ok(Draft::child(self.chain.params(), &parent, &ancestors, timestamp, coinbase, Vec::new())?)
    }

    fn submit(&mut self, block: &Block) -> Result<(), OnChainError> {
        match self.chain.accept(block, 0, unix_time()) {
            Ok(accepted) if accepted.outcome == Outcome::Extended => Ok(()),
            Ok(accepted) => Err(OnChainError::NotTip { hash: block.hash(), outcome: accepted.outcome }),
            Err(AcceptError::Store(error)) => Err(error.into()),
            Err(error) => Err(OnChainError::Refused(error)),
        }
    }
}

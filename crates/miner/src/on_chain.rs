//! Mining on a chain, with what waits for it, that this process holds alone.

use std::time::{Duration, Instant};

use bloom_chain::{AcceptError, CheckedDraft, DraftError, LiveChain, Outcome, StoreError};
use bloom_consensus::{Block, BlockHash, Draft, OutputKey, RuleViolation, Timestamp};

use crate::mining_loop::{MiningChain, unix_time};

/// A chain and the key that its new coins go to.
pub struct OnChain<'a> {
    chain: &'a mut LiveChain,
    payout: OutputKey,
    on_fault: Box<dyn FnMut(&RuleViolation) + 'a>,
    /// The mempool is saved when it has changed and this time has come.
    save_at: Instant,
}

/// Half a minute of transactions may be forgotten when the process is killed.
const SAVE_INTERVAL: Duration = Duration::from_secs(30);

/// Why mining on a chain ended.
#[derive(Debug, thiserror::Error)]
pub enum OnChainError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not even an empty block can be made: this program and its chain disagree about a rule.
    #[error("no block can be made on the tip: {0}")]
    NoDraft(Box<RuleViolation>),
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

impl From<DraftError> for OnChainError {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Invalid(violation) => Self::NoDraft(violation),
            DraftError::Store(error) => Self::Store(error),
        }
    }
}

impl<'a> OnChain<'a> {
    /// Mines on `chain` and pays `payout`.
    #[must_use]
    pub fn new(chain: &'a mut LiveChain, payout: OutputKey) -> Self {
        Self { chain, payout, on_fault: Box::new(|_| {}), save_at: Instant::now() + SAVE_INTERVAL }
    }

    /// Calls `on_fault` when the validator refuses what the mempool had chosen, and an empty block is mined instead.
    #[must_use]
    pub fn with_fault(mut self, on_fault: impl FnMut(&RuleViolation) + 'a) -> Self {
        self.on_fault = Box::new(on_fault);
        self
    }
}

impl MiningChain for OnChain<'_> {
    type Error = OnChainError;

    fn tip(&mut self) -> Result<(BlockHash, Timestamp), OnChainError> {
        if Instant::now() >= self.save_at {
            self.chain.save()?;
            self.save_at = Instant::now() + SAVE_INTERVAL;
        }
        let tip = self.chain.chain().tip();
        Ok((tip.hash, tip.timestamp))
    }

    fn draft(&mut self, timestamp: Timestamp) -> Result<Draft, OnChainError> {
        let CheckedDraft { draft, fault, .. } = self.chain.checked_draft(self.payout, timestamp)?;
        if let Some(violation) = fault {
            (self.on_fault)(&violation);
        }
        Ok(draft)
    }

    fn empty_draft(&mut self, timestamp: Timestamp) -> Result<Option<Draft>, OnChainError> {
        // With nothing waiting the full draft is the empty one, and as soon ready.
        if self.chain.mempool().is_empty() {
            return Ok(None);
        }
        Ok(Some(self.chain.empty_draft(self.payout, timestamp)?))
    }

    fn revision(&mut self) -> u64 {
        self.chain.mempool().revision()
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

//! The node that is this process itself: a chain and its mempool in a data directory, open and locked.

use bloom_chain::mempool::policy::MIN_RELAY_RATE;
use bloom_chain::{AdmitError, FeeRate, LiveChain, StoreError};
use bloom_consensus::{Block, BlockHash, Coin, Height, Outpoint, OutputKey, Params, Timestamp, Transaction, Txid};
use thiserror::Error;

use crate::node::{Node, Place, Waiting};

/// A data directory as a wallet's node.
pub struct OnDirectory {
    live: LiveChain,
    now: Timestamp,
}

/// Why it did not answer, or did not take a transaction.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// The mempool's judgement.
    #[error(transparent)]
    Refused(AdmitError),
    /// The files.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OnDirectory {
    /// Over a chain that this process has open. A command is short: `now` is the time of all of it.
    #[must_use]
    pub fn new(live: LiveChain, now: Timestamp) -> Self {
        Self { live, now }
    }

    /// The chain and its mempool.
    #[must_use]
    pub fn live(&self) -> &LiveChain {
        &self.live
    }
}

impl Node for OnDirectory {
    type Error = DirectoryError;

    fn params(&self) -> &Params {
        self.live.chain().params()
    }

    fn tip(&self) -> Result<Place, DirectoryError> {
        let tip = self.live.chain().tip();
        Ok(Place { hash: tip.hash, height: tip.height })
    }

    fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, DirectoryError> {
        Ok(self.live.chain().hash_at(height)?)
    }

    fn block(&self, hash: &BlockHash) -> Result<Option<Block>, DirectoryError> {
        Ok(self.live.chain().block(hash)?)
    }

    fn coins_of(&self, key: &OutputKey) -> Result<Vec<(Outpoint, Coin)>, DirectoryError> {
        Ok(self.live.chain().coins_of(key)?)
    }

    fn waiting(&self) -> Result<Vec<Waiting>, DirectoryError> {
        let entries = self.live.mempool().iter();
        Ok(entries.map(|entry| Waiting { transaction: entry.transaction().clone(), fee: entry.fee() }).collect())
    }

    fn fee_rate(&self, blocks: u32) -> Result<FeeRate, DirectoryError> {
        let mempool = self.live.mempool();
        Ok(mempool.estimate(blocks).max(mempool.min_fee_rate()).max(MIN_RELAY_RATE))
    }

    fn submit(&mut self, transaction: &Transaction) -> Result<Txid, DirectoryError> {
        match self.live.submit(transaction.clone(), self.now) {
            // It waits already, as somebody else signed it: it spends and pays the same.
            Ok(_) | Err(AdmitError::OtherSignatures { .. }) => {}
            Err(AdmitError::Store(error)) => return Err(DirectoryError::Store(error)),
            Err(refused) => return Err(DirectoryError::Refused(refused)),
        }
        self.live.save()?;
        Ok(transaction.txid())
    }

    fn is_refusal(error: &DirectoryError) -> bool {
        matches!(error, DirectoryError::Refused(_))
    }
}

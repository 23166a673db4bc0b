//! Transactions found on the chain, and the proofs that they are there.

use std::sync::atomic::{AtomicBool, Ordering};

use bloom_consensus::payment_proof::MOST_HEADERS;
use bloom_consensus::{Block, Height, Included, MerklePath, PaymentProof, Txid};
use thiserror::Error;

use crate::chain::Chain;
use crate::error::StoreError;

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchProgress {
    /// The height that was looked through.
    pub height: Height,
}

/// Why there is no proof.
#[derive(Debug, Error)]
pub enum ProveError {
    /// Not on the chain.
    #[error("transaction {txid} is not on the chain; it may wait for a block, or be on a branch that lost")]
    NotFound {
        /// As asked for.
        txid: Txid,
    },
    /// Not in the block where it was looked for.
    #[error("transaction {txid} is not in the block at height {height}; leave out --height to search for it")]
    NotThere {
        /// As asked for.
        txid: Txid,
        /// As asked for.
        height: Height,
    },
    /// No such block.
    #[error("no block at height {got}: the tip is at {tip}")]
    Height {
        /// As asked for.
        got: Height,
        /// The tip's.
        tip: Height,
    },
    /// Not in what is kept.
    #[error("transaction {txid} is not in what is kept: blocks below height {horizon} were pruned")]
    Pruned {
        /// As asked for.
        txid: Txid,
        /// The lowest height that is kept.
        horizon: Height,
    },
    /// It was told to stop.
    #[error("the search was stopped at height {height}")]
    Cancelled {
        /// The height that it had come to.
        height: Height,
    },
    /// The files fail.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Chain {
    /// Proves that a transaction, or a coinbase, is on the chain: looked for at a height, or from the tip down. The proof
    /// has so many headers from its block on, or as many as there are and a proof may have.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn prove(
        &self,
        txid: &Txid,
        at: Option<Height>,
        confirmations: usize,
        progress: &mut dyn FnMut(SearchProgress),
        cancel: &AtomicBool,
    ) -> Result<PaymentProof, ProveError> {
        let tip = self.tip.height;
        let (height, block, position) = match at {
            Some(got) if got > tip => return Err(ProveError::Height { got, tip }),
            Some(height) => self.find_at(txid, height)?.ok_or(ProveError::NotThere { txid: *txid, height })?,
            None => self.find(txid, progress, cancel)?,
        };
        let included = match usize::try_from(position).expect("a position in a block").checked_sub(1) {
            None => Included::Coinbase(block.coinbase.clone()),
            Some(at) => Included::Transaction(block.transactions[at].clone()),
        };
        let path = MerklePath::of(&block, position).expect("it was found there");
        let mut headers = vec![block.header];
        for height in height.0 + 1..=tip.0 {
            if headers.len() >= confirmations.clamp(1, MOST_HEADERS) {
                break;
            }
            let hash = self.ledger.known_hash_at(Height(height))?;
            headers.push(self.ledger.known_entry(&hash)?.header);
        }
        Ok(PaymentProof { network_id: self.params.network_id, included, path, headers })
    }

    fn find(
        &self,
        txid: &Txid,
        progress: &mut dyn FnMut(SearchProgress),
        cancel: &AtomicBool,
    ) -> Result<(Height, Block, u32), ProveError> {
        for height in (0..=self.tip.height.0).rev().map(Height) {
            match self.find_at(txid, height)? {
                Some(found) => return Ok(found),
                None if cancel.load(Ordering::Relaxed) => return Err(ProveError::Cancelled { height }),
                None => progress(SearchProgress { height }),
            }
        }
        match self.pruning {
            Some(pruning) if pruning.horizon > Height(1) => {
                Err(ProveError::Pruned { txid: *txid, horizon: pruning.horizon })
            }
            _ => Err(ProveError::NotFound { txid: *txid }),
        }
    }

    /// The block at a height and the place in it of a transaction, if it is there and the block was not pruned.
    fn find_at(&self, txid: &Txid, height: Height) -> Result<Option<(Height, Block, u32)>, StoreError> {
        let hash = self.ledger.known_hash_at(height)?;
        let Some(block) = self.block(&hash)? else { return Ok(None) };
        let transactions = block.transactions.iter().map(bloom_consensus::Transaction::txid);
        let ids = std::iter::once(block.coinbase.id()).chain(transactions);
        let position = (0..).zip(ids).find(|(_, id)| id == txid).map(|(position, _)| position);
        Ok(position.map(|position| (height, block, position)))
    }
}

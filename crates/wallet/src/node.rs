//! What a wallet asks of whoever keeps the chain: a data directory today, a running node later.

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Block, BlockHash, Coin, Height, Outpoint, OutputKey, Params, Transaction, Txid};

/// A block of the active chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
}

/// A transaction that waits in the mempool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// It.
    pub transaction: Transaction,
    /// What it pays: inputs less outputs.
    pub fee: Amount,
}

/// The chain and the transactions that wait for it, as a wallet sees them. Answers may come from another process, so
/// each call is one question, and between two of them the tip may move: hashes tell.
pub trait Node {
    /// Why a question was not answered, or a transaction not taken.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The network.
    fn params(&self) -> &Params;

    /// The last block of the chain.
    ///
    /// # Errors
    /// The node's.
    fn tip(&self) -> Result<Place, Self::Error>;

    /// The chain's block at a height, `None` above the tip.
    ///
    /// # Errors
    /// The node's.
    fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, Self::Error>;

    /// A whole block; `None` if it is unknown or its body was pruned.
    ///
    /// # Errors
    /// The node's.
    fn block(&self, hash: &BlockHash) -> Result<Option<Block>, Self::Error>;

    /// The coins of a key that are unspent at the tip, whether or not something that waits spends them.
    ///
    /// # Errors
    /// The node's.
    fn coins_of(&self, key: &OutputKey) -> Result<Vec<(Outpoint, Coin)>, Self::Error>;

    /// All transactions that wait in the mempool, each after those that it spends from.
    ///
    /// # Errors
    /// The node's.
    fn waiting(&self) -> Result<Vec<Waiting>, Self::Error>;

    /// A fee rate that should bring a transaction into one of the next `blocks` blocks.
    ///
    /// # Errors
    /// The node's.
    fn fee_rate(&self, blocks: u32) -> Result<FeeRate, Self::Error>;

    /// Hands a transaction in; one that waits already, with these signatures or others, is taken again without harm. When
    /// this returns, it is kept across a restart of the node.
    ///
    /// # Errors
    /// The node's, for a refusal too: it says which rule and what to do.
    fn submit(&mut self, transaction: &Transaction) -> Result<Txid, Self::Error>;

    /// Whether an error of [`Node::submit`] is the node's judgement of the transaction, which it has not kept. Of any
    /// other it is not known whether the transaction was taken.
    fn is_refusal(error: &Self::Error) -> bool;
}

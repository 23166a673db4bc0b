//! A block before its seal: what a miner is given to work on.

use bloom_kernel::{Difficulty, Seal};

use crate::constants::VERSION;
use crate::difficulty::{Ancestors, next_difficulty};
use crate::{
    Block, BlockHash, Challenge, Coinbase, Contents, Header, Height, Output, Params, Parent, ShapeError, Template,
    Timestamp, Transaction, merkle,
};

/// A template with the body that it commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    template: Template,
    coinbase: Coinbase,
    transactions: Vec<Transaction>,
}

impl Draft {
    /// The child of `parent`, with the difficulty that its ancestors demand. The transactions are taken as they are: a
    /// block that breaks a rule is refused when it is checked, not here.
    ///
    /// # Errors
    /// Those of `ancestors`.
    pub fn child<A: Ancestors>(
        params: &Params,
        parent: &Parent,
        ancestors: &A,
        timestamp: Timestamp,
        coinbase: Coinbase,
        transactions: Vec<Transaction>,
    ) -> Result<Self, A::Error> {
        let difficulty = next_difficulty(params, parent.height, ancestors)?;
        let merkle_root = merkle::root(&coinbase.id(), transactions.iter().map(Transaction::wtxid));
        let template = Template::child(parent, merkle_root, timestamp, difficulty);
        Ok(Self { template, coinbase, transactions })
    }

    /// A draft whose template was made beforehand. It must have the body's own root, or nobody takes the block.
    #[must_use]
    pub fn of(template: Template, coinbase: Coinbase, transactions: Vec<Transaction>) -> Self {
        Self { template, coinbase, transactions }
    }

    /// The genesis of a network: height 0, no parent, a coinbase of data without outputs, no transactions (law §6).
    ///
    /// # Errors
    /// [`ShapeError::CoinbaseData`] for more than 96 bytes of data.
    pub fn genesis(data: Vec<u8>, timestamp: Timestamp, difficulty: Difficulty) -> Result<Self, ShapeError> {
        let outputs: Vec<Output> = Vec::new();
        let coinbase = Coinbase::new(Height::GENESIS, data, outputs)?;
        let merkle_root = merkle::root(&coinbase.id(), []);
        let (height, prev_hash) = (Height::GENESIS, BlockHash::ZERO);
        let template = Template { version: VERSION, height, prev_hash, merkle_root, timestamp, difficulty };
        Ok(Self { template, coinbase, transactions: Vec::new() })
    }

    /// What is to be sealed.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// All that a worker needs beside the difficulty and a range of extra nonces.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        self.template.challenge()
    }

    /// What a block of it will hold.
    #[must_use]
    pub fn contents(&self) -> Contents<'_> {
        Contents { template: &self.template, coinbase: &self.coinbase, transactions: &self.transactions }
    }

    /// The same draft made at another second, with the difficulty unchanged: that depends on ancestors alone.
    #[must_use]
    pub fn at(mut self, timestamp: Timestamp) -> Self {
        self.template.timestamp = timestamp;
        self
    }

    /// The block, with the seal that was found for the challenge.
    #[must_use]
    pub fn seal(self, seal: Seal) -> Block {
        let Self { template, coinbase, transactions } = self;
        Block { header: Header { template, seal }, coinbase, transactions }
    }
}

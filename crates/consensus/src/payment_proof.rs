//! That a transaction is in a block with so much work on it, for somebody who has no chain.
//!
//! What is checked: the Merkle path from the transaction to the header's root; that the headers follow one another; each
//! header's own rules, its ticket and its attempt, run again; its difficulty against the one before it, as far as the
//! headers at hand determine it, and against the network's lowest. What cannot be: that the headers stand on this
//! network's genesis, and that no heavier chain leaves them out. The work tells what a forgery would have cost.

use bloom_kernel::{Batch, Difficulty};
use thiserror::Error;

use crate::constants::RETARGET_INTERVAL;
use crate::difficulty::{asert_phi, golden};
use crate::inclusion::{MerklePath, PathError};
use crate::rules::header::check_isolated;
use crate::{
    BlockHash, Coinbase, FalseProof, Header, Height, MerkleRoot, NetworkId, Output, Params, Retarget, RuleViolation,
    Timestamp, Transaction, Txid, Work, proof,
};

/// More headers than anybody needs to be convinced.
pub const MOST_HEADERS: usize = 10_000;

/// What is proven to be in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Included {
    /// Its coinbase.
    Coinbase(Coinbase),
    /// One of its transactions.
    Transaction(Transaction),
}

impl Included {
    /// What outpoints call it.
    #[must_use]
    pub fn txid(&self) -> Txid {
        match self {
            Self::Coinbase(coinbase) => coinbase.id(),
            Self::Transaction(transaction) => transaction.txid(),
        }
    }

    /// What it pays.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        match self {
            Self::Coinbase(coinbase) => coinbase.outputs(),
            Self::Transaction(transaction) => transaction.body().outputs(),
        }
    }

    /// What its block commits to.
    fn leaf_id(&self) -> [u8; 32] {
        match self {
            Self::Coinbase(coinbase) => coinbase.id().0,
            Self::Transaction(transaction) => transaction.wtxid().0,
        }
    }
}

/// A transaction, its path, and the headers from its block's on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentProof {
    /// The network that it is said to be of.
    pub network_id: NetworkId,
    /// What is in the block.
    pub included: Included,
    /// From there to the first header's root.
    pub path: MerklePath,
    /// The block's header and those that confirm it.
    pub headers: Vec<Header>,
}

/// What a proof proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The block.
    pub block: BlockHash,
    /// Its height, as its header has it.
    pub height: Height,
    /// When it was made, as its header has it.
    pub timestamp: Timestamp,
    /// Blocks from it on, itself included.
    pub confirmations: u64,
    /// Their work.
    pub work: Work,
}

/// What is wrong with a proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PaymentProofError {
    /// It is of another network.
    #[error("proof of network {got}, expected {expected}")]
    Network {
        /// The network in it.
        got: NetworkId,
        /// The one asked for.
        expected: NetworkId,
    },
    /// No header, or more than anybody needs.
    #[error("proof with {got} headers, expected 1 to {MOST_HEADERS}")]
    Headers {
        /// How many.
        got: usize,
    },
    /// The path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The path leads elsewhere.
    #[error("merkle path to root {got}, expected {expected}, the block's")]
    Root {
        /// Where it leads.
        got: MerkleRoot,
        /// The header's.
        expected: MerkleRoot,
    },
    /// A coinbase that is not the first leaf, or a transaction that is.
    #[error("merkle path from position {position}: a coinbase stands at 0 and a transaction does not")]
    Place {
        /// As claimed.
        position: u32,
    },
    /// A coinbase of another height than its block's.
    #[error("coinbase of height {got}, expected {expected}")]
    CoinbaseHeight {
        /// In the coinbase.
        got: Height,
        /// In the header.
        expected: Height,
    },
    /// A header that does not follow the one before it.
    #[error("header {number} of the proof does not follow the one before it")]
    Unlinked {
        /// Its place among the headers, from 0.
        number: usize,
    },
    /// A header that breaks a rule.
    #[error("header {number} of the proof: {violation}")]
    Rule {
        /// Its place among the headers, from 0.
        number: usize,
        /// The rule.
        violation: Box<RuleViolation>,
    },
    /// A header whose attempt does not come out as claimed.
    #[error("header {number} of the proof: {fault}")]
    FalseProof {
        /// Its place among the headers, from 0.
        number: usize,
        /// What came out.
        fault: FalseProof,
    },
}

impl PaymentProof {
    /// Checks everything that can be checked without a chain, cheap before dear.
    ///
    /// # Errors
    /// [`PaymentProofError`] for the first thing that is wrong.
    pub fn verify(&self, params: &Params, batch: &mut Batch) -> Result<Proven, PaymentProofError> {
        if self.network_id != params.network_id {
            return Err(PaymentProofError::Network { got: self.network_id, expected: params.network_id });
        }
        let got = self.headers.len();
        let Some(first) = self.headers.first().filter(|_| got <= MOST_HEADERS) else {
            return Err(PaymentProofError::Headers { got });
        };
        self.check_inclusion(first)?;
        let block = self.check_headers(params)?;
        for (number, result) in proof::verify_many(&self.headers, batch).into_iter().enumerate() {
            result.map_err(|fault| PaymentProofError::FalseProof { number, fault })?;
        }
        Ok(Proven {
            block,
            height: first.template.height,
            timestamp: first.template.timestamp,
            confirmations: u64::try_from(got).expect("at most MOST_HEADERS"),
            work: self.headers.iter().fold(Work::ZERO, |work, header| work.plus(header.template.difficulty)),
        })
    }

    fn check_inclusion(&self, header: &Header) -> Result<(), PaymentProofError> {
        let position = self.path.position;
        if matches!(self.included, Included::Coinbase(_)) != (position == 0) {
            return Err(PaymentProofError::Place { position });
        }
        let (got, expected) = (self.path.root(&self.included.leaf_id())?, header.template.merkle_root);
        if got != expected {
            return Err(PaymentProofError::Root { got, expected });
        }
        if let Included::Coinbase(coinbase) = &self.included
            && coinbase.height() != header.template.height
        {
            let (got, expected) = (coinbase.height(), header.template.height);
            return Err(PaymentProofError::CoinbaseHeight { got, expected });
        }
        Ok(())
    }

    /// Each header by itself and after the one before it; the hash of the first.
    fn check_headers(&self, params: &Params) -> Result<BlockHash, PaymentProofError> {
        let mut first = None;
        let mut before: Option<(Header, BlockHash)> = None;
        for (number, header) in self.headers.iter().enumerate() {
            let rule = |violation| PaymentProofError::Rule { number, violation: Box::new(violation) };
            let hash = check_isolated(header).map_err(rule)?;
            if let Some((parent, parent_hash)) = before {
                let follows = header.template.prev_hash == parent_hash
                    && Some(header.template.height) == parent.template.height.next();
                if !follows {
                    return Err(PaymentProofError::Unlinked { number });
                }
                let (got, parent) = (header.template.timestamp, parent.template.timestamp);
                if got <= parent {
                    return Err(rule(RuleViolation::Timestamp { got, parent }));
                }
            }
            self.check_difficulty(params, number, header, before.map(|(parent, _)| parent)).map_err(rule)?;
            first.get_or_insert(hash);
            before = Some((*header, hash));
        }
        Ok(first.expect("there is a header"))
    }

    /// The difficulty, exactly where the headers before it determine it and within bounds elsewhere.
    fn check_difficulty(
        &self,
        params: &Params,
        number: usize,
        header: &Header,
        parent: Option<Header>,
    ) -> Result<(), RuleViolation> {
        let got = header.template.difficulty;
        let exactly = |expected: Difficulty| match got == expected {
            true => Ok(()),
            false => Err(RuleViolation::Difficulty { got, expected }),
        };
        let within = |least: Difficulty, most: Difficulty| exactly(got.clamp(least, most));
        let height = header.template.height;
        match (params.retarget, parent) {
            (Retarget::None, _) => exactly(params.genesis_difficulty()),
            (_, None) => within(params.min_difficulty, Difficulty::MAX),
            (Retarget::Golden, Some(parent)) if !height.0.is_multiple_of(RETARGET_INTERVAL) => {
                exactly(parent.template.difficulty)
            }
            (Retarget::Golden, Some(parent)) => {
                let (last, lowest) = (parent.template, params.min_difficulty);
                // 124 back, or genesis for the first interval.
                let span = RETARGET_INTERVAL.saturating_add(1);
                let back = usize::try_from(span).ok().and_then(|span| number.checked_sub(span));
                match back.and_then(|at| self.headers.get(at)) {
                    Some(first) => {
                        let elapsed = last.timestamp.0.saturating_sub(first.template.timestamp.0);
                        exactly(golden(last.difficulty, RETARGET_INTERVAL, elapsed, lowest))
                    }
                    None => within(
                        golden(last.difficulty, RETARGET_INTERVAL, u64::MAX, lowest),
                        golden(last.difficulty, RETARGET_INTERVAL, 1, lowest),
                    ),
                }
            }
            (Retarget::AsertPhi, Some(parent)) => {
                let genesis = params.genesis.header.template;
                let elapsed = parent.template.timestamp.0.saturating_sub(genesis.timestamp.0);
                exactly(asert_phi(genesis.difficulty, height.0, elapsed, params.min_difficulty))
            }
        }
    }
}

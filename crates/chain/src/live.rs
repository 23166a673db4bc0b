//! The chain with the transactions that wait for it: blocks and transactions go in here, and the two stay in step.

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bloom_consensus::constants::{HEADER_BYTES, MAX_BLOCK_BYTES};
use bloom_consensus::{
    Amount, Block, BlockHash, Coinbase, Draft, Output, OutputKey, Params, RuleViolation, Timestamp, Transaction, reward,
};

use crate::accept::{Accepted, Followed};
use crate::archive::ArchiveReader;
use crate::branch::Switch;
use crate::chain::{Chain, Options};
use crate::error::{AcceptError, DraftError, StoreError};
use crate::marks::MarkError;
use crate::mempool::{AdmitError, Admitted, Loaded, Mempool, MempoolLimits, Origin};
use crate::transfer::{ImportError, Imported, TransferProgress};

const MEMPOOL: &str = "mempool.dat";

/// A chain and its mempool.
pub struct LiveChain {
    chain: Chain,
    mempool: Mempool,
    file: Option<PathBuf>,
    loaded: Loaded,
    /// The revision that is in the file.
    saved: Option<u64>,
}

/// A draft that passed the block validator.
#[derive(Debug)]
pub struct CheckedDraft {
    /// To be mined on.
    pub draft: Draft,
    /// What its transactions pay, all of which its coinbase takes.
    pub fees: Amount,
    /// Why it holds no transactions although some wait, if the validator refused those that the mempool had chosen.
    pub fault: Option<Box<RuleViolation>>,
}

impl LiveChain {
    /// Opens the chain in a directory, or begins one there, and takes in again what waited when it was last saved. What
    /// came of that is told by [`LiveChain::loaded`]: it never keeps the chain from opening.
    ///
    /// # Errors
    /// [`StoreError`], as [`Chain::open`].
    pub fn open(
        dir: &Path,
        params: &Params,
        options: Options,
        limits: MempoolLimits,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut chain = Chain::open(dir, params, options)?;
        let file = dir.join(MEMPOOL);
        let (mempool, loaded) = Mempool::load(&file, &mut chain, limits, now)?;
        let is_unchanged = loaded.dropped == 0 && loaded.fault.is_none();
        let saved = is_unchanged.then(|| mempool.revision());
        Ok(Self { chain, mempool, file: Some(file), loaded, saved })
    }

    /// Begins a chain and a mempool that end with the process.
    ///
    /// # Errors
    /// None of a store in memory.
    pub fn in_memory(params: &Params, options: Options, limits: MempoolLimits) -> Result<Self, StoreError> {
        let chain = Chain::in_memory(params, options)?;
        let mempool = Mempool::new(limits, chain.tip());
        Ok(Self { chain, mempool, file: None, loaded: Loaded::default(), saved: None })
    }

    /// The chain.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What waits.
    #[must_use]
    pub fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// What became of the transactions that were saved before.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Takes a block as [`Chain::accept`] does; the mempool follows the tip.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub fn accept(&mut self, block: &Block, source: u64, now: Timestamp) -> Result<Accepted, AcceptError> {
        let accepted = self.chain.accept(block, source, now);
        self.follow(accepted, block, now)
    }

    /// Takes a block as [`Chain::accept_proven`] does; the mempool follows the tip.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub fn accept_proven(&mut self, block: &Block, source: u64, now: Timestamp) -> Result<Accepted, AcceptError> {
        let accepted = self.chain.accept_proven(block, source, now);
        self.follow(accepted, block, now)
    }

    fn follow(
        &mut self,
        accepted: Result<Accepted, AcceptError>,
        block: &Block,
        now: Timestamp,
    ) -> Result<Accepted, AcceptError> {
        if let Err(AcceptError::Store(error)) = accepted {
            return Err(error.into());
        }
        self.mempool.follow(&mut self.chain, Some(block), now)?;
        accepted
    }

    /// Tries again the blocks that were set aside, as [`Chain::retry`] does; the mempool follows the tip.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn retry(&mut self, now: Timestamp) -> Result<Vec<Followed>, StoreError> {
        let followed = self.chain.retry(now)?;
        self.mempool.follow(&mut self.chain, None, now)?;
        Ok(followed)
    }

    /// Marks a block as [`Chain::invalidate`] does; the mempool follows the tip.
    ///
    /// # Errors
    /// [`MarkError`].
    pub fn invalidate(&mut self, hash: &BlockHash, now: Timestamp) -> Result<Switch, MarkError> {
        let switch = self.chain.invalidate(hash)?;
        self.mempool.follow(&mut self.chain, None, now)?;
        Ok(switch)
    }

    /// Takes a mark back as [`Chain::reconsider`] does; the mempool follows the tip.
    ///
    /// # Errors
    /// [`MarkError`].
    pub fn reconsider(&mut self, hash: &BlockHash, now: Timestamp) -> Result<Switch, MarkError> {
        let switch = self.chain.reconsider(hash)?;
        self.mempool.follow(&mut self.chain, None, now)?;
        Ok(switch)
    }

    /// Takes the blocks of an archive as [`Chain::import`] does; the mempool follows from where it was to where that ends,
    /// however it ends.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn import<R: Read>(
        &mut self,
        archive: &mut ArchiveReader<R>,
        threads: NonZeroUsize,
        now: Timestamp,
        progress: &mut dyn FnMut(TransferProgress),
        cancel: &AtomicBool,
    ) -> Result<Imported, ImportError> {
        let imported = self.chain.import(archive, threads, now, progress, cancel);
        if !matches!(imported, Err(ImportError::Store(_))) {
            self.mempool.follow(&mut self.chain, None, now)?;
        }
        imported
    }

    /// Takes a transaction into the mempool. It is kept across a restart once [`LiveChain::save`] has returned.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub fn submit(&mut self, transaction: Transaction, now: Timestamp) -> Result<Admitted, AdmitError> {
        self.mempool.follow(&mut self.chain, None, now)?;
        self.mempool.admit(&mut self.chain, transaction, Origin::New, now)
    }

    /// The block that pays `payout` most, of what waits: found good by the whole block validator.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn draft(&mut self, payout: OutputKey, timestamp: Timestamp) -> Result<Draft, DraftError> {
        Ok(self.checked_draft(payout, timestamp)?.draft)
    }

    /// As [`LiveChain::draft`], with what it pays. If the validator refuses what the mempool has chosen, the draft is
    /// empty and says why, and everything that waits is judged anew.
    ///
    /// # Errors
    /// [`DraftError`]; [`DraftError::Invalid`] if not even an empty block can be made at that time.
    pub fn checked_draft(&mut self, payout: OutputKey, timestamp: Timestamp) -> Result<CheckedDraft, DraftError> {
        let with_output = self.coinbase(payout, Amount::from_units(1))?;
        let frame = HEADER_BYTES + with_output.encoded_len() + 4;
        let (transactions, fees) = self.mempool.best(MAX_BLOCK_BYTES - frame);
        let is_empty = transactions.is_empty();
        let coinbase = self.coinbase(payout, fees)?;
        match self.chain.make_draft(timestamp, coinbase, transactions) {
            Ok((draft, fees)) => Ok(CheckedDraft { draft, fees, fault: None }),
            Err(DraftError::Invalid(violation)) if !is_empty => {
                self.mempool.revalidate(&mut self.chain, timestamp)?;
                let draft = self.empty_draft(payout, timestamp)?;
                Ok(CheckedDraft { draft, fees: Amount::ZERO, fault: Some(violation) })
            }
            Err(error) => Err(error),
        }
    }

    /// A block without transactions, whose making takes no time: found good by the whole block validator.
    ///
    /// # Errors
    /// [`DraftError`]; [`DraftError::Invalid`] if no block can be made at that time.
    pub fn empty_draft(&mut self, payout: OutputKey, timestamp: Timestamp) -> Result<Draft, DraftError> {
        let coinbase = self.coinbase(payout, Amount::ZERO)?;
        Ok(self.chain.make_draft(timestamp, coinbase, Vec::new())?.0)
    }

    /// As [`Chain::set_blocks_per_commit`].
    pub fn set_blocks_per_commit(&mut self, blocks: usize) {
        self.chain.set_blocks_per_commit(blocks);
    }

    /// As [`Chain::flush`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.chain.flush()
    }

    /// Makes what waits durable, where there is a directory and something changed.
    ///
    /// # Errors
    /// [`StoreError`]; what was saved before is still there.
    pub fn save(&mut self) -> Result<(), StoreError> {
        let revision = self.mempool.revision();
        if let Some(file) = &self.file
            && self.saved != Some(revision)
        {
            self.mempool.save(file, &self.chain.params().network_id)?;
            self.saved = Some(revision);
        }
        Ok(())
    }

    /// Reward and fees go to one output; where there is nothing, there is no output.
    fn coinbase(&self, payout: OutputKey, fees: Amount) -> Result<Coinbase, StoreError> {
        let height = self.chain.template_facts()?.height;
        let reward = reward::reward(height);
        // Fees are coins that exist: with the reward of one block they stay far below 2⁶⁴.
        let amount = reward.checked_add(fees).unwrap_or(reward);
        let outputs = (amount > Amount::ZERO).then_some(Output { amount, key: payout });
        let coinbase = Coinbase::new(height, self.chain.distinction()?, outputs.into_iter().collect());
        Ok(coinbase.expect("eight bytes of data are not too many"))
    }
}

#[cfg(test)]
mod tests {
    use bloom_consensus::{Body, Height, Outpoint, genesis, signing};
    use bloom_kernel::{Backend, Batch};
    use secp256k1::{Keypair, schnorr};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    /// A mempool that has missed a block offers what is spent: no such draft leaves, and all is judged anew.
    #[test]
    fn a_draft_that_the_validator_refuses_is_replaced_by_an_empty_one_that_says_so() {
        let params = Params::dev();
        let pair = Keypair::from_secret_bytes([1; 32]).unwrap();
        let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
        let mut live = LiveChain::in_memory(&params, Options::default(), MempoolLimits::default()).unwrap();
        let mut batch = Box::new(Batch::new(Backend::detect()));
        let mut mine = |live: &mut LiveChain, transactions: Vec<Transaction>| {
            let time = live.chain.template_facts().unwrap().min_timestamp;
            let coinbase = live.coinbase(key, Amount::ZERO).unwrap();
            genesis::forge(live.chain.make_draft(time, coinbase, transactions).unwrap().0, &mut batch)
        };
        let first = mine(&mut live, Vec::new());
        live.accept(&first, 0, NOW).unwrap();
        for _ in 0..122 {
            let block = mine(&mut live, Vec::new());
            live.accept(&block, 0, NOW).unwrap();
        }
        let outpoint = Outpoint { txid: first.coinbase.id(), index: 0 };
        let spent = first.coinbase.outputs()[0];
        let pay = |units| {
            let output = Output { amount: Amount::from_units(units), key };
            let body = Body::new(Height(0), vec![outpoint], vec![output]).unwrap();
            let common = signing::common(&params.network_id, &body, &[spent]).unwrap();
            let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &pair);
            Transaction::new(body, vec![signature.to_byte_array()]).unwrap()
        };
        live.submit(pay(1_000), NOW).unwrap();
        let other = mine(&mut live, vec![pay(2_000)]);
        live.chain.accept(&other, 0, NOW).unwrap();

        let checked = live.checked_draft(key, NOW).unwrap();
        assert!(matches!(checked.fault.as_deref(), Some(RuleViolation::Transaction { .. })), "{:?}", checked.fault);
        assert!(checked.draft.contents().transactions.is_empty());
        assert_eq!(checked.draft.contents().template.prev_hash, other.hash());
        assert!(live.mempool().is_empty());
        assert!(live.checked_draft(key, NOW).unwrap().fault.is_none());
    }
}

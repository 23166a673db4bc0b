//! The chain as its users see it: opening, and everything that can be asked.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bloom_consensus::difficulty::next_difficulty;
use bloom_consensus::merkle;
use bloom_consensus::reward::issued;
use bloom_consensus::rules::header;
use bloom_consensus::{
    Amount, Block, BlockHash, Coin, CoinView, Coinbase, Contents, Difficulty, Draft, Header, Height, MerkleRoot,
    Outpoint, Output, OutputKey, Params, Template, Timestamp, Transaction, TransactionViolation, Work,
};
use bloom_kernel::{Backend, Solo};

use crate::branch;
use crate::error::{DraftError, StoreError};
use crate::examiner::{Examiner, side_by_side};
use crate::facts::{CoinsState, Known, Leaf, LeafStatus, TemplateFacts, Tip};
use crate::failpoints::kill_point;
use crate::ledger::{Branch, Ledger};
use crate::prune::{Keep, Pruning};
use crate::store::{Directory, Entry, MemoryStore};
use crate::waiting::{ORPHANS, Pool, SET_ASIDE};

/// How a chain is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
    /// What proofs are re-run on.
    pub backend: Backend,
    /// Blocks per commit. 1 makes every block durable before [`Chain::accept`] returns; an initial load takes 64 and
    /// calls [`Chain::flush`] at its end: what was not flushed may be gone after a kill.
    pub blocks_per_commit: usize,
    /// Threads that check the transactions of a block, at least one.
    pub threads: usize,
    /// Begin a chain where there is none. Without it, [`Chain::open`] makes nothing and says so.
    pub create: bool,
    /// Drop old bodies, as [`Chain::prune`] does, when the chain is opened and from then on. A chain that was pruned
    /// before goes on as it was, with or without it.
    pub prune: Option<Keep>,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cache_bytes: 8 << 20,
            backend: Backend::detect(),
            blocks_per_commit: 1,
            threads,
            create: true,
            prune: None,
        }
    }
}

/// All blocks known, which of them are the chain, and what is unspent at its tip.
pub struct Chain {
    pub(crate) ledger: Ledger,
    pub(crate) params: Params,
    pub(crate) solo: Solo,
    pub(crate) examiner: Examiner,
    pub(crate) tip: Tip,
    pub(crate) orphans: Pool,
    pub(crate) set_aside: Pool,
    pub(crate) blocks_per_commit: usize,
    /// Blocks written since the last commit.
    pub(crate) pending: usize,
    /// The store failed: what is in memory may be ahead of it.
    pub(crate) closed: bool,
    pub(crate) pruning: Option<Pruning>,
    // Declared last: unlocked after the store is closed.
    pub(crate) directory: Option<Directory>,
}

impl Chain {
    /// Opens the chain in a directory, or begins one there with the network's genesis.
    ///
    /// # Errors
    /// [`StoreError`]; a chain that is there is left as it was.
    pub fn open(dir: &Path, params: &Params, options: Options) -> Result<Self, StoreError> {
        if !options.create && !Directory::is_used(dir) {
            return Err(StoreError::Absent { path: dir.to_owned() });
        }
        let directory = Directory::lock(dir, options.cache_bytes)?;
        if !directory.has_chain()? {
            kill_point!("create.before-genesis");
            let path = directory.chain_path();
            directory.forget_pruned()?;
            begin(Ledger::empty(directory.build(&params.network_id)?, path), params)?;
            directory.put_in_place()?;
        }
        Self::open_in(directory, params, options)
    }

    /// Begins a chain that ends with the process.
    ///
    /// # Errors
    /// None of a store in memory.
    pub fn in_memory(params: &Params, options: Options) -> Result<Self, StoreError> {
        let ledger = begin(Ledger::empty(Box::new(MemoryStore::default()), PathBuf::from("memory")), params)?;
        Self::over(ledger, None, params, options)
    }

    pub(crate) fn open_in(directory: Directory, params: &Params, options: Options) -> Result<Self, StoreError> {
        let store = directory.open(&params.network_id)?;
        let mut ledger = Ledger::open(store, directory.chain_path())?;
        ledger.commit()?; // nothing but the mark
        Self::over(ledger, Some(directory), params, options)
    }

    pub(crate) fn over(
        ledger: Ledger,
        directory: Option<Directory>,
        params: &Params,
        options: Options,
    ) -> Result<Self, StoreError> {
        let hash = ledger.tip()?;
        let tip = Tip::new(hash, &ledger.known_entry(&hash)?);
        let pruning = ledger.pruning()?;
        match (&directory, pruning) {
            // Should only the chain's own file have been copied here.
            (Some(directory), Some(_)) => directory.mark_pruned()?,
            // Should who left word have died before anything was dropped.
            (Some(directory), None) => directory.forget_pruned()?,
            (None, _) => {}
        }
        let mut chain = Self {
            ledger,
            params: params.clone(),
            solo: Solo::new(options.backend),
            examiner: Examiner::new(params.network_id, options.threads),
            tip,
            orphans: Pool::new(ORPHANS),
            set_aside: Pool::new(SET_ASIDE),
            blocks_per_commit: options.blocks_per_commit.max(1),
            pending: 0,
            closed: false,
            pruning,
            directory,
        };
        if let Some(keep) = options.prune
            && pruning.is_none()
        {
            chain.prune(keep, &mut |_| {}, &AtomicBool::new(false))?;
        }
        Ok(chain)
    }

    /// The network.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The last block of the chain.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.tip
    }

    /// What the next block must be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn template_facts(&self) -> Result<TemplateFacts, StoreError> {
        Ok(TemplateFacts {
            parent: self.tip.hash,
            height: Height(self.tip.height.0 + 1),
            difficulty: self.next_difficulty()?,
            min_timestamp: Timestamp(self.tip.timestamp.0 + 1),
        })
    }

    /// What a coinbase on the tip holds so that its block is none that is filed already: nothing, unless blocks stand on
    /// the tip that are not followed.
    pub(crate) fn distinction(&self) -> Result<Vec<u8>, StoreError> {
        let is_leaf = self.ledger.is_leaf(&self.tip.hash)?;
        Ok(if is_leaf { Vec::new() } else { self.ledger.next_arrival().to_le_bytes().to_vec() })
    }

    /// The difficulty of the next block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_difficulty(&self) -> Result<Difficulty, StoreError> {
        next_difficulty(&self.params, self.tip.height, &self.ancestors())
    }

    /// The ancestors of the next block, for [`bloom_consensus::Draft::child`].
    #[must_use]
    pub fn ancestors(&self) -> Branch<'_> {
        self.ledger.branch(self.tip.hash, self.tip.height)
    }

    /// The ancestors of a child of a block on any branch; `None` if that block is unknown.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn ancestors_of(&self, parent: &BlockHash) -> Result<Option<Branch<'_>>, StoreError> {
        Ok(self.ledger.entry(parent)?.map(|entry| self.ledger.branch(*parent, entry.height())))
    }

    /// What is known of a block on any branch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn known(&self, hash: &BlockHash) -> Result<Option<Known>, StoreError> {
        let known = |entry: Entry| Known {
            header: entry.header,
            work: entry.work,
            condemned: entry.condemned,
            shunned: entry.is_marked(),
        };
        Ok(self.ledger.entry(hash)?.map(known))
    }

    /// The header of a block on any branch, condemned ones included.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn header(&self, hash: &BlockHash) -> Result<Option<Header>, StoreError> {
        Ok(self.ledger.entry(hash)?.map(|entry| entry.header))
    }

    /// A block on any branch; condemned and pruned ones are not kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn block(&self, hash: &BlockHash) -> Result<Option<Block>, StoreError> {
        match self.ledger.entry(hash)? {
            Some(entry) => self.ledger.block(hash, &entry),
            None => Ok(None),
        }
    }

    /// The chain's block at a height.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, StoreError> {
        self.ledger.hash_at(height)
    }

    /// Whether a block is on the chain.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_active(&self, hash: &BlockHash) -> Result<bool, StoreError> {
        match self.ledger.entry(hash)? {
            Some(entry) => self.ledger.is_active(hash, entry.height()),
            None => Ok(false),
        }
    }

    /// An output that is unspent at the tip.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn coin(&self, outpoint: &Outpoint) -> Result<Option<Coin>, StoreError> {
        self.ledger.coin(outpoint)
    }

    /// The outputs of a key that are unspent at the tip, in the order of their outpoints. Reads the whole set.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn coins_of(&self, key: &OutputKey) -> Result<Vec<(Outpoint, Coin)>, StoreError> {
        self.ledger.coins_of(key)
    }

    /// The rules of isolation and the signatures of one transaction, against the outputs that its inputs spend, in their
    /// order. One that passes is remembered: the block that brings it does not check these again.
    ///
    /// # Errors
    /// The first rule violated.
    pub fn verify_transaction(
        &mut self,
        transaction: &Transaction,
        spent: &[Output],
    ) -> Result<(), TransactionViolation> {
        self.examiner.check_transaction(transaction, spent)
    }

    /// [`Chain::verify_transaction`] of many, on all threads: each that passes is remembered, so that asking for it again is
    /// cheap.
    pub(crate) fn verify_ahead(&mut self, list: &[(&Transaction, Vec<Output>)]) {
        self.examiner.check_ahead(list);
    }

    /// Judges a draft as a block on the tip would be: by every rule but those on the seal, which it has not, on the root,
    /// which is made of its own body, and on the clock. Yields its fees.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn check_draft(&mut self, draft: &Draft) -> Result<Amount, DraftError> {
        self.check_contents(draft.contents())
    }

    fn check_contents(&mut self, contents: Contents<'_>) -> Result<Amount, DraftError> {
        if self.closed {
            return Err(StoreError::Closed.into());
        }
        header::check_template(&self.params, contents.template, &self.tip.as_parent(), &self.ancestors())?;
        Ok(self.examiner.check_draft(contents, &self.ledger)?)
    }

    /// A draft of the next block that passed [`Chain::check_draft`], with its fees. Its root is computed meanwhile.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn make_draft(
        &mut self,
        timestamp: Timestamp,
        coinbase: Coinbase,
        transactions: Vec<Transaction>,
    ) -> Result<(Draft, Amount), DraftError> {
        let parent = self.tip.as_parent();
        let mut template = Template::child(&parent, MerkleRoot([0; 32]), timestamp, self.next_difficulty()?);
        let contents = Contents { template: &template, coinbase: &coinbase, transactions: &transactions };
        let root = || merkle::root(&coinbase.id(), transactions.iter().map(Transaction::wtxid));
        let (root, fees) = side_by_side(&transactions, root, || self.check_contents(contents));
        template.merkle_root = root;
        Ok((Draft::of(template, coinbase, transactions), fees?))
    }

    /// A hash of the set of unspent outputs: equal if and only if the sets are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn state_digest(&self) -> Result<[u8; 32], StoreError> {
        self.ledger.coins_digest()
    }

    /// All of what is unspent at the tip in a line. Reads the whole set.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn coins_state(&self) -> Result<CoinsState, StoreError> {
        let (coins, total) = self.ledger.count_coins()?;
        let issued = issued(self.tip.height);
        let burnt =
            issued.checked_sub(total).ok_or_else(|| self.ledger.corrupted("more is unspent than was issued"))?;
        Ok(CoinsState { tip: self.tip, digest: self.state_digest()?, coins, total, issued, burnt })
    }

    /// The last blocks of all branches, the tip among them even where marked blocks stand on it; most work first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn leaves(&self) -> Result<Vec<Leaf>, StoreError> {
        let mut leaves = Vec::new();
        let mut hashes = self.ledger.leaves()?;
        if !hashes.contains(&self.tip.hash) {
            hashes.push(self.tip.hash);
        }
        for hash in hashes {
            let entry = self.ledger.known_entry(&hash)?;
            let status = match entry {
                _ if hash == self.tip.hash => LeafStatus::Active,
                Entry { condemned: true, .. } => LeafStatus::Condemned,
                _ if entry.is_marked() => LeafStatus::Invalidated,
                _ => LeafStatus::Side,
            };
            let branch = branch::path_from_active(&self.ledger, &hash)?.1.len() as u64;
            leaves.push(Leaf { hash, height: entry.height(), work: entry.work, branch, status });
        }
        leaves.sort_by_key(|leaf| std::cmp::Reverse(leaf.work));
        Ok(leaves)
    }

    /// How many blocks wait for a parent and how many for the clock.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.orphans.len(), self.set_aside.len())
    }

    /// From now on this many blocks are one commit, as [`Options::blocks_per_commit`]. What is not durable yet stays so
    /// until the next commit.
    pub fn set_blocks_per_commit(&mut self, blocks: usize) {
        self.blocks_per_commit = blocks.max(1);
    }

    /// Makes everything accepted so far durable. Needed only with [`Options::blocks_per_commit`] above 1.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        self.ledger.commit().inspect_err(|_| self.closed = true)?;
        self.pending = 0;
        Ok(())
    }
}

/// Files genesis as the first block and the tip.
pub(crate) fn begin(mut ledger: Ledger, params: &Params) -> Result<Ledger, StoreError> {
    let genesis = &params.genesis;
    let hash = genesis.hash();
    let header = genesis.header;
    let work = Work::ZERO.plus(header.template.difficulty);
    let entry = Entry { header, work, arrival: 0, condemned: false, invalidated: false, shunned: false };
    ledger.add(&hash, &entry, Some(&genesis.encode()))?;
    // Genesis makes no outputs (law §6), so there is nothing that a rule could object to.
    branch::apply(&mut ledger, &hash, Height::GENESIS, Default::default())?;
    ledger.commit()?;
    Ok(ledger)
}

//! The tables by what they mean: typed reads and the few compound writes that keep them consistent.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use bloom_consensus::{Amount, Ancestor, Ancestors, Block, BlockHash, Coin, CoinView, Height, Outpoint, OutputKey};

use crate::error::StoreError;
use crate::prune::Pruning;
use crate::recent::Recent;
use crate::store::{
    Entry, Record, Scan, Store, Table, Undo, be64, decode_coin, decode_outpoint, encode_coin, number, outpoint_key,
};

const TIP_KEY: &[u8] = b"tip";
const NEWEST_KEY: &[u8] = b"newest";
const PRUNING_KEY: &[u8] = b"pruning";

/// The ancestors of a block whose parent is known, on whatever branch.
pub struct Branch<'a> {
    ledger: &'a Ledger,
    parent: BlockHash,
    height: Height,
}

impl Ancestors for Branch<'_> {
    type Error = StoreError;

    fn at(&self, height: Height) -> Result<Ancestor, StoreError> {
        let (mut hash, mut at) = (self.parent, self.height);
        while at > height {
            // From where the active branch is reached, and for genesis, the table of heights knows the way.
            if height == Height::GENESIS || self.ledger.is_active(&hash, at)? {
                (hash, at) = (self.ledger.known_hash_at(height)?, height);
            } else {
                let entry = self.ledger.known_entry(&hash)?;
                (hash, at) = (entry.header.template.prev_hash, Height(at.0 - 1));
            }
        }
        let template = self.ledger.known_entry(&hash)?.header.template;
        Ok(Ancestor { timestamp: template.timestamp, difficulty: template.difficulty })
    }
}

impl CoinView for Ledger {
    type Error = StoreError;

    fn coin(&self, outpoint: &Outpoint) -> Result<Option<Coin>, StoreError> {
        let known = self.coins.borrow().get(outpoint);
        if known.is_some() {
            return Ok(known);
        }
        let Some(row) = self.store.get(Table::Coins, &outpoint_key(outpoint))? else {
            return Ok(None);
        };
        let coin = decode_coin(&row).ok_or_else(|| self.corrupted(format!("the coin {outpoint}")))?;
        self.coins.borrow_mut().put(*outpoint, coin);
        Ok(Some(coin))
    }
}

/// The store, read and written in the chain's own terms.
pub(crate) struct Ledger {
    store: Box<dyn Store>,
    /// Coins read or made lately, in 2¹⁹ · 97 bytes, 51 MB, at most: those that the mempool looked up are not read again
    /// when a block spends them. Whatever is in it, the store has too.
    coins: RefCell<Recent<Outpoint, Coin>>,
    path: PathBuf,
    /// Arrival and hash of the block that was added last.
    newest: (u64, BlockHash),
}

impl Ledger {
    /// A ledger over an empty store; genesis is the first to be added.
    pub(crate) fn empty(store: Box<dyn Store>, path: PathBuf) -> Self {
        Self { store, coins: RefCell::default(), path, newest: (0, BlockHash::ZERO) }
    }

    /// A ledger over a store that holds a chain.
    pub(crate) fn open(store: Box<dyn Store>, path: PathBuf) -> Result<Self, StoreError> {
        let mut ledger = Self::empty(store, path);
        let row = ledger.store.get(Table::Meta, NEWEST_KEY)?;
        let row = row.and_then(|row| <[u8; 40]>::try_from(row).ok());
        let (arrival, hash) = row
            .as_ref()
            .and_then(|row| row.split_first_chunk::<8>())
            .ok_or_else(|| ledger.corrupted("the newest block is not named"))?;
        let hash = hash.try_into().map_err(|_| ledger.corrupted("the newest block is not named"))?;
        ledger.newest = (u64::from_be_bytes(*arrival), BlockHash(hash));
        Ok(ledger)
    }

    /// The error for a row that cannot be what was written.
    pub(crate) fn corrupted(&self, what: impl Into<String>) -> StoreError {
        StoreError::Corrupted { path: self.path.clone(), what: what.into() }
    }

    pub(crate) fn tip(&self) -> Result<BlockHash, StoreError> {
        let row = self.store.get(Table::Meta, TIP_KEY)?;
        self.hash_row(row)?.ok_or_else(|| self.corrupted("the tip is not named"))
    }

    pub(crate) fn set_tip(&mut self, hash: &BlockHash) -> Result<(), StoreError> {
        self.store.put(Table::Meta, TIP_KEY, &hash.0)
    }

    pub(crate) fn entry(&self, hash: &BlockHash) -> Result<Option<Entry>, StoreError> {
        let Some(row) = self.store.get(Table::Index, &hash.0)? else {
            return Ok(None);
        };
        let entry = Entry::decode(&row).ok_or_else(|| self.corrupted(format!("the entry of block {hash}")))?;
        Ok(Some(entry))
    }

    /// The entry of a block that another row names.
    pub(crate) fn known_entry(&self, hash: &BlockHash) -> Result<Entry, StoreError> {
        self.entry(hash)?.ok_or_else(|| self.corrupted(format!("block {hash} is named but not there")))
    }

    /// The body of an entry; none for a condemned block.
    pub(crate) fn block(&self, hash: &BlockHash, entry: &Entry) -> Result<Option<Block>, StoreError> {
        let Some(row) = self.store.get(Table::Bodies, &be64(entry.arrival))? else {
            return Ok(None);
        };
        let block = Record::decode(&row)
            .filter(|record| record.arrival == entry.arrival)
            .and_then(|record| Block::decode(&record.block).ok())
            .filter(|block| block.header == entry.header);
        block.map(Some).ok_or_else(|| self.corrupted(format!("the body of block {hash}")))
    }

    /// The body of a block that was never condemned.
    pub(crate) fn known_block(&self, hash: &BlockHash, entry: &Entry) -> Result<Block, StoreError> {
        self.block(hash, entry)?.ok_or_else(|| self.corrupted(format!("block {hash} has no body")))
    }

    /// The active branch's block at a height.
    pub(crate) fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, StoreError> {
        self.hash_row(self.store.get(Table::Heights, &be64(height.0))?)
    }

    /// The active branch's block at a height that it reaches.
    pub(crate) fn known_hash_at(&self, height: Height) -> Result<BlockHash, StoreError> {
        self.hash_at(height)?.ok_or_else(|| self.corrupted(format!("no block is named at height {height}")))
    }

    /// The ancestors of a child of this block.
    pub(crate) fn branch(&self, parent: BlockHash, height: Height) -> Branch<'_> {
        Branch { ledger: self, parent, height }
    }

    /// Whether the active branch has this block at its height.
    pub(crate) fn is_active(&self, hash: &BlockHash, height: Height) -> Result<bool, StoreError> {
        Ok(self.hash_at(height)?.as_ref() == Some(hash))
    }

    pub(crate) fn undo(&self, height: Height) -> Result<Undo, StoreError> {
        let row = self.store.get(Table::Undo, &be64(height.0))?;
        row.and_then(|row| Undo::decode(&row))
            .ok_or_else(|| self.corrupted(format!("the undo record of height {height}")))
    }

    /// Makes an unspent output; there can't be one of that name.
    pub(crate) fn add_coin(&mut self, outpoint: &Outpoint, coin: &Coin) -> Result<(), StoreError> {
        self.coins.get_mut().put(*outpoint, *coin);
        self.store.put(Table::Coins, &outpoint_key(outpoint), &encode_coin(coin))
    }

    /// Removes an unspent output, which must be there.
    pub(crate) fn remove_coin(&mut self, outpoint: &Outpoint) -> Result<(), StoreError> {
        let key = outpoint_key(outpoint);
        if !self.coins.get_mut().remove(outpoint) && self.store.get(Table::Coins, &key)?.is_none() {
            return Err(self.corrupted(format!("the coin {outpoint} is not there")));
        }
        self.store.remove(Table::Coins, &key)
    }

    /// Puts a block at its height on the active branch.
    pub(crate) fn activate(&mut self, height: Height, undo: &Undo) -> Result<(), StoreError> {
        self.store.put(Table::Heights, &be64(height.0), &undo.block.0)?;
        self.store.put(Table::Undo, &be64(height.0), &undo.encode())
    }

    /// Takes the block at a height off the active branch.
    pub(crate) fn deactivate(&mut self, height: Height) -> Result<(), StoreError> {
        self.store.remove(Table::Heights, &be64(height.0))?;
        self.store.remove(Table::Undo, &be64(height.0))
    }

    /// The number of the next arrival.
    pub(crate) fn next_arrival(&self) -> u64 {
        if self.newest.1 == BlockHash::ZERO { 0 } else { self.newest.0 + 1 }
    }

    /// Files a header, with its body unless it is condemned, as the newest arrival.
    pub(crate) fn add(&mut self, hash: &BlockHash, entry: &Entry, body: Option<&[u8]>) -> Result<(), StoreError> {
        let arrival = be64(entry.arrival);
        self.store.put(Table::Index, &hash.0, &entry.encode())?;
        self.store.put(Table::Arrivals, &arrival, &hash.0)?;
        if let Some(body) = body {
            self.store.put(Table::Bodies, &arrival, &Record::encode(entry.arrival, body))?;
        }
        self.store.remove(Table::Leaves, &entry.header.template.prev_hash.0)?;
        self.store.put(Table::Leaves, &hash.0, &[])?;
        self.store.put(Table::Meta, NEWEST_KEY, &[&arrival[..], &hash.0].concat())?;
        self.newest = (entry.arrival, *hash);
        Ok(())
    }

    /// Replaces what is known of a block that was filed.
    pub(crate) fn put_entry(&mut self, hash: &BlockHash, entry: &Entry) -> Result<(), StoreError> {
        self.store.put(Table::Index, &hash.0, &entry.encode())
    }

    /// How the store is pruned, if it is.
    pub(crate) fn pruning(&self) -> Result<Option<Pruning>, StoreError> {
        let Some(row) = self.store.get(Table::Meta, PRUNING_KEY)? else { return Ok(None) };
        Pruning::decode(&row).map(Some).ok_or_else(|| self.corrupted("how it is pruned"))
    }

    pub(crate) fn set_pruning(&mut self, pruning: &Pruning) -> Result<(), StoreError> {
        self.store.put(Table::Meta, PRUNING_KEY, &pruning.encode())
    }

    /// Drops the body of the block that arrived under a number, if there is one.
    pub(crate) fn remove_body(&mut self, arrival: u64) -> Result<(), StoreError> {
        self.store.remove(Table::Bodies, &be64(arrival))
    }

    /// Drops the undo record of a height.
    pub(crate) fn remove_undo(&mut self, height: Height) -> Result<(), StoreError> {
        self.store.remove(Table::Undo, &be64(height.0))
    }

    /// Gives what the store no longer needs back to the disk. Everything must have been committed.
    pub(crate) fn compact(&mut self) -> Result<(), StoreError> {
        self.store.compact()
    }

    /// Condemns a block that was filed, and everything that stands on it, for good (law §7). What stands on
    /// it arrived after it.
    pub(crate) fn condemn(&mut self, hash: &BlockHash) -> Result<(), StoreError> {
        let entry = self.known_entry(hash)?;
        let mut condemned = BTreeMap::from([(*hash, entry)]);
        self.each_arrival(entry.arrival + 1, |ledger, hash| {
            let entry = ledger.known_entry(&hash)?;
            if condemned.contains_key(&entry.header.template.prev_hash) {
                condemned.insert(hash, entry);
            }
            Ok(Scan::Continue)
        })?;
        for (hash, entry) in condemned {
            let entry = Entry { condemned: true, ..entry };
            self.put_entry(&hash, &entry)?;
            self.store.remove(Table::Bodies, &be64(entry.arrival))?;
        }
        Ok(())
    }

    /// Visits every filed block from an arrival on.
    pub(crate) fn each_arrival(
        &self,
        from: u64,
        mut visit: impl FnMut(&Self, BlockHash) -> Result<Scan, StoreError>,
    ) -> Result<(), StoreError> {
        self.store.scan(Table::Arrivals, &be64(from), &mut |_, hash| {
            let hash = hash.try_into().map_err(|_| self.corrupted("a row of the arrivals"))?;
            visit(self, BlockHash(hash))
        })
    }

    /// Whether a block has no child.
    pub(crate) fn is_leaf(&self, hash: &BlockHash) -> Result<bool, StoreError> {
        Ok(self.store.get(Table::Leaves, &hash.0)?.is_some())
    }

    /// The blocks that have no child, in the order of their hashes.
    pub(crate) fn leaves(&self) -> Result<Vec<BlockHash>, StoreError> {
        let mut leaves = Vec::new();
        self.store.scan(Table::Leaves, &[], &mut |hash, _| {
            let hash = hash.try_into().map_err(|_| self.corrupted("a row of the leaves"))?;
            leaves.push(BlockHash(hash));
            Ok(Scan::Continue)
        })?;
        Ok(leaves)
    }

    /// The height of the active branch's highest row, by the table itself.
    pub(crate) fn heights_above(&self, height: Height) -> Result<Option<Height>, StoreError> {
        let mut above = None;
        self.store.scan(Table::Heights, &be64(height.0.saturating_add(1)), &mut |key, _| {
            above = number(key).map(Height);
            Ok(Scan::Stop)
        })?;
        Ok(above)
    }

    /// Whether anything is unspent.
    pub(crate) fn has_coins(&self) -> Result<bool, StoreError> {
        let mut any = false;
        self.store.scan(Table::Coins, &[], &mut |_, _| {
            any = true;
            Ok(Scan::Stop)
        })?;
        Ok(any)
    }

    /// BLAKE3 over the unspent outputs in the order of their outpoints: equal if and only if the sets are.
    pub(crate) fn coins_digest(&self) -> Result<[u8; 32], StoreError> {
        self.digest("bloomcoin v1 unspent outputs", &[Table::Coins])
    }

    /// How many outputs are unspent, and their sum.
    pub(crate) fn count_coins(&self) -> Result<(u64, Amount), StoreError> {
        let (mut count, mut total) = (0, Amount::ZERO);
        self.store.scan(Table::Coins, &[], &mut |_, row| {
            let coin = decode_coin(row).ok_or_else(|| self.corrupted("a coin"))?;
            count += 1;
            let sum = total.checked_add(coin.output.amount);
            total = sum.ok_or_else(|| self.corrupted("the sum of the coins is beyond 2^64"))?;
            Ok(Scan::Continue)
        })?;
        Ok((count, total))
    }

    /// The unspent outputs of a key, in the order of their outpoints. Nothing indexes them: all of them are read.
    pub(crate) fn coins_of(&self, owner: &OutputKey) -> Result<Vec<(Outpoint, Coin)>, StoreError> {
        let mut coins = Vec::new();
        self.store.scan(Table::Coins, &[], &mut |key, row| {
            let coin = decode_coin(row).ok_or_else(|| self.corrupted("a coin"))?;
            if coin.output.key == *owner {
                let outpoint = key.try_into().ok().and_then(decode_outpoint);
                coins.push((outpoint.ok_or_else(|| self.corrupted("an outpoint"))?, coin));
            }
            Ok(Scan::Continue)
        })?;
        Ok(coins)
    }

    /// BLAKE3 in the same way over all that the active branch has made: unspent outputs, undo records and heights.
    pub(crate) fn branch_digest(&self) -> Result<[u8; 32], StoreError> {
        self.digest("bloomcoin v1 active branch", &[Table::Coins, Table::Undo, Table::Heights])
    }

    fn digest(&self, context: &str, tables: &[Table]) -> Result<[u8; 32], StoreError> {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        for table in tables {
            self.store.scan(*table, &[], &mut |key, value| {
                for part in [key, value] {
                    hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
                }
                Ok(Scan::Continue)
            })?;
        }
        Ok(*hasher.finalize().as_bytes())
    }

    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        self.store.commit(&self.newest.1)
    }

    /// Forgets what was written since the last commit, the newest arrival among it.
    pub(crate) fn rollback(&mut self, newest: (u64, BlockHash)) {
        self.store.rollback();
        self.forget_coins();
        self.newest = newest;
    }

    /// Reads coins from the store again, whatever was seen there before.
    pub(crate) fn forget_coins(&mut self) {
        self.coins.get_mut().clear();
    }

    pub(crate) fn newest(&self) -> (u64, BlockHash) {
        self.newest
    }

    fn hash_row(&self, row: Option<Vec<u8>>) -> Result<Option<BlockHash>, StoreError> {
        match row.map(<[u8; 32]>::try_from) {
            None => Ok(None),
            Some(Ok(hash)) => Ok(Some(BlockHash(hash))),
            Some(Err(_)) => Err(self.corrupted("a block hash")),
        }
    }
}

#[cfg(test)]
mod tests;

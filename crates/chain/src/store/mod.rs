//! The narrow trait behind which the chain keeps its data: eight ordered tables and one atomic commit.

mod directory;
mod file;
mod memory;
mod pending;
mod record;
mod redb_store;
mod salvage;

pub(crate) use directory::{Directory, remove_if_there, sync_directory};
pub(crate) use memory::MemoryStore;
pub(crate) use record::{Entry, Record, Undo, be64, decode_coin, decode_outpoint, encode_coin, number, outpoint_key};
pub(crate) use salvage::Salvage;

use bloom_consensus::BlockHash;

use crate::error::StoreError;

/// The tables. Keys are bytes and sort as bytes, so numbers in them are big-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    /// name → format version, network id, hash of the tip.
    Meta,
    /// block hash → [`Entry`]: header, work of the branch up to it, arrival, validity.
    Index,
    /// arrival → block hash: every entry of the index in the order of its arrival.
    Arrivals,
    /// arrival → [`Record`]: the body, for all but condemned blocks.
    Bodies,
    /// height → block hash, along the active branch.
    Heights,
    /// outpoint → coin: what is unspent at the tip.
    Coins,
    /// height → [`Undo`]: the coins that the active branch's block spent.
    Undo,
    /// block hash → nothing: the entries that have no child.
    Leaves,
}

impl Table {
    /// All tables, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] =
        [Self::Meta, Self::Index, Self::Arrivals, Self::Bodies, Self::Heights, Self::Coins, Self::Undo, Self::Leaves];
}

/// Whether a scan goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scan {
    /// The next row, please.
    Continue,
    /// Enough.
    Stop,
}

/// What a scan calls with every key and value.
pub(crate) type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> Result<Scan, StoreError> + 'a;

/// Eight ordered tables. Reads see what was written since the last commit; a commit makes all of it
/// durable at once, a rollback forgets it.
pub(crate) trait Store: Send {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Sets a key.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError>;
    /// Removes a key if it is there.
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError>;
    /// Visits the rows from `from` on in ascending order of keys. The visitor may read other tables meanwhile.
    fn scan(&self, table: Table, from: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError>;
    /// Makes everything written since the last commit durable, all or nothing. `newest` is the block last stored: the
    /// next opening demands to find it.
    fn commit(&mut self, newest: &BlockHash) -> Result<(), StoreError>;
    /// Forgets everything written since the last commit.
    fn rollback(&mut self);
    /// Gives space that is free back to where it came from. Everything must have been committed.
    fn compact(&mut self) -> Result<(), StoreError>;
}

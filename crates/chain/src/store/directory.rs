//! The data directory: its lock, and the making and opening of the chain's file.
//!
//! - `chain.lock` is locked as long as a process works here, and says which one.
//! - `chain.redb` is the store. It is made under another name and renamed when complete.
//! - `chain.mark` names the block last committed. It is written after each commit and never synced: it may
//!   lag after a power cut, but a store that lacks the block in it has lost blocks that were announced
//!   (a flipped byte in redb's header can select the commit before the last).
//! - `chain.pruned` is there if old blocks were ever dropped from the store.
//! - `chain.redb.old`, `chain.redb.old.2` and so on are what reindexes found; they are never overwritten.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bloom_consensus::types::{BlockHash, NetworkId};

use super::redb_store::RedbStore;
use super::{Store, Table};
use crate::error::StoreError;
use crate::failpoints::kill_point;

/// Written into every file; a greater one is refused, a lower one is raised when the file is opened.
///
/// 1. The first.
/// 2. Entries tell what the operator has invalidated: see [`Entry`](super::Entry).
const FORMAT: u32 = 2;
const FORMAT_KEY: &[u8] = b"format";
const NETWORK_KEY: &[u8] = b"network";

/// A data directory that this process alone works in.
pub(crate) struct Directory {
    path: PathBuf,
    cache_bytes: usize,
    lock: File,
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Closing the file would do, were there not a child process that has inherited it and not yet begun. If it
        // fails, the system unlocks when the process ends.
        let _ = self.lock.unlock();
    }
}

const CHAIN: &str = "chain.redb";
const MARK: &str = "chain.mark";
const PRUNED: &str = "chain.pruned";

impl Directory {
    /// Whether a chain was ever begun there.
    pub(crate) fn is_used(path: &Path) -> bool {
        path.join(CHAIN).exists() || path.join(MARK).exists()
    }

    /// Makes the directory if there is none, and locks it.
    pub(crate) fn lock(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(|source| StoreError::io(path, "make", source))?;
        let lock_path = path.join("chain.lock");
        if fs::symlink_metadata(&lock_path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(StoreError::io(&lock_path, "lock", io::Error::other("it is a symbolic link; remove it")));
        }
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|source| StoreError::io(path, "open", source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: the file may be empty for a moment.
                let known = Read::by_ref(&mut lock).take(64).read_to_string(&mut holder).is_ok() && !holder.is_empty();
                let holder = if known { holder } else { "another process".to_owned() };
                return Err(StoreError::Locked { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::io(&lock_path, "lock", source)),
        }
        lock.set_len(0)
            .and_then(|()| write!(lock, "process {}", std::process::id()))
            .map_err(|source| StoreError::io(&lock_path, "write", source))?;
        Ok(Self { path: path.to_owned(), cache_bytes, lock })
    }

    /// The store's file.
    pub(crate) fn chain_path(&self) -> PathBuf {
        self.path.join(CHAIN)
    }

    fn new_path(&self) -> PathBuf {
        self.path.join("chain.redb.new")
    }

    /// A name that no file has yet: what an earlier reindex kept may be the only copy of what it left out.
    fn old_path(&self) -> PathBuf {
        let names = (2_u32..).map(|n| format!("chain.redb.old.{n}"));
        let mut paths = std::iter::once("chain.redb.old".to_owned()).chain(names).map(|name| self.path.join(name));
        paths.find(|path| !path.exists()).expect("there are more names than files")
    }

    fn mark_path(&self) -> PathBuf {
        self.path.join(MARK)
    }

    fn pruned_path(&self) -> PathBuf {
        self.path.join(PRUNED)
    }

    /// Leaves word beside the store, before anything is dropped from it, that it cannot be rebuilt from its blocks: should
    /// it be damaged, it cannot say so itself.
    pub(crate) fn mark_pruned(&self) -> Result<(), StoreError> {
        let path = self.pruned_path();
        if path.exists() {
            return Ok(());
        }
        let words = b"Old blocks were dropped from chain.redb: it cannot be rebuilt from those in it.\n";
        File::create(&path)
            .and_then(|mut file| file.write_all(words).and_then(|()| file.sync_all()))
            .map_err(|source| StoreError::io(&path, "write", source))?;
        sync_directory(&self.path)
    }

    /// A new store is whole.
    pub(crate) fn forget_pruned(&self) -> Result<(), StoreError> {
        remove_if_there(&self.pruned_path())
    }

    /// An error if the store was ever pruned.
    pub(crate) fn check_whole(&self) -> Result<(), StoreError> {
        let mark = self.pruned_path();
        match mark.try_exists() {
            Ok(false) => Ok(()),
            Ok(true) => Err(StoreError::Pruned { path: self.chain_path(), mark }),
            Err(source) => Err(StoreError::io(&mark, "look for", source)),
        }
    }

    /// Whether there is a store; an error if there was one.
    pub(crate) fn has_chain(&self) -> Result<bool, StoreError> {
        let path = self.chain_path();
        if path.try_exists().map_err(|source| StoreError::io(&path, "look for", source))? {
            return Ok(true);
        }
        match Mark::read(&self.mark_path())? {
            Some(seen) => Err(StoreError::Missing { path, seen, mark: self.mark_path() }),
            None => Ok(false),
        }
    }

    /// An empty store under a temporary name, for [`Directory::put_in_place`].
    pub(crate) fn build(&self, network: &NetworkId) -> Result<Box<dyn Store>, StoreError> {
        let mut store = RedbStore::create(&self.new_path(), self.cache_bytes)?;
        store.put(Table::Meta, FORMAT_KEY, &FORMAT.to_le_bytes())?;
        store.put(Table::Meta, NETWORK_KEY, &network.0)?;
        Ok(Box::new(store))
    }

    /// Makes the store that was built, and closed, the one that is opened from now on.
    pub(crate) fn put_in_place(&self) -> Result<(), StoreError> {
        kill_point!("create.before-rename");
        let (new, chain) = (self.new_path(), self.chain_path());
        fs::rename(&new, &chain).map_err(|source| StoreError::io(&chain, "replace", source))?;
        sync_directory(&self.path)?;
        kill_point!("create.after-rename");
        Ok(())
    }

    /// Keeps the present store under another name while [`Directory::put_in_place`] replaces it, by one that lacks the
    /// marked block if `unmark`.
    pub(crate) fn keep_old(&self, unmark: bool) -> Result<PathBuf, StoreError> {
        let (old, chain) = (self.old_path(), self.chain_path());
        // A second name, so that at no moment there is none; a copy where links are unknown.
        fs::hard_link(&chain, &old)
            .or_else(|_| fs::copy(&chain, &old).map(|_| ()))
            .map_err(|source| StoreError::io(&old, "make", source))?;
        if unmark {
            remove_if_there(&self.mark_path())?;
        }
        sync_directory(&self.path)?;
        Ok(old)
    }

    /// Opens the store and checks that it is whole, of this network and of a known format.
    pub(crate) fn open(&self, network: &NetworkId) -> Result<Box<dyn Store>, StoreError> {
        remove_if_there(&self.new_path())?;
        let path = self.chain_path();
        let mut store = RedbStore::open(&path, self.cache_bytes)?;
        let format = check_meta(&store, &path, network)?;
        if let Some(hash) = self.marked()?
            && store.get(Table::Index, &hash.0)?.is_none()
        {
            let what = format!("block {hash}, which was stored, is not in it");
            return Err(StoreError::Corrupted { path, what });
        }
        store.release(Mark::open(&self.mark_path())?)?;
        if format < FORMAT {
            store.put(Table::Meta, FORMAT_KEY, &FORMAT.to_le_bytes())?;
        }
        Ok(Box::new(store))
    }

    /// The block last stored, if the mark is there and whole.
    pub(crate) fn marked(&self) -> Result<Option<BlockHash>, StoreError> {
        Mark::read(&self.mark_path())
    }
}

/// The format of a file that is of this network and not of a later program.
fn check_meta(store: &dyn Store, path: &Path, network: &NetworkId) -> Result<u32, StoreError> {
    let missing = |name: &str| StoreError::Corrupted { path: path.to_owned(), what: format!("{name} is missing") };
    let format = store.get(Table::Meta, FORMAT_KEY)?.ok_or_else(|| missing("the data format"))?;
    let format = u32::from_le_bytes(format.try_into().map_err(|_| missing("the data format"))?);
    if format > FORMAT {
        return Err(StoreError::NewerFormat { path: path.to_owned(), got: format, expected: FORMAT });
    }
    let got = store.get(Table::Meta, NETWORK_KEY)?.ok_or_else(|| missing("the network"))?;
    let got: [u8; 32] = got.try_into().map_err(|_| missing("the network"))?;
    if got != network.0 {
        return Err(StoreError::OtherNetwork { path: path.to_owned(), got: NetworkId(got), expected: *network });
    }
    Ok(format)
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, "remove", error)),
        _ => Ok(()),
    }
}

/// Makes a rename durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    // Only Unix lets a directory be opened and synced; elsewhere the rename itself is the most there is.
    if cfg!(unix) {
        File::open(path)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| StoreError::io(path, "sync", source))?;
    }
    Ok(())
}

/// The file that names the block last committed: its hash and a checksum.
pub(super) struct Mark {
    path: PathBuf,
    file: File,
}

impl Mark {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| StoreError::io(path, "open", source))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// None if there is no file or it is not whole: the mark is a second witness, never the only one.
    fn read(path: &Path) -> Result<Option<BlockHash>, StoreError> {
        // Anything but a file could keep whoever reads it waiting for ever.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(StoreError::io(path, "read", io::Error::other("it is not a file")));
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::io(path, "read", source)),
        };
        let newest = bytes.first_chunk().map(|hash| BlockHash(*hash));
        Ok(newest.filter(|newest| bytes == Self::encode(newest)))
    }

    fn encode(newest: &BlockHash) -> Vec<u8> {
        [newest.0, *blake3::hash(&newest.0).as_bytes()].concat()
    }

    /// Replaces what the file says.
    pub(super) fn write(&mut self, newest: &BlockHash) -> Result<(), StoreError> {
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(&Self::encode(newest)))
            .map_err(|source| StoreError::io(&self.path, "write", source))
    }
}

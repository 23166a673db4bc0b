//! The store as one redb file.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use bloom_consensus::BlockHash;
use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::directory::Mark;
use super::file::ChainFile;
use super::pending::Pending;
use super::{Scan, Store, Table, Visitor};
use crate::error::StoreError;
use crate::failpoints::kill_point;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Rows in memory before they are handed to redb's transaction: several times what a full block changes, so that only
/// long reorganisations and bulk loads come to it.
const PENDING_BYTES: usize = 16 << 20;

fn definition(table: Table) -> Definition {
    TableDefinition::new(match table {
        Table::Meta => "meta",
        Table::Index => "index",
        Table::Arrivals => "arrivals",
        Table::Bodies => "bodies",
        Table::Heights => "heights",
        Table::Coins => "coins",
        Table::Undo => "undo",
        Table::Leaves => "leaves",
    })
}

/// The tables as the last commit left them, open.
struct Committed([ReadOnlyTable<&'static [u8], &'static [u8]>; Table::ALL.len()]);

impl Committed {
    fn open(database: &Database) -> Result<Self, redb::Error> {
        let transaction = database.begin_read()?;
        let mut tables = Vec::with_capacity(Table::ALL.len());
        for table in Table::ALL {
            tables.push(transaction.open_table(definition(table))?);
        }
        Ok(Self(tables.try_into().expect("as many as there are")))
    }

    fn table(&self, table: Table) -> &ReadOnlyTable<&'static [u8], &'static [u8]> {
        &self.0[table as usize]
    }
}

/// An open redb file, what is being written to it and the mark of the last block stored.
///
/// A row is looked for in what is pending, then in the transaction if so much was written that one was begun, or else in
/// what was committed.
pub(super) struct RedbStore {
    pending: Pending,
    /// [`PENDING_BYTES`], but in tests.
    most_pending: usize,
    // Declared before the database, so dropped before it: they would keep it open.
    transaction: Option<WriteTransaction>,
    /// None while there is a transaction: redb could not reuse the pages that it frees. After a rollback of one, tables
    /// are opened one by one until the next commit.
    committed: Option<Committed>,
    database: Database,
    file: ChainFile,
    path: PathBuf,
    mark: Option<Mark>,
}

impl RedbStore {
    /// Makes a new file; every commit reaches it directly.
    pub(super) fn create(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|source| StoreError::io(path, "create", source))?;
        let file = ChainFile::direct(file).map_err(|error| StoreError::redb(path, error))?;
        let mut store = Self::build(path, file, cache_bytes, false)?;
        let transaction = store.writing()?;
        for table in Table::ALL {
            transaction.open_table(definition(table)).map_err(|error| StoreError::redb(path, error))?;
        }
        Ok(store)
    }

    /// Opens a file and verifies every page of it. Nothing is written to it before [`RedbStore::release`].
    pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        let file =
            File::options().read(true).write(true).open(path).map_err(|source| StoreError::io(path, "open", source))?;
        let file = ChainFile::held(file).map_err(|error| StoreError::redb(path, error))?;
        let mut store = Self::build(path, file, cache_bytes, true)?;
        store.committed = Some(Committed::open(&store.database).map_err(|error| StoreError::redb(path, error))?);
        Ok(store)
    }

    fn build(path: &Path, file: ChainFile, cache_bytes: usize, check: bool) -> Result<Self, StoreError> {
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .set_check_integrity_on_open(check)
            .create_with_backend(file.clone())
            .map_err(|error| StoreError::redb(path, error))?;
        let (pending, most_pending, path) = (Pending::default(), PENDING_BYTES, path.to_owned());
        Ok(Self { pending, most_pending, transaction: None, committed: None, database, file, path, mark: None })
    }

    /// Trusts the file: redb's own changes of the opening are written, and so is every commit from now on.
    pub(super) fn release(&mut self, mark: Mark) -> Result<(), StoreError> {
        kill_point!("open.before-release");
        self.file.release().map_err(|source| StoreError::io(&self.path, "write", source))?;
        self.mark = Some(mark);
        Ok(())
    }

    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write().map_err(|error| self.failed(error))?;
        // Durable when commit returns, and open again at once after a kill: the allocator's state is saved
        // with every commit and the root is switched only once everything below it is on disk.
        transaction.set_durability(Durability::Immediate).map_err(|error| self.failed(error))?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    fn writing(&mut self) -> Result<&WriteTransaction, StoreError> {
        if self.transaction.is_none() {
            self.committed = None;
            self.transaction = Some(self.begin()?);
        }
        Ok(self.transaction.as_ref().expect("begun above"))
    }

    fn write(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        self.pending.put(table, key, value);
        if self.pending.bytes() > self.most_pending { self.spill() } else { Ok(()) }
    }

    /// Hands everything pending to the transaction.
    fn spill(&mut self) -> Result<(), StoreError> {
        for (table, rows) in self.pending.take() {
            write_rows(self.writing()?, table, rows).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        StoreError::redb(&self.path, error)
    }
}

fn lookup(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

/// The visitor's own failure comes back inside, redb's outside.
fn visit_rows(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: &[u8],
    visit: &mut Visitor<'_>,
) -> Result<Result<(), StoreError>, redb::Error> {
    for row in table.range::<&[u8]>(from..)? {
        let (key, value) = row?;
        match visit(key.value(), value.value()) {
            Ok(Scan::Continue) => {}
            Ok(Scan::Stop) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

fn write_rows(
    transaction: &WriteTransaction,
    table: Table,
    rows: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(definition(table))?;
    for (key, value) in rows {
        match value {
            Some(value) => table.insert(&key[..], &value[..])?,
            None => table.remove(&key[..])?,
        };
    }
    Ok(())
}

impl RedbStore {
    fn get_row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
        match (&self.transaction, &self.committed) {
            (Some(transaction), _) => lookup(&transaction.open_table(definition(table))?, key),
            (None, Some(committed)) => lookup(committed.table(table), key),
            (None, None) => lookup(&self.database.begin_read()?.open_table(definition(table))?, key),
        }
    }

    fn scan_rows(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut Visitor<'_>,
    ) -> Result<Result<(), StoreError>, redb::Error> {
        match (&self.transaction, &self.committed) {
            (Some(transaction), _) => visit_rows(&transaction.open_table(definition(table))?, from, visit),
            (None, Some(committed)) => visit_rows(committed.table(table), from, visit),
            (None, None) => visit_rows(&self.database.begin_read()?.open_table(definition(table))?, from, visit),
        }
    }
}

impl Store for RedbStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(written) = self.pending.get(table, key) {
            return Ok(written.map(<[u8]>::to_vec));
        }
        self.get_row(table, key).map_err(|error| self.failed(error))
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.write(table, key, Some(value))
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.write(table, key, None)
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        let below = |visit: &mut Visitor<'_>| self.scan_rows(table, from, visit).map_err(|error| self.failed(error))?;
        self.pending.scan_over(table, from, below, visit)
    }

    fn commit(&mut self, newest: &BlockHash) -> Result<(), StoreError> {
        self.spill()?;
        if let Some(transaction) = self.transaction.take() {
            kill_point!("store.before-commit");
            transaction.commit().map_err(|error| self.failed(error))?;
            kill_point!("store.after-commit");
            self.committed = Some(Committed::open(&self.database).map_err(|error| self.failed(error))?);
        }
        if let Some(mark) = &mut self.mark {
            mark.write(newest)?;
        }
        kill_point!("store.after-mark");
        Ok(())
    }

    fn rollback(&mut self) {
        self.pending = Pending::default();
        self.transaction = None;
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        // redb moves nothing that a reader may be looking at.
        self.committed = None;
        self.database.compact().map_err(|error| self.failed(error))?;
        self.committed = Some(Committed::open(&self.database).map_err(|error| self.failed(error))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

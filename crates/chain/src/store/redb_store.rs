//! The store as one redb file.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use bloom_consensus::BlockHash;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::directory::Mark;
use super::file::ChainFile;
use super::{Scan, Store, Table, Visitor};
use crate::error::StoreError;
use crate::failpoints::kill_point;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

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

/// An open redb file, the transaction in progress and the mark of the last block stored.
pub(super) struct RedbStore {
    // Declared first, so dropped first: a transaction that outlives its database would keep it open.
    transaction: Option<WriteTransaction>,
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
        let transaction = store.begin()?;
        for table in Table::ALL {
            transaction.open_table(definition(table)).map_err(|error| StoreError::redb(path, error))?;
        }
        store.transaction = Some(transaction);
        Ok(store)
    }

    /// Opens a file and verifies every page of it. Nothing is written to it before [`RedbStore::release`].
    pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        let file =
            File::options().read(true).write(true).open(path).map_err(|source| StoreError::io(path, "open", source))?;
        let file = ChainFile::held(file).map_err(|error| StoreError::redb(path, error))?;
        Self::build(path, file, cache_bytes, true)
    }

    fn build(path: &Path, file: ChainFile, cache_bytes: usize, check: bool) -> Result<Self, StoreError> {
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .set_check_integrity_on_open(check)
            .create_with_backend(file.clone())
            .map_err(|error| StoreError::redb(path, error))?;
        Ok(Self { transaction: None, database, file, path: path.to_owned(), mark: None })
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
            self.transaction = Some(self.begin()?);
        }
        Ok(self.transaction.as_ref().expect("begun above"))
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

fn insert(transaction: &WriteTransaction, table: Table, key: &[u8], value: &[u8]) -> Result<(), redb::Error> {
    transaction.open_table(definition(table))?.insert(key, value)?;
    Ok(())
}

fn delete(transaction: &WriteTransaction, table: Table, key: &[u8]) -> Result<bool, redb::Error> {
    Ok(transaction.open_table(definition(table))?.remove(key)?.is_some())
}

impl RedbStore {
    fn get_row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
        match &self.transaction {
            Some(transaction) => lookup(&transaction.open_table(definition(table))?, key),
            None => lookup(&self.database.begin_read()?.open_table(definition(table))?, key),
        }
    }

    fn scan_rows(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut Visitor<'_>,
    ) -> Result<Result<(), StoreError>, redb::Error> {
        match &self.transaction {
            Some(transaction) => visit_rows(&transaction.open_table(definition(table))?, from, visit),
            None => visit_rows(&self.database.begin_read()?.open_table(definition(table))?, from, visit),
        }
    }
}

impl Store for RedbStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get_row(table, key).map_err(|error| self.failed(error))
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        insert(self.writing()?, table, key, value).map_err(|error| self.failed(error))
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        delete(self.writing()?, table, key).map_err(|error| self.failed(error))
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        self.scan_rows(table, from, visit).map_err(|error| self.failed(error))?
    }

    fn commit(&mut self, newest: &BlockHash) -> Result<(), StoreError> {
        if let Some(transaction) = self.transaction.take() {
            kill_point!("store.before-commit");
            transaction.commit().map_err(|error| self.failed(error))?;
            kill_point!("store.after-commit");
        }
        if let Some(mark) = &mut self.mark {
            mark.write(newest)?;
        }
        kill_point!("store.after-mark");
        Ok(())
    }

    fn rollback(&mut self) {
        self.transaction = None;
    }
}

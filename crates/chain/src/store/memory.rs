//! The store without a file, for tests and for whoever needs a chain that ends with the process.

use std::collections::BTreeMap;

use bloom_consensus::BlockHash;

use super::{Scan, Store, Table, Visitor};
use crate::error::StoreError;

type Key = (Table, Vec<u8>);

/// Ordered maps, and the old values of what was written since the last commit.
#[derive(Default)]
pub(crate) struct MemoryStore {
    rows: BTreeMap<Key, Vec<u8>>,
    before: Vec<(Key, Option<Vec<u8>>)>,
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.get(&(table, key.to_vec())).cloned())
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let key = (table, key.to_vec());
        let old = self.rows.insert(key.clone(), value.to_vec());
        self.before.push((key, old));
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        let key = (table, key.to_vec());
        let old = self.rows.remove(&key);
        self.before.push((key, old));
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        for ((_, key), value) in self.rows.range((table, from.to_vec())..).take_while(|((t, _), _)| *t == table) {
            if visit(key, value)? == Scan::Stop {
                break;
            }
        }
        Ok(())
    }

    fn commit(&mut self, _newest: &BlockHash) -> Result<(), StoreError> {
        self.before.clear();
        Ok(())
    }

    fn rollback(&mut self) {
        for (key, old) in self.before.drain(..).rev() {
            match old {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

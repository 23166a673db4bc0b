//! What was written since the last commit and is not in the file's transaction yet.
//!
//! redb finds and opens a table anew for every row that is put on its own, and rows of hashes put in no order touch a page
//! for each of them, many of them twice. Rows gathered here reach it table by table in the order of their keys.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Scan, Table, Visitor};
use crate::error::StoreError;

/// The new value of each row written, `None` for one that was removed.
type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What a row takes beside its key and value: two heap blocks and its place in the tree, rounded up.
const ROW_BYTES: usize = 128;

/// Written rows of all tables, in order.
#[derive(Default)]
pub(super) struct Pending {
    tables: [Rows; Table::ALL.len()],
    bytes: usize,
}

impl Pending {
    /// About how much memory the rows take; never less than before until they are taken out.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was written to a row: nothing, a value, or its removal.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        self.rows(table).get(key).map(Option::as_deref)
    }

    /// Sets a row, or removes it.
    pub(super) fn put(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        self.bytes += key.len() + value.map_or(0, <[u8]>::len) + ROW_BYTES;
        self.tables[table as usize].insert(key.to_vec(), value.map(<[u8]>::to_vec));
    }

    /// Takes out everything written.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Table, Rows)> + use<> {
        let Self { tables, .. } = std::mem::take(self);
        Table::ALL.into_iter().zip(tables).filter(|(_, rows)| !rows.is_empty())
    }

    /// Visits the rows of a table from `from` on as they are with what was written on top of `below`, which visits them
    /// as they were.
    pub(super) fn scan_over(
        &self,
        table: Table,
        from: &[u8],
        below: impl FnOnce(&mut Visitor<'_>) -> Result<(), StoreError>,
        visit: &mut Visitor<'_>,
    ) -> Result<(), StoreError> {
        let mut written = self.rows(table).range::<[u8], _>((Bound::Included(from), Bound::Unbounded)).peekable();
        let mut last = Scan::Continue;
        below(&mut |key, value| {
            while let Some((before, value)) = written.next_if(|(written, _)| written.as_slice() < key) {
                last = visit_if_there(before, value.as_deref(), visit)?;
                if last == Scan::Stop {
                    return Ok(last);
                }
            }
            let value = match written.next_if(|(written, _)| written.as_slice() == key) {
                Some((_, value)) => value.as_deref(),
                None => Some(value),
            };
            last = visit_if_there(key, value, visit)?;
            Ok(last)
        })?;
        for (key, value) in written {
            if last == Scan::Stop {
                break;
            }
            last = visit_if_there(key, value.as_deref(), visit)?;
        }
        Ok(())
    }

    fn rows(&self, table: Table) -> &Rows {
        &self.tables[table as usize]
    }
}

fn visit_if_there(key: &[u8], value: Option<&[u8]>, visit: &mut Visitor<'_>) -> Result<Scan, StoreError> {
    value.map_or(Ok(Scan::Continue), |value| visit(key, value))
}

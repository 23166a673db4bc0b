//! The file under redb. While a database is being opened and judged, nothing is written to it.
//!
//! redb repairs and commits as it opens. On a file with a flipped byte that could overwrite the very pages
//! from which a reindex would recover a block, so the changes are kept in memory, in order, until the
//! opener has found everything that it demands; then they are written exactly as redb asked, syncs
//! included, and from then on redb writes to the file directly.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

use crate::failpoints::kill_point;

/// A change that redb asked for before the file was judged sound.
#[derive(Debug)]
enum Change {
    Resize(u64),
    Write { offset: u64, data: Vec<u8> },
    Sync,
}

#[derive(Debug)]
struct Inner {
    file: FileBackend,
    /// The changes held back; none once the file is trusted.
    held: Mutex<Option<Vec<Change>>>,
}

/// The storage that redb is given, and the handle by which its opener lets the held changes through.
#[derive(Debug, Clone)]
pub(super) struct ChainFile(Arc<Inner>);

impl ChainFile {
    /// A file whose changes are held back until [`ChainFile::release`].
    pub(super) fn held(file: File) -> Result<Self, DatabaseError> {
        Self::new(file, Some(Vec::new()))
    }

    /// A file that is written to directly.
    pub(super) fn direct(file: File) -> Result<Self, DatabaseError> {
        Self::new(file, None)
    }

    fn new(file: File, held: Option<Vec<Change>>) -> Result<Self, DatabaseError> {
        Ok(Self(Arc::new(Inner { file: FileBackend::new(file)?, held: Mutex::new(held) })))
    }

    /// Writes what was held back and trusts the file from now on.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut held = self.changes();
        for change in held.take().into_iter().flatten() {
            kill_point!("open.while-releasing");
            match change {
                Change::Resize(len) => self.0.file.set_len(len)?,
                Change::Write { offset, data } => self.0.file.write(offset, &data)?,
                Change::Sync => self.0.file.sync_data()?,
            }
        }
        Ok(())
    }

    fn changes(&self) -> MutexGuard<'_, Option<Vec<Change>>> {
        // A list of finished changes is whole whatever panicked beside it.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The length of the file as redb sees it.
fn len_with(file: &FileBackend, changes: &[Change]) -> io::Result<u64> {
    let resized = changes.iter().rev().find_map(|change| match change {
        Change::Resize(len) => Some(*len),
        Change::Write { .. } | Change::Sync => None,
    });
    resized.map_or_else(|| file.len(), Ok)
}

/// Reads the file as redb sees it: what it holds, and over it the changes in their order.
fn read_with(file: &FileBackend, changes: &[Change], offset: u64, out: &mut [u8]) -> io::Result<()> {
    let end = offset.saturating_add(out.len() as u64);
    if end > len_with(file, changes)? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let on_disk = file.len()?.clamp(offset, end) - offset;
    let (known, beyond) = out.split_at_mut(usize::try_from(on_disk).expect("at most out's length"));
    file.read(offset, known)?;
    beyond.fill(0);
    for change in changes {
        match change {
            Change::Sync => {}
            // What a resize cuts off reads as zeros should the file grow again.
            Change::Resize(len) => {
                let kept = (*len).clamp(offset, end) - offset;
                out[usize::try_from(kept).expect("at most out's length")..].fill(0);
            }
            Change::Write { offset: at, data } => {
                let from = offset.max(*at);
                let to = end.min(at.saturating_add(data.len() as u64));
                if from < to {
                    let range = |base: u64| {
                        let index = |x: u64| usize::try_from(x - base).expect("within a buffer");
                        index(from)..index(to)
                    };
                    out[range(offset)].copy_from_slice(&data[range(*at)]);
                }
            }
        }
    }
    Ok(())
}

impl StorageBackend for ChainFile {
    fn len(&self) -> io::Result<u64> {
        len_with(&self.0.file, self.changes().as_deref().unwrap_or_default())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.changes().as_deref() {
            Some(changes) => read_with(&self.0.file, changes, offset, out),
            None => self.0.file.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if let Some(changes) = self.changes().as_mut() {
            changes.push(Change::Resize(len));
            return Ok(());
        }
        #[cfg(feature = "failpoints")]
        disk_full()?;
        kill_point!("file.before-resize");
        self.0.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Some(changes) = self.changes().as_mut() {
            changes.push(Change::Sync);
            return Ok(());
        }
        kill_point!("file.before-sync");
        self.0.file.sync_data()?;
        kill_point!("file.after-sync");
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Some(changes) = self.changes().as_mut() {
            changes.push(Change::Write { offset, data: data.to_vec() });
            return Ok(());
        }
        #[cfg(feature = "failpoints")]
        disk_full()?;
        kill_point!("file.before-write");
        #[cfg(feature = "failpoints")]
        torn_write(&self.0.file, offset, data);
        self.0.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.query_lock_range(start, end)
    }
}

/// Answers, where a test says so, that the disk is full.
#[cfg(feature = "failpoints")]
fn disk_full() -> io::Result<()> {
    fail::fail_point!(crate::failpoints::DISK_FULL, |_| Err(io::ErrorKind::StorageFull.into()));
    Ok(())
}

/// Where a test says so, writes only the first half of a page before the power goes.
#[cfg(feature = "failpoints")]
fn torn_write(file: &FileBackend, offset: u64, data: &[u8]) {
    fail::fail_point!("file.torn-write", |_| {
        let half = data.get(..data.len() / 2).unwrap_or_default();
        file.write(offset, half).expect("the half is written");
        std::process::abort()
    });
}

//! The chain out to an archive and back in, a few blocks in memory at a time.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bloom_consensus::constants::HEADER_BYTES;
use bloom_consensus::{Block, BlockHash, Header, Height, Timestamp, proof};
use bloom_kernel::{Backend, Batch};
use thiserror::Error;

use crate::accept::{Arrival, Outcome};
use crate::archive::{ArchiveError, ArchiveReader, ArchiveWriter, Heading};
use crate::chain::Chain;
use crate::error::{AcceptError, StoreError};
use crate::prune::Pruning;

/// Blocks whose proofs are checked together, and their bytes.
const BATCH_BLOCKS: usize = 256;
const BATCH_BYTES: usize = 8 << 20;

/// How far an export or an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferProgress {
    /// Blocks done.
    pub done: u64,
    /// Blocks of the archive.
    pub total: u64,
}

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Blocks that are new here.
    pub taken: u64,
    /// Blocks that were here.
    pub known: u64,
}

/// Why an export did not come to its end.
#[derive(Debug, Error)]
pub enum ExportError {
    /// There is no such height to begin with.
    #[error("no block at height {got} to begin with: expected 1 to {tip}, the tip's")]
    From {
        /// As asked for.
        got: Height,
        /// The tip's.
        tip: Height,
    },
    /// The blocks are gone.
    #[error("blocks below height {horizon} were pruned; export from there on with --from {horizon}")]
    Pruned {
        /// The lowest height that is kept.
        horizon: Height,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It was told to stop.
    #[error("the export was stopped; begin it again")]
    Cancelled,
    /// The files of the chain fail.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an import did not come to its end. What it took before stays, durable.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The archive is at fault.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A block of it breaks a rule.
    #[error("at height {height}: {source}; what came before it was taken")]
    Refused {
        /// The height of its record.
        height: Height,
        /// Which rule.
        source: AcceptError,
    },
    /// Its first blocks stand on one that is not here.
    #[error(
        "the archive begins at height {height} on block {parent}, which is not here; import one that begins lower first"
    )]
    Unconnected {
        /// The height of the first record that has no parent here.
        height: Height,
        /// The parent.
        parent: BlockHash,
    },
    /// A block of it is ahead of the clock.
    #[error(
        "the block at height {height} is ahead of this machine's clock; import again at {until}, what is here is skipped"
    )]
    Ahead {
        /// The height of its record.
        height: Height,
        /// When it could be taken.
        until: Timestamp,
    },
    /// It was told to stop.
    #[error("the import was stopped after {} blocks; begin it again: what is here is skipped", imported.taken + imported.known)]
    Cancelled {
        /// What it came to until then.
        imported: Imported,
    },
    /// The files of the chain fail.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Chain {
    /// Writes the chain from a height on, to the tip.
    ///
    /// # Errors
    /// [`ExportError`]; what was written by then is no whole archive.
    pub fn export<W: Write>(
        &self,
        from: Height,
        stream: W,
        progress: &mut dyn FnMut(TransferProgress),
        cancel: &AtomicBool,
    ) -> Result<W, ExportError> {
        let tip = self.tip.height;
        if from == Height::GENESIS || from > tip {
            return Err(ExportError::From { got: from, tip });
        }
        if let Some(Pruning { horizon, .. }) = self.pruning
            && from < horizon
        {
            return Err(ExportError::Pruned { horizon });
        }
        let count = tip.0 - from.0 + 1;
        let heading = Heading { network_id: self.params.network_id, first: from, count };
        let mut archive = ArchiveWriter::new(stream, &heading).map_err(ArchiveError::from)?;
        for (done, height) in (1..).zip(from.0..=tip.0) {
            let hash = self.ledger.known_hash_at(Height(height))?;
            let block = self.ledger.known_block(&hash, &self.ledger.known_entry(&hash)?)?;
            archive.write(&block.encode()).map_err(ArchiveError::from)?;
            progress(TransferProgress { done, total: count });
            if cancel.load(Ordering::Relaxed) {
                return Err(ExportError::Cancelled);
            }
        }
        Ok(archive.finish().map_err(ArchiveError::from)?)
    }

    /// Takes the blocks of an archive, each judged by all the rules. What is here already is passed over unread. Whether
    /// it ends well or not, what it took is durable when it returns.
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
        let mut watch = Watch { total: archive.heading().count, imported: Imported::default(), progress, cancel };
        let result = self.import_all(archive, threads, now, &mut watch);
        if !self.closed {
            self.flush()?;
        }
        result.map(|()| watch.imported)
    }

    fn import_all<R: Read>(
        &mut self,
        archive: &mut ArchiveReader<R>,
        threads: NonZeroUsize,
        now: Timestamp,
        watch: &mut Watch<'_>,
    ) -> Result<(), ImportError> {
        loop {
            let mut batch = Vec::new();
            let read = self.read_batch(archive, &mut batch, watch);
            let headers: Vec<Header> = batch.iter().map(|incoming| incoming.block.header).collect();
            let proven = prove(self.solo.backend(), &headers, threads);
            for (incoming, proven) in batch.iter().zip(proven) {
                self.take_incoming(incoming, proven, now)?;
                watch.imported.taken += 1;
                watch.tell()?;
            }
            if !read? {
                return Ok(());
            }
        }
    }

    /// Reads the next records, as many as are taken at a time; whether there may be more. What was read before a fault
    /// is in the batch.
    fn read_batch<R: Read>(
        &self,
        archive: &mut ArchiveReader<R>,
        batch: &mut Vec<Incoming>,
        watch: &mut Watch<'_>,
    ) -> Result<bool, ImportError> {
        let mut bytes = 0;
        for _ in 0..BATCH_BLOCKS {
            let Some((height, encoded)) = archive.next_block()? else { return Ok(false) };
            let not_a_block = |source| ArchiveError::NotABlock { height, source };
            let header: &[u8; HEADER_BYTES] = encoded.first_chunk().expect("a record is as long as a header");
            let header = Header::from_bytes(header).map_err(not_a_block)?;
            let hash = header.block_hash();
            if let Some(entry) = self.ledger.entry(&hash)? {
                if entry.condemned {
                    return Err(ImportError::Refused { height, source: AcceptError::Condemned { hash } });
                }
                watch.imported.known += 1;
                watch.tell()?;
                continue;
            }
            let parent = header.template.prev_hash;
            if batch.last().is_none_or(|last: &Incoming| last.hash != parent) && self.ledger.entry(&parent)?.is_none() {
                return Err(ImportError::Unconnected { height, parent });
            }
            bytes += encoded.len();
            batch.push(Incoming { height, hash, block: Block::decode(&encoded).map_err(not_a_block)? });
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        Ok(true)
    }

    fn take_incoming(&mut self, incoming: &Incoming, proven: bool, now: Timestamp) -> Result<(), ImportError> {
        let &Incoming { height, hash, ref block } = incoming;
        match self.take(Arrival { hash, block, source: 0, now: Some(now), proven }) {
            Ok(accepted) => match accepted.outcome {
                Outcome::SetAside { until } => Err(ImportError::Ahead { height, until }),
                _ => Ok(()),
            },
            Err(AcceptError::Store(error)) => Err(error.into()),
            Err(source) => Err(ImportError::Refused { height, source }),
        }
    }
}

/// A block of an archive that is not here yet.
struct Incoming {
    height: Height,
    hash: BlockHash,
    block: Block,
}

/// Whom to tell and whom to ask.
struct Watch<'a> {
    total: u64,
    imported: Imported,
    progress: &'a mut dyn FnMut(TransferProgress),
    cancel: &'a AtomicBool,
}

impl Watch<'_> {
    fn tell(&mut self) -> Result<(), ImportError> {
        let imported = self.imported;
        (self.progress)(TransferProgress { done: imported.taken + imported.known, total: self.total });
        if self.cancel.load(Ordering::Relaxed) { Err(ImportError::Cancelled { imported }) } else { Ok(()) }
    }
}

/// Which of the headers have a good proof. One that has none is judged again when its turn comes, which says why.
fn prove(backend: Backend, headers: &[Header], threads: NonZeroUsize) -> Vec<bool> {
    let share = headers.len().div_ceil(threads.get()).max(1);
    let check = |headers: &[Header]| -> Vec<bool> {
        let mut batch = Box::new(Batch::new(backend));
        proof::verify_many(headers, &mut batch).iter().map(Result::is_ok).collect()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = headers.chunks(share).map(|headers| scope.spawn(move || check(headers))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("checking a proof does not panic")).collect()
    })
}

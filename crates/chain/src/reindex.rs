//! A store rebuilt from the blocks that are found in its file, however damaged that is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bloom_consensus::{Block, BlockHash, Height, NetworkId, Params};

use crate::accept::Arrival;
use crate::chain::{Chain, Options, begin};
use crate::error::{AcceptError, StoreError};
use crate::failpoints::kill_point;
use crate::ledger::Ledger;
use crate::store::{Directory, Salvage};

/// How far a reindex is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReindexProgress {
    /// Blocks judged.
    pub done: u64,
    /// Blocks found.
    pub total: u64,
}

/// What a reindex came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reindexed {
    /// Blocks found in the old file.
    pub found: u64,
    /// Those of them that are not in the new file: their header breaks a rule or their parent was not found.
    pub left_out: u64,
    /// The block stored last, if it was not found.
    pub lost: Option<BlockHash>,
    /// Blocks that had been numbered and were not found: lost, or condemned, which are kept without their bodies.
    pub missing: u64,
    /// Where the old file is kept.
    pub kept: PathBuf,
}

/// Blocks per commit while nothing is announced.
const BULK: usize = 64;

impl Chain {
    /// Rebuilds headers, heights, unspent outputs and the tip from the stored blocks, each judged anew but for the
    /// clock, in the order of their arrival, so that the same tip wins a tie. The file is searched for blocks byte by
    /// byte, so it may be damaged; it is kept beside the new one. That a block was condemned is forgotten with its
    /// body: should it come again, it is judged again. So are marks: [`Chain::invalidate`] sets them anew.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Pruned`] where blocks were dropped; the old file stays in place.
    pub fn reindex(
        dir: &Path,
        params: &Params,
        options: Options,
        progress: &mut dyn FnMut(ReindexProgress),
    ) -> Result<(Self, Reindexed), StoreError> {
        if !Directory::is_used(dir) {
            return Err(StoreError::Absent { path: dir.to_owned() });
        }
        let directory = Directory::lock(dir, options.cache_bytes)?;
        directory.check_whole()?;
        let marked = directory.marked()?;
        let mut salvage = Salvage::open(&directory.chain_path())?;
        let mut found = salvage.find()?;
        // Two blocks share a number if one of them was never committed: the one that is marked goes first.
        found.sort_by_key(|found| (found.arrival, Some(found.hash) != marked));
        let mut seen = BTreeSet::new();
        found.retain(|found| seen.insert(found.hash));
        kill_point!("reindex.before-build");

        let ledger = begin(Ledger::empty(directory.build(&params.network_id)?, directory.chain_path()), params)?;
        let mut rebuilt = Self::over(ledger, None, params, Options { blocks_per_commit: BULK, ..options })?;
        let total = found.len() as u64;
        for (done, found) in (1..).zip(&found) {
            let block = salvage.read(found)?;
            rebuilt.refile(&block, &directory)?;
            kill_point!("reindex.while-building");
            progress(ReindexProgress { done, total });
        }
        rebuilt.flush()?;
        if rebuilt.ledger.next_arrival() == 1 && total != 1 {
            return Err(StoreError::Hopeless { path: directory.chain_path(), found: total });
        }
        let lost = match marked {
            Some(hash) if rebuilt.ledger.entry(&hash)?.is_none() => Some(hash),
            _ => None,
        };
        let numbers: BTreeSet<u64> = found.iter().map(|found| found.arrival).collect();
        let numbered = numbers.last().map_or(0, |last| last.saturating_add(1));
        let missing = numbered.saturating_sub(numbers.len() as u64);
        let left_out = total.saturating_sub(rebuilt.ledger.next_arrival());
        drop(rebuilt);

        kill_point!("reindex.before-rename");
        let kept = directory.keep_old(lost.is_some())?;
        directory.put_in_place()?;
        kill_point!("reindex.after-rename");
        let chain = Self::open_in(directory, params, options)?;
        Ok((chain, Reindexed { found: total, left_out, lost, missing, kept }))
    }

    /// Takes a block of the old file; that it is refused is not an error here.
    fn refile(&mut self, block: &Block, directory: &Directory) -> Result<(), StoreError> {
        let hash = block.hash();
        if block.header.template.height == Height::GENESIS && hash.0 != self.params.network_id.0 {
            let (path, got) = (directory.chain_path(), NetworkId(hash.0));
            return Err(StoreError::OtherNetwork { path, got, expected: self.params.network_id });
        }
        match self.take(Arrival { hash, block, source: 0, now: None, proven: false }) {
            Err(AcceptError::Store(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

//! A damaged file searched for blocks byte by byte, whatever redb thinks of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bloom_consensus::{Block, BlockHash};

use super::record::{MAGIC, Record};
use crate::error::StoreError;

/// A place in the file at which a whole block was found.
pub(crate) struct Found {
    /// The number under which it had arrived.
    pub(crate) arrival: u64,
    /// Its hash.
    pub(crate) hash: BlockHash,
    offset: u64,
}

/// A file that may be damaged.
pub(crate) struct Salvage {
    path: PathBuf,
    file: File,
}

impl Salvage {
    /// Opens the file for reading.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|source| StoreError::io(path, "open", source))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Every whole block in the file, in the order of offsets. redb keeps a value in one piece. Copies that it no
    /// longer needs are found too: who asks judges every block anew, and a block known already does no harm.
    pub(crate) fn find(&mut self) -> Result<Vec<Found>, StoreError> {
        const WINDOW: usize = 1 << 20;
        const OVERLAP: usize = MAGIC.len() - 1;
        let mut found = Vec::new();
        let mut window = vec![0; WINDOW + OVERLAP];
        let mut start = 0;
        loop {
            let filled = self.read_at(start, &mut window)?;
            let bytes = window.get(..filled).expect("reads fit the window");
            let hits: Vec<_> = (0..).zip(bytes.windows(MAGIC.len())).filter(|(_, here)| here == MAGIC).collect();
            let hits: Vec<u64> = hits.into_iter().map(|(at, _)| start + at).collect();
            for offset in hits {
                if let Some((arrival, block)) = self.block(offset)? {
                    found.push(Found { arrival, hash: block.hash(), offset });
                }
            }
            if filled < window.len() {
                return Ok(found);
            }
            start += WINDOW as u64;
        }
    }

    /// The block that was found there.
    pub(crate) fn read(&mut self, found: &Found) -> Result<Block, StoreError> {
        let block = self.block(found.offset)?.filter(|(_, block)| block.hash() == found.hash);
        let (_, block) = block.ok_or_else(|| StoreError::Corrupted {
            path: self.path.clone(),
            what: format!("block {} changed while it was being read", found.hash),
        })?;
        Ok(block)
    }

    fn block(&mut self, offset: u64) -> Result<Option<(u64, Block)>, StoreError> {
        let mut head = [0; Record::HEAD_BYTES];
        let filled = self.read_at(offset, &mut head)?;
        let Some(len) = head.get(..filled).and_then(Record::body_len) else {
            return Ok(None);
        };
        let mut bytes = vec![0; Record::HEAD_BYTES + len];
        let filled = self.read_at(offset, &mut bytes)?;
        let record = bytes.get(..filled).and_then(Record::decode);
        Ok(record.and_then(|record| Some((record.arrival, Block::decode(&record.block).ok()?))))
    }

    /// Fills the buffer from an offset on; how far the file reached.
    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<usize, StoreError> {
        let fill = |file: &mut File, mut out: &mut [u8]| -> io::Result<usize> {
            let wanted = out.len();
            file.seek(SeekFrom::Start(offset))?;
            while !out.is_empty() {
                match file.read(out)? {
                    0 => break,
                    n => out = out.get_mut(n..).expect("a read fills at most its buffer"),
                }
            }
            Ok(wanted - out.len())
        };
        fill(&mut self.file, out).map_err(|source| StoreError::io(&self.path, "read", source))
    }
}

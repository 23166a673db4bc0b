//! What can go wrong: with the files ([`StoreError`]) and with a block that arrives ([`AcceptError`]).

use std::io;
use std::path::{Path, PathBuf};

use bloom_consensus::constants::FUTURE_DROP_SECS;
use bloom_consensus::{BlockHash, CheckError, Height, NetworkId, Rejection, RuleViolation, Timestamp};
use thiserror::Error;

/// What can go wrong with the chain's files. Every message says what to do next.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The directory or a file in it cannot be made or written.
    #[error("data directory {} is not writable: {source}; choose another or change its permissions", path.display())]
    NotWritable {
        /// What was to be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No room for another write. Everything committed before is intact.
    #[error("no space left for {}: {source}; nothing is lost, free some space and start again", path.display())]
    DiskFull {
        /// The file that was to grow.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process works on the same directory.
    #[error("data directory {} is in use by {holder}; stop that process or choose another directory", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The other process, as far as the lock file tells.
        holder: String,
    },
    /// The directory holds the chain of another network.
    #[error("{} holds the chain of network {got}, expected {expected}; choose another data directory or network", path.display())]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The network id in the file.
        got: NetworkId,
        /// The network id asked for.
        expected: NetworkId,
    },
    /// A later program wrote the file.
    #[error("{} has data format {got}, this program knows up to {expected}; update the program or choose another data directory", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format in the file.
        got: u32,
        /// The newest format known here.
        expected: u32,
    },
    /// Nothing was ever stored there, and it was not asked to begin.
    #[error("no chain in {}; name the directory of one, or begin one there with `bloom mine`", path.display())]
    Absent {
        /// The directory.
        path: PathBuf,
    },
    /// The file is gone, but blocks had been stored in it.
    #[error("{} is missing, but blocks up to {seen} were stored in it; restore it, or remove {} to begin anew", path.display(), mark.display())]
    Missing {
        /// The missing file.
        path: PathBuf,
        /// The last block that was stored.
        seen: BlockHash,
        /// The file that remembers it.
        mark: PathBuf,
    },
    /// The file is not what was written.
    #[error("{} is damaged: {what}; it was left as it is: `bloom verify --reindex` rebuilds the chain from the blocks in it", path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A reindex was asked for where old blocks were dropped.
    #[error("{} was pruned ({} is there): old blocks are gone, and what is unspent cannot be told from the rest; it was left as it is: restore a copy, or move it, its mark and {} away and begin anew from an archive", path.display(), mark.display(), mark.display())]
    Pruned {
        /// The file.
        path: PathBuf,
        /// The file that says so.
        mark: PathBuf,
    },
    /// A reindex found no block above genesis.
    #[error("{}: {found} blocks were found in it, none that stands on this network's genesis; it was left as it is: restore a copy of it, or move it and its mark away to begin anew", path.display())]
    Hopeless {
        /// The file.
        path: PathBuf,
        /// Blocks found, those included that stand on a lost one.
        found: u64,
    },
    /// Any other failure of the system.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The verb.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// An earlier write failed, so what is in memory can no longer be trusted.
    #[error("an earlier write failed; close the chain and open it again")]
    Closed,
}

impl StoreError {
    /// Sorts a failure of the system into the kinds that ask for different remedies.
    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory => {
                Self::NotWritable { path, source }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path, source }
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Self::Corrupted { path, what: source.to_string() }
            }
            _ => Self::Io { path, doing, source },
        }
    }

    /// The same for what redb answers.
    pub(crate) fn redb(path: &Path, error: impl Into<redb::Error>) -> Self {
        let corrupted = |what: String| Self::Corrupted { path: path.to_owned(), what };
        match error.into() {
            redb::Error::Io(source) => Self::io(path, "use", source),
            redb::Error::PreviousIo => Self::Closed,
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                Self::Locked { path: path.to_owned(), holder: "another program".to_owned() }
            }
            redb::Error::Corrupted(what) => corrupted(what),
            other => corrupted(other.to_string()),
        }
    }
}

/// Why a block was not taken.
#[derive(Debug, Error)]
pub enum AcceptError {
    /// It breaks a rule; [`Rejection::condemns_header`] tells this copy's fault from the header's.
    #[error("block {hash}: {rejection}")]
    Refused {
        /// The block.
        hash: BlockHash,
        /// The rule, and what its violation condemns.
        rejection: Box<Rejection>,
    },
    /// A block of the heavier branch that this one completes is invalid; that one and all that follow it are
    /// condemned, the tip stays.
    #[error("block {hash} stands on block {ancestor}, which is invalid: {violation}")]
    InvalidBranch {
        /// The block that arrived.
        hash: BlockHash,
        /// Its invalid ancestor.
        ancestor: BlockHash,
        /// The rule that the ancestor breaks.
        violation: Box<RuleViolation>,
    },
    /// It was condemned before, or its parent was.
    #[error("block {hash} or an ancestor of it was found invalid before")]
    Condemned {
        /// The block.
        hash: BlockHash,
    },
    /// Its branch leaves the chain where this pruned directory has dropped what it would take to follow it.
    #[error(
        "block {hash} is on a branch that leaves the chain below height {horizon}, where blocks were pruned: it cannot be followed, the tip stays; if that branch is the right one, begin anew from an archive of it"
    )]
    Pruned {
        /// The block.
        hash: BlockHash,
        /// The lowest height that is kept.
        horizon: Height,
    },
    /// It claims a time so far ahead that it is not even kept.
    #[error("block {hash} is {ahead_secs} s ahead of the clock, expected at most {FUTURE_DROP_SECS}")]
    TooFarAhead {
        /// The block.
        hash: BlockHash,
        /// Seconds ahead of this node's clock.
        ahead_secs: u64,
    },
    /// It is ahead of the clock and there is no room left to set it aside.
    #[error("block {hash} is ahead of the clock until {until}, and too many such blocks are waiting")]
    NoRoom {
        /// The block.
        hash: BlockHash,
        /// When it could be taken.
        until: Timestamp,
    },
    /// The files fail, not the block.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nobody should work on a draft.
#[derive(Debug, Error)]
pub enum DraftError {
    /// A block of it would be invalid.
    #[error("a block of this draft would be invalid: {0}")]
    Invalid(Box<RuleViolation>),
    /// The files fail, not the draft.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CheckError<StoreError>> for DraftError {
    fn from(error: CheckError<StoreError>) -> Self {
        match error {
            CheckError::Rule(violation) => Self::Invalid(Box::new(violation)),
            CheckError::Store(error) => Self::Store(error),
        }
    }
}

/// Why a verification did not come to its good end.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A stored block breaks a rule.
    #[error("block {hash} at height {height}: {rejection}; reindex to rebuild the chain from its valid blocks")]
    Invalid {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: Height,
        /// The rule.
        rejection: Box<Rejection>,
    },
    /// It was told to stop.
    #[error("verification was stopped")]
    Cancelled,
    /// What is stored contradicts itself, or can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

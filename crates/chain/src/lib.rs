//! The chain on disk: blocks arrive in any order, the valid branch with most work is the chain, and what is unspent at
//! its tip is kept beside it, all in one redb file (law §4 to §7).
//!
//! - [`Chain`] is opened on a directory, takes blocks ([`Chain::accept`]) and answers questions. It is used by one
//!   thread at a time; sharing it is its owner's business.
//! - Everything that one block changes, a reorganisation of any length included, is one atomic commit: it is durable
//!   when `accept` returns, and after a kill at any moment the store is as before it or as after it.
//! - [`Chain::reindex`] rebuilds a damaged file from whatever blocks are found in it, [`Chain::verify`] judges
//!   everything stored anew.
//! - Nothing here reads a clock: `now` is an argument.

mod accept;
mod archive;
mod branch;
mod chain;
mod error;
mod examiner;
mod facts;
pub mod failpoints;
mod fee_rate;
mod ledger;
mod live;
mod marks;
pub mod mempool;
mod prove;
mod prune;
mod recent;
mod reindex;
mod replace;
mod store;
mod transfer;
mod verified;
mod verify;
mod waiting;

pub use accept::{Accepted, Followed, Outcome};
pub use archive::{ArchiveError, ArchiveReader, ArchiveWriter, Heading};
pub use branch::Switch;
pub use chain::{Chain, Options};
pub use error::{AcceptError, DraftError, StoreError, VerifyError};
pub use facts::{CoinsState, Known, Leaf, LeafStatus, TemplateFacts, Tip};
pub use fee_rate::{FeeRate, FeeRateError};
pub use ledger::Branch;
pub use live::{CheckedDraft, LiveChain};
pub use marks::MarkError;
pub use mempool::{AdmitError, Admitted, Mempool, MempoolEntry, MempoolLimits};
pub use prove::{ProveError, SearchProgress};
pub use prune::{Keep, KeepError, PruneProgress, Pruning};
pub use reindex::{ReindexProgress, Reindexed};
pub use replace::replace_file;
pub use transfer::{ExportError, ImportError, Imported, TransferProgress};
pub use verify::{Verified, VerifyProgress};

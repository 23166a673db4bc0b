//! Named write points at which a test may kill the process, as `kill -9` or a power cut would.
//!
//! Compiled to nothing unless the feature `failpoints` is on. With it, `fail`'s action `return`
//! aborts the process at the point, without unwinding and without running a destructor:
//! `FAILPOINTS="store.before-commit=3*off->return"` survives three commits and dies before the fourth.

/// Every point at which the process can be made to die, in the order in which a run meets them.
pub const FAILPOINTS: &[&str] = &[
    "create.before-genesis",
    "create.before-rename",
    "create.after-rename",
    "open.before-release",
    "open.while-releasing",
    "accept.before-write",
    "connect.between-tables",
    "connect.after-tables",
    "disconnect.between-tables",
    "reorganise.between-branches",
    "reorganise.before-commit",
    "condemn.before-commit",
    "marks.before-commit",
    "prune.before-commit",
    "store.before-commit",
    "store.after-commit",
    "store.after-mark",
    "file.before-write",
    "file.torn-write",
    "file.before-sync",
    "file.after-sync",
    "file.before-resize",
    "mempool.before-write",
    "mempool.before-sync",
    "mempool.before-rename",
    "mempool.after-rename",
    "reindex.before-build",
    "reindex.while-building",
    "reindex.before-rename",
    "reindex.after-rename",
];

/// The point whose action `return` makes every write answer that the disk is full.
pub const DISK_FULL: &str = "file.disk-full";

/// Reads the actions from the environment variable `FAILPOINTS`; they last until the process ends.
#[cfg(feature = "failpoints")]
pub fn setup() {
    // The scenario's end would clear the actions: it is never dropped.
    std::mem::forget(fail::FailScenario::setup());
}

/// Dies here if a test said so.
macro_rules! kill_point {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        {
            debug_assert!($crate::failpoints::FAILPOINTS.contains(&$name), $name);
            fail::fail_point!($name, |_| std::process::abort());
        }
    };
}
pub(crate) use kill_point;

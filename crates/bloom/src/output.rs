//! Results go to stdout, everything else to stderr; and every way to fail has its exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use bloom_chain::{ExportError, ImportError, MarkError, ProveError, StoreError, VerifyError};
use bloom_miner::{LoopError, OnChainError};
use bloom_wallet::{VaultError, WalletFileError};
use thiserror::Error;

/// Exit codes, beside 0 for success and 2 for a command line that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What was asked to be checked is false, or what was asked to be done failed.
    Failed = 1,
    /// An argument that can be read but not be meant: a number out of range, an address of another network.
    Usage = 2,
    /// The data directory cannot be used as it is: locked, not writable, of another network, damaged.
    Data = 3,
}

/// An argument that is understood and refused.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// A file of the data directory, other than the chain's own, that cannot be used as it is.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct DataError(pub(crate) String);

impl Failure {
    pub(crate) fn from_error(error: &anyhow::Error) -> Self {
        // Errors that are transparent to the store's hide it from the chain of causes.
        let is_store = |cause: &(dyn std::error::Error + 'static)| {
            cause.is::<StoreError>()
                || matches!(cause.downcast_ref(), Some(VerifyError::Store(_)))
                || matches!(cause.downcast_ref(), Some(MarkError::Store(_)))
                || matches!(cause.downcast_ref(), Some(ExportError::Store(_)))
                || matches!(cause.downcast_ref(), Some(ImportError::Store(_)))
                || matches!(cause.downcast_ref(), Some(ProveError::Store(_)))
                || matches!(cause.downcast_ref(), Some(LoopError::Chain(OnChainError::Store(_))))
        };
        let vault = error.chain().find_map(|cause| match cause.downcast_ref() {
            Some(WalletFileError::Vault(vault)) => Some(vault),
            _ => cause.downcast_ref(),
        });
        let is_argument = matches!(vault, Some(VaultError::Exists { .. } | VaultError::EmptyPassword));
        if error.is::<UsageError>() || is_argument {
            Self::Usage
        } else if error.is::<DataError>()
            || vault.is_some()
            || error.is::<WalletFileError>()
            || error.chain().any(is_store)
        {
            Self::Data
        } else {
            Self::Failed
        }
    }

    /// Says what went wrong, unless nobody listens any more, and yields the exit code.
    pub(crate) fn report(self, error: &anyhow::Error) -> ExitCode {
        let reader_left = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(reader_left) {
            return ExitCode::SUCCESS;
        }
        note(format_args!("bloom: {}", explain(error)));
        ExitCode::from(self as u8)
    }
}

/// An error with its causes, but for those that it has told itself.
fn explain(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    let locked = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(StoreError::Locked { path, .. }) => Some(path),
        _ => None,
    });
    if let Some(path) = locked.filter(|path| bloom_node::control::is_served(path)) {
        let path = path.display();
        told.push_str(&format!(
            "; it is a node: ask it with `bloom peers status --data-dir {path}`, and give it a signed payment with \
             `bloom tx send FILE --data-dir {path}`"
        ));
    }
    told
}

/// Prints a result.
///
/// # Errors
/// When stdout is closed.
pub(crate) fn result(line: impl Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Prints a remark. Nobody is told when stderr is closed: there is nowhere left to say it.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// So many of something: `1 coin`, `2 coins`.
pub(crate) fn counted(count: impl TryInto<u64> + Display + Copy, one: &str) -> String {
    format!("{count} {}", plural(count, one))
}

/// What so many of something are called.
pub(crate) fn plural(count: impl TryInto<u64>, one: &str) -> String {
    if matches!(count.try_into(), Ok(1)) { one.to_owned() } else { format!("{one}s") }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_singular() {
        assert_eq!([0_u64, 1, 2].map(|count| counted(count, "block")), ["0 blocks", "1 block", "2 blocks"]);
    }
}

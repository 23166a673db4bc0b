//! A vault's place on the disk: who has it, whether it may be read, and how it is replaced as a whole.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{MAX_BYTES, VaultError};

/// Points at which a test may kill the process, in their order.
pub const FAILPOINTS: &[&str] = &[
    "wallet.before-write",
    "wallet.torn-write",
    "wallet.before-sync",
    "wallet.before-rename",
    "wallet.after-rename",
    "wallet.after-sync",
];

/// Dies here if a test said so.
macro_rules! kill_point {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        {
            debug_assert!(FAILPOINTS.contains(&$name), $name);
            fail::fail_point!($name, |_| std::process::abort());
        }
    };
}

/// Held as long as the vault is open. The file stays: were it removed, two processes could lock two of them.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would do, were there not a child process that has inherited it and not yet begun. If it
        // fails, the system unlocks when the process ends.
        let _ = self.0.unlock();
    }
}

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, VaultError> {
        let lock_path = beside(path, "lock");
        if fs::symlink_metadata(&lock_path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(io_error(&lock_path, "lock", io::Error::other("it is a symbolic link; remove it")));
        }
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| io_error(&lock_path, "open", source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: the file may be empty for a moment.
                let known = Read::by_ref(&mut lock).take(64).read_to_string(&mut holder).is_ok() && !holder.is_empty();
                let holder = if known { holder } else { "another process".to_owned() };
                return Err(VaultError::Locked { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(io_error(&lock_path, "lock", source)),
        }
        lock.set_len(0)
            .and_then(|()| write!(lock, "process {}", std::process::id()))
            .map_err(|source| io_error(&lock_path, "write", source))?;
        Ok(Self(lock))
    }
}

/// Whether there is anything under this name.
pub(super) fn exists(path: &Path) -> Result<bool, VaultError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(io_error(path, "look for", source)),
    }
}

/// The bytes of a file that is a file, nobody else's business, and not too large.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, VaultError> {
    let found = fs::symlink_metadata(path).map_err(|source| io_error(path, "look at", source))?;
    let not_a_file = |got| VaultError::NotAFile { path: path.to_owned(), got };
    // A pipe would keep its reader waiting: it is looked at before it is opened, and again after.
    is_file(&found).map_err(not_a_file)?;
    let file = File::open(path).map_err(|source| io_error(path, "open", source))?;
    let opened = file.metadata().map_err(|source| io_error(path, "look at", source))?;
    if (opened.dev(), opened.ino()) != (found.dev(), found.ino()) {
        return Err(not_a_file("replaced while it was opened"));
    }
    let mode = opened.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(VaultError::Mode { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|source| io_error(path, "read", source))?;
    if bytes.len() > MAX_BYTES {
        return Err(VaultError::TooLarge { path: path.to_owned(), got: opened.len() });
    }
    Ok(bytes)
}

fn is_file(found: &Metadata) -> Result<(), &'static str> {
    let kind = found.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_symlink() {
        Err("a symbolic link")
    } else if kind.is_dir() {
        Err("a directory")
    } else {
        Err("a pipe or device")
    }
}

/// Writes the bytes beside a file, and puts them in its place when they are on the disk.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let new = beside(path, "new");
    match fs::remove_file(&new) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(io_error(&new, "remove", source)),
        _ => {}
    }
    kill_point!("wallet.before-write");
    let mut file = File::options()
        .write(true)
        .create_new(true) // follows no link
        .mode(0o600)
        .open(&new)
        .map_err(|source| io_error(&new, "make", source))?;
    #[cfg(feature = "failpoints")]
    torn_write(&mut file, bytes);
    file.write_all(bytes).map_err(|source| io_error(&new, "write", source))?;
    kill_point!("wallet.before-sync");
    file.sync_all().map_err(|source| io_error(&new, "sync", source))?;
    kill_point!("wallet.before-rename");
    fs::rename(&new, path).map_err(|source| io_error(path, "replace", source))?;
    kill_point!("wallet.after-rename");
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| io_error(directory, "sync", source))?;
    kill_point!("wallet.after-sync");
    Ok(())
}

/// Dies with half of the bytes written, if a test said so.
#[cfg(feature = "failpoints")]
fn torn_write(file: &mut File, bytes: &[u8]) {
    fail::fail_point!("wallet.torn-write", |_| {
        let half = bytes.get(..bytes.len() / 2).expect("half is no more than all");
        file.write_all(half).and_then(|()| file.sync_all()).expect("a test's disk has room");
        std::process::abort()
    });
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn io_error(path: &Path, what: &'static str, source: io::Error) -> VaultError {
    VaultError::Io { path: path.to_owned(), what, source }
}

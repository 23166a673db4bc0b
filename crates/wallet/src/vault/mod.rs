//! A file that holds one value, encrypted under a password.
//!
//! - What it holds is JSON, padded to a multiple of 4 KiB, under XChaCha20-Poly1305, with the header as associated data.
//! - The key is the password's by Argon2id, whose parameters are in the header and bounded before they are used.
//! - It is replaced as a whole: a new file beside it, synced, renamed. A kill leaves the one before or the new one.
//! - A wrong password and a damaged file cost the same work and give the same error, whatever is wrong with them.
//! - One process at a time has it open.

mod file;
mod header;
mod sealed;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::file::Lock;
use self::header::Header;
use self::sealed::Key;
use crate::random::NoRandomness;

pub use self::file::FAILPOINTS;
pub use self::header::Cost;

/// No vault is larger, whatever it holds.
pub const MAX_BYTES: usize = 64 << 20;

/// An encrypted file that this process alone has open. The key is kept, so that replacing the content asks for no
/// password, and zeroed when dropped; there is no `Debug`.
pub struct Vault {
    path: PathBuf,
    header: Header,
    key: Key,
    _lock: Lock,
}

/// A vault that cannot be made, opened or replaced.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is none.
    #[error("{}: there is no such wallet; `bloom wallet list` shows those there are, `bloom wallet create` makes one", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{}: there is a wallet of this name, which is never overwritten; choose another name", path.display())]
    Exists {
        /// Its file.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("{}: in use by {holder}", path.display())]
    Locked {
        /// Its file.
        path: PathBuf,
        /// Who.
        holder: String,
    },
    /// A link, a directory, a pipe.
    #[error("{}: it is {got}, expected a file", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
        /// What it is.
        got: &'static str,
    },
    /// Other users of the machine could read or change it.
    #[error("{}: others may read the wallet (mode {mode:o}); run chmod 600 on it", path.display())]
    Mode {
        /// Its file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// More than any vault holds.
    #[error("{}: got {got} bytes, expected at most {MAX_BYTES}", path.display())]
    TooLarge {
        /// Its file.
        path: PathBuf,
        /// Bytes.
        got: u64,
    },
    /// It does not begin as a vault does.
    #[error("{}: not a wallet; restore it from a copy, or from its words with `bloom wallet restore`", path.display())]
    NotAVault {
        /// The file.
        path: PathBuf,
    },
    /// Made by a later program.
    #[error("{}: wallet format {got}, expected at most {expected}; use a newer bloom", path.display())]
    Newer {
        /// Its file.
        path: PathBuf,
        /// Its format.
        got: u32,
        /// The last one known.
        expected: u32,
    },
    /// Parameters of the key derivation out of range.
    #[error("{}: {what}; the file is damaged or was made to harm", path.display())]
    Cost {
        /// Its file.
        path: PathBuf,
        /// Got and expected.
        what: String,
    },
    /// What a wrong password and every damage to the encrypted part look like.
    #[error("{}: the password is wrong, or the file is damaged", path.display())]
    Closed {
        /// Its file.
        path: PathBuf,
    },
    /// The password is right, and what it opened is not what was expected.
    #[error("{}: opened, but its content is not understood at byte {at}; was it made by another bloom?", path.display())]
    Content {
        /// Its file.
        path: PathBuf,
        /// Where, in bytes. The content itself is not repeated.
        at: usize,
    },
    /// A password of no characters.
    #[error("the password is empty, which protects nothing")]
    EmptyPassword,
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The machine has not the memory that the key derivation takes.
    #[error("{}: opening it takes {memory_kib} KiB of memory, which this machine does not give", path.display())]
    NoMemory {
        /// Its file.
        path: PathBuf,
        /// What it takes.
        memory_kib: u32,
    },
    /// The system refused.
    #[error("{}: cannot {what} it", path.display())]
    Io {
        /// What was acted on.
        path: PathBuf,
        /// What was to be done.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Vault {
    /// Makes a vault where there is none.
    ///
    /// # Errors
    /// [`VaultError`]; then there is none still.
    pub fn create<T: Serialize>(path: &Path, password: &[u8], cost: Cost, value: &T) -> Result<Self, VaultError> {
        let lock = Lock::take(path)?;
        if file::exists(path)? {
            return Err(VaultError::Exists { path: path.to_owned() });
        }
        let header = Header::new(cost)?;
        let key = Key::derive(path, password, &header)?;
        let mut vault = Self { path: path.to_owned(), header, key, _lock: lock };
        vault.replace(value)?;
        Ok(vault)
    }

    /// Opens a vault.
    ///
    /// # Errors
    /// [`VaultError`]; [`VaultError::Closed`] for a wrong password and for damage alike, after the same work.
    pub fn open<T: DeserializeOwned>(path: &Path, password: &[u8]) -> Result<(Self, T), VaultError> {
        if !file::exists(path)? {
            return Err(VaultError::Missing { path: path.to_owned() });
        }
        let lock = Lock::take(path)?;
        let bytes = file::read(path)?;
        let (header, sealed) = Header::parse(path, &bytes)?;
        let key = Key::derive(path, password, &header)?;
        let value = sealed::open(path, &key, &header, sealed)?;
        Ok((Self { path: path.to_owned(), header, key, _lock: lock }, value))
    }

    /// Puts another value in the place of what it holds. When this returns, the new one is on the disk.
    ///
    /// # Errors
    /// [`VaultError`]; the file is then as it was, or, if the last sync failed, perhaps the new one.
    pub fn replace<T: Serialize>(&mut self, value: &T) -> Result<(), VaultError> {
        // A nonce is never used twice, whether or not what was sealed under it reached the disk.
        let header = self.header.with_new_nonce()?;
        let bytes = sealed::seal(&self.path, &self.key, &header, value)?;
        file::replace(&self.path, &bytes)?;
        self.header = header;
        Ok(())
    }

    /// Encrypts under another password, with a new salt, what it is to hold.
    ///
    /// # Errors
    /// [`VaultError`], as [`Vault::replace`]; the old password stays good until then.
    pub fn change_password<T: Serialize>(&mut self, password: &[u8], cost: Cost, value: &T) -> Result<(), VaultError> {
        let header = Header::new(cost)?;
        let key = Key::derive(&self.path, password, &header)?;
        let (old_header, old_key) =
            (std::mem::replace(&mut self.header, header), std::mem::replace(&mut self.key, key));
        let done = self.replace(value);
        if done.is_err() {
            (self.header, self.key) = (old_header, old_key);
        }
        done
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests;

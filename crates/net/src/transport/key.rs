//! The key that tells this node from others: a file in the data directory that nobody else may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bloom_chain::replace_file;
use libp2p::identity::Keypair;
use rustix::fs::OFlags;
use thiserror::Error;
use zeroize::Zeroizing;

/// The first line; the second is the secret in hex.
const HEADING: &[u8] = b"bloomcoin node key 1\n";
const SECRET_BYTES: usize = 32;
const FILE_BYTES: usize = HEADING.len() + 2 * SECRET_BYTES + 1;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file or its directory.
    #[error("{path}: the node's key cannot be read or made: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// As the system says.
        why: io::Error,
    },
    /// Not a plain file: a link would have somebody else's file read or shown to others.
    #[error("{path}: not a plain file; move it away and a new key will be made")]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// A file of others, or that others may read.
    #[error(
        "{path}: others may read it (mode {mode:03o}); run chmod 600 on it, or move it away and a new key will be made"
    )]
    Mode {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Something else.
    #[error("{path}: not a node's key; move it away and a new one will be made")]
    Content {
        /// Which.
        path: PathBuf,
    },
}

/// The key in a file, which is made if there is none. Losing it costs nothing but the peers' memory of this node.
///
/// # Errors
/// [`KeyError`].
pub fn node_key(path: &Path) -> Result<Keypair, KeyError> {
    match read(path)? {
        Some(key) => Ok(key),
        None => make(path).map_err(|why| KeyError::File { path: path.to_owned(), why }),
    }
}

fn read(path: &Path) -> Result<Option<Keypair>, KeyError> {
    let no_link = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).expect("flags of open(2) are an int");
    let file = match OpenOptions::new().read(true).custom_flags(no_link).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(KeyError::NotAFile { path: path.to_owned() });
        }
        Err(why) => return Err(KeyError::File { path: path.to_owned(), why }),
    };
    only_ours(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
    let most = u64::try_from(FILE_BYTES + 1).expect("a few dozen bytes");
    file.take(most).read_to_end(&mut bytes).map_err(|why| KeyError::File { path: path.to_owned(), why })?;
    parse(&bytes).map(Some).ok_or_else(|| KeyError::Content { path: path.to_owned() })
}

fn only_ours(path: &Path, file: &File) -> Result<(), KeyError> {
    let metadata = file.metadata().map_err(|why| KeyError::File { path: path.to_owned(), why })?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o777;
    let is_mine = metadata.uid() == rustix::process::geteuid().as_raw();
    if mode & 0o077 != 0 || !is_mine {
        return Err(KeyError::Mode { path: path.to_owned(), mode });
    }
    Ok(())
}

fn parse(bytes: &[u8]) -> Option<Keypair> {
    let digits = bytes.strip_prefix(HEADING)?.strip_suffix(b"\n")?;
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    hex::decode_to_slice(digits, &mut secret[..]).ok()?;
    Keypair::ed25519_from_bytes(&mut secret[..]).ok()
}

/// A kill leaves all of a new key or nothing.
fn make(path: &Path) -> io::Result<Keypair> {
    let key = Keypair::generate_ed25519();
    let pair = key.clone().try_into_ed25519().map_err(io::Error::other)?;
    let secret = pair.secret();
    let digits = Zeroizing::new(hex::encode(secret.as_ref()));
    // As long as it will be from the start: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
    for part in [HEADING, digits.as_bytes(), b"\n"] {
        bytes.extend_from_slice(part);
    }
    replace_file(path, &bytes, 0o600)?;
    Ok(key)
}

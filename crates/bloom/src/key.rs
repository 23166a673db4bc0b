//! The key that `bloom mine` makes for itself: a file in the data directory that nobody else may read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bloom_chain::replace_file;
use bloom_consensus::OutputKey;
use secp256k1::{Keypair, SecretKey};
use zeroize::Zeroizing;

use crate::output::{DataError, note};

const NAME: &str = "miner.key";
/// The first line of a key file; the second is the secret key in hex.
const HEADING: &str = "bloomcoin miner key 1";
const FILE_BYTES: usize = HEADING.len() + 1 + 64 + 1;

/// A key from a file, wiped from memory with this.
pub(crate) struct FileKey(Keypair);

impl FileKey {
    fn new(mut secret: SecretKey) -> Self {
        let pair = Keypair::from_secret_key(&secret);
        secret.non_secure_erase();
        Self(pair)
    }

    /// What its coins are paid to.
    pub(crate) fn output_key(&self) -> OutputKey {
        OutputKey(self.0.x_only_public_key().0.to_byte_array())
    }

    /// What signs for them.
    pub(crate) fn pair(&self) -> &Keypair {
        &self.0
    }
}

impl Drop for FileKey {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

/// Where a directory's own key is.
pub(crate) fn own_key_path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// The public key of the directory's own key, which is made if there is none.
///
/// # Errors
/// When the file cannot be read or made, is no key file, or may be read by others.
pub(crate) fn own_key(directory: &Path) -> Result<OutputKey> {
    let path = own_key_path(directory);
    if let Some(key) = read(&path, "restore it, or move it away and a new one will be made")? {
        return Ok(key.output_key());
    }
    let key = make(&path).with_context(|| data(&path, "no key can be made here"))?;
    note(format_args!(
        "made a key to pay to, not encrypted: {} (keep a copy: whoever has it has the coins, until `bloom wallet sweep` \
         brings them into a wallet)",
        path.display()
    ));
    Ok(key.output_key())
}

/// The key in a file that must be there.
///
/// # Errors
/// When the file is missing, cannot be read, is no key file, or may be read by others.
pub(crate) fn key_in(path: &Path) -> Result<FileKey> {
    let missing = || data(path, "no key here: `bloom mine` without --address makes one in its data directory");
    Ok(read(path, "expected the file that `bloom mine` made")?.ok_or_else(missing)?)
}

/// The key in a file, if there is one; `hint` is what to do if it is another file.
fn read(path: &Path, hint: &str) -> Result<Option<FileKey>> {
    let file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| data(path, "the miner's key cannot be read")),
    };
    only_ours(path, &file)?;
    let mut bytes = Zeroizing::new([0; FILE_BYTES + 1]);
    let length = read_up_to(file, &mut bytes[..]).with_context(|| data(path, "the miner's key cannot be read"))?;
    match bytes.get(..length).and_then(parse) {
        Some(key) => Ok(Some(key)),
        None => Err(data(path, &format!("not a miner's key; {hint}")).into()),
    }
}

fn data(path: &Path, what: &str) -> DataError {
    DataError(format!("{}: {what}", path.display()))
}

fn parse(bytes: &[u8]) -> Option<FileKey> {
    let hex = bytes.strip_prefix(HEADING.as_bytes())?.strip_prefix(b"\n")?.strip_suffix(b"\n")?;
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(hex, &mut secret[..]).ok()?;
    SecretKey::from_secret_bytes(*secret).ok().map(FileKey::new)
}

fn read_up_to(mut file: File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// A kill leaves all of a new key or nothing.
fn make(path: &Path) -> Result<FileKey> {
    let key = FileKey::new(SecretKey::new(&mut secp256k1::rand::rng()));
    let mut hex = Zeroizing::new([0; 64]);
    let secret = Zeroizing::new(key.pair().to_secret_bytes());
    hex::encode_to_slice(*secret, &mut hex[..]).context("64 digits for 32 bytes")?;
    // As long as it will be from the start: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES));
    for part in [HEADING.as_bytes(), b"\n", &hex[..], b"\n"] {
        bytes.extend_from_slice(part);
    }
    replace_file(path, &bytes, 0o600)?;
    Ok(key)
}

fn open_plain(path: &Path) -> io::Result<File> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_symlink() {
        return Err(io::Error::other("it is a symbolic link"));
    }
    if !kind.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    File::open(path)
}

fn only_ours(path: &Path, file: &File) -> Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("others may read the miner's key (mode {mode:o}); run chmod 600 on it");
        return Err(data(path, &what).into());
    }
    Ok(())
}

//! The key that `bloom mine` makes for itself: a file in the data directory that nobody else may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use bloom_consensus::OutputKey;
use secp256k1::{Keypair, SecretKey};

use crate::output::DataError;

use crate::output::note;

const NAME: &str = "miner.key";
/// The first line of a key file; the second is the secret key in hex.
const HEADING: &str = "bloomcoin miner key 1";
const FILE_BYTES: usize = HEADING.len() + 1 + 64 + 1;

/// The public key of the directory's own key, which is made if there is none.
///
/// # Errors
/// When the file cannot be read or made, is no key file, or may be read by others.
pub(crate) fn own_key(directory: &Path) -> Result<OutputKey> {
    let path = directory.join(NAME);
    let mut secret = match read(&path)? {
        Some(secret) => secret,
        None => {
            let secret = make(&path).with_context(|| data(&path, "no key can be made here"))?;
            note(format_args!(
                "made a key to pay to, not encrypted: {} (keep a copy: whoever has it has the coins)",
                path.display()
            ));
            secret
        }
    };
    let public = OutputKey(Keypair::from_secret_key(&secret).x_only_public_key().0.to_byte_array());
    secret.non_secure_erase();
    Ok(public)
}

fn read(path: &Path) -> Result<Option<SecretKey>> {
    let file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| data(path, "the miner's key cannot be read")),
    };
    only_ours(path, &file)?;
    let mut bytes = [0; FILE_BYTES + 1];
    let length = read_up_to(file, &mut bytes).with_context(|| data(path, "the miner's key cannot be read"))?;
    let secret = bytes.get(..length).and_then(parse);
    bytes.fill(0);
    match secret {
        Some(secret) => Ok(Some(secret)),
        None => Err(data(path, "not a miner's key; restore it, or move it away and a new one will be made").into()),
    }
}

fn data(path: &Path, what: &str) -> DataError {
    DataError(format!("{}: {what}", path.display()))
}

fn parse(bytes: &[u8]) -> Option<SecretKey> {
    let hex = bytes.strip_prefix(HEADING.as_bytes())?.strip_prefix(b"\n")?.strip_suffix(b"\n")?;
    let mut secret = [0; 32];
    hex::decode_to_slice(hex, &mut secret).ok()?;
    let key = SecretKey::from_secret_bytes(secret).ok();
    secret.fill(0);
    key
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

/// Writes a new key beside its place and moves it there, so that a kill leaves all of it or nothing.
fn make(path: &Path) -> Result<SecretKey> {
    let secret = SecretKey::new(&mut secp256k1::rand::rng());
    let unfinished = path.with_extension("key.unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = create_private(&unfinished)?;
    let mut hex = [0; 64];
    hex::encode_to_slice(secret.to_secret_bytes(), &mut hex).context("64 digits for 32 bytes")?;
    file.write_all(HEADING.as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(&hex)?;
    file.write_all(b"\n")?;
    hex.fill(0);
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_directory(path)?;
    Ok(secret)
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

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

//! The encrypted part: a length, JSON, and zeros up to a multiple of 4 KiB, so that the size of the file tells little.

use std::io::{self, Write};
use std::path::Path;

use argon2::{Algorithm, Argon2, Block, Version};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::header::{HEADER_BYTES, Header};
use super::{MAX_BYTES, VaultError};

const PADDED_TO: usize = 4 << 10;
const LENGTH_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

/// What a password and a salt make.
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// The whole of Argon2id, whatever the password.
    pub(super) fn derive(path: &Path, password: &[u8], header: &Header) -> Result<Self, VaultError> {
        if password.is_empty() {
            return Err(VaultError::EmptyPassword);
        }
        let params = header.cost.params();
        let no_memory = || VaultError::NoMemory { path: path.to_owned(), memory_kib: header.cost.memory_kib() };
        let mut memory: Zeroizing<Vec<Block>> = Zeroizing::new(Vec::new());
        memory.try_reserve_exact(params.block_count()).map_err(|_| no_memory())?;
        memory.resize(params.block_count(), Block::default());
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password, &header.salt, &mut key[..], &mut memory[..])
            .expect("a password, a salt of 32 bytes and a key of 32 are within Argon2's ranges");
        Ok(Self(key))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

/// A whole file: the header and what it authenticates.
pub(super) fn seal<T: Serialize>(path: &Path, key: &Key, header: &Header, value: &T) -> Result<Vec<u8>, VaultError> {
    let mut plain = padded(path, value)?;
    key.cipher()
        .encrypt_in_place(&header.nonce.into(), &authenticated(header), &mut *plain)
        .expect("what fits a vault is far below what fits the cipher");
    Ok([&header.to_bytes()[..], &plain].concat())
}

/// What was sealed. One attempt, after which nobody learns what was wrong.
pub(super) fn open<T: DeserializeOwned>(
    path: &Path,
    key: &Key,
    header: &Header,
    sealed: &[u8],
) -> Result<T, VaultError> {
    let mut plain = Zeroizing::new(sealed.to_vec());
    key.cipher()
        .decrypt_in_place(&header.nonce.into(), &authenticated(header), &mut *plain)
        .map_err(|_| VaultError::Closed { path: path.to_owned() })?;
    let content = |at| VaultError::Content { path: path.to_owned(), at };
    let (length, rest) = plain.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| content(0))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| content(0))?;
    let json = rest.get(..length).ok_or_else(|| content(0))?;
    // serde_json's message would repeat what it found.
    serde_json::from_slice(json).map_err(|error| content(error.column()))
}

/// What the tag vouches for beside the content: the header, to the last byte.
fn authenticated(header: &Header) -> [u8; HEADER_BYTES] {
    header.to_bytes()
}

/// Written twice, first to count: what grows while it is written leaves copies of itself behind.
fn padded<T: Serialize>(path: &Path, value: &T) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let unwritable =
        |error: serde_json::Error| VaultError::Io { path: path.to_owned(), what: "encode", source: error.into() };
    let mut counted = Counter(0);
    serde_json::to_writer(&mut counted, value).map_err(unwritable)?;
    let length = (LENGTH_BYTES + counted.0).next_multiple_of(PADDED_TO);
    let got = HEADER_BYTES + length + TAG_BYTES;
    if got > MAX_BYTES {
        return Err(VaultError::TooLarge { path: path.to_owned(), got: got as u64 });
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(length + TAG_BYTES));
    plain.extend_from_slice(&(counted.0 as u64).to_le_bytes());
    serde_json::to_writer(&mut *plain, value).map_err(unwritable)?;
    plain.resize(length, 0);
    Ok(plain)
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Secret nonces between the two rounds of a MuSig2 session, and their end: each is used once or never.
//!
//! A secret nonce that signs twice gives the key away, so everything here errs on the side of starting over, which is
//! always possible and costs one more exchange of files.
//!
//! - The seed of a session's nonces is a file of its own, apart from the wallet file: `NAME.nonces/ID.nonce`. It is
//!   encrypted under a random key that is kept in the wallet file alone; so neither is of use without the other, and a
//!   backup of wallet files holds no nonce.
//! - The wallet file also holds the nonce file's device, inode and time of last change. No ordinary tool can set the
//!   last of these: a nonce file that was copied, moved away and back, linked, or taken from a backup is another one, and
//!   the session is over.
//! - A disk that is set back as a whole brings both files back as they were. That takes a restart, unless the machine is
//!   virtual and its memory is set back too: a session is bound to the boot it began in, unless its user says otherwise.
//!   What nothing in the machine can notice is a whole machine set back with its memory.
//! - Before a partial signature is handed to anybody, the file is overwritten and gone, its directory synced, and the
//!   session's key gone from the wallet file, where the session is marked as spent.

use std::error::Error;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::musig::NonceSeed;
use crate::random::{self, NoRandomness};

/// Points at which a test may kill the process, in the order in which a session meets them.
pub const FAILPOINTS: &[&str] =
    &["nonces.before-record", "nonces.after-record", "nonces.before-erase", "nonces.after-erase", "nonces.after-spent"];

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

/// Spent sessions that are remembered, to say what happened. Safety does not depend on it: whatever is not open is refused.
const MOST_REMEMBERED: usize = 1_000;
const MAGIC: &[u8; 12] = b"bloomnonce\x01\0";
const NONCE_BYTES: usize = 24;
const SEALED_BYTES: usize = 32 + 16;
const FILE_BYTES: usize = MAGIC.len() + NONCE_BYTES + SEALED_BYTES;

/// What a session is bound to: network, the whole payment with what it spends, cosigners, and whose share it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionId(pub(crate) [u8; 32]);

/// The sessions that a wallet file knows. It is part of what the wallet file encrypts.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionBook {
    open: Vec<OpenSession>,
    spent: Vec<SessionId>,
}

impl SessionBook {
    /// Sessions between their two rounds.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.open.len()
    }

    fn close(&mut self, id: SessionId) {
        self.open.retain(|session| session.id != id);
        self.spent.retain(|spent| *spent != id);
        self.spent.push(id);
        let surplus = self.spent.len().saturating_sub(MOST_REMEMBERED);
        self.spent.drain(..surplus);
    }
}

/// A session whose nonces have not been used.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenSession {
    id: SessionId,
    key: Zeroizing<[u8; 32]>,
    file: FileIdentity,
    boot: Option<String>,
}

/// What makes a file this one and no copy of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileIdentity {
    /// None in a session across restarts: where disks are numbered anew when they are found, it would be another.
    device: Option<u64>,
    inode: u64,
    changed_secs: i64,
    changed_nanos: i64,
}

impl FileIdentity {
    fn is(&self, other: &Self) -> bool {
        let device = self.device.or(other.device);
        Self { device, ..self.clone() } == *other
    }
}

/// Whoever keeps the wallet file.
pub trait SessionKeeper {
    /// What the wallet file says.
    fn sessions(&self) -> &SessionBook;

    /// Puts it into the wallet file. When this returns it is durable.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn keep(&mut self, book: SessionBook) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Why there is no session to go on with.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Used, or given up.
    #[error("this wallet's nonces for this payment are spent: they sign once; {START_OVER}")]
    Spent,
    /// Not in this wallet file.
    #[error(
        "this wallet file knows nothing of its nonces in this proposal: it was restored, or is another copy; {START_OVER}"
    )]
    Unknown,
    /// The nonce file is gone.
    #[error("{}: the nonces are gone; {START_OVER}", .path.display())]
    Gone {
        /// Where they were.
        path: PathBuf,
    },
    /// Not the file that was written.
    #[error("{}: this file was copied, moved or restored, so that its nonces may have been used elsewhere; {START_OVER}", .path.display())]
    Copied {
        /// Where it is.
        path: PathBuf,
    },
    /// The machine was started anew.
    #[error(
        "this machine was restarted since the nonces were made, so that its disk may have been set back; {START_OVER}, \
         with --across-restarts if it must be switched off between the two rounds"
    )]
    Restarted,
    /// Not what was written.
    #[error("{}: damaged, or not encrypted for this wallet; {START_OVER}", .path.display())]
    Damaged {
        /// Where it is.
        path: PathBuf,
    },
    /// The file system.
    #[error("{}: {error}", .path.display())]
    Io {
        /// What was to be read or written.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// The wallet file could not be written: nothing was signed.
    #[error("the session cannot be recorded in the wallet file: {0}")]
    Keeper(Box<dyn Error + Send + Sync>),
    /// No random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

const START_OVER: &str = "begin again with `bloom wallet sign --start-over` and exchange new nonces";

/// The sessions of one wallet.
pub struct Sessions<'a> {
    directory: PathBuf,
    keeper: &'a mut dyn SessionKeeper,
    boot: Option<String>,
}

impl<'a> Sessions<'a> {
    /// Sessions whose nonces are kept in `directory`, which is made when needed.
    pub fn new(directory: PathBuf, keeper: &'a mut dyn SessionKeeper) -> Self {
        Self { directory, keeper, boot: boot_id() }
    }

    /// Whether a session of this id waits for its second round.
    #[must_use]
    pub fn is_open(&self, id: SessionId) -> bool {
        self.find(id).is_some()
    }

    /// Begins a session and makes its seed durable. One of the same id that was open is over.
    ///
    /// # Errors
    /// When its file or the wallet file cannot be written, or there is no randomness.
    pub(crate) fn begin(&mut self, id: SessionId, across_restarts: bool) -> Result<NonceSeed, SessionError> {
        let path = self.path(id);
        make_directory(&self.directory).map_err(at(&self.directory))?;
        erase(&path).map_err(at(&path))?;
        let mut key = Zeroizing::new([0; 32]);
        let mut seed = Zeroizing::new([0; 32]);
        let mut nonce = [0; NONCE_BYTES];
        random::fill(&mut key[..])?;
        random::fill(&mut seed[..])?;
        random::fill(&mut nonce)?;
        let mut file = write(&path, &seal(id, &key, &nonce, &seed)).map_err(at(&path))?;
        kill_point!("nonces.before-record");
        let boot = if across_restarts { None } else { self.boot.clone() };
        file.device = file.device.filter(|_| !across_restarts);
        let mut book = self.keeper.sessions().clone();
        book.open.retain(|session| session.id != id);
        book.spent.retain(|spent| *spent != id);
        book.open.push(OpenSession { id, key, file, boot });
        self.keeper.keep(book).map_err(SessionError::Keeper)?;
        kill_point!("nonces.after-record");
        Ok(seed)
    }

    /// Ends a session: what `sign` makes of its seed is handed out when the seed is gone for good. If `sign` refuses,
    /// nothing has been used and the session goes on.
    ///
    /// # Errors
    /// [`SessionError`] in place of anything signed, whenever the nonces may have been used before or the end cannot be
    /// made durable; `sign`'s.
    pub(crate) fn spend<T, E: From<SessionError>>(
        &mut self,
        id: SessionId,
        sign: impl FnOnce(&NonceSeed) -> Result<T, E>,
    ) -> Result<T, E> {
        let seed = match self.read(id) {
            Ok(seed) => seed,
            Err(error) => {
                self.give_up(id, &error)?;
                return Err(error.into());
            }
        };
        let signed = sign(&seed)?;
        self.end(id)?;
        Ok(signed)
    }

    /// Erases the nonces, then their key.
    fn end(&mut self, id: SessionId) -> Result<(), SessionError> {
        let path = self.path(id);
        kill_point!("nonces.before-erase");
        if !erase(&path).map_err(at(&path))? {
            // Another process was faster: it has what these nonces sign.
            return Err(SessionError::Spent);
        }
        kill_point!("nonces.after-erase");
        let mut book = self.keeper.sessions().clone();
        book.close(id);
        self.keeper.keep(book).map_err(SessionError::Keeper)?;
        kill_point!("nonces.after-spent");
        Ok(())
    }

    /// A session whose nonces cannot be trusted is over: they could be trusted again if the file were put back.
    fn give_up(&mut self, id: SessionId, error: &SessionError) -> Result<(), SessionError> {
        use SessionError as E;
        match error {
            E::Gone { .. } | E::Copied { .. } | E::Restarted | E::Damaged { .. } => {
                let path = self.path(id);
                erase(&path).map_err(at(&path))?;
                let mut book = self.keeper.sessions().clone();
                book.close(id);
                self.keeper.keep(book).map_err(SessionError::Keeper)
            }
            E::Spent | E::Unknown | E::Io { .. } | E::Keeper(_) | E::NoRandomness(_) => Ok(()),
        }
    }

    fn find(&self, id: SessionId) -> Option<&OpenSession> {
        self.keeper.sessions().open.iter().find(|session| session.id == id)
    }

    fn read(&self, id: SessionId) -> Result<NonceSeed, SessionError> {
        let path = self.path(id);
        let Some(session) = self.find(id) else {
            let spent = self.keeper.sessions().spent.contains(&id);
            return Err(if spent { SessionError::Spent } else { SessionError::Unknown });
        };
        let (bytes, identity) = match read(&path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SessionError::Gone { path }),
            Err(error) => return Err(at(&path)(error)),
        };
        if !identity.is_some_and(|identity| session.file.is(&identity)) {
            return Err(SessionError::Copied { path });
        }
        if session.boot.is_some() && session.boot != self.boot {
            return Err(SessionError::Restarted);
        }
        open(id, &session.key, &bytes).ok_or(SessionError::Damaged { path })
    }

    fn path(&self, id: SessionId) -> PathBuf {
        self.directory.join(hex::encode(id.0)).with_extension("nonce")
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SessionError {
    let path = path.to_owned();
    move |error| SessionError::Io { path, error }
}

/// What this boot of the machine is called; `None` where the system has no name for it.
fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn seal(id: SessionId, key: &[u8; 32], nonce: &[u8; NONCE_BYTES], seed: &NonceSeed) -> Vec<u8> {
    let cipher = XChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(&XNonce::from(*nonce), Payload { msg: &seed[..], aad: &id.0 });
    [&MAGIC[..], nonce, &sealed.expect("32 bytes are not too long to encrypt")].concat()
}

fn open(id: SessionId, key: &[u8; 32], bytes: &[u8]) -> Option<NonceSeed> {
    let (nonce, sealed) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(key.into());
    let seed = cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &id.0 }).ok().map(Zeroizing::new)?;
    Some(Zeroizing::new(seed.as_slice().try_into().ok()?))
}

fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_parent(directory),
    }
}

/// Writes a new file, durably, and says which it is.
fn write(path: &Path, bytes: &[u8]) -> io::Result<FileIdentity> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_parent(path)?;
    let metadata = file.metadata()?;
    identity(&metadata).ok_or_else(|| io::Error::other("the file changed while it was written"))
}

/// The file's bytes and which it is: `None` if it is no plain file, has a second name, or others may read it.
fn read(path: &Path) -> io::Result<(Vec<u8>, Option<FileIdentity>)> {
    if !fs::symlink_metadata(path)?.file_type().is_file() {
        return Ok((Vec::new(), None));
    }
    let file = File::open(path)?;
    let identity = identity(&file.metadata()?);
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes, identity))
}

fn identity(metadata: &fs::Metadata) -> Option<FileIdentity> {
    let is_ours = metadata.is_file() && metadata.nlink() == 1 && metadata.mode() & 0o077 == 0;
    is_ours.then(|| FileIdentity {
        device: Some(metadata.dev()),
        inode: metadata.ino(),
        changed_secs: metadata.ctime(),
        changed_nanos: metadata.ctime_nsec(),
    })
}

/// Removes a nonce file durably, if there is one; its bytes are overwritten first, for what that is worth on the disk at
/// hand (its key goes too). Says whether it was this call that removed it.
fn erase(path: &Path) -> io::Result<bool> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    if metadata.file_type().is_file() {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(&[0; FILE_BYTES])?;
        file.sync_all()?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    }
    sync_parent(path)?;
    Ok(true)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

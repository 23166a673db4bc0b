//! The files beside the chain: known addresses and bans. Neither is trusted, neither is needed: one that cannot be read
//! is begun anew.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bloom_chain::replace_file;
use bloom_net::book::MAX_BOOK_BYTES;
use bloom_net::{Ban, Book, MAX_BANS};
use thiserror::Error;

const PEERS_FILE: &str = "peers.dat";
const BANS_FILE: &str = "bans.txt";
const BANS_HEADING: &str = "bloomcoin bans 1";

/// A key and a time take a line of 85 bytes.
const MAX_BANS_BYTES: u64 = 100 * MAX_BANS as u64;

/// Why such a file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system's answer.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{}: {what}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// The address book of a directory; none if there is none yet.
///
/// # Errors
/// [`FileError`]: it is to be begun anew.
pub fn load_book(directory: &Path) -> Result<Option<Book>, FileError> {
    let path = directory.join(PEERS_FILE);
    let Some(bytes) = read(&path, MAX_BOOK_BYTES as u64)? else { return Ok(None) };
    match Book::decode(&bytes) {
        Ok(book) => Ok(Some(book)),
        Err(error) => Err(FileError::Content { path, what: format!("not an address book: {error}") }),
    }
}

/// Replaces the address book of a directory.
///
/// # Errors
/// [`FileError`]; the old one is still there.
pub fn store_book(directory: &Path, book: &Book) -> Result<(), FileError> {
    replace(&directory.join(PEERS_FILE), &book.encode())
}

/// Puts a file aside that is or has what cannot be read, before it is replaced: `bans.txt.unusable`.
fn put_aside(path: &Path) {
    let aside = aside(path);
    match fs::rename(path, &aside) {
        Ok(()) => tracing::warn!("{}: kept as {}", path.display(), aside.display()),
        Err(error) => tracing::warn!("{}: cannot be kept as {}: {error}", path.display(), aside.display()),
    }
}

fn aside(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.unusable", path.display()))
}

/// What was loaded; what cannot be read is said, and put aside.
pub(crate) fn put_aside_unless<T>(loaded: Result<T, FileError>) -> Option<T> {
    let told = |error: &FileError| {
        tracing::warn!("{error}; it is begun anew");
        if let FileError::Content { path, .. } = error {
            put_aside(path);
        }
    };
    loaded.inspect_err(told).ok()
}

/// The bans of a directory.
///
/// # Errors
/// [`FileError`]: they are to be begun anew.
pub fn load_bans(directory: &Path) -> Result<Vec<Ban>, FileError> {
    let path = directory.join(BANS_FILE);
    let Some(bytes) = read(&path, MAX_BANS_BYTES)? else { return Ok(Vec::new()) };
    let content = |what| FileError::Content { path: path.clone(), what };
    let text = String::from_utf8(bytes).map_err(|_| content("not a text".to_owned()))?;
    let mut lines = text.lines();
    if lines.next() != Some(BANS_HEADING) {
        return Err(content(format!("expected its first line to be {BANS_HEADING:?}")));
    }
    let read: Vec<Result<Ban, bloom_net::BanError>> = lines.take(MAX_BANS).map(str::parse).collect();
    if let Some(error) = read.iter().find_map(|line| line.as_ref().err()) {
        let aside = aside(&path);
        fs::copy(&path, &aside).map_err(|source| FileError::Io { path: aside.clone(), source })?;
        tracing::warn!(
            "{}: {error}; such lines are left out, all of it is kept as {}",
            path.display(),
            aside.display()
        );
    }
    Ok(read.into_iter().flatten().collect())
}

/// Replaces the bans of a directory.
///
/// # Errors
/// [`FileError`]; the old ones are still there.
pub fn store_bans(directory: &Path, bans: &[Ban]) -> Result<(), FileError> {
    let lines = bans.iter().map(|ban| format!("{ban}\n"));
    let text: String = std::iter::once(format!("{BANS_HEADING}\n")).chain(lines).collect();
    replace(&directory.join(BANS_FILE), text.as_bytes())
}

/// A file's bytes; none if there is no file. What is no file, or longer than it could be, is not read.
fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, FileError> {
    let failed = |source| FileError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.is_file() => return Err(failed(io::Error::other("it is not a file"))),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(FileError::Content { path: path.to_owned(), what: format!("longer than {most} bytes") });
    }
    Ok(Some(bytes))
}

/// Only the owner may read them: the book holds the key of its buckets, and bans say whom this node met.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_file(path, bytes, 0o600).map_err(|source| FileError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use bloom_consensus::Timestamp;
    use bloom_net::event::BanKey;

    use super::*;

    #[test]
    fn bans_are_kept_and_what_is_no_list_of_them_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        assert_eq!(load_bans(directory).unwrap(), []);
        let bans =
            ["203.0.113.7", "2001:db8::"].map(|ip| Ban { key: BanKey::of(ip.parse().unwrap()), until: Timestamp(7) });
        store_bans(directory, &bans).unwrap();
        store_bans(directory, &bans).unwrap();
        assert_eq!(load_bans(directory).unwrap(), bans);
        // One bad line costs that line, and nothing is lost for good.
        let text = format!("{BANS_HEADING}\n203.0.113.7\n{}\nhost 7\n", bans[1]);
        fs::write(directory.join(BANS_FILE), &text).unwrap();
        assert_eq!(load_bans(directory).unwrap(), bans[1..]);
        assert_eq!(fs::read_to_string(directory.join("bans.txt.unusable")).unwrap(), text);
        for text in ["", "bloomcoin bans 2\n"] {
            fs::write(directory.join(BANS_FILE), text).unwrap();
            assert!(matches!(load_bans(directory), Err(FileError::Content { .. })), "{text}");
        }
        fs::write(directory.join(BANS_FILE), vec![b' '; 2_000_000]).unwrap();
        assert!(matches!(load_bans(directory), Err(FileError::Content { .. })));
    }

    #[test]
    fn nobody_else_may_read_the_key_of_the_book() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(PEERS_FILE);
        fs::write(&path, "of an older node, readable by all").unwrap();
        store_book(directory.path(), &Book::new([7; 32])).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_book_is_kept_and_what_is_none_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        assert!(load_book(directory).unwrap().is_none());
        let book = Book::new([7; 32]);
        store_book(directory, &book).unwrap();
        assert_eq!(load_book(directory).unwrap().unwrap().encode(), book.encode());
        let mut bytes = fs::read(directory.join(PEERS_FILE)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(directory.join(PEERS_FILE), bytes).unwrap();
        assert!(matches!(load_book(directory), Err(FileError::Content { .. })));
    }
}

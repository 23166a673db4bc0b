//! Asking the node that runs in a directory.

use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::{fs, time::Duration};

use serde_json::Value;
use thiserror::Error;

use super::{IO_TIMEOUT, MAX_ANSWER_BYTES, Request, SOCKET};

/// A node has a minute for an answer of its own; then the socket is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(130);

/// Why a node did not do what it was asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// None runs there.
    #[error("no node runs in {}", directory.display())]
    NotRunning {
        /// The directory.
        directory: PathBuf,
    },
    /// The socket is there and cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It said what is no answer.
    #[error("the node gave no answer that can be understood: {0}")]
    Answer(String),
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// Whether a node takes requests in a directory, as far as can be told without asking.
#[must_use]
pub fn is_served(directory: &Path) -> bool {
    let path = directory.join(SOCKET);
    fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) && UnixStream::connect(path).is_ok()
}

/// Asks the node that runs in a directory.
///
/// # Errors
/// [`ControlError`].
pub fn ask(directory: &Path, request: &Request) -> Result<Value, ControlError> {
    let path = directory.join(SOCKET);
    let not_running = || ControlError::NotRunning { directory: directory.to_owned() };
    let failed = |source| ControlError::Io { path: path.clone(), source };
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_running()),
        Err(error) => return Err(failed(error)),
        // A link may lead to somebody else's socket, which would be told what only this node is to hear.
        Ok(found) if !found.file_type().is_socket() => return Err(failed(io::Error::other("it is not a socket"))),
        Ok(_) => {}
    }
    let stream = match UnixStream::connect(&path) {
        // What a killed node left behind.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(not_running()),
        connected => connected.map_err(failed)?,
    };
    let line = exchange(&stream, request).map_err(failed)?;
    let answer: Value = serde_json::from_slice(&line).map_err(|error| ControlError::Answer(error.to_string()))?;
    match answer.get("error") {
        Some(error) => Err(ControlError::Refused(error.as_str().unwrap_or("it did not say why").to_owned())),
        None => Ok(answer),
    }
}

fn exchange(mut stream: &UnixStream, request: &Request) -> io::Result<Vec<u8>> {
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

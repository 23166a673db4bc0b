//! The node's end of the socket: a thread that takes connections, and one for each of a few at a time.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::answer::Answerer;
use super::{IO_TIMEOUT, MAX_REQUEST_BYTES, SOCKET};

/// Connections at a time; more are told so.
const MOST_CONNECTIONS: usize = 8;

/// The socket of a running node. It is gone when this is dropped.
pub(crate) struct Server {
    path: PathBuf,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Makes the socket in a directory that this process has locked, so that one which is there was left by a node that
    /// was killed, and answers on it.
    ///
    /// # Errors
    /// When something else is in its place, or it cannot be made.
    pub(crate) fn start(directory: &Path, answerer: Answerer) -> io::Result<Self> {
        let path = directory.join(SOCKET);
        let listener = bind(&path)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (is_stopped, answerer) = (Arc::clone(&stopped), Arc::new(answerer));
        let take = move || take_connections(&listener, &answerer, &is_stopped);
        thread::Builder::new().name("control".to_owned()).spawn(take)?;
        Ok(Self { path, stopped })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // A connection wakes the thread; then the name is free.
        let _ = UnixStream::connect(&self.path);
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds a socket that nobody but this user can open.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other(format!("{} is in the socket's place: move it away", path.display()))),
    }
    // The mode must be right from the first moment: what other threads make meanwhile is more private than need be.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    bound
}

fn take_connections(listener: &UnixListener, answerer: &Arc<Answerer>, is_stopped: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if is_stopped.load(Ordering::SeqCst) {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!("the control socket: {error}");
                thread::sleep(std::time::Duration::from_millis(100)); // out of file descriptors, as a rule
                continue;
            }
        };
        if open.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
            open.fetch_sub(1, Ordering::SeqCst);
            say(&stream, &json!({"error": "too many ask at once: try again"}));
            continue;
        }
        let (answerer, counter) = (Arc::clone(answerer), Arc::clone(&open));
        let serve = move || {
            serve(&stream, &answerer);
            counter.fetch_sub(1, Ordering::SeqCst);
        };
        if let Err(error) = thread::Builder::new().name("control-answer".to_owned()).spawn(serve) {
            tracing::warn!("the control socket: no thread for an answer: {error}");
            open.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

fn serve(stream: &UnixStream, answerer: &Answerer) {
    let answer = match read_line(stream) {
        Ok(line) if line.is_empty() => return, // somebody looked whether there is a node
        Ok(line) => match serde_json::from_slice(&line) {
            Ok(request) => answerer.answer(request),
            Err(error) => json!({"error": format!("not a request: {error}")}),
        },
        Err(error) => json!({"error": format!("no request came: {error}")}),
    };
    say(stream, &answer);
}

/// A line of bounded length, within a time that begins now however slowly it drips.
fn read_line(stream: &UnixStream) -> io::Result<Vec<u8>> {
    let until = Instant::now() + IO_TIMEOUT;
    let mut reader = BufReader::new(stream.take(MAX_REQUEST_BYTES + 1));
    let mut line = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (taken, is_whole) = end.map_or((buffer.len(), buffer.is_empty()), |end| (end + 1, true));
        line.extend_from_slice(&buffer[..taken]);
        reader.consume(taken);
        if line.len() as u64 > MAX_REQUEST_BYTES {
            return Err(io::Error::other(format!("it is longer than {MAX_REQUEST_BYTES} bytes")));
        }
        if is_whole {
            return Ok(line);
        }
    }
}

fn say(mut stream: &UnixStream, answer: &Value) {
    let line = format!("{answer}\n");
    let said = stream.set_write_timeout(Some(IO_TIMEOUT)).and_then(|()| stream.write_all(line.as_bytes()));
    if let Err(error) = said {
        tracing::debug!("the control socket: whoever asked has left: {error}");
    }
}

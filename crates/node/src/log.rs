//! The log: short lines to stderr for whoever watches, and the same with dates to files that are rotated.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// A file that has grown to this is put aside.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// Files that were put aside; the oldest goes.
const FILES_KEPT: usize = 4;
const DIRECTORY: &str = "logs";
const FILE: &str = "node.log";

/// Begins to log at a level, to stderr and to `logs/node.log` in a directory: five files of 8 MiB at most. What libraries
/// below this project say is taken from warnings up.
///
/// # Errors
/// When the file cannot be opened.
pub fn begin(level: Level, directory: &Path) -> io::Result<()> {
    let file = RotatingFile::open(directory.join(DIRECTORY), MAX_FILE_BYTES, FILES_KEPT)?;
    let filter = || {
        let level = level.as_str().to_ascii_lowercase();
        // That a new node knows nobody yet is no fault, and it is told better elsewhere.
        let kademlia = if matches!(level.as_str(), "debug" | "trace") { "warn" } else { "error" };
        EnvFilter::new(format!(
            "warn,libp2p_kad={kademlia},bloom={level},bloom_node={level},bloom_net={level},bloom_chain={level}"
        ))
    };
    let short = fmt::layer().with_writer(io::stderr).with_ansi(false).with_target(false).with_timer(Clock::Short);
    let long = fmt::layer().with_writer(file).with_ansi(false).with_timer(Clock::Full);
    let all = tracing_subscriber::registry().with(short.with_filter(filter())).with(long.with_filter(filter()));
    // A second begin in one process, as in tests, keeps the first.
    if all.try_init().is_err() {
        tracing::debug!("there is a log already");
    }
    Ok(())
}

/// Universal time, for people or for files.
#[derive(Clone, Copy)]
enum Clock {
    Short,
    Full,
}

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let now = jiff::Timestamp::now();
        match self {
            Self::Short => write!(writer, "{}", now.strftime("%H:%M:%S")),
            Self::Full => write!(writer, "{now:.3}"),
        }
    }
}

/// A file that is put aside when it has grown, as `node.log.1`, and `node.log.1` as `node.log.2`, up to a number.
#[derive(Clone)]
struct RotatingFile(Arc<Mutex<Rotating>>);

struct Rotating {
    directory: PathBuf,
    max_bytes: u64,
    kept: usize,
    /// None when it could not be opened: that is tried again with the next line.
    file: Option<File>,
    bytes: u64,
    /// Whether the last line came to nothing, and that was said.
    is_failing: bool,
}

impl RotatingFile {
    fn open(directory: PathBuf, max_bytes: u64, kept: usize) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let file = append(&directory.join(FILE))?;
        let bytes = file.metadata()?.len();
        Ok(Self(Arc::new(Mutex::new(Rotating {
            directory,
            max_bytes,
            kept,
            file: Some(file),
            bytes,
            is_failing: false,
        }))))
    }
}

/// Opens a file to write at its end; whoever may write where a symbolic link lies could otherwise choose another file.
fn append(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::other(format!("{} is not a file; move it away", path.display())));
    }
    File::options().create(true).append(true).open(path)
}

impl Rotating {
    fn path(&self, number: usize) -> PathBuf {
        match number {
            0 => self.directory.join(FILE),
            number => self.directory.join(format!("{FILE}.{number}")),
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..self.kept).rev() {
            match fs::rename(self.path(number), self.path(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = None;
        Ok(())
    }

    /// Writes a line, in a new file if this one is full.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.max_bytes {
            self.rotate()?;
            self.bytes = 0;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = append(&self.directory.join(FILE))?;
                self.bytes = file.metadata()?.len();
                none.insert(file)
            }
        };
        file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// The same; what goes wrong is said to whoever watches, once until a line is written again.
    fn write(&mut self, line: &[u8], watching: &mut impl Write) -> io::Result<()> {
        match self.write_line(line) {
            Ok(()) => {
                self.is_failing = false;
                Ok(())
            }
            Err(_) if self.is_failing => Ok(()),
            Err(error) => {
                self.is_failing = true;
                let path = self.path(0);
                writeln!(watching, "the log {} is not written: {error}; it is tried again", path.display())
            }
        }
    }
}

impl<'a> fmt::MakeWriter<'a> for RotatingFile {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        // A panic while a line was written leaves a file that can be written on.
        Line(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A line that is being written.
struct Line<'a>(std::sync::MutexGuard<'a, Rotating>);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes, &mut io::stderr())?;
        Ok(bytes.len())
    }

    /// Nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[test]
    fn a_log_never_takes_more_room_than_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let log = RotatingFile::open(directory.path().join("logs"), 100, 2).unwrap();
        for number in 0..50 {
            log.make_writer().write_all(format!("line {number:>14}\n").as_bytes()).unwrap(); // 20 bytes
        }
        let read = |name: &str| fs::read_to_string(directory.path().join("logs").join(name)).unwrap();
        let all = [read("node.log.2"), read("node.log.1"), read("node.log")].concat();
        let expected: String = (35..50).map(|number| format!("line {number:>14}\n")).collect();
        assert_eq!(all, expected, "the last fifteen lines, five a file");
        assert_eq!(fs::read_dir(directory.path().join("logs")).unwrap().count(), 3);
        let again = RotatingFile::open(directory.path().join("logs"), 100, 2).unwrap();
        again.make_writer().write_all(b"after a restart\n").unwrap();
        assert_eq!(read("node.log"), "after a restart\n", "the full file was put aside");
    }

    #[test]
    fn a_log_that_could_not_be_put_aside_says_so_once_and_is_written_again_when_it_can_be() {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("logs");
        let log = RotatingFile::open(logs.clone(), 50, 1).unwrap();
        let said = |times: usize| {
            let mut said = Vec::new();
            for _ in 0..times {
                log.0.lock().unwrap().write(b"twenty bytes a line\n", &mut said).unwrap();
            }
            String::from_utf8(said).unwrap().lines().count()
        };
        fs::create_dir_all(logs.join("node.log.1/in the way")).unwrap();
        assert_eq!(said(10), 1);
        fs::remove_dir_all(logs.join("node.log.1")).unwrap();
        assert_eq!(said(3), 0);
        assert_eq!(fs::metadata(logs.join(FILE)).unwrap().len(), 20);
        fs::remove_file(logs.join("node.log.1")).unwrap();
        fs::create_dir_all(logs.join("node.log.1/in the way")).unwrap();
        assert_eq!(said(10), 1, "another fault is said again");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, target) = (directory.path().join("logs"), directory.path().join("target"));
        fs::create_dir(&logs).unwrap();
        fs::write(&target, "mine").unwrap();
        std::os::unix::fs::symlink(&target, logs.join(FILE)).unwrap();
        assert!(RotatingFile::open(logs, 100, 2).is_err());
        assert_eq!(fs::read_to_string(target).unwrap(), "mine");
    }
}

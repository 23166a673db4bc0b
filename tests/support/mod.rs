//! `bloom` as its users run it: a process with a home of its own, never waited for without end, and what it said.
#![allow(dead_code, reason = "every test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that is not about time: machines that build and test at once are slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a restart may take (bar of attacks 23).
pub(crate) const RESTART: Duration = Duration::from_secs(10);

/// A home directory that is gone with the test, and the working directory of everything that is started in it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the directories that it lies in.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// `bloom` with these arguments, and of the environment nothing but this home.
    pub(crate) fn bloom<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.tool(env!("CARGO_BIN_EXE_bloom"));
        command.args(arguments);
        command
    }

    /// Any other program, started in the same way.
    pub(crate) fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.0.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.0.path());
        command
    }

    /// Starts `bloom` with the words of a line as its arguments.
    pub(crate) fn start(&self, line: &str) -> Running {
        Running::start(self.bloom(line.split_whitespace()))
    }

    /// Runs `bloom` with the words of a line as its arguments to its end.
    pub(crate) fn run(&self, line: &str) -> Finished {
        self.start(line).finish()
    }
}

/// A process that is killed when the test loses interest in it.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    stdout: String,
    what: String,
    began: Instant,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let what = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return; // and the pipe is closed
                }
                line.clear();
            }
        });
        let stderr = Some(thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        }));
        Self { child, lines, stderr, stdout: String::new(), what, began }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of stdout; none when it is closed.
    pub(crate) fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.stdout.push_str(&line);
                Some(line)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{}: silent for {PATIENCE:?}", self.what),
        }
    }

    /// The next JSON line of this event; what comes before it is passed over.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        while let Some(line) = self.line() {
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
            if value["event"] == name {
                return value;
            }
        }
        panic!("{}: no event {name}\n{}", self.what, self.stdout);
    }

    /// How long the process has been running.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Sends a signal by its name: INT, TERM.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "{}: no signal {name} to {}", self.what, self.child.id());
    }

    /// Stops reading what the process prints, as `| head -n 1` does.
    pub(crate) fn close_stdout(&mut self) {
        let (_, nobody) = mpsc::channel();
        self.lines = nobody;
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Finished {
        self.child.kill().unwrap();
        self.finish()
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Finished {
        let status = self.wait();
        while self.line().is_some() {}
        let stderr = self.stderr.take().unwrap().join().unwrap();
        let (stdout, what, took) = (std::mem::take(&mut self.stdout), self.what.clone(), self.began.elapsed());
        Finished { what, status, stdout, stderr, took }
    }

    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{}: no end within {PATIENCE:?}", self.what)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// A process that has ended.
pub(crate) struct Finished {
    pub(crate) what: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    /// It did what it was asked to.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.did_not_panic();
        assert!(self.status.success(), "{}: {}\n{}", self.what, self.status, self.stderr);
        self
    }

    /// It ended with this code, and its one line of explanation says all of these words.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &[&str]) -> Self {
        self.did_not_panic();
        assert_eq!(self.status.code(), Some(code), "{}: {}\n{}", self.what, self.status, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{}: expected {word:?} in\n{}", self.what, self.stderr);
        }
        self
    }

    #[track_caller]
    pub(crate) fn did_not_panic(&self) {
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("RUST_BACKTRACE"), "{}", self.stderr);
    }

    /// The JSON objects of stdout, one a line. A line that was cut by a kill is passed over.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let whole = self.stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
    }

    /// The one JSON object of stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let lines = self.json_lines();
        assert_eq!(lines.len(), 1, "{}: {}", self.what, self.stdout);
        lines.into_iter().next().unwrap()
    }

    /// Height and hash of every block that was announced.
    pub(crate) fn announced(&self) -> Vec<(u64, String)> {
        blocks(&self.json_lines())
    }
}

/// Height and hash of the blocks among JSON lines, whether announced by `mine` or told by `chain list`.
pub(crate) fn blocks(lines: &[Value]) -> Vec<(u64, String)> {
    let is_block = |line: &&Value| line["event"] == "block" || line["event"].is_null();
    lines.iter().filter(is_block).map(|line| (number(&line["height"]), text(&line["hash"]))).collect()
}

#[track_caller]
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("expected a number, got {value}"))
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("expected a text, got {value}")).to_owned()
}

/// A generator of numbers for tests that are to be the same every time (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

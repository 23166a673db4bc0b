//! Secrets come by prompt, from a file or from a descriptor, never as arguments, and are never repeated.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::context::usage;
use crate::output::note;

/// No password is longer, and no words are.
const MAX_BYTES: usize = 1_024;

/// Where a secret comes from.
pub(crate) enum Source<'a> {
    /// The terminal, where it does not show.
    Prompt,
    /// A file that is one.
    File(&'a Path),
    /// A descriptor that this process was started with.
    Descriptor(u32),
}

impl<'a> Source<'a> {
    /// What two flags and the absence of both mean.
    pub(crate) fn new(file: Option<&'a PathBuf>, descriptor: Option<u32>) -> Self {
        match (file, descriptor) {
            (Some(file), _) => Self::File(file),
            (None, Some(descriptor)) => Self::Descriptor(descriptor),
            (None, None) => Self::Prompt,
        }
    }

    /// A secret that is there already: one line of text.
    pub(crate) fn read(&self, what: &str, flag: &str) -> Result<Zeroizing<String>> {
        match self {
            Self::Prompt => prompt(&format!("{what}: "), what, flag),
            Self::File(path) => text(&first_line(open_file(path, what)?, what)?, what),
            Self::Descriptor(descriptor) => text(&first_line(open_descriptor(*descriptor, what)?, what)?, what),
        }
    }

    /// A secret that is being chosen: asked for twice.
    pub(crate) fn read_new(&self, what: &str, flag: &str) -> Result<Zeroizing<String>> {
        let secret = self.read(what, flag)?;
        if matches!(self, Self::Prompt) && *prompt(&format!("{what} again: "), what, flag)? != *secret {
            return Err(usage(format!("{what}: not the same twice; nothing was done")));
        }
        Ok(secret)
    }

    /// The words of a wallet, which a file may hold on many lines.
    pub(crate) fn read_words(&self) -> Result<Zeroizing<String>> {
        match self {
            Self::File(path) => text(&up_to_limit(open_file(path, "words")?, "words", |_| true)?, "words"),
            Self::Prompt | Self::Descriptor(_) => self.read("words", "words"),
        }
    }
}

fn prompt(prompt: &str, what: &str, flag: &str) -> Result<Zeroizing<String>> {
    show_typing_when_interrupted()?;
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => {
            note(format_args!("{what}: not given; nothing was done"));
            std::process::exit(130)
        }
        io::ErrorKind::UnexpectedEof => usage(format!("{what}: not given; nothing was done")),
        _ => usage(format!("no terminal to ask for the {what} on ({error}): say --{flag}-file FILE or --{flag}-fd N")),
    })
}

/// Whoever ends the program at a prompt gets the terminal back as it was, with what is typed shown.
fn show_typing_when_interrupted() -> Result<()> {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    // Without a terminal there is nothing to set back, and the prompt itself says what is missing.
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") else { return Ok(()) };
    let before = tcgetattr(&terminal).context("the terminal does not tell its settings")?;
    if IS_SET.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    ctrlc::set_handler(move || {
        if let Err(error) = tcsetattr(&terminal, OptionalActions::Now, &before) {
            note(format_args!("the terminal was not set back ({error}): `stty sane` does it"));
        }
        std::process::exit(130);
    })
    .context("no handler for Ctrl-C")
}

/// A regular file: a pipe could keep its reader waiting for ever, and has `--…-fd`.
fn open_file(path: &Path, what: &str) -> Result<File> {
    let unreadable = |error: io::Error| usage(format!("{what}: {} cannot be read: {error}", path.display()));
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        let instead = "expected a file; a pipe is read by its descriptor's number";
        return Err(usage(format!("{what}: {} is no file, {instead}", path.display())));
    }
    File::open(path).map_err(unreadable)
}

/// The system opens an inherited descriptor anew under this name.
fn open_descriptor(descriptor: u32, what: &str) -> Result<File> {
    File::open(format!("/dev/fd/{descriptor}"))
        .map_err(|error| usage(format!("{what}: descriptor {descriptor} cannot be read, is it open? ({error})")))
}

fn first_line(file: File, what: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut line = up_to_limit(file, what, |byte| byte != b'\n')?;
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

/// The bytes as long as they are wanted, one by one: what follows in a pipe is left to whoever reads it next.
fn up_to_limit(mut file: File, what: &str, wanted: impl Fn(u8) -> bool) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        match file.read(&mut byte[..]) {
            Ok(0) => return Ok(bytes),
            Ok(_) if !wanted(byte[0]) => return Ok(bytes),
            Ok(_) if bytes.len() == MAX_BYTES => {
                return Err(usage(format!("{what}: got more than {MAX_BYTES} bytes")));
            }
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(usage(format!("{what}: cannot be read: {error}"))),
        }
    }
}

fn text(bytes: &[u8], what: &str) -> Result<Zeroizing<String>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(usage(format!("{what}: expected text in UTF-8"))),
    }
}

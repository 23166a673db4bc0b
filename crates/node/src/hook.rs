//! The command that is run when the chain has a new tip.

use std::io;
use std::process::{Child, Command, Stdio};

use bloom_consensus::{BlockHash, Height};
use thiserror::Error;

/// A command line longer than this is a mistake.
const MOST_WORDS: usize = 64;

/// A command for new tips. It is run without a shell: its words are split at blanks, and `%s` in them stands for the tip's
/// hash, which is 64 hexadecimal digits. Whoever wants a shell names it: `sh script.sh %s`.
///
/// At most one runs at a time. Tips that come meanwhile are told of when it has ended, the newest alone.
#[derive(Debug)]
pub struct Hook {
    words: Vec<String>,
    running: Option<Child>,
    waiting: Option<News>,
}

/// What a command is told, in `BLOOM_HASH`, `BLOOM_HEIGHT` and `BLOOM_REORGANISED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) hash: BlockHash,
    pub(crate) height: Height,
    /// Blocks that left the chain since the command was last run.
    pub(crate) reorganised: usize,
}

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HookError {
    /// There is no word in it.
    #[error("got an empty command, expected a program and its arguments")]
    Empty,
    /// More words than any command has.
    #[error("got {got} words, expected at most {MOST_WORDS}")]
    TooLong {
        /// How many.
        got: usize,
    },
}

impl Hook {
    /// A command line's words.
    ///
    /// # Errors
    /// [`HookError`].
    pub fn parse(text: &str) -> Result<Self, HookError> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        match words.len() {
            0 => Err(HookError::Empty),
            got if got > MOST_WORDS => Err(HookError::TooLong { got }),
            _ => Ok(Self { words, running: None, waiting: None }),
        }
    }

    /// There is a new tip: the command is run now, or when the one before has ended.
    pub(crate) fn tip(&mut self, mut news: News) {
        if let Some(older) = self.waiting {
            news.reorganised += older.reorganised;
        }
        self.waiting = Some(news);
        self.advance();
    }

    /// Whether somebody should look after it again soon.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Looks after what runs, and runs what waits.
    pub(crate) fn advance(&mut self) {
        if let Some(child) = &mut self.running {
            match child.try_wait() {
                Ok(None) => return,
                Ok(Some(status)) if status.success() => {}
                Ok(Some(status)) => tracing::warn!("the notify command ended with {status}"),
                Err(error) => tracing::warn!("the notify command cannot be waited for: {error}"),
            }
            self.running = None;
        }
        if let Some(news) = self.waiting.take() {
            match self.spawn(news) {
                Ok(child) => self.running = Some(child),
                Err(error) => tracing::warn!("the notify command {:?} cannot be run: {error}", self.words[0]),
            }
        }
    }

    fn spawn(&self, news: News) -> io::Result<Child> {
        let hash = news.hash.to_string();
        let mut words = self.words.iter().map(|word| word.replace("%s", &hash));
        let program = words.next().expect("a parsed command has a word");
        Command::new(program)
            .args(words)
            .env("BLOOM_HASH", &hash)
            .env("BLOOM_HEIGHT", news.height.to_string())
            .env("BLOOM_REORGANISED", news.reorganised.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn finish(hook: &mut Hook) {
        let until = Instant::now() + Duration::from_secs(60);
        while hook.is_busy() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            hook.advance();
        }
        assert!(!hook.is_busy());
    }

    #[test]
    fn the_newest_tip_is_told_when_the_one_before_was_and_no_shell_reads_the_words() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        let told = directory.path().join("told");
        let gate = directory.path().join("gate");
        let line = format!(
            "while [ ! -e {} ]; do sleep 0.01; done; echo \"$1 $2 $BLOOM_HEIGHT $BLOOM_REORGANISED\" >> {}\n",
            gate.display(),
            told.display()
        );
        std::fs::write(&script, line).unwrap();
        let mut hook = Hook::parse(&format!("sh {} %s $HOME;x", script.display())).unwrap();
        for height in 1..=3 {
            hook.tip(News { hash: BlockHash([height; 32]), height: Height(height.into()), reorganised: 2 });
        }
        std::fs::write(gate, "").unwrap();
        finish(&mut hook);
        let expected = [(1, 2), (3, 4)].map(|(n, gone)| format!("{} $HOME;x {n} {gone}\n", hex::encode([n; 32])));
        assert_eq!(std::fs::read_to_string(told).unwrap(), expected.concat());
    }

    #[test]
    fn a_command_that_cannot_be_run_is_no_harm() {
        let mut hook = Hook::parse("/no/such/program").unwrap();
        hook.tip(News { hash: BlockHash([1; 32]), height: Height(1), reorganised: 0 });
        assert!(!hook.is_busy());
        assert_eq!(Hook::parse(" ").unwrap_err(), HookError::Empty);
        assert!(matches!(Hook::parse(&"x ".repeat(65)), Err(HookError::TooLong { got: 65 })));
    }
}

//! `docs/wallet.md` does what it says: every command of the page is run, in order and in one shell, and what comes out is
//! what stands there, but for names that are new each time (addresses, hashes, words, seeds of randomness).
//!
//! `BLOOM_PAGE=write cargo test -p bloom --test wallet_page` writes the page's outputs anew.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::symlink;

use regex::Regex;
use support::{Home, Running};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/wallet.md");

/// Lines of the page: prose, or a command with what it prints.
enum Part {
    Prose(String),
    Command { line: String, output: String },
}

#[test]
fn the_page_does_what_it_says() {
    let page = fs::read_to_string(PAGE).unwrap();
    let mut parts = parse(&page);
    let commands: Vec<String> = parts.iter().filter_map(Part::command).map(str::to_owned).collect();
    assert!(commands.iter().any(|line| line.contains("wallet pay")), "the page pays somebody");
    let outputs = run_in_one_shell(&commands);
    assert_eq!(outputs.len(), commands.len(), "every command came to its end");
    if std::env::var("BLOOM_PAGE").is_ok_and(|value| value == "write") {
        let mut outputs = outputs.into_iter();
        for part in &mut parts {
            if let Part::Command { output, .. } = part {
                *output = outputs.next().unwrap();
            }
        }
        fs::write(PAGE, parts.iter().map(Part::text).collect::<String>()).unwrap();
        return;
    }
    let stated = parts.iter().filter_map(|part| match part {
        Part::Command { line, output } => Some((line, output)),
        Part::Prose(_) => None,
    });
    for ((line, stated), real) in stated.zip(outputs) {
        assert_eq!(without_names(&real), without_names(stated), "$ {line}\nreally printed:\n{real}");
    }
}

impl Part {
    fn command(&self) -> Option<&str> {
        match self {
            Self::Command { line, .. } => Some(line),
            Self::Prose(_) => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Prose(text) => text.clone(),
            Self::Command { line, output } => format!("$ {line}\n{output}"),
        }
    }
}

/// A command is a line that begins with `$ ` inside a `console` block; its output reaches to the next one or to the end
/// of the block.
fn parse(page: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut in_console = false;
    for line in page.split_inclusive('\n') {
        if line.starts_with("```") {
            in_console = line.trim_end() == "```console";
            parts.push(Part::Prose(line.to_owned()));
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_console) {
            parts.push(Part::Command { line: command.trim_end().to_owned(), output: String::new() });
        } else if let (true, Some(Part::Command { output, .. })) = (in_console, parts.last_mut()) {
            output.push_str(line);
        } else {
            parts.push(Part::Prose(line.to_owned()));
        }
    }
    parts
}

/// What each command printed on stdout and stderr, in order.
fn run_in_one_shell(commands: &[String]) -> Vec<String> {
    const END: char = '\u{1e}';
    let home = Home::new();
    let programs = home.path("programs");
    fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_bloom"), programs.join("bloom")).unwrap();
    let mut script = format!("exec 2>&1\nPATH={}:$PATH\n", programs.display());
    for command in commands {
        script.push_str(&format!("{command}\nprintf '{END}'\n"));
    }
    let script = home.write("script.sh", script);
    let mut shell = home.tool("bash");
    shell.arg(script);
    let printed = Running::start(shell).finish().ok().stdout;
    let printed = printed.replace(&home.path("").display().to_string(), "~/");
    printed.split_terminator(END).map(str::to_owned).collect()
}

/// A text with what differs from run to run made equal.
fn without_names(text: &str) -> String {
    const NAMES: [(&str, &str); 7] = [
        (r"dbloom1[a-z0-9]{20,}", "ADDRESS"),
        (r"xpub[A-Za-z0-9]{100,}", "XPUB"),
        (r"\b[0-9a-f]{128}\b", "SIGNATURE"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"(?m)^(words {7}| {12})([a-z]{3,8} ){5}[a-z]{3,8}$", "WORDS"),
        (r"bloomed at round +\d+, .* rounds in all", "bloomed"),
        (r"\d{4}-\d\d-\d\dT?[ \d:]*Z?", "TIME"),
    ];
    let mut text = text.to_owned();
    for (pattern, name) in NAMES {
        text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    // A payment's outputs stand in an order drawn at random.
    let mut lines: Vec<&str> = text.lines().collect();
    lines.chunk_by_mut(|one, other| [one, other].iter().all(|line| line.starts_with("pays "))).for_each(<[_]>::sort);
    lines.join("\n")
}

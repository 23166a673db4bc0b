//! A data directory that cannot be used as it is: a clear error, exit code 3, and nothing in it changed.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use redb::{Database, TableDefinition};
use support::{Home, Running, blocks, number};

/// What opens the chain; each is complete but for the directory.
const COMMANDS: [&str; 4] = ["mine --blocks 1", "chain", "verify", "verify --reindex"];

fn mine(home: &Home, blocks: u64) {
    home.run(&format!("mine --pace 0 --blocks {blocks} --data-dir d")).ok();
}

fn height(home: &Home) -> u64 {
    number(&home.run("chain --json --data-dir d").ok().json()["height"])
}

#[test]
fn where_no_directory_can_be_is_refused() {
    let home = Home::new();
    home.write("file", "no directory");
    for command in COMMANDS {
        home.run(&format!("{command} --data-dir file")).refused(3, &["file"]);
        home.run(&format!("{command} --data-dir file/below")).refused(3, &["file/below"]);
        if cfg!(target_os = "linux") {
            home.run(&format!("{command} --data-dir /proc/bloom")).refused(3, &["/proc/bloom"]);
        }
    }
    assert_eq!(fs::read(home.path("file")).unwrap(), b"no directory");
}

/// `bloom` as somebody whom permissions bind: root is made nobody, with a copy of the program that nobody may run.
fn unprivileged(home: &Home, line: &str) -> Command {
    let is_root = fs::metadata(home.path("d")).unwrap().uid() == 0;
    if !is_root {
        return home.bloom(line.split_whitespace());
    }
    let copy = home.path("bloom");
    if !copy.exists() {
        fs::copy(env!("CARGO_BIN_EXE_bloom"), &copy).unwrap();
    }
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = home.tool(copy.to_str().unwrap());
    command.args(line.split_whitespace()).uid(65_534);
    command
}

#[test]
fn a_directory_that_is_not_writable_is_refused() {
    let home = Home::new();
    mine(&home, 2);
    let allow = |directory, files| {
        for file in fs::read_dir(home.path("d")).unwrap() {
            fs::set_permissions(file.unwrap().path(), fs::Permissions::from_mode(files)).unwrap();
        }
        fs::set_permissions(home.path("d"), fs::Permissions::from_mode(directory)).unwrap();
    };
    allow(0o555, 0o444);
    for command in COMMANDS {
        let command = unprivileged(&home, &format!("{command} --data-dir d"));
        Running::start(command).finish().refused(3, &["not writable", "choose another or change its permissions"]);
        let command = unprivileged(&home, "mine --blocks 1 --data-dir d/below");
        Running::start(command).finish().refused(3, &["d/below is not writable"]);
    }
    allow(0o755, 0o600);
    assert_eq!(height(&home), 2);
}

/// A limit on the size of files stands for a disk that fills up: the same answers from the same calls.
fn with_little_room(home: &Home, kib: u64, line: &str) -> Command {
    let mut command = home.tool("bash");
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" {line}");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_bloom")]);
    command
}

#[test]
fn a_full_disk_loses_nothing() {
    let home = Home::new();
    mine(&home, 5);
    let kib = fs::metadata(home.path("d/chain.redb")).unwrap().len() / 1024 + 300;
    let full = Running::start(with_little_room(&home, kib, "mine --json --pace 0 --data-dir d")).finish();
    let full = full.refused(3, &["no space left for", "chain.redb", "free some space and start again"]);
    assert_eq!(full.stderr.matches("File too large").count(), 1, "said once: {}", full.stderr);
    assert!(!full.announced().is_empty(), "it went on until the disk was full");
    let again = Running::start(with_little_room(&home, 50, "mine --json --pace 0 --data-dir d")).finish();
    again.refused(3, &["no space left for"]);
    mine(&home, 1);
    let listed = blocks(&home.run("chain list --count 100000 --json --data-dir d").ok().json_lines());
    assert!(full.announced().iter().all(|announced| listed.contains(announced)), "{listed:?}");
    home.run("verify --data-dir d").ok();
}

#[test]
fn a_disk_that_is_full_from_the_start_is_no_obstacle_later() {
    let home = Home::new();
    for kib in [0, 4, 20] {
        let full = Running::start(with_little_room(&home, kib, "mine --pace 0 --blocks 1 --data-dir d")).finish();
        full.refused(3, &["no space left for"]);
    }
    mine(&home, 1);
    assert_eq!(height(&home), 1);
}

#[test]
fn a_directory_in_use_is_refused_and_the_process_is_named() {
    let home = Home::new();
    let mut running = home.start("mine --json --data-dir d");
    running.event("block");
    for command in COMMANDS {
        let holder = format!("in use by process {};", running.id());
        home.run(&format!("{command} --data-dir d")).refused(3, &[&holder, "stop that process or choose another"]);
    }
    running.event("block");
    running.signal("INT");
    let finished = running.finish().ok();
    assert_eq!(height(&home), finished.announced().len() as u64);
}

#[test]
fn a_newer_format_is_refused() {
    const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
    let home = Home::new();
    mine(&home, 2);
    let set_format = |format: u32| {
        let database = Database::open(home.path("d/chain.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert(&b"format"[..], &format.to_le_bytes()[..]).unwrap();
        transaction.commit().unwrap();
    };
    set_format(3);
    for command in ["mine --blocks 1", "chain", "verify"] {
        let words = ["has data format 3, this program knows up to 2", "update the program"];
        home.run(&format!("{command} --data-dir d")).refused(3, &words);
    }
    // A file of the first format is read as it is, and raised.
    set_format(1);
    assert_eq!(height(&home), 2);
}

#[test]
fn a_chain_that_is_gone_is_not_begun_anew() {
    let home = Home::new();
    mine(&home, 2);
    fs::rename(home.path("d/chain.redb"), home.path("elsewhere")).unwrap();
    for command in ["mine --blocks 1", "chain", "verify"] {
        home.run(&format!("{command} --data-dir d")).refused(3, &["chain.redb is missing", "restore it, or remove"]);
    }
    home.run("verify --reindex --data-dir d").refused(3, &["cannot open d/chain.redb"]);
    fs::rename(home.path("elsewhere"), home.path("d/chain.redb")).unwrap();
    assert_eq!(height(&home), 2);
}

#[test]
fn looking_at_a_chain_that_never_was_makes_nothing() {
    let home = Home::new();
    for command in ["chain", "chain list", "verify", "verify --reindex"] {
        home.run(&format!("{command} --data-dir d")).refused(3, &["no chain in d", "bloom mine"]);
    }
    assert!(!home.path("d").exists());
}

#[test]
fn links_in_place_of_a_lock_or_an_unfinished_file_are_not_followed() {
    let home = Home::new();
    home.run("mine --json --pace 0 --blocks 1 --data-dir d").ok();
    let precious = home.write("precious", "not to be touched");
    std::os::unix::fs::symlink(&precious, home.path("d/mempool.dat.new")).unwrap();
    std::fs::remove_file(home.path("d/mempool.dat")).unwrap();
    home.run("mine --json --pace 0 --blocks 1 --data-dir d").ok();
    std::fs::remove_file(home.path("d/chain.lock")).unwrap();
    std::os::unix::fs::symlink(&precious, home.path("d/chain.lock")).unwrap();
    home.run("chain --data-dir d").refused(3, &["chain.lock", "symbolic link"]);
    assert_eq!(std::fs::read(&precious).unwrap(), b"not to be touched");
}

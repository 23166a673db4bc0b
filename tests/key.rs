//! The miner's own key: made once, for nobody else's eyes, never told, and never replaced.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use support::{Home, text};

const MINE: &str = "mine --json --pace 0 --blocks 1 --data-dir d";

fn address(home: &Home) -> String {
    text(&home.run(MINE).ok().json_lines()[0]["address"])
}

fn make_private(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_is_made_once_for_its_owner_alone() {
    let home = Home::new();
    let first = address(&home);
    assert!(first.starts_with("dbloom1q"));
    let key = fs::metadata(home.path("d/miner.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    assert_eq!(address(&home), first, "it is used again");
    let paid = home.run("chain show 2 --json --data-dir d").ok().json();
    assert_eq!(paid["coinbase"]["outputs"][0]["address"], first);
    assert_ne!(address(&Home::new()), first, "another directory has another");
}

#[test]
fn a_key_that_was_not_finished_is_made_anew() {
    let home = Home::new();
    home.write("d/miner.key.unfinished", "bloomcoin miner");
    address(&home);
    assert!(!home.path("d/miner.key.unfinished").exists());
}

#[test]
fn the_secret_is_never_told() {
    let home = Home::new();
    address(&home);
    let secret = fs::read_to_string(home.path("d/miner.key")).unwrap().lines().nth(1).unwrap().to_owned();
    assert_eq!(secret.len(), 64);
    let mut mine = home.start("mine --json --pace 0 --data-dir d");
    mine.event("block");
    for file in ["cmdline", "environ"].iter().filter(|_| cfg!(target_os = "linux")) {
        let text = fs::read(format!("/proc/{}/{file}", mine.id())).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(&secret), "{file}");
    }
    mine.signal("INT");
    let mut said = vec![mine.finish().ok()];
    for line in ["mine --pace 0 --blocks 1", "chain show 1", "chain show 1 --json", "verify --json"] {
        said.push(home.run(&format!("{line} --data-dir d")).ok());
    }
    make_private(&home.write("d/miner.key", format!("bloomcoin miner key 1\n{secret}0\n")));
    said.push(home.run(MINE).refused(3, &["not a miner's key"]));
    for said in said {
        assert!(!said.stdout.contains(&secret) && !said.stderr.contains(&secret), "{}", said.what);
    }
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let home = Home::new();
    let first = address(&home);
    let key = home.path("d/miner.key");
    for mode in [0o640, 0o604, 0o622, 0o644, 0o666] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        home.run(MINE).refused(3, &["miner.key", &format!("(mode {mode:o})"), "chmod 600"]);
    }
    make_private(&key);
    assert_eq!(address(&home), first, "it was left alone");
}

#[test]
fn a_link_is_not_followed() {
    let home = Home::new();
    address(&home);
    fs::rename(home.path("d/miner.key"), home.path("elsewhere")).unwrap();
    symlink(home.path("elsewhere"), home.path("d/miner.key")).unwrap();
    home.run(MINE).refused(3, &["miner.key", "symbolic link"]);
    fs::remove_file(home.path("elsewhere")).unwrap();
    home.run(MINE).refused(3, &["miner.key", "symbolic link"]);
    fs::remove_file(home.path("d/miner.key")).unwrap();
    fs::create_dir(home.path("d/miner.key")).unwrap();
    home.run(MINE).refused(3, &["miner.key"]);
}

/// Every file under `tests/bad/keys` is refused and left as it is.
#[test]
fn a_damaged_key_is_refused_and_kept() {
    let home = Home::new();
    let mut seen = 0;
    for bad in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/bad/keys")).unwrap() {
        let contents = fs::read(bad.unwrap().path()).unwrap();
        let key = home.write("d/miner.key", &contents);
        make_private(&key);
        home.run(MINE).refused(3, &["miner.key", "not a miner's key", "restore it"]);
        assert_eq!(fs::read(&key).unwrap(), contents);
        seen += 1;
    }
    assert_eq!(seen, 9);
}

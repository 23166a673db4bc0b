//! The command line itself: help, version, completions, manual pages, machine-readable output; and genesis blocks.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Home, Running, number, text};

const COMMANDS: [&str; 11] =
    ["wallet", "mine", "verify", "chain", "bench", "vectors", "attempt", "estimate", "genesis", "completions", "man"];

#[test]
fn the_version_names_the_commit() {
    let home = Home::new();
    let version = home.run("--version").ok().stdout;
    let commit = version.strip_prefix("bloom 0.1.0 (").and_then(|rest| rest.trim_end().strip_suffix(')')).unwrap();
    let commit = commit.trim_end_matches(", modified");
    let is_hash = commit.len() == 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown commit", "{version}");
    for command in COMMANDS {
        assert_eq!(
            home.run(&format!("{command} --version")).ok().stdout,
            version.replace("bloom", &format!("bloom-{command}"))
        );
    }
}

#[test]
fn every_command_explains_itself() {
    let home = Home::new();
    let help = home.run("--help").ok().stdout;
    for command in COMMANDS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command} in\n{help}");
        let usage = format!("Usage: bloom {command}");
        assert!(home.run(&format!("{command} --help")).ok().stdout.contains(&usage));
        assert!(home.run(&format!("help {command}")).ok().stdout.contains(&usage));
    }
    for nested in ["chain tip", "chain list", "chain show", "vectors check", "vectors make"] {
        assert!(home.run(&format!("{nested} --help")).ok().stdout.contains(&format!("Usage: bloom {nested}")));
    }
}

#[test]
fn what_is_unknown_or_missing_is_refused() {
    let home = Home::new();
    home.run("").refused(2, &["Usage: bloom"]);
    home.run("dig").refused(2, &["unrecognized subcommand 'dig'"]);
    home.run("--json").refused(2, &["unexpected argument"]);
    for command in COMMANDS {
        home.run(&format!("{command} --no-such-flag")).refused(2, &["--no-such-flag"]);
    }
    for incomplete in [
        "attempt",
        "vectors",
        "vectors check",
        "vectors make --tag t",
        "genesis",
        "completions",
        "man",
        "chain show",
        "wallet",
        "wallet uri",
        "wallet sign-message a",
        "mine --blocks",
        "completions tcl",
    ] {
        home.run(incomplete).refused(2, &["--help"]);
    }
    home.run("genesis --network dev --text t").refused(2, &["needs --time"]);
    home.run("man nowhere").refused(1, &["nowhere", "is it a directory?"]);
    home.run("vectors check nowhere.json").refused(1, &["nowhere.json"]);
    assert!(fs::read_dir(home.path("")).unwrap().next().is_none(), "and nothing is made");
}

#[test]
fn shells_get_completions() {
    let home = Home::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = home.run(&format!("completions {shell}")).ok().stdout;
        assert!(COMMANDS.iter().all(|command| script.contains(command)) && script.contains("data-dir"), "{shell}");
    }
}

#[test]
fn manual_pages_are_written() {
    let home = Home::new();
    fs::create_dir(home.path("man")).unwrap();
    home.run("man man").ok();
    let page = |name: &str| fs::read_to_string(home.path("man").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(page("bloom.1").contains("bloom"));
    for command in COMMANDS {
        assert!(page(&format!("bloom-{command}.1")).starts_with(".ie"), "{command} as roff");
    }
    assert!(page("bloom-mine.1").contains("\\-\\-pace"));
}

/// The law's known answers: these genesis blocks, from their text and time alone.
#[test]
fn genesis_blocks_are_made_again_byte_for_byte() {
    let home = Home::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/vectors.json");
    let vectors: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    for network in ["dev", "test"] {
        let known = vectors["genesis"].as_array().unwrap().iter().find(|known| known["network"] == network).unwrap();
        let (time, words) = (known["timestamp"].to_string(), text(&known["text"]));
        let arguments = ["genesis", "--network", network, "--time", &time, "--text", &words];
        let made = Running::start(home.bloom(arguments.into_iter().chain(["--json"]))).finish().ok().json();
        assert_eq!(made["network_id"], known["block_hash"], "{network}");
        for key in ["block", "magic", "merkle_root", "challenge", "extra_nonce", "nonce", "bloom_end", "difficulty_q24"]
        {
            assert_eq!(made[key], known[key], "{network}: {key}");
        }
        let said = Running::start(home.bloom(arguments)).finish().ok().stdout;
        assert!(said.contains(&text(&known["block"])), "{said}");
    }
}

#[test]
fn what_programs_read_is_json() {
    let home = Home::new();
    let estimates = home.run("estimate --json --watts 10").ok().json_lines();
    assert_eq!(estimates.iter().map(|line| text(&line["name"])).collect::<Vec<_>>(), ["dev", "test", "main"]);
    for estimate in estimates {
        assert!(estimate["rounds_per_block"].as_f64().unwrap() > 0.0 && estimate["joules_per_block"].is_number());
    }
    let one = home.run("estimate --json --difficulty 64 --threads 1").ok().json();
    assert_eq!(one["difficulty_q24"], (64_u64 << 24).to_string());
    assert_eq!(one["rounds_per_block"].as_f64().unwrap().round(), f64::from(5778 * 64));
    assert!(home.run("estimate --difficulty 0.25").ok().stdout.contains("difficulty 0.25"));
    home.run("mine --blocks 1 --pace 0 --data-dir d").ok();
    let list = home.run("chain list --count 1 --json --data-dir d").ok().json();
    assert_eq!(number(&list["height"]), 1);
}

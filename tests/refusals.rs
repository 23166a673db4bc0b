//! A command line that cannot be meant: a clear error, exit code 2, and nothing made.

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use support::{Home, Running};

/// Above what 64 bits hold.
const HUGE: &str = "18446744073709551616";

/// Every value of a flag is refused with a message that names the flag; `command` is complete but for it.
fn refused(command: &str, flag: &str, values: &[&str]) {
    let home = Home::new();
    for value in values {
        let glued = format!("{flag}={value}"); // so that -1 is no flag of its own
        let arguments = command.split_whitespace().chain([glued.as_str()]);
        let finished = Running::start(home.bloom(arguments)).finish();
        let finished = finished.refused(2, &[flag.trim_start_matches('-')]);
        assert!(finished.stdout.is_empty(), "{}", finished.what);
        assert!(!home.path("d").exists(), "{} made something", finished.what);
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let counts = ["", "-1", "x", "1.5", "0x10", "1e3", HUGE];
    refused("mine --data-dir d", "--blocks", &counts);
    refused("mine --data-dir d", "--pace", &[&counts[..], &["86401"]].concat());
    refused("mine --data-dir d", "--watts", &["", "0", "-1", "x", "NaN", "inf", "1e6"]);
    refused("verify --data-dir d", "--from", &counts);
    refused("chain list --data-dir d", "--count", &[&counts[..], &["0", "100001"]].concat());
    refused("bench", "--seconds", &[&counts[..], &["0", "3601"]].concat());
    refused("vectors make --tag t", "--count", &[&counts[..], &["0", "4294967296"]].concat());
    for command in ["mine --data-dir d", "verify --data-dir d", "bench", "estimate", "genesis --network dev"] {
        refused(command, "--threads", &[&counts[..], &["0", "1025"]].concat());
    }
}

#[test]
fn difficulties_and_attempts_out_of_range_are_refused() {
    let difficulties =
        ["", "0", "0.2", "-1", "x", "1e3", "NaN", "1.", "18446744073709551616.1", "18446744073709551617"];
    refused("estimate", "--difficulty", &difficulties);
    refused("estimate", "--watts", &["0", "-5", "NaN"]);
    refused("genesis --network dev --text t", "--time", &["", "-1", "x", HUGE]);
    refused("genesis --network dev --time 1", "--text", &[&"é".repeat(49)]);

    let challenge = format!("--challenge {}", "0".repeat(64));
    let attempt = |flags: &str| format!("attempt {flags} {challenge}");
    refused(&attempt("--nonce 1 --difficulty-q24 16777216"), "--extra-nonce", &["", "-1", "x", HUGE]);
    let nonces = ["", "-1", "x", "0", "2", "5", "4294967296"];
    refused(&attempt("--extra-nonce 0 --difficulty-q24 16777216"), "--nonce", &nonces);
    let two_to_88_plus_1 = ((1_u128 << 88) + 1).to_string();
    let difficulties = ["", "-1", "x", "0", "4194303", &two_to_88_plus_1, "340282366920938463463374607431768211456"];
    refused(&attempt("--extra-nonce 0 --nonce 1"), "--difficulty-q24", &difficulties);
    let challenges = ["", "0", &"0".repeat(63), &"0".repeat(65), &"0".repeat(66), &"g".repeat(64), &"é".repeat(32)];
    refused("attempt --extra-nonce 0 --nonce 1 --difficulty-q24 16777216", "--challenge", &challenges);
}

#[test]
fn a_block_is_named_by_a_height_or_64_hexadecimal_digits() {
    let home = Home::new();
    home.run("mine --blocks 0 --data-dir d").ok();
    for name in ["", "x", "1.0", HUGE, &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
        let show = home.bloom(["chain", "--data-dir", "d", "show", name]);
        Running::start(show).finish().refused(2, &["neither a height nor a hash"]);
    }
}

#[test]
fn a_backend_is_had_or_refused_and_never_replaced() {
    let home = Home::new();
    for backend in ["portable", "avx2", "avx512"] {
        let finished = home.run(&format!("mine --json --pace 0 --blocks 1 --data-dir d --backend {backend}"));
        if finished.status.success() {
            assert_eq!(finished.json_lines()[0]["backend"], backend);
        } else {
            finished.refused(2, &[backend, "not available on this machine"]);
        }
    }
    for backend in ["", "sse2", "AVX2", "auto", "reference"] {
        let mine = home.bloom(["mine", "--data-dir", "d", "--backend", backend]);
        Running::start(mine).finish().refused(2, &["--backend"]);
    }
}

/// Commands that take a network, each complete but for it.
const ON_A_NETWORK: [&str; 5] = [
    "mine --data-dir d --network",
    "verify --data-dir d --network",
    "chain --data-dir d --network",
    "chain list --data-dir d --network",
    "genesis --network",
];

#[test]
fn an_unknown_network_is_refused() {
    let home = Home::new();
    for command in ON_A_NETWORK {
        for network in ["moon", "Dev", "", "/nowhere/at.all", "."] {
            let network = home.bloom(command.split_whitespace().chain([network]));
            Running::start(network).finish().refused(2, &["unknown network", "main, test, dev or a parameter file"]);
        }
    }
    assert!(!home.path("d").exists());
}

/// The files whose every fault the consensus crate's own tests name.
#[test]
fn a_parameter_file_that_defines_no_network_is_refused() {
    let home = Home::new();
    let bad = Path::new(env!("CARGO_MANIFEST_DIR")).join("../consensus/tests/bad/params");
    let mut seen = 0;
    for file in fs::read_dir(bad).unwrap() {
        let path = file.unwrap().path();
        let name = path.to_str().unwrap();
        let refused = home.run(&format!("mine --data-dir d --network {name}")).refused(2, &[name]);
        assert!(refused.stderr.len() < 1_000 + name.len(), "{}", refused.stderr);
        home.run(&format!("verify --data-dir d --network {name}")).refused(2, &[name]);
        seen += 1;
    }
    assert!(seen >= 26, "{seen} files");
    assert!(!home.path("d").exists());
}

#[test]
fn a_parameter_file_is_never_read_without_end() {
    let home = Home::new();
    File::create(home.path("sparse.toml")).unwrap().set_len(1 << 30).unwrap();
    home.write("long.toml", "# words\n".repeat(10_000));
    home.write("latin1.toml", b"name = \"\xe9\"\n");
    for command in ON_A_NETWORK {
        home.run(&format!("{command} sparse.toml")).refused(2, &["sparse.toml", "at most 65536 bytes"]);
        home.run(&format!("{command} long.toml")).refused(2, &["long.toml", "at most 65536 bytes"]);
        home.run(&format!("{command} latin1.toml")).refused(2, &["latin1.toml", "UTF-8"]);
    }
    if cfg!(target_os = "linux") {
        home.run("chain --data-dir d --network /dev/zero").refused(2, &["at most 65536 bytes"]);
    }
    assert!(!home.path("d").exists());
}

/// A pipe that nobody writes to would keep its reader waiting for ever.
#[test]
fn pipes_are_refused_where_files_are_expected() {
    let home = Home::new();
    home.run("mine --blocks 1 --pace 0 --data-dir d").ok();
    let pipe = |name: &str| {
        let path = home.path(name);
        let _ = fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    pipe("pipe");
    home.run("mine --blocks 1 --network pipe").refused(2, &["pipe"]);
    home.run("vectors check pipe").refused(1, &["pipe"]);
    pipe("d/chain.mark");
    home.run("chain --data-dir d").refused(3, &["chain.mark", "not a file"]);
    fs::remove_file(home.path("d/chain.mark")).unwrap();
    pipe("d/miner.key");
    home.run("mine --blocks 1 --data-dir d").refused(3, &["miner.key", "not a file"]);
}

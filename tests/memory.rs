//! `bloom mine` stays small: under 60 MB of resident memory, whatever it is built with.
#![cfg(target_os = "linux")]

mod support;

use std::fs;

use support::Home;

const MOST_KIB: u64 = 60_000_000 / 1024;

#[test]
fn mining_takes_less_than_60_mb() {
    let home = Home::new();
    let mut mine = home.start("mine --json --pace 0 --data-dir d");
    for _ in 0..300 {
        mine.event("block");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", mine.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!((1_000..MOST_KIB).contains(&peak), "{peak} KiB resident at most");
}

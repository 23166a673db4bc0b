//! However `bloom mine` is made to end, it ends soon, says what it did, and nothing that it announced is gone.
#![cfg(unix)]

mod support;

use std::time::{Duration, Instant};

use support::{Finished, Home, Running, blocks};

/// "Ctrl-C finishes cleanly with a summary."
const SOON: Duration = Duration::from_secs(5);

fn nothing_is_gone(home: &Home, mined: &Finished) {
    let mut stored = blocks(&home.run("chain list --count 100000 --json --data-dir d").ok().json_lines());
    stored.reverse();
    assert!(mined.announced().iter().all(|announced| stored.contains(announced)), "{stored:?}");
    home.run("verify --data-dir d").ok();
}

fn stop(mine: Running, signal: &str) -> Finished {
    mine.signal(signal);
    let asked = Instant::now();
    let finished = mine.finish();
    assert!(asked.elapsed() < SOON, "{:?} after {signal}", asked.elapsed());
    finished.ok()
}

#[test]
fn a_signal_ends_mining_cleanly_with_a_summary() {
    for signal in ["INT", "TERM", "HUP"] {
        let home = Home::new();
        let mut mine = home.start("mine --json --pace 0 --data-dir d");
        mine.event("block");
        let finished = stop(mine, signal);
        let end = finished.json_lines().pop().unwrap();
        assert_eq!(end["event"], "end", "{signal}");
        assert_eq!(end["blocks"], finished.announced().len());
        nothing_is_gone(&home, &finished);
    }
}

#[test]
fn a_signal_ends_the_search_for_a_block_that_is_far_away() {
    let home = Home::new();
    let mut mine = home.start("mine --json --network main --data-dir d");
    mine.event("start");
    let end = stop(mine, "INT").json_lines().pop().unwrap();
    assert_eq!((&end["event"], &end["blocks"], &end["height"]), (&"end".into(), &0.into(), &0.into()));
}

#[test]
fn a_signal_ends_the_wait_for_the_pace() {
    let home = Home::new();
    let mut mine = home.start("mine --pace 86400 --data-dir d");
    mine.line().unwrap();
    let finished = stop(mine, "TERM");
    assert!(finished.stderr.contains("1 block in"), "{}", finished.stderr);
}

#[test]
fn a_reader_that_leaves_ends_it_without_a_panic() {
    for json in ["--json", ""] {
        let home = Home::new();
        let mut mine = home.start(&format!("mine {json} --pace 0 --data-dir d"));
        mine.line().unwrap();
        mine.close_stdout();
        mine.finish().ok();
        home.run("verify --data-dir d").ok();
    }
    let home = Home::new();
    home.run("mine --pace 0 --blocks 200 --data-dir d").ok();
    let mut list = home.start("chain list --count 201 --json --data-dir d");
    list.line().unwrap();
    list.close_stdout();
    list.finish().ok();
}

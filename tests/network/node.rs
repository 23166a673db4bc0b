//! A node as a process, with what a test asks of it.
#![allow(dead_code, reason = "every test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Finished, Home, Running, number, text};

/// How long anything may take that is to happen at all.
const PATIENCE: Duration = Duration::from_secs(90);
const TICK: Duration = Duration::from_millis(50);

/// A running node with a directory of its name.
pub(crate) struct Node<'a> {
    home: &'a Home,
    pub(crate) name: String,
    /// Where it takes connections; empty if nowhere.
    pub(crate) address: String,
    /// What it said when it began.
    pub(crate) start: Value,
    pub(crate) running: Running,
}

impl<'a> Node<'a> {
    /// Starts a node that takes connections on the loopback and looks for nobody that it was not told of.
    pub(crate) fn start(home: &'a Home, name: &str, flags: &str) -> Self {
        Self::start_with(home, name, &format!("--listen 127.0.0.1:0 --kademlia=false {flags}"))
    }

    /// Starts a node with these flags alone.
    pub(crate) fn start_with(home: &'a Home, name: &str, flags: &str) -> Self {
        let mut running = home.start(&format!("node --json --data-dir {name} {flags}"));
        let start = running.event("start");
        let address = start["listening"][0].as_str().unwrap_or_default().to_owned();
        Self { home, name: name.to_owned(), address, start, running }
    }

    /// Runs a command on its directory, which must do what it was asked.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> Finished {
        self.home.run(&format!("{line} --data-dir {}", self.name)).ok()
    }

    /// The JSON object that a command on its directory prints.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        self.ok(line).json()
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.json("peers status --json")
    }

    #[track_caller]
    pub(crate) fn tip(&self) -> String {
        text(&self.status()["tip"])
    }

    #[track_caller]
    pub(crate) fn peers(&self) -> Vec<Value> {
        self.json("peers --json")["peers"].as_array().unwrap().clone()
    }

    /// Waits for a tip at this height or above, as its events tell; yields its height.
    pub(crate) fn wait_for_height(&mut self, least: u64) -> u64 {
        loop {
            let height = number(&self.running.event("tip")["height"]);
            if height >= least {
                return height;
            }
        }
    }

    /// Ends it as an operator does; it must do so soon.
    #[track_caller]
    pub(crate) fn stop(self) -> Finished {
        self.running.signal("TERM");
        let asked = Instant::now();
        let finished = self.running.finish();
        assert!(asked.elapsed() < Duration::from_secs(5), "{} took {:?} to stop", self.name, asked.elapsed());
        finished
    }
}

/// Mines blocks in a directory that no node has yet.
pub(crate) fn mine(home: &Home, name: &str, blocks: u64) {
    home.run(&format!("mine --pace 0 --blocks {blocks} --data-dir {name}")).ok();
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::sleep(TICK);
    }
}

/// Waits until all are on one tip at this height or above.
#[track_caller]
pub(crate) fn agree(nodes: &[&Node<'_>], least: u64) {
    let until = Instant::now() + PATIENCE;
    loop {
        let all: Vec<_> = nodes.iter().map(|node| node.status()).collect();
        let first = &all[0];
        if number(&first["height"]) >= least && all.iter().all(|status| status["tip"] == first["tip"]) {
            return;
        }
        assert!(Instant::now() < until, "no agreement at height {least}: {all:#?}");
        thread::sleep(TICK);
    }
}

/// Waits until all are on this tip.
#[track_caller]
pub(crate) fn agree_on(nodes: &[&Node<'_>], tip: &str) {
    wait_for("one tip", || nodes.iter().all(|node| node.tip() == tip));
}

//! Honest nodes under attack: blocks of one reach another through the node that is attacked, and only through it.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]
#![expect(clippy::print_stdout, reason = "figures are for whoever asked for them")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use bloom_net::PeerAddr;
use serde_json::Value;

use super::node::{Node, wait_for};
use super::support::{Home, number};

/// What a node may ever have in memory, whatever is done to it; bytes. What its bounds come to: 32 MiB of messages, 64 MiB of
/// answers to it, 32 MiB of bodies, 75 MiB of headers, the mempool and the store's cache.
pub(crate) const MEMORY: u64 = 384 << 20;
/// Blocks that are timed during an attack at most, for a block's time is a second after its parent's, and at last too far
/// ahead of the clock.
const MOST_BLOCKS: usize = 600;

/// Whether floods are as large as can be, and figures are printed.
pub(crate) fn is_full() -> bool {
    std::env::var("BLOOM_FLOODS").is_ok_and(|size| size == "full")
}

/// A size for every day, and one to measure.
pub(crate) fn size(daily: usize, full: usize) -> usize {
    if is_full() { full } else { daily }
}

/// A miner and a relay, both connected to one node and to nobody else.
pub(crate) struct Honest<'a> {
    pub(crate) node: Node<'a>,
    miner: Node<'a>,
    pub(crate) relay: Node<'a>,
    home: &'a Home,
    connections: Vec<u64>,
    /// How long blocks took from the miner to the relay when nobody attacked.
    quiet: Vec<Duration>,
}

impl<'a> Honest<'a> {
    pub(crate) fn new(home: &'a Home) -> Self {
        let node = Node::start(home, "node", "");
        let seek = format!("--add-peer {}", node.address);
        let miner = Node::start(home, "miner", &format!("{seek} --mine --blocks 0 --threads 1 --pace 0"));
        let relay = Node::start(home, "relay", &seek);
        wait_for("the honest peers", || node.peers().len() == 2);
        let connections = connections(&node);
        let mut honest = Self { node, miner, relay, home, connections, quiet: Vec::new() };
        honest.block();
        for _ in 0..size(1, 100) {
            thread::sleep(pause());
            let time = honest.block();
            honest.quiet.push(time);
        }
        honest
    }

    pub(crate) fn address(&self) -> PeerAddr {
        self.node.address.parse().unwrap()
    }

    pub(crate) fn all(&self) -> [&Node<'a>; 3] {
        [&self.node, &self.miner, &self.relay]
    }

    /// Mines a block; how long it took to the relay.
    pub(crate) fn block(&mut self) -> Duration {
        loop {
            ask(self.home, "miner", r#"{"request":"mine","blocks":1}"#);
            let mined = self.miner.running.event("mined");
            let begun = Instant::now();
            if mined["is_tip"] == true {
                while self.relay.running.event("tip")["hash"] != mined["hash"] {}
                return begun.elapsed();
            }
        }
    }

    /// Whatever the attack, and all through it: blocks reach the relay, nobody honest is sent away, and memory is bounded.
    pub(crate) fn under<T: Send>(&mut self, what: &str, attack: impl FnOnce(PeerAddr) -> T + Send) -> T {
        let address = self.address();
        let process = self.node.running.id();
        fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap(); // the most memory is that from here on
        let mut times = Vec::new();
        let outcome = thread::scope(|scope| {
            let attack = scope.spawn(move || {
                // Attackers bring machines of their own.
                let _ = rustix::process::nice(19);
                attack(address)
            });
            while !attack.is_finished() {
                if times.len() < MOST_BLOCKS {
                    times.push(self.block());
                }
                thread::sleep(pause());
            }
            attack.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let memory = most_memory(process);
        self.stands();
        assert!(memory <= MEMORY, "{what}: {memory} bytes of memory");
        if is_full() {
            let (quiet, under) = (percentiles(&mut self.quiet), percentiles(&mut times));
            println!("| {what} | {} | {} | {quiet} | {under} |", memory >> 20, times.len());
        }
        outcome
    }

    /// A block more is had by all, and the honest peers' connections are those that they were.
    pub(crate) fn stands(&mut self) {
        self.block();
        let now = connections(&self.node);
        assert!(self.connections.iter().all(|of| now.contains(of)), "{:?} were there, {now:?} are", self.connections);
        let tip = self.node.tip();
        assert_eq!((&self.miner.tip(), &self.relay.tip()), (&tip, &tip));
        wait_for("its being at the tip", || self.node.status()["behind"] == false);
    }

    pub(crate) fn stop(self) {
        for node in [self.miner, self.relay, self.node] {
            node.stop().ok();
        }
    }
}

fn pause() -> Duration {
    Duration::from_millis(if is_full() { 150 } else { 300 })
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at =
        |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).unwrap().as_secs_f64() * 1e3;
    format!("{:.1} / {:.1}", at(50), at(99))
}

fn connections(node: &Node<'_>) -> Vec<u64> {
    node.peers().iter().map(|peer| number(&peer["peer"])).collect()
}

/// The most that a process had in memory, in bytes.
fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn ask(home: &Home, name: &str, request: &str) -> Value {
    let mut stream = UnixStream::connect(home.path(name).join("node.sock")).unwrap();
    writeln!(stream, "{request}").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

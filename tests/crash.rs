//! A process that dies at each named write point, at its first and at later passages: the restart goes on within 10 s and
//! by itself, and no block that was announced is gone. Run with `--features failpoints`.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;

use bloom_chain::failpoints::{DISK_FULL, FAILPOINTS};
use bloom_chain::{Chain, Options};
use bloom_consensus::{
    Ancestor, Ancestors, Block, Coinbase, Draft, Height, Output, OutputKey, Params, Timestamp, address, genesis, reward,
};
use bloom_kernel::{Backend, Batch};
use support::{Finished, Home, RESTART, Running, blocks, text};

const MINE: &str = "mine --json --pace 0 --blocks 300 --data-dir d";
const REINDEX: &str = "verify --reindex --json --data-dir d";

/// Points that are passed while a chain is begun.
const BEGINNING: [&str; 3] = ["create.before-genesis", "create.before-rename", "create.after-rename"];
/// Points that are passed whenever blocks are mined on a chain.
const MINING: [&str; 17] = [
    "open.before-release",
    "open.while-releasing",
    "accept.before-write",
    "connect.between-tables",
    "connect.after-tables",
    "store.before-commit",
    "store.after-commit",
    "store.after-mark",
    "file.before-write",
    "file.torn-write",
    "file.before-sync",
    "file.after-sync",
    "file.before-resize",
    "mempool.before-write",
    "mempool.before-sync",
    "mempool.before-rename",
    "mempool.after-rename",
];
/// Points that are passed when a chain with a side branch is rebuilt.
const REBUILDING: [&str; 7] = [
    "disconnect.between-tables",
    "reorganise.between-branches",
    "reorganise.before-commit",
    "reindex.before-build",
    "reindex.while-building",
    "reindex.before-rename",
    "reindex.after-rename",
];
/// The point that is passed when a side branch turns out to be invalid.
const CONDEMNING: [&str; 1] = ["condemn.before-commit"];
/// The point that is passed when the operator marks a block.
const MARKING: [&str; 1] = ["marks.before-commit"];
/// The point that is passed when old blocks are dropped.
const PRUNING: [&str; 1] = ["prune.before-commit"];

#[test]
fn every_point_has_its_death_here() {
    let ours: BTreeSet<_> =
        [&BEGINNING[..], &MINING, &REBUILDING, &CONDEMNING, &MARKING, &PRUNING].concat().into_iter().collect();
    assert_eq!(ours, FAILPOINTS.iter().copied().collect());
}

/// Runs a command that dies when it passes a point for the `nth` time; whether it did, or passed it fewer times.
fn dies(home: &Home, line: &str, point: &str, nth: u32) -> (Finished, bool) {
    let mut command = home.bloom(line.split_whitespace());
    command.env("FAILPOINTS", format!("{point}={}*off->return", nth - 1));
    let finished = Running::start(command).finish();
    finished.did_not_panic();
    let died = finished.status.code().is_none();
    assert!(died || finished.status.success(), "{point}: {}\n{}", finished.status, finished.stderr);
    assert!(died || nth > 1, "{point} was never passed by {line}");
    (finished, died)
}

/// A restart goes on by itself, soon, with everything that was announced.
fn goes_on(home: &Home, announced: &[(u64, String)], what: &str) {
    let mut mine = home.start("mine --json --pace 0 --blocks 1 --data-dir d");
    mine.event("block");
    assert!(mine.age() < RESTART, "{what}: {:?}", mine.age());
    mine.finish().ok();
    home.run("verify --data-dir d").ok();
    let stored = blocks(&home.run("chain list --count 100000 --json --data-dir d").ok().json_lines());
    for block in announced {
        assert!(stored.contains(block), "{what}: {block:?} is gone");
    }
}

#[test]
fn death_while_beginning() {
    for point in
        [&BEGINNING[..], &["file.before-write", "file.torn-write", "file.before-sync", "store.before-commit"]].concat()
    {
        for nth in [1, 2, 5] {
            let home = Home::new();
            let (finished, _) = dies(&home, "mine --json --pace 0 --blocks 1 --data-dir d", point, nth);
            goes_on(&home, &finished.announced(), &format!("{point} {nth}"));
        }
    }
}

#[test]
fn death_while_mining() {
    for point in MINING {
        for nth in [1, 3, 50] {
            let home = Home::new();
            let mut announced = home.run("mine --json --pace 0 --blocks 3 --data-dir d").ok().announced();
            // The second death meets what the first left behind.
            for _ in 0..2 {
                let (finished, _) = dies(&home, MINE, point, nth);
                announced.extend(finished.announced());
            }
            assert!(nth < 50 || announced.len() > 5 || point.starts_with("open"), "{point}: it got on in between");
            goes_on(&home, &announced, &format!("{point} {nth}"));
        }
    }
}

#[test]
fn death_while_verifying_changes_nothing() {
    for (point, nth) in [("disconnect.between-tables", 2), ("connect.after-tables", 2), ("file.before-sync", 1)] {
        let home = Home::new();
        let announced = home.run("mine --json --pace 0 --blocks 5 --data-dir d").ok().announced();
        dies(&home, "verify --data-dir d", point, nth);
        goes_on(&home, &announced, point);
    }
}

#[test]
fn death_while_rebuilding_leaves_the_old_or_the_new() {
    for point in REBUILDING {
        for nth in [1, 3] {
            let home = Home::new();
            let line = Line::fork(&home, false);
            dies(&home, REINDEX, point, nth);
            goes_on(&home, &line, &format!("{point} {nth}"));
            home.run(REINDEX).ok();
            goes_on(&home, &line, &format!("{point} {nth}, and again"));
        }
    }
}

#[test]
fn death_while_condemning_leaves_the_old() {
    let home = Home::new();
    let mut line = Line::fork(&home, true);
    let (_, tip) = line.pop().unwrap();
    let (_, first) = line.pop().unwrap();
    let shown = home.run(&format!("chain show {first} --json --data-dir d")).ok().json();
    spoil(&home, &hex::decode(text(&shown["header"])).unwrap());
    for point in CONDEMNING {
        home.run("mine --blocks 1 --data-dir d").refused(3, &["is damaged", "reindex"]);
        dies(&home, REINDEX, point, 1);
        home.run("mine --blocks 1 --data-dir d").refused(3, &["is damaged", "reindex"]);
        let rebuilt = home.run(REINDEX).ok();
        assert!(rebuilt.stderr.contains(&tip) && rebuilt.stderr.contains("was not found"), "{}", rebuilt.stderr);
        goes_on(&home, &line, point);
    }
}

#[test]
fn death_while_marking_leaves_the_old_or_the_new() {
    for point in [&MARKING[..], &["disconnect.between-tables", "store.before-commit", "store.after-commit"]].concat() {
        let home = Home::new();
        let line = Line::fork(&home, false);
        let (_, last) = line.last().unwrap();
        let state = |home: &Home| home.run("chain state --json --data-dir d").ok().json();
        let before = state(&home);
        dies(&home, &format!("chain invalidate {last} --data-dir d"), point, 1);
        let after = state(&home);
        if point == "store.after-commit" {
            assert_ne!(after, before, "it had been done");
            home.run(&format!("chain reconsider {last} --data-dir d")).ok();
        }
        assert_eq!(state(&home), before, "{point}");
        goes_on(&home, &line, point);
    }
}

#[test]
fn death_while_pruning_drops_nothing_that_is_needed() {
    let grown = Home::new();
    grown.run("mine --json --pace 0 --blocks 1600 --data-dir d").ok();
    let state = |home: &Home| home.run("chain state --json --data-dir d").ok().json();
    let before = state(&grown);
    let last_writes = ["store.before-commit", "store.after-commit", "file.before-write", "file.before-resize"];
    for point in [&PRUNING[..], &last_writes].concat() {
        for nth in [1, 2, 9] {
            let home = Home::new();
            fs::create_dir(home.path("d")).unwrap();
            for name in ["chain.redb", "chain.mark"] {
                fs::copy(grown.path("d").join(name), home.path("d").join(name)).unwrap();
            }
            dies(&home, "chain prune --data-dir d", point, nth);
            assert_eq!(state(&home), before, "{point} {nth}");
            home.run("verify --data-dir d").ok();
            let pruned = home.run("chain prune --json --data-dir d").ok().json();
            assert_eq!(pruned["pruned_below"], 601, "{point} {nth}");
            goes_on(&home, &[], point);
        }
    }
}

#[test]
fn a_full_disk_at_any_write_loses_nothing() {
    for writes in [0, 1, 2, 5, 20, 77, 300] {
        let home = Home::new();
        let mut announced = home.run("mine --json --pace 0 --blocks 3 --data-dir d").ok().announced();
        let mut command = home.bloom(MINE.split_whitespace());
        command.env("FAILPOINTS", format!("{DISK_FULL}={writes}*off->return"));
        let full = Running::start(command).finish().refused(3, &["no space left for", "start again"]);
        announced.extend(full.announced());
        goes_on(&home, &announced, &format!("after {writes} writes"));
    }
}

/// A branch of blocks from genesis on.
#[derive(Clone)]
struct Line(Vec<Block>);

impl Ancestors for Line {
    type Error = Infallible;

    fn at(&self, height: Height) -> Result<Ancestor, Infallible> {
        let template = self.0[usize::try_from(height.0).unwrap()].header.template;
        Ok(Ancestor { timestamp: template.timestamp, difficulty: template.difficulty })
    }
}

impl Line {
    /// Files two branches in the directory; height and hash of the blocks of the one that is the chain. Either the other
    /// came first and was overtaken, or it is one block that takes too much and was never judged: it came second.
    fn fork(home: &Home, invalid: bool) -> Vec<(u64, String)> {
        let mut trunk = Self(vec![Params::dev().genesis]);
        (0..4).for_each(|_| trunk.grow(0, 0));
        let (mut side, mut chain) = (trunk.clone(), trunk);
        (0..if invalid { 2 } else { 3 }).for_each(|_| chain.grow(2, 0));
        side.grow(1, u64::from(invalid));
        side.grow(1, 0);
        let order = if invalid {
            [&chain.0[..6], &side.0[5..6], &chain.0[6..]].concat()
        } else {
            [&side.0[..], &chain.0[5..]].concat()
        };
        let mut stored = Chain::open(&home.path("d"), &Params::dev(), Options::default()).unwrap();
        for block in &order {
            stored.accept(block, 0, Timestamp(1_800_000_000)).unwrap();
        }
        assert_eq!(stored.tip().hash, chain.0.last().unwrap().hash());
        (0..).zip(&chain.0).map(|(height, block)| (height, block.hash().to_string())).collect()
    }

    /// Mines a block whose coinbase says who made it, and takes more than its reward by this.
    fn grow(&mut self, maker: u8, excess: u64) {
        let height = Height(self.0.len() as u64);
        let parent = self.0.last().unwrap();
        let time = Timestamp(parent.header.template.timestamp.0 + 1);
        let amount = bloom_consensus::Amount::from_units(reward::reward(height).units() + excess);
        let coinbase = Coinbase::new(height, vec![maker], vec![Output { amount, key: somebody() }]).unwrap();
        let Ok(draft) = Draft::child(&Params::dev(), &parent.header.as_parent(), &*self, time, coinbase, Vec::new());
        self.0.push(genesis::forge(draft, &mut Batch::new(Backend::detect())));
    }
}

fn somebody() -> OutputKey {
    address::decode("bloom", "bloom1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqyzd49l").unwrap()
}

/// Flips a bit of every copy of these bytes in the chain's file.
fn spoil(home: &Home, bytes: &[u8]) {
    let mut file = fs::read(home.path("d/chain.redb")).unwrap();
    let places: Vec<_> = file.windows(bytes.len()).enumerate().filter(|(_, here)| *here == bytes).collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| file[at + bytes.len() - 1] ^= 1);
    fs::write(home.path("d/chain.redb"), file).unwrap();
}

//! `kill -9` at random moments of opening and of mining: every restart goes on within 10 s and by itself, and no block
//! that was announced is gone.
//!
//! `BLOOM_KILLS=1000 cargo test --release -p bloom --test kill -- --nocapture` kills a thousand times and reports how
//! long the restarts took; 25 times is the default.

mod support;

use std::thread;
use std::time::Duration;

use support::{Home, RESTART, Random, blocks};

const MINE: &str = "mine --json --pace 0 --data-dir d";
/// Kills after which all that was announced is looked for.
const BETWEEN_LOOKS: u64 = 50;
/// Kills after which a new directory is begun, so that beginnings are killed too and files stay of a size.
const BETWEEN_BEGINNINGS: u64 = 100;

/// A directory whose miner is killed over and over, and what it announced.
struct Victim {
    home: Home,
    announced: Vec<(u64, String)>,
}

impl Victim {
    fn new() -> Self {
        Self { home: Home::new(), announced: Vec::new() }
    }

    /// Kills the miner some time after it was started, whatever it is doing.
    fn kill_early(&mut self, after: Duration) {
        let mine = self.home.start(MINE);
        thread::sleep(after);
        self.note(mine.kill().announced());
    }

    /// Kills the miner some time after its first block; how long that block took from the start of the process.
    fn kill_at_work(&mut self, after: Duration) -> Duration {
        let mut mine = self.home.start(MINE);
        mine.event("block");
        let took = mine.age();
        assert!(took < RESTART, "{took:?} until it went on");
        thread::sleep(after);
        self.note(mine.kill().announced());
        took
    }

    fn note(&mut self, announced: Vec<(u64, String)>) {
        self.announced.extend(announced);
    }

    /// Everything announced is on the chain, in its order, and the chain is valid.
    fn nothing_is_gone(&self) {
        let listed = self.home.run("chain list --count 100000 --json --data-dir d").ok();
        let mut stored = blocks(&listed.json_lines());
        stored.reverse();
        for (height, hash) in &self.announced {
            let found = usize::try_from(*height).ok().and_then(|height| stored.get(height));
            assert_eq!(found.map(|(_, hash)| hash), Some(hash), "height {height}");
        }
        assert!(stored.len() <= 100_000, "more blocks than are listed");
        self.home.run("verify --data-dir d").ok();
    }
}

#[test]
fn kill_9_at_any_moment_loses_nothing() {
    let kills = std::env::var("BLOOM_KILLS").map_or(25, |kills| kills.parse().expect("BLOOM_KILLS: a number"));
    let mut random = Random(1);
    let mut victim = Victim::new();
    let mut restarts = Vec::new();
    let mut announced = 0;
    for kill in 1..=kills {
        match random.below(3) {
            0 => victim.kill_early(Duration::from_micros(random.below(60_000))),
            1 => restarts.push(victim.kill_at_work(Duration::from_micros(random.below(60_000)))),
            _ => restarts.push(victim.kill_at_work(Duration::from_micros(random.below(1_000_000)))),
        }
        if kill % BETWEEN_LOOKS == 0 || kill == kills {
            victim.nothing_is_gone();
        }
        if kill % BETWEEN_BEGINNINGS == 0 || kill == kills {
            announced += victim.announced.len();
            victim = Victim::new();
        }
    }
    restarts.sort();
    let (median, longest) = (restarts[restarts.len() / 2], restarts[restarts.len() - 1]);
    println!("{kills} kills, {announced} blocks announced, none gone");
    println!("{} restarts to the first block: median {median:?}, longest {longest:?}", restarts.len());
    assert!(announced > 0);
}

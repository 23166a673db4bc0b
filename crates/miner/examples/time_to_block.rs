//! Whether mining is free of progress: the rounds that a block takes must be exponential with mean 5778·D.
//!
//! `cargo run --release -p bloom-miner --example time_to_block -- --difficulty 64 --blocks 5000 --seed 1`
//!
//! Makes the attempts of real challenges one after the other, adds up their rounds from ticket to ticket, and holds the
//! sums against the exponential distribution by Kolmogorov and Smirnov. Exits with 1 where p ≤ 0.001 or the mean is off
//! by 4 % or more.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example's answer goes to the terminal")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;

use bloom_consensus::{BlockHash, Difficulty, ticket};
use bloom_kernel::{Backend, Batch, Bloom, Feed, ROUNDS_MAX, Seal, Seeder, Start, lucas};

/// p-values from here on are no evidence against.
const LEAST_P: f64 = 0.001;
/// How far the mean may be off: nearly three standard errors at 5 000 blocks.
const MOST_OFF: f64 = 0.04;

fn main() -> ExitCode {
    let [difficulty, blocks, seed] =
        [("--difficulty", 64), ("--blocks", 5_000), ("--seed", 1)].map(|(n, d)| argument(n, d));
    let Ok(level) = Difficulty::from_q24(u128::from(difficulty) << 24) else {
        eprintln!("--difficulty: got {difficulty}, expected 1 or more");
        return ExitCode::from(2);
    };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let mut times: Vec<u64> = thread::scope(|scope| {
        let share = |thread: u64| blocks / threads + u64::from(thread < blocks % threads);
        let workers: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || Series::run(level, seed, thread, share(thread)))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker does not panic")).collect()
    });
    times.sort_unstable();
    let expected = f64::from(ROUNDS_MAX) * difficulty as f64;
    let mean = times.iter().sum::<u64>() as f64 / times.len() as f64;
    let distance = distance_from_exponential(&times, expected);
    let p = kolmogorov_p(distance, times.len());
    println!("difficulty {difficulty}, {} blocks, seed {seed}", times.len());
    println!("mean {mean:.0} rounds, expected {expected:.0}, ratio {:.4}", mean / expected);
    println!("KS distance {distance:.5}, p {p:.4}");
    if p > LEAST_P && (mean / expected - 1.0).abs() < MOST_OFF { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn argument(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |value| value.parse().expect("a whole number follows the flag"))
}

/// Attempts in their order, though they end in another.
struct Series {
    difficulty: Difficulty,
    challenge: [u8; 32],
    seeder: Seeder,
    wanted: u64,
    begun: u64,
    /// Rounds of ended attempts that wait for an earlier one, and whether they won.
    ended: BTreeMap<u64, (u64, bool)>,
    next: u64,
    rounds: u64,
    times: Vec<u64>,
}

impl Series {
    fn run(difficulty: Difficulty, seed: u64, thread: u64, wanted: u64) -> Vec<u64> {
        let challenge = challenge(seed, thread);
        let seeder = Seeder::new(&challenge);
        let times = Vec::new();
        let mut series =
            Self { difficulty, challenge, seeder, wanted, begun: 0, ended: BTreeMap::new(), next: 0, rounds: 0, times };
        let mut batch = Box::new(Batch::new(Backend::detect()));
        while (series.times.len() as u64) < wanted {
            batch.run(100_000, &mut series);
        }
        series.times.truncate(wanted as usize);
        series.times
    }
}

impl Feed for Series {
    fn next(&mut self) -> Option<Start> {
        if self.times.len() as u64 >= self.wanted {
            return None;
        }
        let tag = self.begun;
        self.begun += 1;
        let (extra_nonce, nonce) = lucas::attempt(tag.into())?;
        let phases = self.seeder.phases(extra_nonce, nonce);
        Some(Start { phases, difficulty: self.difficulty, last_round: ROUNDS_MAX - 1, tag })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        let (extra_nonce, nonce) = lucas::attempt(tag.into()).expect("the attempt was begun");
        let outcome = bloom.map_or((u64::from(ROUNDS_MAX), false), |bloom| {
            let hash = BlockHash(Seal::new(extra_nonce, nonce, &bloom).block_hash(&self.challenge));
            (u64::from(bloom.rounds()), ticket::meets(&hash, bloom.rounds(), self.difficulty))
        });
        self.ended.insert(tag, outcome);
        while let Some((rounds, won)) = self.ended.remove(&self.next) {
            self.next += 1;
            self.rounds += rounds;
            if won {
                self.times.push(std::mem::take(&mut self.rounds));
            }
        }
    }
}

/// A challenge of its own for each seed and thread.
fn challenge(seed: u64, thread: u64) -> [u8; 32] {
    let mut input = [0; 16];
    input[..8].copy_from_slice(&seed.to_le_bytes());
    input[8..].copy_from_slice(&thread.to_le_bytes());
    *blake3::hash(&input).as_bytes()
}

/// The largest distance between the sample's distribution and the exponential one of this mean.
fn distance_from_exponential(sorted: &[u64], mean: f64) -> f64 {
    let n = sorted.len() as f64;
    let gaps = sorted.iter().enumerate().map(|(i, rounds)| {
        let expected = 1.0 - (-(*rounds as f64) / mean).exp();
        (expected - i as f64 / n).max((i + 1) as f64 / n - expected)
    });
    gaps.fold(0.0, f64::max)
}

/// Kolmogorov's asymptotic p-value, with Stephens' correction for the sample's size.
fn kolmogorov_p(distance: f64, n: usize) -> f64 {
    let root = (n as f64).sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * distance;
    let term = |k: i32| (-1.0_f64).powi(k - 1) * (-2.0 * f64::from(k * k) * lambda * lambda).exp();
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

//! Who is timed: the doubles, the reference, and every backend alone and in batches.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use bloom_consensus::{BlockHash, Difficulty, ticket};
use bloom_kernel::{
    Backend, Batch, Bloom, CouplingTable, Feed, OSCILLATORS, ROUNDS_MAX, Seal, Seeder, Solo, Start, certificate_hash,
    lucas, reference,
};

use super::figures::median;
use super::mean_field::MeanField;

const CHALLENGE: [u8; 32] = *b"bloomcoin bench: the challenge.."; // any will do
const DIFFICULTY: Difficulty = Difficulty::ONE;
const LAST_ROUND: u32 = ROUNDS_MAX - 1;
/// Rounds of each lane in one step of a batch.
const STRIDE: u64 = 256;

/// Who evolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The law's dynamics in doubles.
    Doubles,
    /// The reference implementation.
    Reference,
    /// One attempt after the other, as a verifier does: seed, attempt, certificate hash.
    Alone(Backend),
    /// Batches on so many threads, as a miner does: seeds, attempts, certificate and block hashes, tickets.
    Batch(Backend, usize),
}

/// One of those timed, with what it has done so far.
pub(super) struct Contestant {
    pub(super) kind: Kind,
    /// Rounds a second, turn by turn.
    pub(super) rates: Vec<f64>,
    /// All that it did, over all of its turns.
    pub(super) done: Work,
    runners: Vec<Box<dyn Runner>>,
}

/// Rounds simulated and attempts ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    pub(super) rounds: u64,
    pub(super) attempts: u64,
}

impl Work {
    fn add(&mut self, more: Self) {
        self.rounds += more.rounds;
        self.attempts += more.attempts;
    }
}

/// Something that goes on a little when it is asked to: for about a millisecond at most.
trait Runner: Send {
    fn step(&mut self) -> Work;
}

impl Contestant {
    /// Everybody who can take part on this machine, slowest first.
    pub(super) fn all(threads: usize) -> Vec<Self> {
        let mut kinds = vec![Kind::Doubles, Kind::Reference];
        for backend in Backend::available() {
            kinds.extend([Kind::Alone(backend), Kind::Batch(backend, 1)]);
            kinds.extend((threads > 1).then_some(Kind::Batch(backend, threads)));
        }
        kinds.into_iter().map(Self::new).collect()
    }

    fn new(kind: Kind) -> Self {
        let runners: Vec<Box<dyn Runner>> = match kind {
            Kind::Doubles => vec![Box::new(OneByOne::doubles())],
            Kind::Reference => vec![Box::new(OneByOne::reference())],
            Kind::Alone(backend) => vec![Box::new(OneByOne::alone(backend))],
            Kind::Batch(backend, threads) => (0..threads).map(|at| Box::new(Miner::new(backend, at)) as _).collect(),
        };
        Self { kind, rates: Vec::new(), done: Work::default(), runners }
    }

    /// Lets it run for about so long, and notes how far it came.
    pub(super) fn turn(&mut self, length: Duration) {
        let (rate, work) = match self.runners.as_mut_slice() {
            [alone] => {
                let turn = turn(alone.as_mut(), length);
                (turn.median_rate, turn.work)
            }
            many => side_by_side(many, length),
        };
        self.rates.push(rate);
        self.done.add(work);
    }
}

/// A turn of one runner.
struct Turn {
    work: Work,
    seconds: f64,
    /// Of its steps: what interrupts one of them for another program's sake says nothing about the runner.
    median_rate: f64,
}

fn turn(runner: &mut dyn Runner, length: Duration) -> Turn {
    let (mut work, mut rates) = (Work::default(), Vec::new());
    let began = Instant::now();
    let mut now = began;
    while now - began < length {
        let step = runner.step();
        let before = std::mem::replace(&mut now, Instant::now());
        rates.push(step.rounds as f64 / (now - before).as_secs_f64());
        work.add(step);
    }
    Turn { work, seconds: (now - began).as_secs_f64(), median_rate: median(rates) }
}

/// Every runner on its own thread, all starting at once: all that they did, in the longest of their times. Here nothing
/// is left out, since threads that wait for a core are what scaling is about.
fn side_by_side(runners: &mut [Box<dyn Runner>], length: Duration) -> (f64, Work) {
    let together = &Barrier::new(runners.len());
    let turns: Vec<Turn> = thread::scope(|scope| {
        let start = |runner: &mut Box<dyn Runner>| {
            together.wait();
            turn(runner.as_mut(), length)
        };
        let threads: Vec<_> = runners.iter_mut().map(|runner| scope.spawn(move || start(runner))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no runner panics")).collect()
    });
    let mut work = Work::default();
    turns.iter().for_each(|turn| work.add(turn.work));
    let seconds = turns.iter().map(|turn| turn.seconds).fold(0.0, f64::max);
    (work.rounds as f64 / seconds, work)
}

/// Evolves an attempt from its phases, and yields the rounds it took.
type Evolve = dyn FnMut(&[u32; OSCILLATORS]) -> u32 + Send;

/// One attempt after the other.
struct OneByOne {
    evolve: Box<Evolve>,
    seeder: Seeder,
    next: u128,
}

impl OneByOne {
    fn doubles() -> Self {
        let field = MeanField::new();
        Self::new(move |phases| field.run(phases))
    }

    fn reference() -> Self {
        let table = CouplingTable::new(DIFFICULTY);
        Self::new(move |phases| rounds(reference::run(phases, &table, LAST_ROUND).as_ref()))
    }

    fn alone(backend: Backend) -> Self {
        let mut solo = Solo::new(backend);
        Self::new(move |phases| {
            let bloom = solo.run(phases, DIFFICULTY, LAST_ROUND);
            black_box(bloom.as_ref().map(|bloom| certificate_hash(&bloom.certificate())));
            rounds(bloom.as_ref())
        })
    }

    fn new(evolve: impl FnMut(&[u32; OSCILLATORS]) -> u32 + Send + 'static) -> Self {
        Self { evolve: Box::new(evolve), seeder: Seeder::new(&CHALLENGE), next: 0 }
    }
}

impl Runner for OneByOne {
    fn step(&mut self) -> Work {
        let (extra_nonce, nonce) = lucas::attempt(self.next).expect("the extra nonces last for ages");
        self.next += 1;
        Work { rounds: (self.evolve)(&self.seeder.phases(extra_nonce, nonce)).into(), attempts: 1 }
    }
}

fn rounds(bloom: Option<&Bloom>) -> u32 {
    bloom.map_or(ROUNDS_MAX, Bloom::rounds)
}

/// A batch with all that mining does around it.
struct Miner {
    batch: Box<Batch>,
    feed: Attempts,
}

impl Miner {
    fn new(backend: Backend, thread: usize) -> Self {
        let next = (thread as u64) << 40; // no two threads run the same attempt
        let feed = Attempts { seeder: Seeder::new(&CHALLENGE), next, ended: 0, won: 0 };
        Self { batch: Box::new(Batch::new(backend)), feed }
    }
}

impl Runner for Miner {
    fn step(&mut self) -> Work {
        let before = self.feed.ended;
        let rounds = self.batch.run(STRIDE, &mut self.feed).rounds;
        black_box(self.feed.won);
        Work { rounds, attempts: self.feed.ended - before }
    }
}

/// Attempts without end, each judged as a miner would.
struct Attempts {
    seeder: Seeder,
    next: u64,
    ended: u64,
    won: u64,
}

impl Feed for Attempts {
    fn next(&mut self) -> Option<Start> {
        let tag = self.next;
        let (extra_nonce, nonce) = lucas::attempt(tag.into())?;
        self.next += 1;
        let phases = self.seeder.phases(extra_nonce, nonce);
        Some(Start { phases, difficulty: DIFFICULTY, last_round: LAST_ROUND, tag })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        self.ended += 1;
        let (Some(bloom), Some((extra_nonce, nonce))) = (bloom, lucas::attempt(tag.into())) else { return };
        let hash = BlockHash(Seal::new(extra_nonce, nonce, &bloom).block_hash(&CHALLENGE));
        self.won += u64::from(ticket::meets(&hash, bloom.rounds(), DIFFICULTY));
    }
}

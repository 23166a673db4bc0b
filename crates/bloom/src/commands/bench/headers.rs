//! How many dev headers a core can verify: their proofs, which is nearly all there is to it.

use std::time::Instant;

use bloom_consensus::proof::verify_many;
use bloom_consensus::{BlockHash, Header, Height, Params, Template, Timestamp, ticket};
use bloom_kernel::{Backend, Batch, Bloom, Feed, ROUNDS_MAX, Seal, Start, initial_phases, lucas};

/// Headers that are verified at a time.
const HEADERS: usize = 1024;
/// The first attempt of every template.
const EXTRA_NONCE: u64 = 0;
const NONCE: u32 = lucas::NONCES[0];

/// True headers of dev's difficulty, and how fast their proofs were checked.
pub(super) struct Headers {
    headers: Vec<Header>,
    batch: Box<Batch>,
    /// Headers a second, turn by turn.
    pub(super) rates: Vec<f64>,
    pub(super) backend: Backend,
}

impl Headers {
    /// Mines headers in memory, children of dev's genesis at ever later times: 1024 of those whose first attempt wins.
    pub(super) fn mine(backend: Backend) -> Self {
        let mut batch = Box::new(Batch::new(backend));
        let genesis = Params::dev().genesis;
        let first = Template { height: Height(1), prev_hash: genesis.hash(), ..genesis.header.template };
        let mut search = Search { first, next: 0, headers: Vec::with_capacity(HEADERS) };
        while batch.run(u64::from(ROUNDS_MAX), &mut search).live > 0 {}
        Self { headers: search.headers, batch, rates: Vec::new(), backend }
    }

    /// Verifies all of them once.
    pub(super) fn turn(&mut self) {
        let began = Instant::now();
        let verdicts = verify_many(&self.headers, &mut self.batch);
        let seconds = began.elapsed().as_secs_f64();
        let held = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        self.rates.push(held as f64 / seconds);
    }
}

/// One attempt at each of many templates.
struct Search {
    first: Template,
    next: u64,
    headers: Vec<Header>,
}

impl Search {
    fn template(&self, at: u64) -> Template {
        let timestamp = Timestamp(self.first.timestamp.0 + 1 + at);
        Template { timestamp, ..self.first }
    }
}

impl Feed for Search {
    fn next(&mut self) -> Option<Start> {
        if self.headers.len() >= HEADERS {
            return None;
        }
        let (template, tag) = (self.template(self.next), self.next);
        self.next += 1;
        let phases = initial_phases(&template.challenge().0, EXTRA_NONCE, NONCE);
        Some(Start { phases, difficulty: template.difficulty, last_round: ROUNDS_MAX - 1, tag })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        let Some(bloom) = bloom.filter(|_| self.headers.len() < HEADERS) else { return };
        let template = self.template(tag);
        let seal = Seal::new(EXTRA_NONCE, NONCE, &bloom);
        let hash = BlockHash(seal.block_hash(&template.challenge().0));
        if ticket::meets(&hash, bloom.rounds(), template.difficulty) {
            self.headers.push(Header { template, seal });
        }
    }
}

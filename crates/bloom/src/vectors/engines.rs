//! Who evolves attempts here: the reference, and every backend asked for, alone and side by side.

use bloom_consensus::Difficulty;
use bloom_kernel::{Backend, Batch, Bloom, CouplingTable, Feed, LANES, ROUNDS_MAX, Solo, Start, reference};

use super::fault::Fault;
use super::fields::Phases;

const LAST_ROUND: u32 = ROUNDS_MAX - 1;
/// Attempts that a batch is given at least, so that every lane is left and entered again.
const LEAST_IN_A_BATCH: usize = 3 * LANES;

/// A row that starts an attempt and knows what becomes of it.
pub(super) trait Evolves {
    /// Initial phases and difficulty; without a difficulty there is no coupling at all.
    fn attempt(&self) -> (Phases, Option<Difficulty>);

    /// Holds the outcome against the row's.
    fn judge(&self, by: &str, bloom: Option<&Bloom>) -> Result<(), Fault>;
}

/// The backends whose answers are checked.
pub(super) struct Engines<'a>(&'a [Backend]);

impl<'a> Engines<'a> {
    /// The backends are in ascending order of speed.
    pub(super) fn new(backends: &'a [Backend]) -> Self {
        Self(backends)
    }

    /// The fastest of the backends that are checked.
    pub(super) fn fastest(&self) -> Backend {
        self.0.last().copied().unwrap_or(Backend::Portable)
    }

    /// Evolves every readable row on every engine. A row's verdict is the first fault that any of them finds.
    pub(super) fn judge<R: Evolves>(&self, rows: Vec<Result<R, Fault>>) -> Vec<Result<(), Fault>> {
        let mut judged: Vec<Judged<R>> = rows.into_iter().map(Judged::new).collect();
        for row in &mut judged {
            row.ask("the reference", |phases, table, _| reference::run(phases, table, LAST_ROUND));
        }
        for backend in self.0 {
            let mut solo = Solo::new(*backend);
            let by = format!("{backend} alone");
            for row in &mut judged {
                row.ask(&by, |phases, table, difficulty| match difficulty {
                    Some(difficulty) => solo.run(phases, difficulty, LAST_ROUND),
                    None => solo.run_with(phases, table, LAST_ROUND),
                });
            }
            let mut queue = Queue::new(&mut judged, format!("{backend} in a batch"));
            let mut batch = Box::new(Batch::new(*backend));
            while batch.run(u64::from(ROUNDS_MAX), &mut queue).live > 0 {}
        }
        judged.into_iter().map(|row| row.verdict).collect()
    }
}

/// A row as far as it has been judged.
struct Judged<R> {
    row: Option<R>,
    verdict: Result<(), Fault>,
}

impl<R: Evolves> Judged<R> {
    fn new(row: Result<R, Fault>) -> Self {
        match row {
            Ok(row) => Self { row: Some(row), verdict: Ok(()) },
            Err(fault) => Self { row: None, verdict: Err(fault) },
        }
    }

    fn ask(&mut self, by: &str, run: impl FnOnce(&Phases, &CouplingTable, Option<Difficulty>) -> Option<Bloom>) {
        let Some(row) = self.row.as_ref().filter(|_| self.verdict.is_ok()) else { return };
        let (phases, difficulty) = row.attempt();
        let table = difficulty.map_or(CouplingTable::UNCOUPLED, CouplingTable::new);
        self.verdict = row.judge(by, run(&phases, &table, difficulty).as_ref());
    }

    fn answer(&mut self, by: &str, bloom: Option<&Bloom>) {
        if let Some(row) = self.row.as_ref().filter(|_| self.verdict.is_ok()) {
            self.verdict = row.judge(by, bloom);
        }
    }
}

/// The rows of a section on their way through a batch, as often as it takes to fill its lanes anew. Rows without
/// coupling stay behind: a batch takes difficulties alone.
struct Queue<'a, R> {
    rows: Vec<&'a mut Judged<R>>,
    next: usize,
    end: usize,
    by: String,
}

impl<'a, R: Evolves> Queue<'a, R> {
    fn new(rows: &'a mut [Judged<R>], by: String) -> Self {
        let is_coupled = |row: &&mut Judged<R>| row.row.as_ref().is_some_and(|row| row.attempt().1.is_some());
        let rows: Vec<_> = rows.iter_mut().filter(is_coupled).collect();
        let times = LEAST_IN_A_BATCH.div_ceil(rows.len().max(1));
        Self { next: 0, end: rows.len().saturating_mul(times), rows, by }
    }
}

impl<R: Evolves> Feed for Queue<'_, R> {
    fn next(&mut self) -> Option<Start> {
        if self.next == self.end {
            return None;
        }
        let at = self.next % self.rows.len();
        self.next += 1;
        let (phases, difficulty) = self.rows.get(at)?.row.as_ref()?.attempt();
        Some(Start { phases, difficulty: difficulty?, last_round: LAST_ROUND, tag: at as u64 })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        let at = usize::try_from(tag).ok();
        let row = at.and_then(|at| self.rows.get_mut(at)).expect("a tag is the position of a row");
        row.answer(&self.by, bloom.as_ref());
    }
}

//! Medians of what was timed, as a table for people and as JSON for programs. Floats, for display alone.

use std::fmt::Write;
use std::time::Duration;

use bloom_kernel::Backend;
use serde_json::{Value, json};

use super::contestants::{Contestant, Kind, Work};
use super::headers::Headers;
use crate::live::{seconds, si};

/// One contestant's medians.
struct Figure {
    kind: Kind,
    rounds_per_second: f64,
    times_doubles: f64,
}

/// Everything that one run found.
pub(super) struct Figures {
    figures: Vec<Figure>,
    /// Rounds of an attempt on average.
    rounds_per_bloom: f64,
    headers_backend: Backend,
    headers_per_second: f64,
    laps: u32,
    took: Duration,
}

impl Figures {
    pub(super) fn new(contestants: &[Contestant], headers: &Headers, laps: u32, took: Duration) -> Self {
        let mut figures: Vec<Figure> = contestants.iter().map(Figure::of).collect();
        let doubles = figures.iter().find(|figure| figure.kind == Kind::Doubles).map(|figure| figure.rounds_per_second);
        for figure in &mut figures {
            figure.times_doubles = doubles.map_or(0.0, |doubles| figure.rounds_per_second / doubles);
        }
        // Of attempts one by one: a batch has always begun some that it has not ended.
        let alone = || contestants.iter().filter(|contestant| !matches!(contestant.kind, Kind::Batch(..)));
        let sum = |of: fn(&Work) -> u64| alone().map(|contestant| of(&contestant.done)).sum::<u64>() as f64;
        let rounds_per_bloom = sum(|done| done.rounds) / sum(|done| done.attempts);
        let headers_per_second = median(headers.rates.clone());
        Self { figures, rounds_per_bloom, headers_backend: headers.backend, headers_per_second, laps, took }
    }

    fn of(&self, kind: Kind) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.kind == kind)
    }

    /// Batches with more than one thread, over the same with one.
    fn scaling(&self, backend: Backend) -> Option<(usize, f64)> {
        let one = self.of(Kind::Batch(backend, 1))?;
        self.figures.iter().find_map(|figure| match figure.kind {
            Kind::Batch(of, threads) if of == backend && threads > 1 => {
                Some((threads, figure.rounds_per_second / one.rounds_per_second))
            }
            _ => None,
        })
    }

    /// What one verification takes over an attempt's share of a batch.
    fn alone_over_batch(&self, backend: Backend) -> Option<f64> {
        let (alone, batch) = (self.of(Kind::Alone(backend))?, self.of(Kind::Batch(backend, 1))?);
        Some(batch.rounds_per_second / alone.rounds_per_second)
    }

    pub(super) fn table(&self) -> String {
        let mut table = format!("{:<24}{:>10}{:>10}{:>10}{:>9}\n", "", "rounds/s", "ns/round", "blooms/s", "× f64");
        for figure in &self.figures {
            figure.write_row(&mut table, self.rounds_per_bloom);
        }
        for backend in Backend::ALL.into_iter().filter(|backend| !backend.is_available()) {
            let _ = writeln!(table, "{:<24}not on this machine", backend.name());
        }
        table.push('\n');
        for backend in Backend::available() {
            self.write_verification(&mut table, backend);
        }
        for backend in Backend::available() {
            if let Some((threads, factor)) = self.scaling(backend) {
                let _ = writeln!(table, "{threads} threads of {backend} do {factor:.2} × what one does");
            }
        }
        let _ = writeln!(
            table,
            "dev headers verified by one core with {}: {}/s",
            self.headers_backend,
            si(self.headers_per_second)
        );
        let took = seconds(self.took.as_secs_f64());
        let _ =
            write!(table, "medians of {} laps in {took}; difficulty 1, attempts with seeding and hashing", self.laps);
        table
    }

    /// Seconds of one verification alone: seed, attempt, certificate hash.
    fn verify_seconds(&self, backend: Backend) -> Option<f64> {
        Some(self.rounds_per_bloom / self.of(Kind::Alone(backend))?.rounds_per_second)
    }

    fn write_verification(&self, table: &mut String, backend: Backend) {
        if let (Some(seconds), Some(ratio)) = (self.verify_seconds(backend), self.alone_over_batch(backend)) {
            let _ = writeln!(
                table,
                "one verification on {backend}: {:.1} µs for {:.0} rounds, {ratio:.2} × an attempt in a batch",
                seconds * 1e6,
                self.rounds_per_bloom
            );
        }
    }

    pub(super) fn json(&self) -> Value {
        let measured: Vec<Value> = self.figures.iter().map(|figure| figure.json(self.rounds_per_bloom)).collect();
        let backends: Vec<Value> = Backend::ALL
            .into_iter()
            .map(|backend| {
                let scaling = self.scaling(backend);
                json!({
                    "backend": backend.name(),
                    "available": backend.is_available(),
                    "verify_microseconds": self.verify_seconds(backend).map(|seconds| seconds * 1e6),
                    "verify_over_batch_attempt": self.alone_over_batch(backend),
                    "threads": scaling.map(|(threads, _)| threads),
                    "threads_over_one": scaling.map(|(_, factor)| factor),
                })
            })
            .collect();
        json!({
            "seconds": self.took.as_secs_f64(),
            "laps": self.laps,
            "difficulty": 1,
            "rounds_per_bloom": self.rounds_per_bloom,
            "measured": measured,
            "backends": backends,
            "verify_headers": {
                "backend": self.headers_backend.name(),
                "headers_per_second": self.headers_per_second,
            },
        })
    }
}

impl Figure {
    fn of(contestant: &Contestant) -> Self {
        Self { kind: contestant.kind, rounds_per_second: median(contestant.rates.clone()), times_doubles: 1.0 }
    }

    fn write_row(&self, table: &mut String, rounds_per_bloom: f64) {
        let name = match self.kind {
            Kind::Doubles => "f64 loop".to_owned(),
            Kind::Reference => "reference".to_owned(),
            Kind::Alone(backend) => format!("{backend:<9} alone"),
            Kind::Batch(backend, 1) => format!("{backend:<9} batch"),
            Kind::Batch(backend, threads) => format!("{backend:<9} batch × {threads}"),
        };
        let _ = writeln!(
            table,
            "{name:<24}{:>10}{:>10.1}{:>10}{:>9.1}",
            si(self.rounds_per_second),
            1e9 / self.rounds_per_second,
            si(self.rounds_per_second / rounds_per_bloom),
            self.times_doubles
        );
    }

    fn json(&self, rounds_per_bloom: f64) -> Value {
        let (name, mode, threads) = match self.kind {
            Kind::Doubles => ("f64", "alone", 1),
            Kind::Reference => ("reference", "alone", 1),
            Kind::Alone(backend) => (backend.name(), "alone", 1),
            Kind::Batch(backend, threads) => (backend.name(), "batch", threads),
        };
        json!({
            "name": name,
            "mode": mode,
            "threads": threads,
            "rounds_per_second": self.rounds_per_second,
            "nanoseconds_per_round": 1e9 / self.rounds_per_second,
            "blooms_per_second": self.rounds_per_second / rounds_per_bloom,
            "times_f64": self.times_doubles,
        })
    }
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ if middle > 0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians_stand_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }
}

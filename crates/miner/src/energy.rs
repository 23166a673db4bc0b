//! What a bloom costs in joules, and what physics would charge at least.
//!
//! Energy per bloom = rounds × joules per round. Joules are measured through the processor's own counter (RAPL) where
//! the system lets it be read; elsewhere they are an estimate from watts that somebody gave, and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bloom_kernel::OSCILLATORS;

/// Boltzmann's constant in J/K, exact in the SI.
pub const BOLTZMANN: f64 = 1.380_649e-23;
/// Where Linux shows the energy counters of processor packages.
const POWERCAP: &str = "/sys/class/powercap";

/// kT·ln2·N·log₂(1/ε) in joules: Landauer's bound on erasing N phases known to a precision of ε turns.
#[must_use]
pub fn landauer_joules(kelvin: f64, precision_turns: f64) -> f64 {
    BOLTZMANN * kelvin * std::f64::consts::LN_2 * OSCILLATORS as f64 * (1.0 / precision_turns).log2()
}

/// Where a figure in joules comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The processor's energy counter, everything on it included.
    Rapl,
    /// Watts that somebody gave, times seconds.
    Estimate,
}

/// Joules spent since it was started.
#[derive(Debug)]
pub struct EnergyMeter {
    counters: Vec<Counter>,
    watts: Option<f64>,
    started: Instant,
}

#[derive(Debug)]
struct Counter {
    path: PathBuf,
    last_microjoules: u64,
    wraps_at: u64,
    total_microjoules: u64,
}

impl EnergyMeter {
    /// Starts measuring with RAPL where it is readable, else by `watts`, if given.
    #[must_use]
    pub fn start(watts: Option<f64>) -> Self {
        Self::start_at(Path::new(POWERCAP), watts)
    }

    fn start_at(root: &Path, watts: Option<f64>) -> Self {
        let counters = fs::read_dir(root).into_iter().flatten().flatten();
        let counters = counters.filter_map(|entry| Counter::open(&entry.path())).collect();
        Self { counters, watts, started: Instant::now() }
    }

    /// Joules since the start and where they come from; `None` where nothing can be said. A counter wraps about once
    /// an hour: ask more often than that.
    pub fn joules(&mut self) -> Option<(f64, Source)> {
        if self.counters.is_empty() {
            return Some((self.watts? * self.started.elapsed().as_secs_f64(), Source::Estimate));
        }
        let total: u64 = self.counters.iter_mut().map(Counter::advance).sum();
        Some((total as f64 * 1e-6, Source::Rapl))
    }
}

impl Counter {
    /// A package's counter: `intel-rapl:0`, not its parts `intel-rapl:0:1`, which it includes.
    fn open(directory: &Path) -> Option<Self> {
        let name = directory.file_name()?.to_str()?;
        let index = name.strip_prefix("intel-rapl:")?;
        index.parse::<u32>().ok()?;
        let path = directory.join("energy_uj");
        let last_microjoules = read_integer(&path)?;
        let wraps_at = read_integer(&directory.join("max_energy_range_uj"))?;
        Some(Self { path, last_microjoules, wraps_at, total_microjoules: 0 })
    }

    fn advance(&mut self) -> u64 {
        if let Some(now) = read_integer(&self.path) {
            let wrapped = if now < self.last_microjoules { self.wraps_at } else { 0 };
            self.total_microjoules += (now + wrapped).saturating_sub(self.last_microjoules);
            self.last_microjoules = now;
        }
        self.total_microjoules
    }
}

fn read_integer(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landauer_at_room_temperature() {
        // 63 phases of 32 bits at 300 K: 2016 bits of 2.871e-21 J.
        let joules = landauer_joules(300.0, 2.0_f64.powi(-32));
        assert!((joules / (2016.0 * 2.870_978_885e-21) - 1.0).abs() < 1e-8);
    }

    #[test]
    fn counts_packages_across_a_wrap_and_leaves_their_parts_out() {
        let root = std::env::temp_dir().join(format!("bloom-rapl-{}", std::process::id()));
        let write = |name: &str, energy: u64| {
            let directory = root.join(name);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("energy_uj"), format!("{energy}\n")).unwrap();
            fs::write(directory.join("max_energy_range_uj"), "1000000\n").unwrap();
        };
        write("intel-rapl:0", 900_000);
        write("intel-rapl:0:0", 500_000);
        let mut meter = EnergyMeter::start_at(&root, Some(5.0));
        write("intel-rapl:0", 100_000);
        write("intel-rapl:0:0", 900_000);
        let (joules, source) = meter.joules().unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(source, Source::Rapl);
        assert!((joules - 0.2).abs() < 1e-9);
    }

    #[test]
    fn estimates_from_watts_only_when_they_are_given() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(EnergyMeter::start_at(nowhere, None).joules(), None);
        let (joules, source) = EnergyMeter::start_at(nowhere, Some(65.0)).joules().unwrap();
        assert!(joules >= 0.0 && source == Source::Estimate);
    }
}

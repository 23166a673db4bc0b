//! A whole file, section by section.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use bloom_kernel::Backend;
use serde_json::Value;

use super::attempts::{Attempt, BrokenStreak};
use super::coupling::{Coupling, Table};
use super::dynamics::Dynamics;
use super::engines::Engines;
use super::fault::Fault;
use super::fixed::{Exp2, Log2};
use super::retarget::{AsertPhi, Golden};
use super::tally::Tally;
use super::tickets::Ticket;
use super::{constants, document, fixed, genesis, ledger, retarget, rows};

/// What a file says about itself, in words.
const ABOUT: &str = "about";

/// What came of a file.
pub(crate) struct Report {
    /// By the name of the section.
    pub(crate) sections: BTreeMap<String, Tally>,
}

impl Report {
    /// Passed and failed over all sections.
    pub(crate) fn total(&self) -> (u64, u64) {
        let sum = |of: fn(&Tally) -> u64| self.sections.values().map(of).sum();
        (sum(|tally| tally.passed), sum(|tally| tally.failed))
    }
}

/// Checks every known answer of a file on the reference and on these backends, slowest first.
///
/// # Errors
/// Where the file cannot be read, is malformed or holds no known answer; answers that fail are in the report.
pub(crate) fn check(path: &Path, backends: &[Backend]) -> Result<Report> {
    let mut document = document::open(path)?;
    let about = document.remove(ABOUT);
    let engines = Engines::new(backends);
    let judge = |(name, value): (String, Value)| {
        let tally = section(&name, &value, &engines).in_section(&name);
        (name, tally)
    };
    let mut report = Report { sections: document.into_iter().map(judge).collect() };
    if about.is_some_and(|about| !about.is_string()) {
        report.sections.insert(ABOUT.to_owned(), Tally::failed(Fault::new("expected a text").in_field(ABOUT)));
    }
    if report.total() == (0, 0) {
        bail!("{}: no known answer in it", path.display());
    }
    Ok(report)
}

fn section(name: &str, value: &Value, engines: &Engines) -> Tally {
    match name {
        "attempts" => rows::check_evolved::<Attempt>(value, engines),
        "attempts_with_broken_streak" => rows::check_evolved::<BrokenStreak>(value, engines),
        "constants" => constants::check(value),
        "coupling" => rows::check::<Coupling>(value),
        "coupling_tables" => rows::check::<Table>(value),
        "dynamics" => rows::check_evolved::<Dynamics>(value, engines),
        "exp2" => rows::check::<Exp2>(value),
        "genesis" => genesis::check(value, engines),
        "ledger" => ledger::check(value),
        "log2" => rows::check::<Log2>(value),
        "lucas_nonces" => fixed::lucas_nonces(value),
        "retarget_asert_phi" => rows::check::<AsertPhi>(value),
        "retarget_golden" => rows::check::<Golden>(value),
        "retarget_golden_chain" => retarget::golden_chain(value),
        "tickets" => rows::check::<Ticket>(value),
        _ => Tally::failed(Fault::new("unknown section: this program does not know what it means")),
    }
}

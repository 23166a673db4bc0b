//! Passed and failed of one section.

use std::fmt::Display;

use super::fault::Fault;

/// Faults of a section that are told in full.
const MOST_FAULTS: usize = 10;

/// What came of a section.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Known answers that were given.
    pub(crate) passed: u64,
    /// Known answers that were not.
    pub(crate) failed: u64,
    /// The first of the failures, each with its place.
    pub(crate) faults: Vec<Fault>,
    /// What was read but could not be held against anything, with its place.
    pub(crate) remarks: Vec<Fault>,
}

impl Tally {
    /// A section that cannot be read at all.
    pub(super) fn failed(fault: Fault) -> Self {
        let mut tally = Self::default();
        tally.count("", Err(fault));
        tally
    }

    /// Counts the verdict on what stands at `place`: `[3]`, or a field's name.
    pub(super) fn count(&mut self, place: impl Display, verdict: Result<(), Fault>) {
        match verdict {
            Ok(()) => self.passed += 1,
            Err(fault) => {
                self.failed += 1;
                if self.faults.len() < MOST_FAULTS {
                    self.faults.push(fault.in_field(&place.to_string()));
                }
            }
        }
    }

    /// The same tally, with places seen from outside the section.
    pub(super) fn in_section(mut self, name: &str) -> Self {
        let named = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.in_field(name)).collect();
        (self.faults, self.remarks) = (named(self.faults), named(self.remarks));
        self
    }

    /// Counts the verdicts on a list, in order.
    pub(super) fn count_list(&mut self, list: &str, verdicts: impl IntoIterator<Item = Result<(), Fault>>) {
        for (index, verdict) in verdicts.into_iter().enumerate() {
            self.count(format_args!("{list}[{index}]"), verdict);
        }
    }
}

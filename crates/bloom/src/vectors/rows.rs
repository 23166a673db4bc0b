//! Sections that are lists of rows.

use serde_json::Value;

use super::engines::{Engines, Evolves};
use super::fault::Fault;
use super::fields::{Fields, list};
use super::tally::Tally;

/// One known answer with what it answers.
pub(super) trait Row: Sized {
    /// Takes every field.
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault>;

    /// Holds everything but the outcome of an attempt against what the program computes.
    fn check(&self) -> Result<(), Fault>;
}

/// Reads a row whose every field is known, and checks what needs no backend.
pub(super) fn row<R: Row>(value: &Value) -> Result<R, Fault> {
    let mut fields = Fields::of(value)?;
    let row = R::read(&mut fields)?;
    fields.finish()?;
    row.check()?;
    Ok(row)
}

/// Checks a list of rows that no backend has a part in.
pub(super) fn check<R: Row>(section: &Value) -> Tally {
    let mut tally = Tally::default();
    match list(section) {
        Ok(values) => tally.count_list("", values.iter().map(|value| row::<R>(value).map(|_| ()))),
        Err(fault) => tally.count("", Err(fault)),
    }
    tally
}

/// Checks a list of rows that are attempts, on the reference and on every backend asked for.
pub(super) fn check_evolved<R: Row + Evolves>(section: &Value, engines: &Engines) -> Tally {
    let values = match list(section) {
        Ok(values) => values,
        Err(fault) => return Tally::failed(fault),
    };
    let mut tally = Tally::default();
    tally.count_list("", engines.judge(values.iter().map(row::<R>).collect()));
    tally
}

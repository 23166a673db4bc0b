//! `bloom vectors`: files of known answers, checked and made.

use std::io::{BufWriter, stdout};
use std::path::Path;

use anyhow::{Result, bail};
use bloom_kernel::Backend;
use serde_json::{Map, Value, json};

use crate::cli::{VectorsAction, VectorsArgs};
use crate::context::usage;
use crate::output::result;
use crate::vectors::{self, Fault, MOST_ROWS, Report, Tally};

pub(crate) fn run(args: &VectorsArgs) -> Result<()> {
    match &args.action {
        VectorsAction::Check { file, backend, json } => check(file, *backend, *json),
        VectorsAction::Make { count, .. } if *count > MOST_ROWS => {
            Err(usage(format!("--count: got {count}, expected at most {MOST_ROWS}")))
        }
        VectorsAction::Make { tag, count } => Ok(vectors::make(tag, *count, &mut BufWriter::new(stdout().lock()))?),
    }
}

fn check(file: &Path, backend: Option<Backend>, json: bool) -> Result<()> {
    let backends = backend.map_or_else(|| Backend::available().collect(), |backend| vec![backend]);
    let report = vectors::check(file, &backends)?;
    if json {
        print_json(&backends, &report)?;
    } else {
        print_table(&backends, &report)?;
    }
    let (passed, failed) = report.total();
    if failed > 0 {
        bail!("{}: {failed} of {} known answers failed", file.display(), passed + failed);
    }
    Ok(())
}

fn print_table(backends: &[Backend], report: &Report) -> Result<()> {
    let names: Vec<&str> = backends.iter().map(|backend| backend.name()).collect();
    result(format_args!("on the reference, {} (alone and in a batch)", names.join(", ")))?;
    result(format_args!("{:<28} {:>7} {:>7}", "section", "passed", "failed"))?;
    for (name, tally) in &report.sections {
        result(format_args!("{name:<28} {:>7} {:>7}", tally.passed, tally.failed))?;
    }
    let (passed, failed) = report.total();
    result(format_args!("{:<28} {passed:>7} {failed:>7}", "all"))?;
    for (name, tally) in &report.sections {
        print_faults(name, tally)?;
    }
    Ok(())
}

fn print_faults(name: &str, tally: &Tally) -> Result<()> {
    for fault in &tally.faults {
        result(format_args!("failed: {fault}"))?;
    }
    let untold = tally.failed - tally.faults.len() as u64;
    if untold > 0 {
        result(format_args!("failed: {name}: {untold} more"))?;
    }
    for remark in &tally.remarks {
        result(format_args!("not checked: {remark}"))?;
    }
    Ok(())
}

fn print_json(backends: &[Backend], report: &Report) -> Result<()> {
    let sections: Map<String, Value> = report
        .sections
        .iter()
        .map(|(name, tally)| {
            let texts = |faults: &[Fault]| -> Vec<String> { faults.iter().map(Fault::to_string).collect() };
            let told = json!({"passed": tally.passed, "failed": tally.failed,
                "failures": texts(&tally.faults), "not_checked": texts(&tally.remarks)});
            (name.clone(), told)
        })
        .collect();
    let names: Vec<&str> = backends.iter().map(|backend| backend.name()).collect();
    let (passed, failed) = report.total();
    Ok(result(json!({"backends": names, "passed": passed, "failed": failed, "sections": sections}))?)
}

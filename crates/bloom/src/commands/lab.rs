//! `bloom lab`: networks of real nodes in virtual time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bloom_lab::{Attack, Figures, LabError, Plan, Progress, eclipse, network};

use crate::cli::lab::{Experiment, LabArgs, LabEclipseArgs, LabNetworkArgs};
use crate::context::{backend, stop_on_interrupt, threads, usage};
use crate::live::{LiveLine, seconds};
use crate::output::{note, result};

mod table;

/// Between two lines of progress, where there is no terminal.
const REMARK_EVERY: Duration = Duration::from_secs(10);
/// Percent of attempts to surround a node that must fail.
const MUST_HOLD: f64 = 95.0;

pub(crate) fn run(args: &LabArgs) -> Result<()> {
    match &args.experiment {
        Experiment::Network(args) => simulate(args),
        Experiment::Eclipse(args) => besiege(args),
    }
}

fn simulate(args: &LabNetworkArgs) -> Result<()> {
    let plan = plan(args)?;
    plan.check().map_err(|error| usage(error.to_string()))?;
    let log = args.log.as_deref().map(create).transpose()?;
    let stop = stop_on_interrupt()?;
    let live = LiveLine::new(true);
    let (began, mut remarked) = (Instant::now(), Instant::now());
    let mut go_on = |progress: Progress| {
        let line = || {
            let (at, of) = (progress.at.secs() as f64, progress.of.as_secs_f64());
            format!("{} of {}, {} blocks, {} events", seconds(at), seconds(of), progress.blocks, progress.events)
        };
        live.show(line);
        if remarked.elapsed() > REMARK_EVERY {
            remarked = Instant::now();
            live.remark(line);
        }
        !stop.is_stopped()
    };
    let figures = network::run(&plan, log, &mut go_on).map_err(|error| match error {
        LabError::Plan(error) => usage(error.to_string()),
        other => other.into(),
    });
    live.clear();
    let figures = figures?;
    if args.json {
        result(serde_json::to_string(&figures).context("figures are JSON")?)?;
    } else {
        result(table::network(&figures))?;
        note(format_args!(
            "{} of virtual time in {}",
            seconds(f64::from(args.hours) * 3_600.0),
            seconds(began.elapsed().as_secs_f64())
        ));
    }
    verdict(&figures)
}

fn plan(args: &LabNetworkArgs) -> Result<Plan> {
    let nodes = args.nodes as usize;
    let quiet = Plan::new(nodes, args.hours, args.seed, backend(None)?);
    Ok(Plan {
        miners: args.miners.map_or(quiet.miners, |miners| miners as usize),
        interval: Duration::from_secs(args.interval.into()),
        liars: args.liars,
        stallers: args.stallers,
        churn: args.churn,
        partition: args.partition,
        latency: Duration::from_millis(args.latency.into()),
        bandwidth: u64::from(args.bandwidth) * 1_000_000,
        transactions: args.transactions,
        ..quiet
    })
}

fn create(path: &Path) -> Result<Box<dyn Write>> {
    let file = File::create(path).with_context(|| {
        format!("the log {} cannot be made; name a file in a directory that can be written", path.display())
    })?;
    Ok(Box::new(BufWriter::new(file)))
}

/// What must hold of every network of honest nodes, whoever else is in it.
fn verdict(figures: &Figures) -> Result<()> {
    if !figures.converged {
        bail!("the honest nodes are on {} tips, expected one: run it again with --log FILE to see why", figures.tips);
    }
    if figures.honest_banned > 0 {
        bail!("honest nodes banned {} honest ones, expected none: see --log FILE", figures.honest_banned);
    }
    Ok(())
}

fn besiege(args: &LabEclipseArgs) -> Result<()> {
    if args.groups > args.addresses {
        return Err(usage(format!(
            "--groups: got {}, expected at most one for each of {} addresses",
            args.groups, args.addresses
        )));
    }
    let attack = Attack {
        seeds: args.seeds,
        first_seed: args.seed,
        addresses: args.addresses as usize,
        groups: args.groups as usize,
        backend: backend(None)?,
        threads: threads(None),
    };
    let stop = stop_on_interrupt()?;
    let live = LiveLine::new(true);
    let siege = eclipse::besiege(&attack, &|done| {
        live.show(|| format!("{done} of {} attempts", args.seeds));
        !stop.is_stopped()
    });
    live.clear();
    let Some(siege) = siege else { bail!("stopped: no figures") };
    if args.json {
        result(serde_json::to_string(&siege).context("figures are JSON")?)?;
    } else {
        result(table::siege(&siege))?;
    }
    if siege.held_percent < MUST_HOLD {
        bail!(
            "at least {} of 8 outbound slots stayed honest in {:.1} % of attempts, expected {MUST_HOLD} %",
            eclipse::MUST_STAY,
            siege.held_percent
        );
    }
    Ok(())
}

//! `bloom bench`: every way to evolve an attempt, timed side by side in short turns.
//!
//! One run goes round and round: a turn for each contestant, then again. What disturbs the machine disturbs them all,
//! and the medians are compared. All of them evolve the same attempts at difficulty 1.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bloom_kernel::Backend;

use crate::cli::BenchArgs;
use crate::context::{stop_on_interrupt, usage};
use crate::live::LiveLine;
use crate::output::{note, result};

mod contestants;
mod figures;
mod headers;
mod mean_field;

use contestants::Contestant;
use figures::Figures;
use headers::Headers;

/// How long a contestant is timed before it is the next one's turn.
const TURN: Duration = Duration::from_millis(5);
/// Threads at most: each keeps a batch of 160 KiB for every backend.
const MOST_THREADS: usize = 256;

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    let threads = args.threads.get();
    if threads > MOST_THREADS {
        return Err(usage(format!("--threads: got {threads}, expected at most {MOST_THREADS}")));
    }
    for backend in Backend::available() {
        backend.self_test()?;
    }
    let stop = stop_on_interrupt()?;
    let mut contestants = Contestant::all(threads);
    let mut headers = Headers::mine(Backend::detect());
    let live = LiveLine::new(true);
    note(format_args!("measuring for {} s; Ctrl-C ends it sooner", args.seconds));
    let length = Duration::from_secs(args.seconds.into());
    let began = Instant::now();
    let mut laps = 0_u32;
    while !stop.is_stopped() && (laps == 0 || began.elapsed() < length) {
        for contestant in &mut contestants {
            contestant.turn(TURN);
        }
        headers.turn();
        laps += 1;
        live.show(|| format!("{:.0} of {} s, {laps} laps", began.elapsed().as_secs_f64(), args.seconds));
    }
    live.clear();
    if laps == 0 {
        bail!("stopped before anything was measured");
    }
    let figures = Figures::new(&contestants, &headers, laps, began.elapsed());
    if args.json {
        return Ok(result(figures.json())?);
    }
    Ok(result(figures.table())?)
}

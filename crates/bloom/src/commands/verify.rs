//! `bloom verify`: everything stored, judged anew.

use std::time::Instant;

use anyhow::Result;
use bloom_chain::{Chain, Options, Pruning, ReindexProgress, Verified, VerifyProgress};
use bloom_consensus::Height;
use serde_json::json;

use crate::cli::VerifyArgs;
use crate::context::{backend, cancel_on, open_chain, stop_on_interrupt, threads, usage};
use crate::live::{LiveLine, seconds, si};
use crate::output::{note, result};

pub(crate) fn run(args: &VerifyArgs) -> Result<()> {
    let (params, directory) = args.place.resolve()?;
    let backend = backend(args.backend)?;
    let live = LiveLine::new(!args.json);
    let mut chain = if args.reindex {
        let options = Options { backend, ..Options::default() };
        let show = &mut |progress: ReindexProgress| {
            live.show(|| format!("reindexing: block {} of {}", progress.done, progress.total));
        };
        let (chain, reindexed) = Chain::reindex(&directory, &params, options, show)?;
        live.clear();
        note(format_args!(
            "reindexed: {} blocks found, {} left out; the old file is {}",
            reindexed.found,
            reindexed.left_out,
            reindexed.kept.display()
        ));
        if reindexed.missing > 0 {
            note(format_args!(
                "{} blocks that had been stored were not found: lost, or invalid ones",
                reindexed.missing
            ));
        }
        if let Some(lost) = reindexed.lost {
            note(format_args!("the block stored last, {lost}, was not found"));
        }
        chain
    } else {
        open_chain(&directory, &params, backend, false)?
    };
    let tip = chain.tip();
    if args.from > tip.height.0 {
        return Err(usage(format!(
            "--from: got height {}, expected at most that of the tip, {}",
            args.from, tip.height
        )));
    }
    let cancel = cancel_on(stop_on_interrupt()?);
    let began = Instant::now();
    let mut proofs_took = 0.0;
    let mut show = |progress: VerifyProgress| {
        if matches!(progress, VerifyProgress::Proofs { .. }) {
            proofs_took = began.elapsed().as_secs_f64();
        }
        live.show(|| describe(progress, began));
    };
    let threads = threads(args.threads);
    let verified = chain.verify(Height(args.from), threads.get(), &mut show, &cancel)?;
    live.clear();
    if let Some(Pruning { horizon, .. }) = chain.pruning()
        && args.from < horizon.0
    {
        note(format_args!(
            "bodies and spending below height {horizon} were pruned: there headers and proofs were checked"
        ));
    }
    let Verified { proofs, bodies, replayed } = verified;
    let (took, rate) = (began.elapsed().as_secs_f64(), proofs as f64 / proofs_took);
    if args.json {
        return Ok(result(json!({"network": params.name, "height": tip.height.0, "tip": tip.hash.to_string(),
            "from": args.from, "proofs": proofs, "bodies": bodies, "replayed": replayed, "seconds": took,
            "threads": threads, "proofs_per_second": rate,
            "pruned_below": chain.pruning().map(|pruning| pruning.horizon.0), "state": hex::encode(chain.state_digest()?)}))?);
    }
    Ok(result(format_args!(
        "{} is valid from height {} to {} ({}): {proofs} proofs ({}/s on {threads} threads), {bodies} bodies, {replayed} blocks replayed in {}",
        params.name,
        args.from,
        tip.height,
        tip.hash,
        si(rate),
        seconds(took)
    ))?)
}

fn describe(progress: VerifyProgress, began: Instant) -> String {
    let (what, done, total) = match progress {
        VerifyProgress::Proofs { done, total } => ("proofs", done, total),
        VerifyProgress::Bodies { done, total } => ("bodies", done, total),
        VerifyProgress::Spending { done, total } => ("spending", done, total),
    };
    format!("verifying {what}: {done} of {total}, {}", seconds(began.elapsed().as_secs_f64()))
}

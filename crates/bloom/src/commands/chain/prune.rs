//! `bloom chain prune`: old blocks dropped, the space given back.

use std::fs;
use std::path::Path;

use anyhow::Result;
use bloom_chain::{Chain, Keep, PruneProgress, Pruning};
use serde_json::json;

use crate::context::{cancel_on, stop_on_interrupt, usage};
use crate::live::LiveLine;
use crate::output::result;

pub(super) fn prune(chain: &mut Chain, directory: &Path, keep: Option<u64>, json: bool) -> Result<()> {
    let keep = match keep {
        Some(blocks) => Keep::new(blocks).map_err(|error| usage(format!("--keep: {error}")))?,
        None => chain.pruning().map_or(Keep::LEAST, |pruning| pruning.keep),
    };
    let bytes = || fs::metadata(directory.join("chain.redb")).map(|metadata| metadata.len());
    let before = bytes()?;
    let cancel = cancel_on(stop_on_interrupt()?);
    let live = LiveLine::new(!json);
    let mut show = |PruneProgress { done, total }| live.show(|| format!("pruning: height {done} of {total}"));
    let Pruning { horizon, .. } = chain.prune(keep, &mut show, &cancel)?;
    live.clear();
    let after = bytes()?;
    if json {
        return Ok(result(json!({"pruned_below": horizon.0, "kept": keep.blocks(), "bytes_before": before,
            "bytes_after": after}))?);
    }
    Ok(result(format_args!(
        "blocks below height {horizon} are dropped, of the last {keep} all is kept; the file has {after} bytes, had {before}"
    ))?)
}

//! `bloom chain export` and `import`: the chain out to an archive and back in.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use bloom_chain::{ArchiveReader, Chain, ExportError, LiveChain, TransferProgress};
use bloom_consensus::{Height, NetworkId};
use bloom_miner::unix_time;
use serde_json::json;

use crate::context::{cancel_on, open_file, stop_on_interrupt, threads, usage};
use crate::live::{LiveLine, seconds, si};
use crate::output::{counted, note, result};

/// Of a stream to or from a disk.
const BUFFER_BYTES: usize = 1 << 20;

pub(super) fn export(chain: &Chain, file: &Path, from: u64, json: bool) -> Result<()> {
    let began = Instant::now();
    let bytes = if is_stream(file) {
        drop(write_archive(chain, from, io::stdout().lock(), !json)?);
        None
    } else {
        Some(export_to_file(chain, file, from, !json)?)
    };
    let (count, took) = (chain.tip().height.0 + 1 - from, began.elapsed().as_secs_f64());
    let blocks = counted(count, "block");
    let Some(bytes) = bytes else {
        note(format_args!("{blocks} from height {from} on written in {}", seconds(took)));
        return Ok(());
    };
    if json {
        return Ok(result(json!({"from": from, "height": chain.tip().height.0, "hash": chain.tip().hash.to_string(),
            "blocks": count, "bytes": bytes, "seconds": took}))?);
    }
    Ok(result(format_args!(
        "{blocks} from height {from} to {} in {}, {bytes} bytes, written in {}",
        chain.tip().height,
        file.display(),
        seconds(took)
    ))?)
}

/// Writes beside the file and moves it there when it is whole: what is there under its own name can be trusted.
fn export_to_file(chain: &Chain, path: &Path, from: u64, live: bool) -> Result<u64> {
    if path.exists() {
        return Err(usage(format!("{} exists; choose another name or remove it", path.display())));
    }
    let unfinished = unfinished(path);
    let file = File::create(&unfinished).with_context(|| format!("cannot make {}", unfinished.display()))?;
    let file = match write_archive(chain, from, file, live) {
        Ok(file) => file,
        Err(error) => {
            // Half an archive is of no use: the next export begins anew. That it cannot be removed is the lesser fault.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
    };
    file.sync_all().with_context(|| format!("cannot write {}", unfinished.display()))?;
    put_in_place(&unfinished, path)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).context("the archive's directory")?;
    Ok(file.metadata()?.len())
}

/// Gives a whole file its name. Whatever has got that name since is left as it is.
fn put_in_place(whole: &Path, path: &Path) -> Result<()> {
    let place = || format!("cannot make {}", path.display());
    match File::create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(usage(format!(
            "{} was made meanwhile, and is not overwritten: the whole archive is {}",
            path.display(),
            whole.display()
        ))),
        Err(error) => Err(error).with_context(place),
        Ok(_) => fs::rename(whole, path).with_context(place),
    }
}

fn write_archive<W: Write>(chain: &Chain, from: u64, stream: W, live: bool) -> Result<W> {
    let cancel = cancel_on(stop_on_interrupt()?);
    let live = LiveLine::new(live);
    let mut show = |progress: TransferProgress| live.show(|| describe("exporting", progress));
    let stream = BufWriter::with_capacity(BUFFER_BYTES, stream);
    let stream = chain.export(Height(from), stream, &mut show, &cancel).map_err(|error| match error {
        ExportError::From { .. } => usage(format!("--from: {error}")),
        error => error.into(),
    })?;
    Ok(stream.into_inner().map_err(io::IntoInnerError::into_error)?)
}

/// The archive is looked at before a chain is begun for it. What a branch that it displaces had held waits again.
pub(super) fn import(
    network_id: &NetworkId,
    open: impl FnOnce() -> Result<LiveChain>,
    file: &Path,
    json: bool,
) -> Result<()> {
    let stream: Box<dyn Read> = if is_stream(file) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(open_file(file).with_context(|| format!("cannot open {}", file.display()))?)
    };
    let mut archive = ArchiveReader::new(BufReader::with_capacity(BUFFER_BYTES, stream), network_id)?;
    let mut chain = open()?;
    let cancel = cancel_on(stop_on_interrupt()?);
    let began = Instant::now();
    let live = LiveLine::new(!json);
    let mut show = |progress: TransferProgress| live.show(|| describe("importing", progress));
    let imported = chain.import(&mut archive, threads(None), unix_time(), &mut show, &cancel);
    live.clear();
    let saved = chain.save();
    let imported = imported?;
    saved?;
    let chain = chain.chain();
    let (tip, took) = (chain.tip(), began.elapsed().as_secs_f64());
    if json {
        return Ok(result(json!({"taken": imported.taken, "known": imported.known, "height": tip.height.0,
            "hash": tip.hash.to_string(), "state": hex::encode(chain.state_digest()?), "seconds": took}))?);
    }
    Ok(result(format_args!(
        "{} taken, {} known already, in {} ({} blocks/s); the tip is {} at height {}",
        counted(imported.taken, "block"),
        imported.known,
        seconds(took),
        si(imported.taken as f64 / took),
        tip.hash,
        tip.height
    ))?)
}

/// `-` is stdin or stdout.
fn is_stream(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".unfinished");
    name.into()
}

fn describe(doing: &str, TransferProgress { done, total }: TransferProgress) -> String {
    format!("{doing}: block {done} of {total}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_made_during_an_export_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, path) = (dir.path().join("blocks.unfinished"), dir.path().join("blocks"));
        fs::write(&whole, "archive").unwrap();
        fs::write(&path, "somebody's").unwrap();
        let said = put_in_place(&whole, &path).unwrap_err().to_string();
        assert!(said.contains("the whole archive is") && said.contains("blocks.unfinished"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");
        fs::remove_file(&path).unwrap();
        put_in_place(&whole, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "archive");
        assert!(!whole.exists());
    }
}

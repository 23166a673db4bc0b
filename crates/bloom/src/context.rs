//! What a command line means by a network, a data directory, a number of threads.

use std::fs;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use bloom_chain::{Chain, LiveChain, MempoolLimits, Options};
use bloom_consensus::{Difficulty, Params};
use bloom_kernel::Backend;
use bloom_miner::{StopSignal, unix_time};
use directories::ProjectDirs;

use crate::cli::Place;
use crate::output::{UsageError, note};

/// A parameter file is a dozen short lines.
const MAX_PARAMETER_BYTES: u64 = 64 << 10;

/// The network of that name, or the one that a parameter file of that name defines.
pub(crate) fn network(name: &str) -> Result<Params> {
    match Params::by_name(name) {
        Some(params) => Ok(params),
        None => Ok(Params::from_toml(&parameter_file(name)?).map_err(|error| usage(format!("{name}: {error}")))?),
    }
}

/// The text of a parameter file.
pub(crate) fn parameter_file(name: &str) -> Result<String> {
    let unknown =
        |error| usage(format!("unknown network {name}: expected main, test, dev or a parameter file ({error})"));
    let file = open_file(Path::new(name)).map_err(unknown)?;
    let mut text = String::new();
    file.take(MAX_PARAMETER_BYTES + 1).read_to_string(&mut text).map_err(unknown)?;
    if text.len() as u64 > MAX_PARAMETER_BYTES {
        return Err(usage(format!("{name}: expected a parameter file of at most {MAX_PARAMETER_BYTES} bytes")));
    }
    Ok(text)
}

/// Opens a file to read, unless it is a pipe: that could keep its reader waiting for ever.
pub(crate) fn open_file(path: &Path) -> io::Result<fs::File> {
    if fs::metadata(path)?.file_type().is_fifo() {
        return Err(io::Error::other("it is a pipe, expected a file"));
    }
    fs::File::open(path)
}

impl Place {
    /// The network and its directory.
    pub(crate) fn resolve(&self) -> Result<(Params, PathBuf)> {
        let params = network(&self.network)?;
        let directory = match &self.data_dir {
            Some(directory) => directory.clone(),
            None => default_directory(&params)?,
        };
        Ok((params, directory))
    }
}

/// A directory of the platform's for each network; those of parameter files go by their magic.
fn default_directory(params: &Params) -> Result<PathBuf> {
    let project = ProjectDirs::from("", "", "bloomcoin")
        .context("this system names no directory for application data: say --data-dir DIR")?;
    let is_well_known = Params::by_name(&params.name).is_some();
    let name = if is_well_known { params.name.clone() } else { hex::encode(params.magic) };
    Ok(project.data_dir().join(name))
}

/// Opens the chain in a directory; if there is none, begins one or says so.
pub(crate) fn open_chain(directory: &Path, params: &Params, backend: Backend, create: bool) -> Result<Chain> {
    Ok(Chain::open(directory, params, Options { backend, create, ..Options::default() })?)
}

/// Opens the chain in a directory with what waits for it; if there is none, begins one or says so. What could not be
/// taken up again of what waited is remarked.
pub(crate) fn open_live(directory: &Path, params: &Params, backend: Backend, create: bool) -> Result<LiveChain> {
    open_live_with(directory, params, Options { backend, create, ..Options::default() })
}

/// As [`open_live`], with every option.
pub(crate) fn open_live_with(directory: &Path, params: &Params, options: Options) -> Result<LiveChain> {
    let live = LiveChain::open(directory, params, options, MempoolLimits::default(), unix_time())?;
    if let Some(fault) = &live.loaded().fault {
        note(fault);
    }
    Ok(live)
}

/// The backend that was asked for, or the fastest, once it has shown that it can be believed.
pub(crate) fn backend(asked: Option<Backend>) -> Result<Backend> {
    let backend = asked.unwrap_or_else(Backend::detect);
    backend.self_test()?;
    Ok(backend)
}

/// The threads that were asked for, or one a core.
pub(crate) fn threads(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// A signal that Ctrl-C and SIGTERM give. The second time they end the process on the spot.
pub(crate) fn stop_on_interrupt() -> Result<StopSignal> {
    static ASKED: AtomicBool = AtomicBool::new(false);
    let stop = StopSignal::new();
    let signal = stop.clone();
    ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        signal.stop();
        note("finishing; once more ends at once");
    })
    .context("no handler for Ctrl-C")?;
    Ok(stop)
}

/// The flag that the chain looks at while it is busy, raised when the signal is given.
pub(crate) fn cancel_on(stop: StopSignal) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    thread::spawn(move || {
        while !stop.is_stopped() {
            thread::sleep(Duration::from_millis(50));
        }
        raised.store(true, Ordering::Relaxed);
    });
    flag
}

/// A decimal difficulty like 0.25, 1048576 or 1.5e6's plain form, exactly or rounded down to 2⁻²⁴.
pub(crate) fn difficulty(text: &str) -> Result<Difficulty> {
    let bad = || usage(format!("difficulty: got {text}, expected a decimal number from 0.25 to 18446744073709551616"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(bad());
    }
    let whole: u128 = whole.parse().map_err(|_| bad())?;
    let fraction_value: u128 = fraction.parse().map_err(|_| bad())?;
    let scale = 10_u128.pow(fraction.len() as u32); // at most 20 digits
    let q24 = (whole << 24) + (fraction_value << 24) / scale;
    Difficulty::from_q24(q24).map_err(|_| bad())
}

/// A refused argument.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}

#[cfg(test)]
mod tests {
    use super::difficulty;

    #[test]
    fn difficulties_are_read_exactly() {
        for (text, q24) in [("0.25", 1 << 22), ("1", 1 << 24), ("1.5", 3 << 23), ("18446744073709551616", 1 << 88)] {
            assert_eq!(difficulty(text).unwrap().q24(), q24);
        }
        for bad in ["", ".", "1.", "-1", "1e3", "0.2", "18446744073709551617", "1.000000000000000000001", "NaN", "1_0"]
        {
            assert!(difficulty(bad).is_err(), "{bad}");
        }
    }
}

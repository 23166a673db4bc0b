//! `bloom node`: the node in the foreground, until it is told to end.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bloom_chain::{Keep, Options};
use bloom_consensus::{Params, address};
use bloom_kernel::Backend;
use bloom_miner::{MinerConfig, Pace};
use bloom_net::transport::TransportError;
use bloom_node::{CONFIG_FILE, Choices, Ending, Mining, NodeEvent, StartError, log, start};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::cli::NodeArgs;
use crate::context::{backend, open_live_with, stop_on_interrupt, threads, usage};
use crate::key::own_key;
use crate::output::{DataError, note, result};

/// Events that whoever reads stdout has not taken; more are dropped, the node does not wait.
const MOST_EVENTS: usize = 4_096;
/// How soon Ctrl-C is noticed.
const TICK: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &NodeArgs) -> Result<()> {
    let (params, directory) = args.place.resolve()?;
    let chosen = choices(args).over(file(args, &directory)?);
    let settings = chosen.resolve(params.clone(), directory.clone()).map_err(|error| usage(error.to_string()))?;
    let backend = backend(args.backend)?;
    let payout = chosen.address.as_deref().map(|text| address::decode(&params.address_prefix, text));
    let payout = payout.transpose().map_err(|error| usage(format!("address: {error}")))?;
    let prune = chosen.prune.unwrap_or(false).then_some(Keep::LEAST);
    let chain = open_live_with(&directory, &params, Options { backend, prune, ..Options::default() })?;
    log::begin(settings.log, &directory)
        .map_err(|error| data(&directory, &format!("no log can be written: {error}")))?;
    let mining = if chosen.mine.unwrap_or(false) {
        let payout = payout.map_or_else(|| own_key(&directory), Ok)?;
        Some(mining(&chosen, &params, backend, payout))
    } else {
        None
    };
    let stop = stop_on_interrupt()?;
    let (sender, events) = bounded(MOST_EVENTS);
    let node = start(settings, chain, backend, mining, sender).map_err(|error| explain(error, &directory))?;
    let handle = node.handle().clone();
    let printed = print(args.json, &events, || {
        if stop.is_stopped() {
            handle.stop();
        }
    });
    handle.stop();
    match node.wait() {
        Ending::Asked => printed,
        Ending::Fault(fault) => Err(DataError(fault).into()),
    }
}

/// What the command line and the environment choose.
fn choices(args: &NodeArgs) -> Choices {
    Choices {
        listen: args.listen.clone(),
        connect: args.connect.clone(),
        add_peer: args.add_peer.clone(),
        seed: args.seed.clone(),
        max_peers: args.max_peers,
        mdns: args.mdns,
        upnp: args.upnp,
        kademlia: args.kademlia,
        socks5: args.socks5.clone(),
        mine: args.mine,
        threads: args.threads,
        address: args.address.clone(),
        pace: args.pace,
        blocks: args.blocks,
        prune: args.prune,
        notify: args.notify.clone(),
        log: args.log.clone(),
        disk_warn_mib: args.disk_warn_mib,
        disk_stop_mib: args.disk_stop_mib,
    }
}

/// What the configuration file chooses: the one that was named, or the data directory's if there is one.
fn file(args: &NodeArgs, directory: &Path) -> Result<Choices> {
    let read = match &args.config {
        Some(path) => Choices::read(path, true),
        None => Choices::read(&directory.join(CONFIG_FILE), false),
    };
    read.map_err(|error| usage(error.to_string()))
}

fn mining(chosen: &Choices, params: &Params, backend: Backend, payout: bloom_consensus::OutputKey) -> Mining {
    let config = MinerConfig { threads: threads(chosen.threads), backend, ..MinerConfig::default() };
    Mining { config, payout, pace: Pace::of(params, chosen.pace), blocks: chosen.blocks }
}

/// Prints what happens until the node has ended, as long as somebody reads it; `look` is called all the while.
fn print(as_json: bool, events: &Receiver<NodeEvent>, look: impl Fn()) -> Result<()> {
    let mut is_read = as_json;
    loop {
        look();
        match events.recv_timeout(TICK) {
            Ok(event) => {
                if is_read && let Err(error) = result(serde_json::to_string(&event).context("an event in JSON")?) {
                    is_read = false;
                    note(format_args!(
                        "no more events are printed, for stdout does not take them: {error}; the node goes on"
                    ));
                }
                if matches!(event, NodeEvent::End { .. }) {
                    return Ok(());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// A node that does not start because of what is in its directory is told from one that was told nonsense.
fn explain(error: StartError, directory: &Path) -> anyhow::Error {
    match error {
        StartError::DiskFull { .. } | StartError::Transport(TransportError::Key(_)) => {
            DataError(error.to_string()).into()
        }
        StartError::Transport(TransportError::Listen { .. } | TransportError::ListenSilent { .. }) => {
            usage(error.to_string())
        }
        error => anyhow::Error::new(error).context(format!("the node in {} does not start", directory.display())),
    }
}

fn data(path: &Path, what: &str) -> DataError {
    DataError(format!("{}: {what}", path.display()))
}

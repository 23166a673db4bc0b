//! `bloom peers`: asking the node that runs in the data directory, or its files where none runs.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use bloom_consensus::Timestamp;
use bloom_net::Ban;
use bloom_net::event::BanKey;
use bloom_node::control::{ControlError, Request, ask};
use bloom_node::{FileError, load_bans, load_book, store_bans, to_dial};
use serde_json::{Value, json};

use crate::cli::{PeersAction, PeersArgs};
use crate::context::usage;
use crate::live::seconds;
use crate::output::{DataError, counted, note, result};

pub(crate) fn run(args: &PeersArgs) -> Result<()> {
    let (_, directory) = args.place.resolve()?;
    let request = request(args.action.as_ref())?;
    let answer = match ask(&directory, &request) {
        Ok(answer) => answer,
        Err(ControlError::NotRunning { .. }) => without_node(&directory, &request)?,
        Err(error @ ControlError::Io { .. }) => return Err(DataError(error.to_string()).into()),
        Err(error) => return Err(error.into()),
    };
    if args.json { Ok(result(answer)?) } else { print(&request, &answer) }
}

fn request(action: Option<&PeersAction>) -> Result<Request> {
    Ok(match action {
        None | Some(PeersAction::List) => Request::Peers,
        Some(PeersAction::Status) => Request::Status,
        Some(PeersAction::Add { address }) => Request::Add { address: checked(address)? },
        Some(PeersAction::Remove { address }) => Request::Remove { address: checked(address)? },
        Some(PeersAction::Ban { ip, hours }) => Request::Ban { ip: *ip, secs: hours * 3_600 },
        Some(PeersAction::Unban { who }) => {
            let key: BanKey = who.parse().map_err(|_: bloom_net::BanError| {
                usage(format!("got {who:?}, expected an IP address or the 64 digits of a peer's key"))
            })?;
            Request::Unban { who: key.to_string() }
        }
        Some(PeersAction::Bans) => Request::Bans,
    })
}

fn checked(address: &str) -> Result<String> {
    Ok(to_dial(address).map_err(usage)?.to_string())
}

/// What the files of a node that does not run say, and what can be changed in them.
fn without_node(directory: &Path, request: &Request) -> Result<Value> {
    if !directory.is_dir() {
        return Err(
            DataError(format!("no node ever ran in {}: start one with `bloom node`", directory.display())).into()
        );
    }
    note(format_args!("no node runs in {}: these are its files", directory.display()));
    let read = |error: FileError| DataError(format!("{error}; move it away and it will be begun anew"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    match request {
        Request::Peers => {
            let book = load_book(directory).map_err(read)?;
            let (new, tried) = book.map_or((0, 0), |book| book.counts());
            Ok(json!({"peers": [], "known": {"new": new, "tried": tried}}))
        }
        Request::Bans => {
            let bans = load_bans(directory).map_err(read)?;
            let in_force = bans.iter().filter(|ban| ban.until.0 > now);
            Ok(json!({"bans": in_force.map(ban_json).collect::<Vec<_>>()}))
        }
        Request::Ban { ip, secs } => {
            let mut bans = load_bans(directory).map_err(read)?;
            let ban = Ban { key: BanKey::of(*ip), until: Timestamp(now.saturating_add(*secs)) };
            bans.retain(|other| other.key != ban.key);
            bans.push(ban);
            store(directory, &bans)?;
            Ok(ban_json(&ban))
        }
        Request::Unban { who } => {
            let key: BanKey = who.parse().map_err(|error: bloom_net::BanError| usage(error.to_string()))?;
            let mut bans = load_bans(directory).map_err(read)?;
            let before = bans.len();
            bans.retain(|ban| ban.key != key);
            store(directory, &bans)?;
            Ok(json!({"who": who, "unbanned": bans.len() < before}))
        }
        Request::Status
        | Request::Add { .. }
        | Request::Remove { .. }
        | Request::Submit { .. }
        | Request::Mine { .. }
        | Request::Stop => {
            bail!(
                "no node runs in {}: start one with `bloom node`, with --add-peer ADDR to have it seek a peer",
                directory.display()
            )
        }
    }
}

fn store(directory: &Path, bans: &[Ban]) -> Result<()> {
    store_bans(directory, bans).map_err(|error| DataError(error.to_string()).into())
}

fn ban_json(ban: &Ban) -> Value {
    json!({"who": ban.key.to_string(), "until": ban.until.0})
}

/// The same for people.
fn print(request: &Request, answer: &Value) -> Result<()> {
    match request {
        Request::Peers => peers(answer),
        Request::Status => status(answer),
        Request::Bans => {
            let bans = list(answer, "bans");
            for ban in bans {
                result(format_args!("{}  until {}", text(ban, "who"), time(number(ban, "until"))))?;
            }
            note(counted(bans.len(), "ban"));
            Ok(())
        }
        Request::Ban { .. } => {
            Ok(result(format_args!("{} is kept out until {}", text(answer, "who"), time(number(answer, "until"))))?)
        }
        Request::Unban { who } if answer["unbanned"] == true => Ok(result(format_args!("{who} is let in again"))?),
        Request::Unban { who } => bail!("{who} was not kept out; `bloom peers bans` lists who is"),
        Request::Add { address } if answer["added"] == true => {
            Ok(result(format_args!("{address} is sought from now on"))?)
        }
        Request::Add { address } => bail!("{address} is not sought: too many are, remove one first"),
        Request::Remove { address } if answer["removed"] == true => {
            Ok(result(format_args!("{address} is sought no more"))?)
        }
        Request::Remove { address } => bail!("{address} was not sought by hand"),
        Request::Submit { .. } | Request::Mine { .. } | Request::Stop => Ok(result(answer)?),
    }
}

fn peers(answer: &Value) -> Result<()> {
    let peers = list(answer, "peers");
    for peer in peers {
        let round_trip = match peer["round_trip_us"].as_u64() {
            Some(micros) => format!("{:.1} ms", micros as f64 / 1e3),
            None => "-".to_owned(),
        };
        result(format_args!(
            "{:>4}  {} {:<28} said height {:<8} {:>9}  {:>10} in {:>10} out  for {:<8} score {:<3} {}",
            number(peer, "peer"),
            if peer["inbound"] == true { "from" } else { "to  " },
            text(peer, "address"),
            number(peer, "height"),
            round_trip,
            bytes(number(peer, "bytes_in")),
            bytes(number(peer, "bytes_out")),
            seconds(number(peer, "connected_secs") as f64),
            number(peer, "score"),
            text(peer, "agent"),
        ))?;
    }
    note(counted(peers.len(), "peer"));
    if let Some(known) = answer.get("known") {
        note(format_args!(
            "known addresses: {} that were reached, {} more",
            number(known, "tried"),
            number(known, "new")
        ));
    }
    Ok(())
}

fn status(answer: &Value) -> Result<()> {
    let mempool = &answer["mempool"];
    let listening: Vec<_> = list(answer, "listening").iter().filter_map(Value::as_str).collect();
    let state = match (answer["behind"] == true, number(answer, "inbound") + number(answer, "outbound")) {
        (true, _) => "catching up",
        (false, 0) => "no peers",
        (false, _) => "in step",
    };
    result(format_args!("network    {}, {state}", text(answer, "network")))?;
    result(format_args!("tip        {} at height {}", text(answer, "tip"), number(answer, "height")))?;
    let header = answer["best_header"].as_u64().unwrap_or(0).max(number(answer, "height"));
    result(format_args!("proven     height {header}, the best header"))?;
    result(format_args!("claimed    height {} by peers, unproven", number(answer, "claimed")))?;
    result(format_args!("peers      {} sought, {} came", number(answer, "outbound"), number(answer, "inbound")))?;
    let sought: Vec<_> = list(answer, "sought").iter().filter_map(Value::as_str).collect();
    if !sought.is_empty() {
        result(format_args!("by hand    {}", sought.join(", ")))?;
    }
    result(format_args!(
        "listening  {}",
        if listening.is_empty() { "nowhere".to_owned() } else { listening.join(", ") }
    ))?;
    result(format_args!(
        "mempool    {}, {}",
        counted(number(mempool, "transactions"), "transaction"),
        bytes(number(mempool, "bytes"))
    ))?;
    result(format_args!(
        "traffic    {} in, {} out, over the connections that stand",
        bytes(number(answer, "bytes_in")),
        bytes(number(answer, "bytes_out"))
    ))?;
    result(format_args!("memory     {}", bytes(number(answer, "resident_bytes"))))?;
    Ok(result(format_args!("process    {}", number(answer, "process")))?)
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

fn number(answer: &Value, name: &str) -> u64 {
    answer[name].as_u64().unwrap_or(0)
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or("-")
}

fn bytes(count: u64) -> String {
    format!("{}B", crate::live::si(count as f64))
}

fn time(unix: u64) -> String {
    let known = i64::try_from(unix).ok().and_then(|unix| jiff::Timestamp::from_second(unix).ok());
    known.map_or_else(|| format!("second {unix}"), |time| time.to_string())
}

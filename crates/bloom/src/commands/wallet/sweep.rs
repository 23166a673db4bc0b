//! `bloom wallet sweep`: the coins of the key that `bloom mine` made for itself, brought into the wallet.

use std::path::Path;

use anyhow::Result;
use bloom_consensus::{Amount, Height};
use bloom_wallet::sweep::{Found, Sweep, find};
use bloom_wallet::{Note, WalletError};
use serde_json::{Value, json};

use super::Session;
use super::ready::{Ready, failure, refused};
use super::sending::{agree, fee_line, system_rng};
use super::show::units;
use crate::cli::spending::SweepArgs;
use crate::key::{FileKey, key_in, own_key_path};
use crate::output::{counted, result};

pub(super) fn run(session: &Session, args: &SweepArgs) -> Result<()> {
    let path = args.file.clone().unwrap_or_else(|| own_key_path(&session.directory));
    let key = key_in(&path)?; // before anybody is asked for a password
    let mut ready = Ready::open_and_tell(session)?;
    let found = find(&ready.node, &key.output_key()).map_err(|error| failure(WalletError::Node(error)))?;
    let rate = ready.rate(args.fee.fee_rate)?;
    let sweeps = found.pay_to(ready.wallet.sweep_key(), rate).map_err(refused)?;
    for sweep in sweeps.iter().filter(|_| !args.fee.allow_high_fee) {
        sweep.check_fee().map_err(refused)?;
    }
    if args.fee.dry_run {
        for sweep in &sweeps {
            report(session, sweep, "not sent: dry run")?;
        }
    } else if !sweeps.is_empty() {
        if !args.fee.yes {
            agree(&sweeps.iter().flat_map(|sweep| lines(session, sweep)).collect::<Vec<_>>())?;
        }
        send(session, &mut ready, &key, &found, &sweeps)?;
    }
    summary(session, &path, &key, &found, &sweeps, args.fee.dry_run)
}

/// Each is recorded before it is sent and told once it is, as every payment.
fn send(session: &Session, ready: &mut Ready, key: &FileKey, found: &Found, sweeps: &[Sweep]) -> Result<()> {
    let mut rng = system_rng()?;
    for sweep in sweeps {
        let network = &session.params.network_id;
        let transaction = sweep.sign(network, key.pair(), found.tip, &mut rng).map_err(refused)?;
        ready.wallet.record(&transaction, Note::default(), ready.now).map_err(failure)?;
        let txid = transaction.txid();
        ready.wallet.send(&mut ready.node, &txid).map_err(failure)?;
        report(session, sweep, "sent")?;
        ready.wallet.told([txid])?;
    }
    Ok(())
}

fn lines(session: &Session, sweep: &Sweep) -> Vec<String> {
    let mut lines = vec![format!("transaction  {}", sweep.body.txid())];
    let to = sweep.body.outputs().iter().map(|output| session.address(&output.key));
    lines.extend(to.map(|address| format!("brings       {} BLOOM to {address}", sweep.amount)));
    lines.push(fee_line(sweep.fee, sweep.rate(), sweep.bytes(), sweep.coins.len()));
    lines
}

fn report(session: &Session, sweep: &Sweep, state: &str) -> Result<()> {
    if session.args.json {
        let to: Vec<String> = sweep.body.outputs().iter().map(|output| session.address(&output.key)).collect();
        return Ok(result(json!({"txid": sweep.body.txid().to_string(), "state": state, "to": to.first(),
            "amount": units(sweep.amount), "fee": units(sweep.fee), "fee_rate": sweep.rate().to_string(),
            "bytes": sweep.bytes(), "inputs": sweep.coins.len()}))?);
    }
    for line in lines(session, sweep) {
        result(line)?;
    }
    Ok(result(state)?)
}

/// What the key has had, and what it has left.
fn summary(
    session: &Session,
    path: &Path,
    key: &FileKey,
    found: &Found,
    sweeps: &[Sweep],
    dry_run: bool,
) -> Result<()> {
    let address = session.address(&key.output_key());
    let coins = sweeps.iter().flat_map(|sweep| &sweep.coins);
    let swept = Amount::checked_sum(coins.clone().map(|coin| coin.output.amount)).unwrap_or(found.mature_total());
    let left = found.mature_total().checked_sub(swept).unwrap_or(Amount::ZERO);
    if session.args.json {
        let row = |(height, amount): (&Height, &Amount)| json!({"height": height.0, "amount": units(*amount)});
        let matures: Vec<Value> = found.immature.iter().map(row).collect();
        let moved = if dry_run { Amount::ZERO } else { swept };
        return Ok(result(json!({"key": address, "transactions": sweeps.len(), "swept": units(moved),
            "mature": units(found.mature_total()), "leaving": units(found.leaving),
            "immature": units(found.immature_total()), "matures": matures,
            "all_at": found.all_at().map(|height| height.0), "height": found.tip.0}))?);
    }
    let (file, count) = (path.display(), counted(coins.count(), "coin"));
    match (sweeps.is_empty(), dry_run) {
        (true, _) => result(format_args!("nothing to sweep yet of {address} ({file})"))?,
        (false, false) => result(format_args!("swept        {swept} BLOOM in {count} of {address} ({file})"))?,
        (false, true) => result(format_args!("would sweep  {swept} BLOOM in {count} of {address} ({file})"))?,
    }
    if left > Amount::ZERO {
        result(format_args!("left         {left} BLOOM in coins that cost more to spend than they hold"))?;
    }
    if found.leaving > Amount::ZERO {
        result(format_args!("on its way   {} BLOOM, spent by what waits in the mempool", found.leaving))?;
    }
    if let Some(height) = found.all_at() {
        let immature = found.immature_total();
        result(format_args!(
            "immature     {immature} BLOOM: all that is there now can be swept once the tip is at height {height}"
        ))?;
    }
    Ok(())
}

//! The way of a transaction from a wallet to the mempool: shown, agreed to, signed, recorded, sent, told.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, anyhow, bail};
use bloom_chain::mempool::policy::MIN_RELAY_RATE;
use bloom_chain::{AdmitError, FeeRate};
use bloom_consensus::{Amount, Txid};
use bloom_wallet::build::Unsigned;
use bloom_wallet::{DirectoryError, Node, Note, Sent, WalletError};
use secp256k1::rand::SeedableRng;
use secp256k1::rand::rngs::StdRng;
use serde_json::{Value, json};

use super::Session;
use super::ready::{Ready, failure, refused};
use super::show::units;
use crate::cli::spending::FeeArgs;
use crate::context::usage;
use crate::output::{counted, note, result};

/// Randomness of the system, for choosing coins and for signatures.
pub(super) fn system_rng() -> Result<StdRng> {
    StdRng::try_from_os_rng().context("the system's random generator does not answer; nothing was sent")
}

/// Sends what was built, or only shows it.
pub(super) fn send(
    session: &Session,
    ready: &mut Ready,
    unsigned: &Unsigned,
    fee: &FeeArgs,
    payment: Note,
) -> Result<()> {
    if fee.dry_run {
        return report(session, unsigned, "not sent: dry run");
    }
    if !fee.yes {
        agree(&lines(session, unsigned))?;
    }
    let transaction = ready.wallet.sign(unsigned, &mut system_rng()?).map_err(refused)?;
    let replaced = payment.replaces;
    ready.wallet.record(&transaction, payment, ready.now).map_err(failure)?;
    let txid = transaction.txid();
    let sent = match (ready.wallet.send(&mut ready.node, &txid), replaced) {
        (Err(WalletError::Refused { source, .. }), Some(old)) => return Err(stands(ready, unsigned, &old, &source)?),
        (sent, _) => sent.map_err(failure)?,
    };
    let state = match sent {
        Sent::ToNode => "sent".to_owned(),
        Sent::HeldUntil(height) => format!("recorded: the first wallet command at height {} sends it", height.0 - 1),
    };
    report(session, unsigned, &state)?;
    // Only what its maker has heard of counts as told: until here a repeat of the command is the same payment.
    Ok(ready.wallet.told([txid])?)
}

/// A replacement that the node does not take: what that leaves, and what to do.
fn stands(ready: &Ready, unsigned: &Unsigned, old: &Txid, why: &DirectoryError) -> Result<anyhow::Error> {
    let above = match why {
        DirectoryError::Refused(AdmitError::ReplacementRate { than, .. }) => than.units_per_kilobyte() / 1_000,
        DirectoryError::Refused(AdmitError::ReplacementFee { .. }) => 0,
        _ => bail!("transaction {old} was not replaced and stands as it did: {why}"),
    };
    // What others have made of the old one since leaves with it and has to be paid for too.
    let (mut leaving, mut fees) = (BTreeSet::new(), 0_u64);
    for waiting in ready.node.waiting()? {
        let inputs = waiting.transaction.body().inputs();
        if inputs.iter().any(|input| unsigned.body.inputs().contains(input) || leaving.contains(&input.txid)) {
            leaving.insert(waiting.transaction.txid());
            fees = fees.saturating_add(waiting.fee.units());
        }
    }
    let bytes = unsigned.bytes() as u64;
    let enough = MIN_RELAY_RATE.fee(unsigned.bytes()).units().saturating_add(fees).div_ceil(bytes).max(above + 1);
    Ok(anyhow!(
        "transaction {old} was not replaced and stands as it did: {why}; to replace it all the same, repeat this with \
         --fee-rate {enough} or more"
    ))
}

/// Shows what is about to be sent and asks; where nobody can be asked, nothing is.
pub(super) fn agree(lines: &[String]) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(usage("nobody to ask: say --yes to send it, or --dry-run to see it; nothing was sent"));
    }
    lines.iter().for_each(note);
    let mut stderr = io::stderr().lock();
    write!(stderr, "send it? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing was sent");
    }
    Ok(())
}

/// Says what a transaction does.
pub(super) fn report(session: &Session, unsigned: &Unsigned, state: &str) -> Result<()> {
    if session.args.json {
        return Ok(result(as_json(session, unsigned, state))?);
    }
    for line in lines(session, unsigned) {
        result(line)?;
    }
    Ok(result(state)?)
}

fn lines(session: &Session, unsigned: &Unsigned) -> Vec<String> {
    let mut lines = vec![format!("transaction  {}", unsigned.body.txid())];
    // Where change stands in the transaction tells nothing; who reads this looks for the payees first.
    let outputs = || (0..).zip(unsigned.body.outputs());
    let payees =
        outputs().filter(|(position, _)| unsigned.change != Some(*position)).map(|(_, output)| ("pays", output));
    let back = outputs().filter(|(position, _)| unsigned.change == Some(*position)).map(|(_, output)| ("back", output));
    for (what, output) in payees.chain(back) {
        lines.push(format!("{what}         {} BLOOM to {}", output.amount, session.address(&output.key)));
    }
    lines.push(fee_line(unsigned.fee, unsigned.rate(), unsigned.bytes(), unsigned.spent.len()));
    if unsigned.body.not_before().0 > 0 {
        lines.push(format!("not before   height {}", unsigned.body.not_before()));
    }
    lines
}

pub(super) fn fee_line(fee: Amount, rate: FeeRate, bytes: usize, inputs: usize) -> String {
    format!("fee          {fee} BLOOM: {bytes} bytes at {}, spending {}", rate.a_byte(), counted(inputs, "coin"))
}

fn as_json(session: &Session, unsigned: &Unsigned, state: &str) -> Value {
    let outputs = (0..).zip(unsigned.body.outputs());
    let (mut pays, mut change) = (Vec::new(), Value::Null);
    for (position, output) in outputs {
        let row = json!({"address": session.address(&output.key), "amount": units(output.amount)});
        if unsigned.change == Some(position) {
            change = row;
        } else {
            pays.push(row);
        }
    }
    json!({"txid": unsigned.body.txid().to_string(), "state": state, "pays": pays, "change": change,
        "fee": units(unsigned.fee), "fee_rate": unsigned.rate().to_string(), "bytes": unsigned.bytes(),
        "inputs": unsigned.spent.len(), "not_before": unsigned.body.not_before().0.to_string()})
}

//! Proposals as files, and what a person is shown of one.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use bloom_chain::replace_file;
use bloom_consensus::{Height, Params};
use bloom_wallet::proposal::{MOST_PROPOSAL_BYTES, Owner, Proposal, Share, Signing};
use serde_json::{Value, json};

use super::address_of;
use crate::context::{open_file, usage};
use crate::output::{note, result};

pub(super) fn read(params: &Params, path: &Path) -> Result<Proposal> {
    let unreadable = || format!("{}: the proposal cannot be read", path.display());
    let mut bytes = Vec::new();
    let file = open_file(path).with_context(unreadable)?;
    file.take(MOST_PROPOSAL_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    Proposal::decode(params, &bytes).with_context(|| path.display().to_string())
}

/// Before anything is done that is of no use without the file.
pub(super) fn must_be_new(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
        Ok(_) => {
            Err(usage(format!("{}: there is such a file, which is not overwritten; choose another", path.display())))
        }
    }
}

/// Puts a proposal in its place as a whole: a kill leaves the file that was there, or this one.
pub(super) fn write(path: &Path, proposal: &Proposal) -> Result<()> {
    let place = || format!("{}: the proposal cannot be written", path.display());
    replace_file(path, &proposal.encode(), 0o666).with_context(place)
}

/// Everything that whoever signs must see.
pub(super) fn show(params: &Params, proposal: &Proposal) -> Result<()> {
    let address = |key| address_of(params, key);
    result(format_args!("network     {}", params.name))?;
    result(format_args!("transaction {}", proposal.body().txid()))?;
    for (signing, spent) in proposal.signing().iter().zip(proposal.spent()) {
        result(format_args!("spends      {} of {} ({})", spent.amount, address(&spent.key), whose(signing)))?;
    }
    for (place, output) in (0..).zip(proposal.body().outputs()) {
        let change = proposal.change().iter().find(|change| change.output == place);
        let (heading, owner) = match change.map(|change| &change.owner) {
            None => ("pays", String::new()),
            Some(Owner::Path(path)) => ("change", format!(" ({path})")),
            Some(Owner::Shared(cosigners)) => ("change", format!(" (shared by {})", cosigners.keys().len())),
        };
        result(format_args!("{heading:<12}{} to {}{owner}", output.amount, address(&output.key)))?;
    }
    let (rate, bytes) = (proposal.fee_rate(), proposal.transaction_bytes());
    result(format_args!("fee         {} ({}, {bytes} bytes)", proposal.fee(), rate.a_byte()))?;
    if proposal.body().not_before() > Height::GENESIS {
        result(format_args!("not before  block {}", proposal.body().not_before()))?;
    }
    Ok(())
}

/// The same for programs.
pub(super) fn as_json(params: &Params, proposal: &Proposal) -> Value {
    let inputs = proposal.body().inputs().iter().zip(proposal.signing().iter().zip(proposal.spent()));
    let inputs: Vec<_> = inputs
        .map(|(outpoint, (signing, spent))| {
            json!({"outpoint": outpoint.to_string(), "amount": spent.amount.to_string(),
                "address": address_of(params, &spent.key), "signer": whose(signing)})
        })
        .collect();
    let outputs = (0..).zip(proposal.body().outputs());
    let outputs: Vec<_> = outputs
        .map(|(place, output)| {
            let change = proposal.change().iter().find(|change| change.output == place);
            let owner = change.map_or(Value::Null, |change| owner_as_json(&change.owner));
            json!({"amount": output.amount.to_string(), "address": address_of(params, &output.key),
                "change": change.is_some(), "owner": owner})
        })
        .collect();
    json!({"network": params.name, "txid": proposal.body().txid().to_string(), "inputs": inputs, "outputs": outputs,
        "fee": proposal.fee().to_string(), "fee_rate": proposal.fee_rate().to_string(),
        "bytes": proposal.transaction_bytes(), "not_before": proposal.body().not_before().0,
        "complete": proposal.is_complete()})
}

/// Whose change is: the path of the wallet's own key, or all who share it.
fn owner_as_json(owner: &Owner) -> Value {
    match owner {
        Owner::Path(path) => path.to_string().into(),
        Owner::Shared(cosigners) => cosigners.keys().iter().map(ToString::to_string).collect(),
    }
}

fn whose(signing: &Signing) -> String {
    match signing {
        Signing::Single { path, signature } => format!("{path}{}", if signature.is_some() { ", signed" } else { "" }),
        Signing::Shared { cosigners, shares } => {
            let nonces = shares.iter().filter(|share| !matches!(share, Share::Absent)).count();
            let signed = shares.iter().filter(|share| matches!(share, Share::Signed(..))).count();
            format!("shared by {}: {nonces} nonces, {signed} signatures", cosigners.keys().len())
        }
    }
}

/// What is to be done next.
pub(super) fn say_next(proposal: &Proposal, path: &Path) {
    let path = path.display();
    if proposal.is_complete() {
        note(format_args!(
            "signed by all: `bloom wallet submit {path}` on a machine with the chain, or `bloom tx send {path}` where a \
             node runs"
        ));
        return;
    }
    let waits = |shares: &[Share]| shares.iter().any(|share| matches!(share, Share::Absent));
    let in_first_round =
        proposal.signing().iter().any(|signing| matches!(signing, Signing::Shared { shares, .. } if waits(shares)));
    if in_first_round {
        note(format_args!("next: every cosigner runs `bloom wallet sign` on {path}, until all nonces are there"));
    } else {
        note(format_args!("next: `bloom wallet sign` on {path} wherever it has not been signed"));
    }
}

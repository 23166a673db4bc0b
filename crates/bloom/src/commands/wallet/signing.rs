//! `bloom wallet sign` and `combine`: no chain is needed, only the wallet and the file.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result, bail};
use bloom_wallet::WalletFile;
use bloom_wallet::proposal::Proposal;
use bloom_wallet::session::Sessions;
use bloom_wallet::sign::{Signed, SigningKeys, review, sign as sign_proposal};
use serde_json::{Value, json};

use super::Session;
use super::proposal_file::{as_json, must_be_new, read, say_next, show, write};
use crate::cli::wallet::{CombineArgs, SignArgs};
use crate::context::usage;
use crate::output::{note, result};

pub(super) fn sign(session: &Session, args: &SignArgs) -> Result<()> {
    let params = &session.params;
    let mut proposal = read(params, &args.file)?;
    let mut file: WalletFile<Value> = session.open()?;
    let keys =
        SigningKeys::of(file.keys()).ok_or_else(|| usage("this wallet only watches: sign where the words are"))?;
    if args.start_over {
        proposal = proposal.started_over(&keys.cosigner());
    }
    // Nobody is shown, or asked about, what turns out to be a lie.
    review(&proposal, &keys)?;
    if !session.args.json {
        show(params, &proposal)?;
    }
    if proposal.fee_is_high() && !args.allow_high_fee {
        let (fee, paid) = (proposal.fee(), proposal.paid());
        bail!("a fee of {fee} BLOOM is more than a tenth of the {paid} paid: say --allow-high-fee if it is meant");
    }
    if !args.yes {
        if session.args.json {
            return Err(usage("--json shows nothing before it is signed: say --yes"));
        }
        ask()?;
    }
    let mut sessions = Sessions::new(session.args.wallet.nonces(&session.directory), &mut file);
    let signed = sign_proposal(params, &proposal, &keys, &mut sessions, args.across_restarts)?;
    write(&args.file, &signed.proposal)?;
    say(session, args, &signed)
}

fn say(session: &Session, args: &SignArgs, signed: &Signed) -> Result<()> {
    let Signed { proposal, signatures, nonces, partials, replaced } = signed;
    if session.args.json {
        let mut all = as_json(&session.params, proposal);
        all["added"] = json!({"signatures": signatures, "nonces": nonces, "partial_signatures": partials});
        return Ok(result(all)?);
    }
    for (count, what) in [(signatures, "signatures"), (nonces, "nonces"), (partials, "partial signatures")] {
        if *count > 0 {
            let inputs = if *count == 1 { "input" } else { "inputs" };
            result(format_args!("added       {what} for {count} {inputs}"))?;
        }
    }
    if signatures + nonces + partials == 0 {
        note("nothing was left to sign here");
    }
    if *replaced {
        note("the nonces that this wallet gave for this payment before are void: only files from now on count");
    }
    say_next(proposal, &args.file);
    Ok(())
}

fn ask() -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(usage("nobody to ask: say --yes to sign what was shown"));
    }
    write!(io::stderr(), "sign this? [y/N] ").and_then(|()| io::stderr().flush()).context("nobody can be asked")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("no answer")?;
    if !matches!(answer.trim(), "y" | "yes") {
        bail!("not signed");
    }
    Ok(())
}

pub(super) fn combine(session: &Session, args: &CombineArgs) -> Result<()> {
    let params = &session.params;
    must_be_new(&args.out)?;
    let mut all: Option<Proposal> = None;
    for path in &args.files {
        let next = read(params, path)?;
        let joined = match &all {
            Some(all) => all.combine(params, &next).with_context(|| path.display().to_string())?,
            None => next,
        };
        all = Some(joined);
    }
    let all = all.ok_or_else(|| usage("no files: expected at least two"))?;
    if all.is_complete() {
        all.transaction()?;
    }
    write(&args.out, &all)?;
    if session.args.json {
        return Ok(result(as_json(params, &all))?);
    }
    show(params, &all)?;
    say_next(&all, &args.out);
    Ok(())
}

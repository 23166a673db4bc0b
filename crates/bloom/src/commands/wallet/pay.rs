//! `bloom wallet pay`: whom, how much, and once.

use anyhow::{Result, bail};
use bloom_consensus::{Amount, Height, OutputKey, Txid};
use bloom_wallet::build::{Order, Recipient, Share};
use bloom_wallet::{Note, PaymentUri};
use serde_json::json;

use super::Session;
use super::addresses::check_label;
use super::ready::{Ready, failure, refused, what_became};
use super::sending::{send, system_rng};
use crate::cli::spending::PayArgs;
use crate::context::usage;
use crate::output::{note, result};

pub(super) fn run(session: &Session, args: &PayArgs) -> Result<()> {
    let (recipients, not_before_of_uri) = recipients(session, &args.to, args.all)?;
    if let Some(id) = &args.id {
        check_label(id)?;
        if id.trim().is_empty() {
            return Err(usage("--id: expected a name, got nothing"));
        }
    }
    let mut ready = Ready::open(session)?;
    if let Some(txid) = made_before(&ready, args, &recipients)? {
        if !ready.wallet.stands(&txid, &recipients) {
            ready.tell()?;
            let became = what_became(&ready.wallet.view().status(&txid));
            bail!(
                "the payment of this --id was transaction {txid}, which {became}: it pays nobody, and nothing was sent; \
                 to make it anew choose another --id"
            );
        }
        return repeat(session, &mut ready, &txid, args.fee.dry_run);
    }
    ready.tell()?;
    let order = Order {
        recipients,
        rate: ready.rate(args.fee.fee_rate)?,
        not_before: Height(args.not_before.or(not_before_of_uri).unwrap_or(0)),
        allow_high_fee: args.fee.allow_high_fee,
    };
    let unsigned = ready.wallet.prepare(&order, &mut system_rng()?).map_err(refused)?;
    let payment = Note { id: args.id.clone(), replaces: None };
    send(session, &mut ready, &unsigned, &args.fee, payment)
}

/// The same payment, if an earlier command recorded it and came to no end, or gave it this name.
fn made_before(ready: &Ready, args: &PayArgs, recipients: &[Recipient]) -> Result<Option<Txid>> {
    match &args.id {
        Some(id) => ready.wallet.by_id(id, recipients).map_err(failure),
        None => Ok(ready.wallet.untold(recipients)),
    }
}

fn repeat(session: &Session, ready: &mut Ready, txid: &Txid, dry_run: bool) -> Result<()> {
    let status = ready.wallet.view().status(txid);
    note("this payment was recorded by an earlier command; it is not made twice");
    if session.args.json {
        let state = format!("made before: it {}", what_became(&status));
        result(json!({"txid": txid.to_string(), "state": state}))?;
    } else {
        result(format_args!("transaction  {txid}"))?;
        result(format_args!("it {}", what_became(&status)))?;
    }
    if dry_run {
        ready.say_all(); // the command itself shall find it as it is
        return Ok(());
    }
    ready.wallet.told([*txid])?;
    ready.tell()
}

/// Addresses with amounts, and requests, which have both.
pub(super) fn recipients(session: &Session, to: &[String], all: bool) -> Result<(Vec<Recipient>, Option<u64>)> {
    let mut recipients = Vec::new();
    let mut not_before = None;
    let mut texts = to.iter().peekable();
    while let Some(text) = texts.next() {
        let (key, asked) = whom(session, text, &mut not_before)?;
        let amount = match texts.peek() {
            Some(next) if !is_recipient(session, next) => {
                if asked.is_some() {
                    return Err(usage(format!("{text} names its amount: expected none after it, got {next}")));
                }
                let amount = texts.next().map(|text| text.parse::<Amount>()).transpose();
                amount.map_err(|error| usage(error.to_string()))?
            }
            _ => asked,
        };
        let share = match amount {
            Some(amount) => Share::Exactly(amount),
            None if all => Share::Rest,
            None => return Err(usage(format!("{text}: expected an amount in BLOOM after it, or --all"))),
        };
        recipients.push(Recipient { key, share });
    }
    if all && recipients.iter().all(|recipient| recipient.share != Share::Rest) {
        return Err(usage("--all: expected one address without an amount, which gets all that is left"));
    }
    Ok((recipients, not_before))
}

fn whom(session: &Session, text: &str, not_before: &mut Option<u64>) -> Result<(OutputKey, Option<Amount>)> {
    if !PaymentUri::looks_like(text) {
        return Ok((session.key(text)?, None));
    }
    let uri = PaymentUri::parse(&session.params.address_prefix, text).map_err(|error| usage(error.to_string()))?;
    *not_before = (*not_before).max(uri.not_before().map(|height| height.0));
    for (what, said) in [("label", uri.label()), ("message", uri.message())] {
        if let Some(said) = said {
            note(format_args!("the request's {what}: {said}"));
        }
    }
    Ok((uri.key(), uri.amount()))
}

/// Amounts begin with a digit, a sign or a point; whatever else there is must be a recipient.
fn is_recipient(session: &Session, text: &str) -> bool {
    PaymentUri::looks_like(text)
        || text.to_ascii_lowercase().starts_with(&session.params.address_prefix)
        || text.starts_with(|first: char| first.is_ascii_alphabetic())
}

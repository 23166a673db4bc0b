//! `bloom wallet bump`, `cancel` and `consolidate`: transactions of the wallet's with itself and with what waits.

use anyhow::Result;
use bloom_wallet::{BuildError, Note, build};
use serde_json::json;

use super::Session;
use super::ready::{Ready, failure, refused};
use super::sending::send;
use crate::cli::spending::{ConsolidateArgs, FeeArgs, RaiseArgs};
use crate::output::{note, result};

pub(super) fn bump(session: &Session, args: &RaiseArgs) -> Result<()> {
    let mut ready = Ready::open_and_tell(session)?;
    let raise = ready.wallet.bump(&args.txid, args.fee.fee_rate, ready.rate(None)?).map_err(refused)?;
    if raise.replaces.is_none() {
        note("that payment is another's: a child of it pays for both");
    }
    check_fee(&args.fee, || raise.check_fee())?;
    send(session, &mut ready, &raise.unsigned, &args.fee, Note { id: None, replaces: raise.replaces })
}

pub(super) fn cancel(session: &Session, args: &RaiseArgs) -> Result<()> {
    let mut ready = Ready::open_and_tell(session)?;
    let suggested = ready.rate(None)?;
    if args.fee.dry_run && ready.wallet.is_unsent(&args.txid) {
        return withdrawn(session, args, "not sent yet: it would be taken back without any transaction");
    }
    let Some(raise) = ready.wallet.cancel(&args.txid, args.fee.fee_rate, suggested).map_err(failure)? else {
        return withdrawn(session, args, "withdrawn: it had not been sent");
    };
    check_fee(&args.fee, || raise.check_fee())?;
    send(session, &mut ready, &raise.unsigned, &args.fee, Note { id: None, replaces: raise.replaces })
}

fn withdrawn(session: &Session, args: &RaiseArgs, state: &str) -> Result<()> {
    if session.args.json {
        return Ok(result(json!({"txid": args.txid.to_string(), "state": state}))?);
    }
    Ok(result(state)?)
}

pub(super) fn consolidate(session: &Session, args: &ConsolidateArgs) -> Result<()> {
    let mut ready = Ready::open_and_tell(session)?;
    let rate = ready.rate(args.fee.fee_rate)?;
    for unsigned in ready.wallet.consolidate(rate, args.below).map_err(refused)? {
        check_fee(&args.fee, || build::check_fee(&unsigned))?;
        send(session, &mut ready, &unsigned, &args.fee, Note::default())?;
    }
    Ok(())
}

fn check_fee(args: &FeeArgs, check: impl FnOnce() -> Result<(), BuildError>) -> Result<()> {
    if args.allow_high_fee { Ok(()) } else { check().map_err(refused) }
}

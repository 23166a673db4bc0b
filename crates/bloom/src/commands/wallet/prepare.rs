//! `bloom wallet prepare` and `submit`: the ends of a payment that is signed elsewhere, where the chain is.

use anyhow::Result;
use bloom_consensus::Height;
use bloom_wallet::book::Status;
use bloom_wallet::build::Order;
use bloom_wallet::proposal::{Proposal, Signing, propose};
use bloom_wallet::shared::Cosigners;
use bloom_wallet::shared_file::{InFile, SharedFile};
use bloom_wallet::{BookFile, Node, Note, Sent, Wallet};
use serde_json::Value;

use super::Session;
use super::pay::recipients;
use super::proposal_file::{as_json, must_be_new, read, say_next, show, write};
use super::ready::{Ready, failure, refused, what_became};
use super::sending::system_rng;
use crate::cli::spending::PrepareArgs;
use crate::cli::wallet::SubmitArgs;
use crate::context::usage;
use crate::output::{note, result};

pub(super) fn prepare(session: &Session, args: &PrepareArgs) -> Result<()> {
    must_be_new(&args.out)?;
    match &args.from {
        None => make(session, args, &mut Ready::open_and_tell(session)?, None),
        Some(address) => {
            let key = session.key(address)?;
            let Ok(shared) = SharedFile::find(session.open()?, &key) else {
                let how = "`bloom wallet address --shared KEY…` makes it known";
                return Err(usage(format!("{address} is no shared address of this wallet; {how}")));
            };
            let cosigners = shared.cosigners().clone();
            let mut ready = Ready::over(session, shared.wallet(&session.params))?;
            ready.tell()?;
            make(session, args, &mut ready, Some(&cosigners))
        }
    }
}

fn make<K: InFile>(
    session: &Session,
    args: &PrepareArgs,
    ready: &mut Ready<K>,
    cosigners: Option<&Cosigners>,
) -> Result<()> {
    let (recipients, not_before) = recipients(session, &args.to, args.all)?;
    let order = Order {
        recipients,
        rate: ready.rate(args.fee_rate)?,
        not_before: Height(args.not_before.or(not_before).unwrap_or(0)),
        allow_high_fee: args.allow_high_fee,
    };
    let given_up = args.instead_of.as_ref().map(|path| read(&session.params, path)).transpose()?;
    let unsigned = match &given_up {
        Some(given_up) => {
            ready.wallet.keeper_mut().file_mut().signing_mut().release(given_up);
            let old = given_up.body().inputs();
            let unsigned = ready.wallet.prepare_instead(&order, old, &mut system_rng()?).map_err(refused)?;
            if !unsigned.body.inputs().iter().any(|input| old.contains(input)) {
                note(
                    "no coin of the payment that is given up is there to be spent: both can be paid, if it still can be",
                );
            }
            unsigned
        }
        None => ready.wallet.prepare(&order, &mut system_rng()?).map_err(refused)?,
    };
    let proposal = propose(&ready.node, ready.wallet.book(), ready.wallet.watch(), &unsigned, cosigners)?;
    ready.wallet.speak_for(&proposal)?;
    write(&args.out, &proposal)?;
    tell(session, &proposal, None)?;
    say_next(&proposal, &args.out);
    Ok(())
}

pub(super) fn submit(session: &Session, args: &SubmitArgs) -> Result<()> {
    let proposal = read(&session.params, &args.file)?;
    proposal.transaction()?; // before anybody is asked for a password
    let file = session.open()?;
    let shared = proposal.signing().iter().find_map(|signing| match signing {
        Signing::Shared { cosigners, .. } => Some(cosigners.output_key()),
        Signing::Single { .. } => None,
    });
    let file = match shared.map(|key| SharedFile::find(file, &key)) {
        Some(Ok(shared)) => return hand_in(session, &proposal, Ready::over(session, shared.wallet(&session.params))?),
        Some(Err(file)) => *file,
        None => return hand_in(session, &proposal, Ready::open(session)?),
    };
    hand_in(session, &proposal, Ready::over(session, Wallet::over(BookFile::new(file), &session.params))?)
}

fn hand_in<K: InFile>(session: &Session, proposal: &Proposal, mut ready: Ready<K>) -> Result<()> {
    ready.tell()?;
    let transaction = proposal.transaction()?;
    let txid = transaction.txid();
    let status = ready.wallet.book().record(&txid).map(|_| ready.wallet.view().status(&txid));
    if let Some(status @ Status::Confirmed(_)) = status {
        return tell(session, proposal, Some(&format!("not sent again: it {}", what_became(&status))));
    }
    let is_ours = |input| ready.wallet.book().output(input).is_some();
    let state = if transaction.body().inputs().iter().any(is_ours) {
        ready.wallet.record(&transaction, Note::default(), ready.now).map_err(failure)?;
        let keeper = ready.wallet.keeper_mut();
        if keeper.file_mut().signing_mut().release(proposal) {
            keeper.save()?;
        }
        match ready.wallet.send(&mut ready.node, &txid).map_err(failure)? {
            Sent::ToNode => "sent".to_owned(),
            Sent::HeldUntil(height) => format!("recorded: a wallet command at height {} sends it", height.0 - 1),
        }
    } else {
        ready.node.submit(&transaction)?;
        note("it spends no coins of this wallet, so this wallet does not remember it");
        "sent".to_owned()
    };
    tell(session, proposal, Some(&state))?;
    Ok(ready.wallet.told([txid])?)
}

fn tell(session: &Session, proposal: &Proposal, state: Option<&str>) -> Result<()> {
    if session.args.json {
        let mut all = as_json(&session.params, proposal);
        all["state"] = state.map_or(Value::Null, Into::into);
        return Ok(result(all)?);
    }
    show(&session.params, proposal)?;
    if let Some(state) = state {
        result(state)?;
    }
    Ok(())
}

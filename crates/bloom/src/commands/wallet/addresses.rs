//! `bloom wallet address` and `label`: neither needs the chain.

use anyhow::Result;
use bloom_wallet::book::MOST_LABEL_CHARS;
use bloom_wallet::{BookFile, KeyChain, Wallet};
use serde_json::json;

use super::ready::failure;
use super::{Session, sharing};
use crate::cli::spending::{AddressArgs, LabelArgs};
use crate::context::usage;
use crate::output::{note, result};

pub(super) fn address(session: &Session, args: &AddressArgs) -> Result<()> {
    if args.cosigner {
        return sharing::cosigner(session);
    }
    if !args.shared.is_empty() {
        return sharing::shared(session, &args.shared);
    }
    let label = args.label.as_deref().map(check_label).transpose()?;
    let mut wallet = Wallet::over(BookFile::new(session.open()?), &session.params);
    if args.list {
        return list(session, &wallet);
    }
    let (path, key) = wallet.fresh_key().map_err(failure)?;
    let address = session.address(&key);
    if let Some(label) = label {
        wallet.set_label(address.clone(), label.to_owned())?;
    }
    if session.args.json {
        return Ok(result(json!({"address": address, "path": path.to_string(), "label": label}))?);
    }
    Ok(result(address)?)
}

fn list(session: &Session, wallet: &Wallet) -> Result<()> {
    let given = wallet.book().next_index(KeyChain::Receive);
    for index in 0..given {
        let path = wallet.watch().path_of(KeyChain::Receive, index);
        let address = session.address(&wallet.watch().key(&path));
        let label = wallet.book().label(&address);
        let is_used = wallet.book().records().values().any(|record| record.received.iter().any(|own| own.path == path));
        if session.args.json {
            result(json!({"address": address, "path": path.to_string(), "label": label, "used": is_used}))?;
        } else {
            let used = if is_used { "used  " } else { "unused" };
            result(format_args!("{address}  {used}  {}", label.unwrap_or_default()))?;
        }
    }
    if given == 0 && !session.args.json {
        note("no address was given yet; `bloom wallet address` gives one");
    }
    Ok(())
}

pub(super) fn label(session: &Session, args: &LabelArgs) -> Result<()> {
    session.key(&args.address)?;
    let text = check_label(&args.text)?;
    let mut wallet = Wallet::over(BookFile::new(session.open()?), &session.params);
    wallet.set_label(args.address.clone(), text.to_owned())?;
    if session.args.json {
        return Ok(result(json!({"address": args.address, "label": text}))?);
    }
    Ok(result(format_args!("{}  {text}", args.address))?)
}

/// Labels are printed: no control characters, and not without end.
pub(super) fn check_label(text: &str) -> Result<&str> {
    let count = text.chars().count();
    if count > MOST_LABEL_CHARS {
        return Err(usage(format!("label: got {count} characters, expected at most {MOST_LABEL_CHARS}")));
    }
    if text.chars().any(char::is_control) {
        return Err(usage("label: expected no control characters"));
    }
    Ok(text)
}

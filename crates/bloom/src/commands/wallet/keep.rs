//! `bloom wallet list`, `password` and `backup`: keeping what was made.

use anyhow::{Context, Result};
use bloom_wallet::{Cost, WalletFile, Words, names};
use serde_json::json;

use super::{Session, Untouched};
use crate::cli::wallet::{BackupArgs, PasswordArgs};
use crate::context::usage;
use crate::output::{DataError, note, result};
use crate::secret_input::Source;

/// Words on a line, as they are shown.
const WORDS_A_LINE: usize = 6;

pub(super) fn list(session: &Session) -> Result<()> {
    let names = names::list(&session.directory)
        .with_context(|| DataError(format!("{}: wallets cannot be listed", session.directory.display())))?;
    for name in &names {
        if session.args.json {
            let file = name.path(&session.directory).display().to_string();
            result(json!({"wallet": name.to_string(), "file": file}))?;
        } else {
            result(name)?;
        }
    }
    if names.is_empty() && !session.args.json {
        note(format_args!("no wallets in {}; `bloom wallet create` makes one", session.directory.display()));
    }
    Ok(())
}

pub(super) fn password(session: &Session, args: &PasswordArgs) -> Result<()> {
    if args.new_password_fd.is_some() && args.new_password_fd == session.args.password_fd {
        return Err(usage("--password-fd and --new-password-fd: got the same descriptor, expected one for each"));
    }
    let mut file: WalletFile<Untouched> = session.open()?;
    let source = Source::new(args.new_password_file.as_ref(), args.new_password_fd);
    let password = source.read_new("new password", "new-password")?;
    file.change_password(password.as_bytes(), Cost::DEFAULT)?;
    if session.args.json {
        return Ok(result(json!({"wallet": session.args.wallet.to_string(), "changed": true}))?);
    }
    result(format_args!("wallet {} has a new password", session.args.wallet))?;
    note("copies of the file made before still open with the old one");
    Ok(())
}

pub(super) fn backup(session: &Session, args: &BackupArgs) -> Result<()> {
    let file: WalletFile<Untouched> = session.open()?;
    let keys = file.keys();
    let (account, birthday) = (keys.account(), keys.birthday());
    if args.xpub {
        if session.args.json {
            let xpub = account.to_string();
            return Ok(result(json!({"xpub": xpub, "account": account.account(), "birthday": birthday.0}))?);
        }
        result(format_args!("{account}"))?;
        note("whoever has this key sees all payments to this account, and can spend none");
        return Ok(());
    }
    let Some(words) = keys.words() else {
        return Err(usage("this wallet only watches and has no words; --xpub shows the key that it watches"));
    };
    if session.args.json {
        return Ok(result(json!({"words": *words.phrase(), "passphrase": keys.has_passphrase(),
            "account": account.account(), "birthday": birthday.0}))?);
    }
    show_words(words)?;
    result(format_args!("account     {}", account.account()))?;
    result(format_args!("birthday    {birthday}"))?;
    if keys.has_passphrase() {
        note("a passphrase belongs to these words, which is shown nowhere");
    }
    Ok(())
}

pub(super) fn show_words(words: &Words) -> Result<()> {
    let mut heading = "words";
    for line in words.words().collect::<Vec<_>>().chunks(WORDS_A_LINE) {
        result(format_args!("{heading:<12}{}", line.join(" ")))?;
        heading = "";
    }
    Ok(())
}

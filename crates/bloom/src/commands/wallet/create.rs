//! `bloom wallet create` and `restore`: a new file, of new words, of old ones, or of an account's public key.

use anyhow::{Context, Result};
use bloom_chain::StoreError;
use bloom_consensus::Height;
use bloom_wallet::{AccountPublic, Cost, KeyChain, VaultError, WalletFile, WalletKeys, WordCount, Words, names};
use serde_json::json;
use zeroize::Zeroizing;

use super::keep::show_words;
use super::{Session, Untouched};
use crate::cli::wallet::{CreateArgs, PassphraseArgs, RestoreArgs};
use crate::context::{backend, open_chain, usage};
use crate::output::{DataError, note, result};
use crate::secret_input::Source;

/// What a heavier branch may be shorter by: a payment to a new wallet is never below its birthday for that.
const BIRTHDAY_MARGIN: u64 = 100;

pub(super) fn create(session: &Session, args: &CreateArgs) -> Result<()> {
    not_there(session)?;
    let keys = match &args.watch {
        Some(xpub) => {
            let account: AccountPublic = xpub.parse().map_err(|error| usage(format!("--watch: {error}")))?;
            WalletKeys::watching(account, Height(args.birthday.unwrap_or(0)))
        }
        None => {
            let count = if args.words == "24" { WordCount::TwentyFour } else { WordCount::Twelve };
            let birthday = args.birthday.map_or_else(|| birthday_today(session), |height| Ok(Height(height)))?;
            let passphrase = passphrase(&args.passphrase)?;
            WalletKeys::from_words(Words::generate(count)?, passphrase, args.account, birthday)
        }
    };
    let file = make(session, keys)?;
    say(session, &file)?;
    let Some(words) = file.keys().words().filter(|_| !session.args.json) else { return Ok(()) };
    show_words(words)?;
    note("write the words down, in this order, and keep them where nobody else looks: whoever has them has the coins,");
    note("and without them the coins are lost with this file. `bloom wallet backup` shows them again.");
    if file.keys().has_passphrase() {
        note("the passphrase belongs to them and is shown nowhere: keep it too, in another place");
    }
    Ok(())
}

pub(super) fn restore(session: &Session, args: &RestoreArgs) -> Result<()> {
    not_there(session)?;
    let text = Source::new(args.words_file.as_ref(), args.words_fd).read_words()?;
    let words = Words::parse(&text).map_err(|error| usage(format!("words: {error}")))?;
    let passphrase = passphrase(&args.passphrase)?;
    let keys = WalletKeys::from_words(words, passphrase, args.account, Height(args.birthday));
    say(session, &make(session, keys)?)
}

/// Before anybody is asked for anything.
fn not_there(session: &Session) -> Result<()> {
    if session.is_there()? {
        return Err(VaultError::Exists { path: session.path() }.into());
    }
    Ok(())
}

fn make(session: &Session, keys: WalletKeys) -> Result<WalletFile<Untouched>> {
    let password = session.password().read_new("password", "password")?;
    names::make_directory(&session.directory)
        .with_context(|| DataError(format!("{}: no wallet can be made here", session.directory.display())))?;
    let network = session.params.network_id;
    Ok(WalletFile::create(&session.path(), password.as_bytes(), Cost::DEFAULT, network, keys)?)
}

fn say(session: &Session, file: &WalletFile<Untouched>) -> Result<()> {
    let (name, keys) = (&session.args.wallet, file.keys());
    let address = session.address(&keys.account().key(KeyChain::Receive, 0));
    if session.args.json {
        return Ok(result(json!({"wallet": name.to_string(), "network": session.params.name,
            "file": file.path().display().to_string(), "address": address, "birthday": keys.birthday().0,
            "account": keys.account().account(), "watching": keys.is_watching()}))?);
    }
    result(format_args!("wallet      {name}, network {}", session.params.name))?;
    result(format_args!("file        {}", file.path().display()))?;
    result(format_args!("birthday    {}", keys.birthday()))?;
    Ok(result(format_args!("address     {address}"))?)
}

fn passphrase(args: &PassphraseArgs) -> Result<Zeroizing<String>> {
    let source = Source::new(args.passphrase_file.as_ref(), args.passphrase_fd);
    if !args.passphrase && matches!(source, Source::Prompt) {
        return Ok(Zeroizing::default());
    }
    // Asked for twice even when it is an old one: a mistyped passphrase is not refused, it gives an empty wallet.
    source.read_new("passphrase", "passphrase")
}

/// The height below which no block can pay keys that are made now.
fn birthday_today(session: &Session) -> Result<Height> {
    match open_chain(&session.directory, &session.params, backend(None)?, false) {
        Ok(chain) => Ok(Height(chain.tip().height.0.saturating_sub(BIRTHDAY_MARGIN))),
        Err(error) => match error.downcast_ref() {
            Some(StoreError::Absent { .. }) => Ok(Height::GENESIS),
            Some(StoreError::Locked { .. }) => {
                note("the chain is in use, so its height is unknown: the wallet's first look at it begins at block 0");
                Ok(Height::GENESIS)
            }
            _ => Err(error),
        },
    }
}

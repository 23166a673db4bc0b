//! `bloom wallet address --cosigner` and `--shared`: keys that several machines share.

use anyhow::Result;
use bloom_wallet::shared::{Cosigners, parse_cosigner};
use bloom_wallet::shared_file::SharedFile;
use bloom_wallet::sign::SigningKeys;
use bloom_wallet::{Balance, WalletFile};
use serde_json::{Value, json};

use super::Session;
use super::ready::{Ready, failure, say};
use super::show::units;
use crate::context::usage;
use crate::output::{note, result};

/// This wallet's part in shared keys.
pub(super) fn cosigner(session: &Session) -> Result<()> {
    let file: WalletFile<Value> = session.open()?;
    let keys = SigningKeys::of(file.keys())
        .ok_or_else(|| usage("this wallet only watches, and its cosigner key takes the words: ask where they are"))?;
    let key = keys.cosigner().to_string();
    if session.args.json {
        return Ok(result(json!({"cosigner": key}))?);
    }
    result(key)?;
    note("give this key to the others, and have theirs by a way that nobody can change: `--shared` takes them all");
    Ok(())
}

/// Makes a shared address known to this wallet and shows it.
pub(super) fn shared(session: &Session, texts: &[String]) -> Result<()> {
    let parse = |text: &String| parse_cosigner(text).map_err(|error| usage(error.to_string()));
    let mut keys = texts.iter().map(parse).collect::<Result<Vec<_>>>()?;
    let mut file: WalletFile<Value> = session.open()?;
    if let Some(own) = SigningKeys::of(file.keys()).map(|keys| keys.cosigner())
        && !keys.contains(&own)
    {
        keys.push(own);
    }
    let cosigners = Cosigners::new(keys).map_err(|error| usage(error.to_string()))?;
    let address = session.address(&cosigners.output_key());
    if file.signing_mut().share(cosigners.clone()) {
        file.save()?;
    }
    if session.args.json {
        let keys: Vec<_> = cosigners.keys().iter().map(ToString::to_string).collect();
        return Ok(result(json!({"address": address, "cosigners": keys}))?);
    }
    result(&address)?;
    note(format_args!("shared by {}: all of them must sign to spend from it", cosigners.keys().len()));
    note(
        "the words alone do not find it again: keep all cosigners' keys with them, and compare the address on every machine",
    );
    Ok(())
}

/// What there is at each shared address that the wallet knows, read up to the chain. They are no part of the wallet's own
/// balance: it takes others to spend them.
pub(super) fn balances(session: &Session, ready: Ready) -> Result<Vec<(String, Balance)>> {
    let (wallet, mut node, now) = ready.into_parts();
    let mut file = wallet.into_keeper().into_file();
    let keys: Vec<_> = file.signing().shared().iter().map(|shared| shared.cosigners.output_key()).collect();
    let mut balances = Vec::new();
    for key in keys {
        file = match SharedFile::find(file, &key) {
            Err(file) => *file,
            Ok(shared) => {
                let mut wallet = shared.wallet(&session.params);
                wallet.update(&mut node, now).map_err(failure)?.iter().for_each(say);
                balances.push((session.address(&key), wallet.balance()));
                wallet.into_keeper().into_file()
            }
        };
    }
    Ok(balances)
}

pub(super) fn balances_as_json(balances: &[(String, Balance)]) -> Vec<Value> {
    let row = |(address, balance): &(String, Balance)| json!({"address": address, "spendable": units(balance.spendable), "total": units(balance.total())});
    balances.iter().map(row).collect()
}

//! `bloom wallet sign-message` and `verify-message`.

use std::io::Read;

use anyhow::{Context, Result, bail};
use bloom_wallet::WalletFile;
use bloom_wallet::message::{MAX_MESSAGE_BYTES, MessageSignature};
use serde_json::json;

use super::{Session, Untouched, key_of};
use crate::cli::wallet::{MessageArgs, SignMessageArgs, VerifyMessageArgs, WalletArgs};
use crate::context::{network, open_file, usage};
use crate::output::result;

/// How many addresses of each chain are looked through for the one that is to sign.
const ADDRESSES_SEARCHED: u32 = 10_000;

pub(super) fn sign(session: &Session, args: &SignMessageArgs) -> Result<()> {
    let key = session.key(&args.address)?;
    let text = text(&args.message)?;
    let file: WalletFile<Untouched> = session.open()?;
    let keys = file.keys();
    let path = keys.account().find(&key, ADDRESSES_SEARCHED).ok_or_else(|| {
        usage(format!("{}: none of the first {ADDRESSES_SEARCHED} addresses of this wallet", args.address))
    })?;
    let Some(mut pair) = keys.keypair(&path) else {
        return Err(usage("this wallet only watches and can sign nothing"));
    };
    let signature = MessageSignature::sign(&session.params.network_id, &text, &pair);
    pair.non_secure_erase();
    if session.args.json {
        return Ok(result(json!({"address": args.address, "signature": signature.to_string()}))?);
    }
    Ok(result(signature)?)
}

/// Needs the network alone, and no wallet.
pub(super) fn verify(wallet: &WalletArgs, args: &VerifyMessageArgs) -> Result<()> {
    let params = network(&wallet.place.network)?;
    let key = key_of(&params, &args.address)?;
    let signature: MessageSignature = args.signature.parse().map_err(|error| usage(format!("{error}")))?;
    let good = signature.is_of(&params.network_id, &text(&args.message)?, &key);
    if wallet.json {
        result(json!({"address": args.address, "good": good}))?;
    } else if good {
        result(format_args!("good: {} signed this", args.address))?;
    }
    if !good {
        bail!("{} did not sign this text for network {}", args.address, params.name);
    }
    Ok(())
}

fn text(args: &MessageArgs) -> Result<Vec<u8>> {
    let Some(path) = &args.file else {
        return Ok(args.text.as_deref().unwrap_or_default().as_bytes().to_vec());
    };
    let unreadable = || format!("{}: the text cannot be read", path.display());
    let mut text = Vec::new();
    let file = open_file(path).with_context(unreadable)?;
    file.take(MAX_MESSAGE_BYTES as u64 + 1).read_to_end(&mut text).with_context(unreadable)?;
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(usage(format!("{}: expected a text of at most {MAX_MESSAGE_BYTES} bytes", path.display())));
    }
    Ok(text)
}

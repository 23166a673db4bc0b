//! `bloom wallet uri`: a payment request, as text and as a QR code.

use anyhow::{Context, Result};
use bloom_consensus::{Height, Params};
use bloom_wallet::{PaymentUri, UriError};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;

use crate::cli::wallet::{UriArgs, WalletArgs};
use crate::context::{network, usage};
use crate::output::result;

pub(super) fn run(wallet: &WalletArgs, args: &UriArgs) -> Result<()> {
    let params = network(&wallet.place.network)?;
    let uri = request(&params, args).map_err(|error| usage(error.to_string()))?.to_string();
    if wallet.json {
        result(json!({"uri": uri}))?;
    } else {
        result(&uri)?;
    }
    if args.qr {
        result(qr(&uri)?)?;
    }
    Ok(())
}

fn request(params: &Params, args: &UriArgs) -> Result<PaymentUri, UriError> {
    let mut uri = PaymentUri::new(&params.address_prefix, &args.address)?;
    if let Some(amount) = args.amount {
        uri = uri.amount_of(amount)?;
    }
    if let Some(label) = &args.label {
        uri = uri.labelled(label.clone())?;
    }
    if let Some(message) = &args.message {
        uri = uri.saying(message.clone())?;
    }
    if let Some(height) = args.not_before {
        uri = uri.not_before_height(Height(height))?;
    }
    Ok(uri)
}

/// Light on dark, as most terminals are: what is dark in the code is left empty.
fn qr(text: &str) -> Result<String> {
    let code = QrCode::new(text).context("too long for a QR code; shorten label or message")?;
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

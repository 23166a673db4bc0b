//! Proofs as files: JSON with bytes in hexadecimal digits, bounded before it is read.
//!
//! `format`, `version`, `network` (its id), then `coinbase` or `transaction` (the encoding), `position`, `count`, `path`
//! (32 bytes each), `headers` (156 bytes each). Unknown, missing and repeated keys are refused.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bloom_consensus::constants::HEADER_BYTES;
use bloom_consensus::payment_proof::MOST_HEADERS;
use bloom_consensus::{Coinbase, Header, Included, MerklePath, PaymentProof, Transaction};
use serde::{Deserialize, Serialize};

use crate::context::open_file;

const FORMAT: &str = "bloomcoin payment proof";
const VERSION: u32 = 1;
/// The longest proof: a transaction of a whole block, 10 000 headers, in digits, and some air.
const MAX_BYTES: u64 = 8 << 20;
/// A tree of all the transactions that fit a block has fewer levels.
const MOST_SIBLINGS: usize = 16;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    network: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coinbase: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction: Option<String>,
    position: u32,
    count: u32,
    path: Vec<String>,
    headers: Vec<String>,
}

/// What is looked at first: a later version may have other keys.
#[derive(Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

/// A proof as the text of a file.
pub(super) fn write(proof: &PaymentProof) -> Result<String> {
    let (coinbase, transaction) = match &proof.included {
        Included::Coinbase(coinbase) => (Some(hex::encode(coinbase.encode())), None),
        Included::Transaction(transaction) => (None, Some(hex::encode(transaction.encode()))),
    };
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        network: proof.network_id.to_string(),
        coinbase,
        transaction,
        position: proof.path.position,
        count: proof.path.count,
        path: proof.path.siblings.iter().map(hex::encode).collect(),
        headers: proof.headers.iter().map(|header| hex::encode(header.to_bytes())).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// Reads a proof; whether it proves anything is for [`PaymentProof::verify`] to say.
pub(super) fn read(path: &Path) -> Result<PaymentProof> {
    let mut text = String::new();
    let file = open_file(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    if text.len() as u64 > MAX_BYTES {
        bail!("{}: expected a proof of at most {MAX_BYTES} bytes", path.display());
    }
    parse(&text).with_context(|| format!("{} is not a proof that can be read", path.display()))
}

fn parse(text: &str) -> Result<PaymentProof> {
    let kind: Kind = serde_json::from_str(text)?;
    if kind.format != FORMAT {
        bail!("got format {:?}, expected {FORMAT:?}", kind.format);
    }
    if kind.version != VERSION {
        bail!("got version {}, this program knows {VERSION}; update the program", kind.version);
    }
    let document: Document = serde_json::from_str(text)?;
    let included = match (&document.coinbase, &document.transaction) {
        (Some(coinbase), None) => Included::Coinbase(Coinbase::decode(&hex::decode(coinbase).context("coinbase")?)?),
        (None, Some(transaction)) => {
            Included::Transaction(Transaction::decode(&hex::decode(transaction).context("transaction")?)?)
        }
        _ => bail!("expected either coinbase or transaction"),
    };
    if document.path.len() > MOST_SIBLINGS {
        bail!("got a path of {}, expected at most {MOST_SIBLINGS}", document.path.len());
    }
    if document.headers.len() > MOST_HEADERS {
        bail!("got {} headers, expected at most {MOST_HEADERS}", document.headers.len());
    }
    let siblings = document.path.iter().map(|sibling| digits(sibling).context("path")).collect::<Result<_>>()?;
    let header = |header: &String| Ok(Header::from_bytes(&digits::<HEADER_BYTES>(header).context("headers")?)?);
    Ok(PaymentProof {
        network_id: document.network.parse().context("network")?,
        included,
        path: MerklePath { position: document.position, count: document.count, siblings },
        headers: document.headers.iter().map(header).collect::<Result<_>>()?,
    })
}

fn digits<const N: usize>(text: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).with_context(|| format!("expected {} hexadecimal digits", 2 * N))?;
    Ok(bytes)
}

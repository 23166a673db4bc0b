//! `ledger`: encodings, ids, digests, signatures, Merkle roots, rewards, and what must be refused.

use bloom_consensus::reward::reward;
use bloom_consensus::rules::isolation::check_transaction;
use bloom_consensus::{
    Amount, Coinbase, Height, NetworkId, Output, OutputKey, Transaction, Txid, Wtxid, merkle, signing,
};
use serde_json::Value;

use super::fault::{Fault, HERE, same, same_bytes, same_list};
use super::fields::{Bytes, Fields, Hash, Read, list};
use super::tally::Tally;

mod refused;

/// Checks every part of the section; any may be left out, but for those that others need.
pub(super) fn check(section: &Value) -> Tally {
    let mut tally = Tally::default();
    if let Err(fault) = check_parts(section, &mut tally) {
        tally.count("", Err(fault));
    }
    tally
}

fn check_parts(section: &Value, tally: &mut Tally) -> Result<(), Fault> {
    let mut fields = Fields::of(section)?;
    let is_coinbase = |key: &&str| *key == "coinbase" || key.starts_with("coinbase_");
    for key in fields.rest().into_iter().filter(is_coinbase) {
        let verdict = fields.value(key).map_or(Ok(()), |value| coinbase(value).map(|_| ()));
        tally.count(key, verdict);
    }
    if let Some(values) = fields.value("transactions") {
        let network = NetworkId(fields.read::<Hash>("network_id")?.0);
        let rows = list(values).map_err(|fault| fault.in_field("transactions"))?;
        tally.count_list("transactions", rows.iter().map(|value| transaction(value, &network)));
    }
    if let Some(values) = fields.value("refused_transactions") {
        refused::check(values, tally).map_err(|fault| fault.in_field("refused_transactions"))?;
    }
    const ROOTS: &str = "merkle_roots_of_coinbase_and_first_n";
    if let Some(values) = fields.value(ROOTS) {
        merkle_roots(values, &mut fields, ROOTS, tally)?;
    }
    if let Some(values) = fields.value("reward") {
        let rows = list(values).map_err(|fault| fault.in_field("reward"))?;
        tally.count_list("reward", rows.iter().map(reward_row));
    }
    fields.finish()
}

/// A coinbase and its id.
fn coinbase(value: &Value) -> Result<Txid, Fault> {
    let mut fields = Fields::of(value)?;
    let (encoded, id) = (fields.read::<Bytes>("encoded")?.0, Txid(fields.read::<Hash>("id")?.0));
    fields.finish()?;
    let coinbase = Coinbase::decode(&encoded).map_err(|error| Fault::new(error).in_field("encoded"))?;
    same_bytes("encoded", HERE, &coinbase.encode(), &encoded)?;
    same("id", HERE, coinbase.id(), id)?;
    Ok(id)
}

/// A transaction in all its parts, good but for what only a chain knows.
fn transaction(value: &Value, network: &NetworkId) -> Result<(), Fault> {
    let mut fields = Fields::of(value)?;
    let (encoded, body) = (fields.read::<Bytes>("encoded")?.0, fields.read::<Bytes>("body")?.0);
    let not_before: u64 = fields.read("not_before")?;
    let (txid, wtxid) = (fields.read::<Hash>("txid")?.0, fields.read::<Hash>("wtxid")?.0);
    let spent: Vec<Output> = fields.read("spent")?;
    let common = fields.read::<Hash>("common")?.0;
    let digests: Vec<Hash> = fields.read("digests")?;
    fields.finish()?;
    let transaction = Transaction::decode(&encoded).map_err(|error| Fault::new(error).in_field("encoded"))?;
    same_bytes("encoded", HERE, &transaction.encode(), &encoded)?;
    same_bytes("body", HERE, &transaction.body().encode(), &body)?;
    same("not_before", HERE, transaction.body().not_before(), Height(not_before))?;
    same("txid", HERE, transaction.txid(), Txid(txid))?;
    same("wtxid", HERE, transaction.wtxid(), Wtxid(wtxid))?;
    check_transaction(&transaction).map_err(|violation| Fault::new(violation).in_field("encoded"))?;
    let computed = signing::common(network, transaction.body(), &spent)
        .map_err(|violation| Fault::new(violation).in_field("spent"))?;
    same("common", HERE, hex::encode(computed), hex::encode(common))?;
    let inputs = 0..u32::try_from(transaction.body().inputs().len()).unwrap_or(u32::MAX);
    let computed: Vec<String> = inputs.map(|input| hex::encode(signing::digest(&common, input))).collect();
    let digests: Vec<String> = digests.iter().map(|digest| hex::encode(digest.0)).collect();
    same_list("digests", HERE, &computed, &digests)?;
    signing::check_signatures(network, &transaction, &spent)
        .map_err(|violation| Fault::new(violation).in_field("encoded"))
}

impl Read for Output {
    fn read(value: &Value) -> Result<Self, Fault> {
        let mut fields = Fields::of(value)?;
        let amount = Amount::from_units(fields.read("amount")?);
        let key = OutputKey(fields.read::<Hash>("key")?.0);
        fields.finish()?;
        Ok(Self { amount, key })
    }
}

/// The roots over `coinbase` and the first 0, 1, 2, … of `transactions`.
fn merkle_roots(values: &Value, fields: &mut Fields<'_>, key: &str, tally: &mut Tally) -> Result<(), Fault> {
    let roots = list(values).map_err(|fault| fault.in_field(key))?;
    let missing = |part: &str| Fault::new(format_args!("missing, {key} needs it")).in_field(part);
    let id = coinbase(fields.value("coinbase").ok_or_else(|| missing("coinbase"))?);
    let id = id.map_err(|fault| fault.in_field("coinbase"))?;
    let rows = match fields.value("transactions") {
        Some(values) => list(values).map_err(|fault| fault.in_field("transactions"))?,
        None if roots.len() > 1 => return Err(missing("transactions")),
        None => &[],
    };
    let wtxids: Vec<Wtxid> = rows.iter().map_while(wtxid).collect();
    tally.count_list(
        key,
        roots.iter().enumerate().map(|(n, value)| {
            let expected = Hash::read(value)?.0;
            let first =
                wtxids.get(..n).ok_or_else(|| Fault::new(format_args!("there are no {n} sound transactions")))?;
            same("", HERE, merkle::root(&id, first.iter().copied()).to_string(), hex::encode(expected))
        }),
    );
    Ok(())
}

/// The id that a transaction's encoding has. Whether the row says so is checked elsewhere.
fn wtxid(row: &Value) -> Option<Wtxid> {
    let encoded = Bytes::read(row.get("encoded")?).ok()?.0;
    Some(Transaction::decode(&encoded).ok()?.wtxid())
}

/// [height, reward there].
fn reward_row(value: &Value) -> Result<(), Fault> {
    let [height, expected] = <[u64; 2]>::read(value)?;
    same("[1]", HERE, reward(Height(height)).units(), expected)
}

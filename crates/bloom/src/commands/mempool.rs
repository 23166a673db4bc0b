//! `bloom mempool`: the transactions that wait in the data directory.

use anyhow::{Context, Result};
use bloom_chain::mempool::Totals;
use bloom_chain::{LiveChain, MempoolEntry};
use bloom_consensus::{Amount, Params, Txid, address};
use serde_json::{Value, json};

use crate::cli::{MempoolArgs, MempoolQuery};
use crate::context::{backend, open_live};
use crate::output::{counted, result};

/// Blocks to wait for at most, for which the summary estimates rates.
const HORIZONS: [u32; 3] = [1, 6, 24];

pub(crate) fn run(args: &MempoolArgs) -> Result<()> {
    let (params, directory) = args.place.resolve()?;
    let live = open_live(&directory, &params, backend(None)?, false)?;
    match &args.query {
        None => summary(&live, args.json),
        Some(MempoolQuery::List) => list(&live, args.json),
        Some(MempoolQuery::Show { txid }) => show(&live, &params, txid, args.json),
    }
}

fn summary(live: &LiveChain, json: bool) -> Result<()> {
    let pool = live.mempool();
    let mut totals = (0, 0);
    for entry in pool.iter() {
        totals = (totals.0 + entry.bytes(), totals.1 + entry.fee().units());
    }
    let (bytes, fees) = totals;
    let estimates = HORIZONS.map(|blocks| (blocks, pool.estimate(blocks)));
    if json {
        let rates: Vec<Value> =
            estimates.iter().map(|(blocks, rate)| json!({"blocks": blocks, "rate": rate.to_string()})).collect();
        return Ok(result(json!({"transactions": pool.len(), "bytes": bytes, "fees": fees.to_string(),
            "memory": pool.bytes(), "max_memory": pool.limits().max_bytes,
            "min_rate": pool.min_fee_rate().to_string(), "estimates": rates}))?);
    }
    result(format_args!("transactions  {}", pool.len()))?;
    result(format_args!("bytes         {bytes}"))?;
    result(format_args!("fees          {} BLOOM", Amount::from_units(fees)))?;
    result(format_args!("memory        {} of {} bytes", pool.bytes(), pool.limits().max_bytes))?;
    result(format_args!("asked         at least {}", pool.min_fee_rate().a_byte()))?;
    for (blocks, rate) in estimates {
        let within = format!("in {}", counted(blocks, "block"));
        result(format_args!("{within:<12}  {}", rate.a_byte()))?;
    }
    Ok(())
}

fn list(live: &LiveChain, json: bool) -> Result<()> {
    for entry in live.mempool().iter() {
        let (txid, bytes, fee, rate) = (entry.transaction().txid(), entry.bytes(), entry.fee(), entry.rate());
        if json {
            result(json!({"txid": txid.to_string(), "bytes": bytes, "fee": fee.units().to_string(),
                "rate": rate.to_string(), "added": entry.added().0}))?;
        } else {
            result(format_args!("{txid}  {bytes:>6} bytes  {fee} BLOOM  {}", rate.a_byte()))?;
        }
    }
    Ok(())
}

fn show(live: &LiveChain, params: &Params, txid: &Txid, json: bool) -> Result<()> {
    let pool = live.mempool();
    let entry = pool.get(txid).with_context(|| format!("no transaction {txid} waits here"))?;
    let transaction = entry.transaction();
    let names = |ids: &[Txid]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let parents = names(&pool.parents_of(txid).collect::<Vec<_>>());
    let children = names(&pool.children_of(txid).collect::<Vec<_>>());
    if json {
        let body = transaction.body();
        let inputs: Vec<Value> =
            body.inputs().iter().map(|input| json!({"txid": input.txid.to_string(), "index": input.index})).collect();
        let outputs: Vec<Value> = body
            .outputs()
            .iter()
            .map(|output| {
                json!({"amount": output.amount.units().to_string(), "key": output.key.to_string(),
                    "address": address::encode(&params.address_prefix, &output.key).ok()})
            })
            .collect();
        return Ok(result(json!({"txid": txid.to_string(), "wtxid": transaction.wtxid().to_string(),
            "bytes": entry.bytes(), "fee": entry.fee().units().to_string(), "rate": entry.rate().to_string(),
            "added": entry.added().0, "height": entry.height().0, "not_before": body.not_before().0.to_string(),
            "ancestors": totals(&entry.ancestors()), "descendants": totals(&entry.descendants()),
            "parents": parents, "children": children, "inputs": inputs, "outputs": outputs,
            "encoded": hex::encode(transaction.encode())}))?);
    }
    print(entry, params, &parents, &children)
}

fn totals(totals: &Totals) -> Value {
    json!({"count": totals.count, "bytes": totals.bytes, "fees": totals.fees.units().to_string()})
}

fn print(entry: &MempoolEntry, params: &Params, parents: &[String], children: &[String]) -> Result<()> {
    let transaction = entry.transaction();
    result(format_args!("transaction  {} (witness {})", transaction.txid(), transaction.wtxid()))?;
    result(format_args!("pays         {} BLOOM for {} bytes, {}", entry.fee(), entry.bytes(), entry.rate().a_byte()))?;
    result(format_args!("waits since  {}, when the tip was at height {}", entry.added(), entry.height()))?;
    for (what, totals) in [("stands on", entry.ancestors()), ("carries", entry.descendants())] {
        let Totals { count, bytes, fees } = totals;
        result(format_args!("{what:<11}  {count} with itself, {bytes} bytes, {fees} BLOOM"))?;
    }
    for input in transaction.body().inputs() {
        result(format_args!("  spends     {input}"))?;
    }
    for output in transaction.body().outputs() {
        let to = address::encode(&params.address_prefix, &output.key)?;
        result(format_args!("  pays       {} BLOOM to {to}", output.amount))?;
    }
    for parent in parents {
        result(format_args!("  waits for  {parent}"))?;
    }
    for child in children {
        result(format_args!("  spent by   {child}"))?;
    }
    Ok(())
}

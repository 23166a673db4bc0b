//! `bloom chain`: what the chain in the data directory holds.

mod branches;
mod prune;
mod state;
mod transfer;

use anyhow::{Context, Result, bail};
use bloom_chain::{Chain, Options, Pruning};
use bloom_consensus::{Amount, Block, BlockHash, Height, Output, Params, address, proof};
use bloom_kernel::{Backend, Bloom, Solo, certificate_hash};
use bloom_miner::estimate;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{ChainArgs, ChainQuery};
use crate::context::{backend, open_live_with, usage};
use crate::output::{counted, result};

/// Blocks per commit of an import.
const BULK: usize = 64;

pub(crate) fn run(args: &ChainArgs) -> Result<()> {
    let (params, directory) = args.place.resolve()?;
    let options = Options { backend: backend(None)?, create: false, ..Options::default() };
    let open = |options| Chain::open(&directory, &params, options);
    let live = |options| open_live_with(&directory, &params, options);
    match args.query.as_ref().unwrap_or(&ChainQuery::Tip) {
        ChainQuery::Tip => tip(&open(options)?, args.json),
        ChainQuery::List { count } => list(&open(options)?, *count, args.json),
        ChainQuery::Show { block } => show(&open(options)?, block, args.json),
        ChainQuery::Tips => branches::tips(&open(options)?, args.json),
        ChainQuery::State => state::state(&open(options)?, args.json),
        ChainQuery::Export { file, from } => transfer::export(&open(options)?, file, *from, args.json),
        ChainQuery::Import { file } => {
            // It may begin a chain, and is made durable many blocks at a time.
            let options = Options { create: true, blocks_per_commit: BULK, ..options };
            transfer::import(&params.network_id, || live(options), file, args.json)
        }
        ChainQuery::Prune { keep } => prune::prune(&mut open(options)?, &directory, *keep, args.json),
        ChainQuery::Invalidate { hash } => branches::invalidate(&mut live(options)?, hash, args.json),
        ChainQuery::Reconsider { hash } => branches::reconsider(&mut live(options)?, hash, args.json),
    }
}

fn tip(chain: &Chain, json: bool) -> Result<()> {
    let tip = chain.tip();
    let next = chain.next_difficulty()?;
    let network = &chain.params().name;
    if json {
        return Ok(result(json!({"network": network, "height": tip.height.0, "hash": tip.hash.to_string(),
            "timestamp": tip.timestamp.0, "difficulty_q24": tip.difficulty.q24().to_string(),
            "next_difficulty_q24": next.q24().to_string(), "work": tip.work.to_string(),
            "state": hex::encode(chain.state_digest()?),
            "pruned_below": chain.pruning().map(|pruning| pruning.horizon.0),
            "kept": chain.pruning().map(|pruning| pruning.keep.blocks())}))?);
    }
    result(format_args!("network     {network}"))?;
    result(format_args!("height      {}", tip.height))?;
    result(format_args!("hash        {}", tip.hash))?;
    result(format_args!("time        {}", time(tip.timestamp.0)))?;
    result(format_args!("difficulty  {}, next {}", tip.difficulty, next))?;
    result(format_args!("work        {} / 2^24", tip.work))?;
    if let Some(Pruning { horizon, keep, .. }) = chain.pruning() {
        result(format_args!("pruned      blocks below height {horizon}; of the last {keep} all is kept"))?;
    }
    Ok(result(format_args!("state       {}", hex::encode(chain.state_digest()?)))?)
}

fn list(chain: &Chain, count: u64, json: bool) -> Result<()> {
    let tip = chain.tip().height.0;
    for height in (tip.saturating_sub(count - 1)..=tip).rev() {
        let hash = chain.hash_at(Height(height))?.with_context(|| format!("no block at height {height}"))?;
        let header = chain.header(&hash)?.with_context(|| format!("block {hash} at height {height} is not stored"))?;
        let (template, end) = (header.template, header.seal.bloom_end);
        let transactions = chain.block(&hash)?.map(|block| block.transactions.len());
        if json {
            result(json!({"height": height, "hash": hash.to_string(), "timestamp": template.timestamp.0,
                "difficulty_q24": template.difficulty.q24().to_string(), "bloom_end": end,
                "transactions": transactions}))?;
        } else {
            let when = time(template.timestamp.0);
            let body = transactions.map_or("pruned".to_owned(), |count| counted(count, "transaction"));
            result(format_args!("{height:>8}  {hash}  {when}  bloomed at {end:>4}  {body}"))?;
        }
    }
    Ok(())
}

fn show(chain: &Chain, which: &str, json: bool) -> Result<()> {
    let (hash, block) = find(chain, which)?;
    // The certificate is not stored: whoever wants it re-runs the attempt.
    let bloom = proof::verify(&block.header, &mut Solo::new(Backend::detect()))?;
    let active = chain.is_active(&hash)?;
    if json {
        return Ok(result(as_json(chain.params(), &hash, &block, &bloom, active))?);
    }
    print_header(&hash, &block, &bloom, active)?;
    print_transactions(chain.params(), &block)
}

fn find(chain: &Chain, which: &str) -> Result<(BlockHash, Block)> {
    if which.len() < 20
        && let Ok(height) = which.parse()
    {
        let tip = chain.tip().height.0;
        if height > tip {
            return Err(usage(format!("no block at height {height}: the tip is at {tip}")));
        }
        return at_height(chain, Height(height));
    }
    let hash: BlockHash = which.parse().map_err(|error| usage(format!("neither a height nor a hash: {error}")))?;
    Ok((hash, stored(chain, &hash)?))
}

fn at_height(chain: &Chain, height: Height) -> Result<(BlockHash, Block)> {
    let hash = chain.hash_at(height)?.with_context(|| format!("no block at height {height}"))?;
    Ok((hash, stored(chain, &hash)?))
}

/// The block itself, or why there is none.
fn stored(chain: &Chain, hash: &BlockHash) -> Result<Block> {
    if let Some(block) = chain.block(hash)? {
        return Ok(block);
    }
    match (chain.header(hash)?, chain.pruning()) {
        (None, _) => bail!("no block {hash} is stored here"),
        (Some(header), Some(Pruning { horizon, .. })) if header.template.height < horizon => {
            bail!("block {hash} was pruned with all below height {horizon}: only its header is left")
        }
        (Some(_), _) => bail!("block {hash} is condemned: only its header is left"),
    }
}

fn print_header(hash: &BlockHash, block: &Block, bloom: &Bloom, active: bool) -> Result<()> {
    let (template, seal) = (&block.header.template, &block.header.seal);
    result(format_args!("block         {hash}{}", if active { "" } else { ", not on the chain" }))?;
    result(format_args!("height        {}", template.height))?;
    result(format_args!("parent        {}", template.prev_hash))?;
    result(format_args!("time          {}", time(template.timestamp.0)))?;
    result(format_args!("difficulty    {}", template.difficulty))?;
    result(format_args!("merkle root   {}", template.merkle_root))?;
    result(format_args!("challenge     {}", template.challenge()))?;
    result(format_args!("extra nonce   {}", seal.extra_nonce))?;
    result(format_args!("nonce         {}", seal.nonce))?;
    result(format_args!("bloom         rounds {} to {}, verified by re-running it", bloom.start(), bloom.end))?;
    let orders = bloom.order.iter().map(|order| format!("{:.5}", estimate::order_parameter(order.r2())));
    result(format_args!("r             {}", orders.collect::<Vec<_>>().join(" ")))?;
    result(format_args!("certificate   {}", hex::encode(seal.certificate_hash)))?;
    Ok(result(format_args!("              {}", hex::encode(bloom.certificate())))?)
}

fn print_transactions(params: &Params, block: &Block) -> Result<()> {
    result(format_args!("coinbase      {}", block.coinbase.id()))?;
    if !block.coinbase.data().is_empty() {
        result(format_args!("  data        {}", block.coinbase.data().escape_ascii()))?;
    }
    for output in block.coinbase.outputs() {
        result(format_args!("  pays        {} BLOOM to {}", output.amount, pay_to(params, output)))?;
    }
    for transaction in &block.transactions {
        let body = transaction.body();
        result(format_args!("transaction   {} (witness {})", transaction.txid(), transaction.wtxid()))?;
        for input in body.inputs() {
            result(format_args!("  spends      {}:{}", input.txid, input.index))?;
        }
        for output in body.outputs() {
            result(format_args!("  pays        {} BLOOM to {}", output.amount, pay_to(params, output)))?;
        }
    }
    Ok(())
}

fn as_json(params: &Params, hash: &BlockHash, block: &Block, bloom: &Bloom, active: bool) -> Value {
    let (template, seal) = (&block.header.template, &block.header.seal);
    let certificate = bloom.certificate();
    let outputs = |outputs: &[Output]| -> Vec<Value> {
        let output =
            |o: &Output| json!({"amount": units(o.amount), "key": o.key.to_string(), "address": pay_to(params, o)});
        outputs.iter().map(output).collect()
    };
    let transactions: Vec<Value> = block
        .transactions
        .iter()
        .map(|transaction| {
            let inputs: Vec<Value> = transaction
                .body()
                .inputs()
                .iter()
                .map(|i| json!({"txid": i.txid.to_string(), "index": i.index}))
                .collect();
            json!({"txid": transaction.txid().to_string(), "wtxid": transaction.wtxid().to_string(),
            "not_before": transaction.body().not_before().0.to_string(), "inputs": inputs,
            "outputs": outputs(transaction.body().outputs()), "encoded": hex::encode(transaction.encode())})
        })
        .collect();
    json!({"hash": hash.to_string(), "on_chain": active, "version": template.version, "height": template.height.0,
        "prev_hash": template.prev_hash.to_string(), "merkle_root": template.merkle_root.to_string(),
        "timestamp": template.timestamp.0, "difficulty_q24": template.difficulty.q24().to_string(),
        "challenge": template.challenge().to_string(), "extra_nonce": seal.extra_nonce.to_string(),
        "nonce": seal.nonce, "bloom_start": bloom.start(), "bloom_end": bloom.end,
        "order": bloom.order.map(|order| [order.cos, order.sin]), "final_phases": bloom.phases.to_vec(),
        "certificate": hex::encode(certificate), "certificate_hash": hex::encode(certificate_hash(&certificate)),
        "header": hex::encode(block.header.to_bytes()),
        "coinbase": {"id": block.coinbase.id().to_string(), "data": hex::encode(block.coinbase.data()),
            "outputs": outputs(block.coinbase.outputs())},
        "transactions": transactions})
}

/// 64-bit amounts are strings in JSON: not every reader has 64-bit integers.
fn units(amount: Amount) -> String {
    amount.units().to_string()
}

fn pay_to(params: &Params, output: &Output) -> String {
    // Every network's prefix was checked when the network was defined.
    address::encode(&params.address_prefix, &output.key).unwrap_or_else(|_| output.key.to_string())
}

/// Seconds since 1970 with their date in UTC.
fn time(secs: u64) -> String {
    let date = i64::try_from(secs).ok().and_then(|secs| Timestamp::from_second(secs).ok());
    date.map_or_else(|| secs.to_string(), |date| format!("{secs} ({date})"))
}

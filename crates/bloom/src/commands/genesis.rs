//! `bloom genesis`: the first block of a network, the same bytes everywhere.

use anyhow::Result;
use bloom_consensus::{Draft, NetworkFile, Params, Timestamp};
use bloom_miner::{MinerConfig, estimate, forge_genesis};
use serde_json::json;

use crate::cli::GenesisArgs;
use crate::context::{backend, parameter_file, stop_on_interrupt, threads, usage};
use crate::live::{LiveLine, si};
use crate::output::result;

pub(crate) fn run(args: &GenesisArgs) -> Result<()> {
    let draft = draft(args)?;
    let config = MinerConfig { threads: threads(args.threads), backend: backend(None)?, ..MinerConfig::default() };
    let difficulty = draft.template().difficulty;
    let expected = estimate::rounds_per_block(difficulty) / estimate::estimate_bloom_time(difficulty);
    let live = LiveLine::new(!args.json);
    let block = forge_genesis(&config, draft, &stop_on_interrupt()?, |attempts| {
        live.show(|| format!("attempt {}, {} expected", si(attempts as f64), si(expected)));
    })?;
    drop(live);
    let (template, seal) = (&block.header.template, &block.header.seal);
    let (hash, encoded) = (block.hash(), hex::encode(block.encode()));
    let magic = hash.to_string().split_off(56);
    if args.json {
        return Ok(result(json!({"network_id": hash.to_string(), "magic": magic, "timestamp": template.timestamp.0,
            "difficulty_q24": difficulty.q24().to_string(), "merkle_root": template.merkle_root.to_string(),
            "challenge": template.challenge().to_string(), "extra_nonce": seal.extra_nonce.to_string(),
            "nonce": seal.nonce, "bloom_end": seal.bloom_end, "block": encoded}))?);
    }
    result(format_args!("network id    {hash}"))?;
    result(format_args!("magic         {magic}"))?;
    result(format_args!("time          {}", template.timestamp))?;
    result(format_args!("difficulty    {difficulty}"))?;
    result(format_args!("extra_nonce = {}", seal.extra_nonce))?;
    result(format_args!("nonce = {}", seal.nonce))?;
    result(format_args!("bloomed at    {}", seal.bloom_end))?;
    Ok(result(format_args!("block         {encoded}"))?)
}

/// For a well-known network, time and text are given; a parameter file has its own, and its nonces are what is asked.
fn draft(args: &GenesisArgs) -> Result<Draft> {
    let Some(params) = Params::by_name(&args.network) else {
        if args.time.is_some() || args.text.is_some() {
            return Err(usage("--time and --text: a parameter file has its own, expected neither"));
        }
        let file = NetworkFile::parse(&parameter_file(&args.network)?);
        return Ok(file.map_err(|error| usage(format!("{}: {error}", args.network)))?.genesis());
    };
    let (Some(time), Some(text)) = (args.time, &args.text) else {
        return Err(usage(format!("network {} needs --time SECS and --text TEXT", params.name)));
    };
    let draft = Draft::genesis(text.clone().into_bytes(), Timestamp(time), params.genesis_difficulty());
    draft.map_err(|error| usage(format!("--text: {error}")))
}

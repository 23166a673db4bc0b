//! `bloom chain tips`, `invalidate` and `reconsider`: the branches, and which of them may be the chain.

use anyhow::Result;
use bloom_chain::{Chain, Leaf, LeafStatus, LiveChain, Switch};
use bloom_consensus::BlockHash;
use bloom_miner::unix_time;
use serde_json::json;

use crate::context::usage;
use crate::output::{counted, note, result};

pub(super) fn tips(chain: &Chain, json: bool) -> Result<()> {
    for Leaf { hash, height, work, branch, status } in chain.leaves()? {
        let status = match status {
            LeafStatus::Active => "active",
            LeafStatus::Side => "side",
            LeafStatus::Condemned => "condemned",
            LeafStatus::Invalidated => "invalidated",
        };
        if json {
            result(json!({"hash": hash.to_string(), "height": height.0, "work": work.to_string(),
                "branch": branch, "status": status}))?;
        } else {
            result(format_args!("{height:>8}  {hash}  {status:<11}  {branch:>5} off the chain, work {work} / 2^24"))?;
        }
    }
    Ok(())
}

pub(super) fn invalidate(live: &mut LiveChain, hash: &str, json: bool) -> Result<()> {
    let hash = parse(hash)?;
    let switch = live.invalidate(&hash, unix_time())?;
    live.save()?;
    note(format_args!(
        "block {hash} and what stands on it will not be followed; `bloom chain reconsider` takes that back"
    ));
    report(live.chain(), &switch, json)
}

pub(super) fn reconsider(live: &mut LiveChain, hash: &str, json: bool) -> Result<()> {
    let hash = parse(hash)?;
    let switch = live.reconsider(&hash, unix_time())?;
    live.save()?;
    note(format_args!("block {hash} may be followed again"));
    report(live.chain(), &switch, json)
}

fn report(chain: &Chain, Switch { disconnected, connected }: &Switch, json: bool) -> Result<()> {
    let tip = chain.tip();
    if json {
        let hashes = |hashes: &[BlockHash]| hashes.iter().map(ToString::to_string).collect::<Vec<_>>();
        return Ok(result(json!({"height": tip.height.0, "hash": tip.hash.to_string(),
            "disconnected": hashes(disconnected), "connected": hashes(connected)}))?);
    }
    Ok(result(format_args!(
        "{} taken off, {} put on; the tip is {} at height {}",
        counted(disconnected.len(), "block"),
        connected.len(),
        tip.hash,
        tip.height
    ))?)
}

fn parse(hash: &str) -> Result<BlockHash> {
    hash.parse().map_err(|error| usage(format!("block hash: {error}")))
}

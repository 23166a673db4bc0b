//! `bloom chain state`: what is unspent at the tip, by which two nodes compare.

use anyhow::Result;
use bloom_chain::{Chain, CoinsState};
use serde_json::json;

use crate::output::result;

pub(super) fn state(chain: &Chain, json: bool) -> Result<()> {
    let network = &chain.params().name;
    let CoinsState { tip, digest, coins, total, issued, burnt } = chain.coins_state()?;
    if json {
        return Ok(result(json!({"network": network, "height": tip.height.0, "hash": tip.hash.to_string(),
            "state": hex::encode(digest), "coins": coins, "total": total.units().to_string(),
            "issued": issued.units().to_string(), "burnt": burnt.units().to_string()}))?);
    }
    result(format_args!("network     {network}"))?;
    result(format_args!("height      {}", tip.height))?;
    result(format_args!("hash        {}", tip.hash))?;
    result(format_args!("state       {}", hex::encode(digest)))?;
    result(format_args!("coins       {coins} outputs, {total} BLOOM"))?;
    Ok(result(format_args!("issued      {issued} BLOOM, of which {burnt} burnt: claimed by no coinbase"))?)
}

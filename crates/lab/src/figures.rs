//! What a simulated network came to.

use std::collections::BTreeMap;
use std::time::Duration;

use bloom_consensus::BlockHash;
use serde::Serialize;

use crate::blocks::Blocks;
use crate::plan::Plan;
use crate::world::World;

/// Shares of the nodes that a block has reached, in percent.
const REACHED: [u64; 4] = [50, 90, 99, 100];

/// Milliseconds until a block had reached a share of the honest nodes: quantiles over the chain's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Propagation {
    /// Percent of the nodes.
    pub nodes: u64,
    /// Of half of all blocks.
    pub p50_ms: u64,
    /// Of nine in ten.
    pub p90_ms: u64,
    /// Of 99 in 100.
    pub p99_ms: u64,
}

/// Everything that is told about a simulated network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// As planned.
    pub seed: u64,
    /// Nodes in all.
    pub nodes: usize,
    /// Those that do as they say.
    pub honest: usize,
    /// Hours of virtual time.
    pub hours: u32,
    /// Blocks that were found.
    pub blocks: usize,
    /// Those that are not on the chain at the end.
    pub stale: usize,
    /// Their share, in percent.
    pub stale_percent: f64,
    /// Payments that a node took.
    pub payments: u64,
    /// Payments on the chain at the end.
    pub confirmed: usize,
    /// How fast blocks spread.
    pub propagation: Vec<Propagation>,
    /// How often an honest node left so many blocks for others.
    pub reorganisations: BTreeMap<u64, u64>,
    /// Bytes that an honest node exchanged with one peer in an hour, both ways.
    pub bytes_per_peer_hour: u64,
    /// Bytes that honest nodes sent, by kind, in percent of all.
    pub sent_percent: BTreeMap<&'static str, f64>,
    /// Peers of an honest node on average.
    pub peers: f64,
    /// Bans by honest nodes, by what for.
    pub bans: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes saw, bans or not.
    pub faults: BTreeMap<&'static str, u64>,
    /// Faults that they saw in honest ones.
    pub honest_faults: BTreeMap<&'static str, u64>,
    /// Honest nodes that an honest one banned.
    pub honest_banned: u64,
    /// Whether all honest nodes that run at the end are on one tip.
    pub converged: bool,
    /// How many tips they are on.
    pub tips: usize,
    /// The tip of most.
    pub tip: String,
    /// Its height.
    pub height: u64,
    /// Most transactions that wait at an honest node.
    pub waiting: usize,
    /// How often an honest node was woken in an hour.
    pub wakes_per_node_hour: f64,
    /// Times that a node wanted to be woken again at once.
    pub eager_wakes: u64,
    /// Things that happened.
    pub events: u64,
    /// Connections that were made.
    pub connections: u64,
}

impl Figures {
    pub(crate) fn new(plan: &Plan, world: &mut World, blocks: &Blocks, payments: u64) -> Self {
        let honest: Vec<usize> = (0..world.len()).filter(|node| world.is_honest(*node)).collect();
        let (tips, waiting) = survey(world, &honest);
        let best = tips.iter().max_by_key(|(hash, nodes)| (**nodes, **hash)).map(|(hash, _)| *hash);
        let tip = best.unwrap_or(BlockHash::ZERO);
        let (on_chain, confirmed, delays) = blocks.on_chain(&tip);
        let found = blocks.found();
        let record = &world.record;
        let sent: u64 = record.sent.values().sum();
        let hours = record.peer_time.as_secs_f64() / 3_600.0;
        let percent = |part: u64, of: u64| if of == 0 { 0.0 } else { 100.0 * part as f64 / of as f64 };
        let node_hours = honest.len() as f64 * f64::from(plan.hours);
        Self {
            seed: plan.seed,
            nodes: plan.nodes,
            honest: honest.len(),
            hours: plan.hours,
            blocks: found,
            stale: found - on_chain,
            stale_percent: percent((found - on_chain) as u64, found as u64),
            payments,
            confirmed,
            propagation: REACHED.map(|nodes| propagation(nodes, &delays)).to_vec(),
            reorganisations: blocks.reorganisations.clone(),
            bytes_per_peer_hour: if hours > 0.0 { ((sent + record.received) as f64 / hours) as u64 } else { 0 },
            sent_percent: record.sent.iter().map(|(kind, bytes)| (*kind, percent(*bytes, sent))).collect(),
            peers: hours / node_hours,
            bans: record.bans.clone(),
            faults: record.faults.clone(),
            honest_faults: record.honest_faults.clone(),
            honest_banned: record.honest_banned,
            converged: tips.len() == 1,
            tips: tips.len(),
            tip: tip.to_string(),
            height: blocks.height(&tip).unwrap_or(0),
            waiting,
            wakes_per_node_hour: record.wakes as f64 / node_hours,
            eager_wakes: record.eager_wakes,
            events: record.events,
            connections: record.links,
        }
    }
}

/// The tips of nodes that run with how many are on each, and the most transactions that wait anywhere.
fn survey(world: &mut World, nodes: &[usize]) -> (BTreeMap<BlockHash, usize>, usize) {
    let (mut tips, mut waiting) = (BTreeMap::new(), 0);
    for node in nodes {
        if let Some(engine) = world.engine(*node) {
            *tips.entry(engine.chain().chain().tip().hash).or_default() += 1;
            waiting = waiting.max(engine.chain().mempool().len());
        }
    }
    (tips, waiting)
}

/// When blocks had reached so many percent of the nodes that they reached at all.
fn propagation(nodes: u64, delays: &[Vec<Duration>]) -> Propagation {
    let mut times: Vec<Duration> = delays.iter().filter_map(|delays| quantile(delays, nodes)).collect();
    times.sort_unstable();
    let of = |percent| quantile(&times, percent).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Propagation { nodes, p50_ms: of(50), p90_ms: of(90), p99_ms: of(99) }
}

/// The least of ascending times that so many percent are not above.
fn quantile(ascending: &[Duration], percent: u64) -> Option<Duration> {
    let count = ascending.len() as u64;
    let rank = (count * percent).div_ceil(100).max(1) - 1;
    ascending.get(usize::try_from(rank).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_least_that_enough_are_not_above() {
        let times: Vec<Duration> = (1..=10).map(Duration::from_secs).collect();
        let of = |percent| quantile(&times, percent).map(|time| time.as_secs());
        assert_eq!([of(50), of(90), of(91), of(99), of(100)], [5, 9, 10, 10, 10].map(Some));
        assert_eq!(quantile(&[], 50), None);
    }
}

//! Figures of the laboratory, for people.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use bloom_lab::{Figures, Siege, eclipse};

use crate::live::count;

/// A simulated network in some twenty lines.
pub(crate) fn network(figures: &Figures) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<24} {value}");
    };
    line("nodes", format!("{}, {} of them honest, {:.1} peers each", figures.nodes, figures.honest, figures.peers));
    line(
        "blocks",
        format!("{} in {} h, {} stale ({:.2} %)", figures.blocks, figures.hours, figures.stale, figures.stale_percent),
    );
    line(
        "payments",
        format!("{} taken, {} confirmed, {} wait at most", figures.payments, figures.confirmed, figures.waiting),
    );
    for reached in &figures.propagation {
        line(
            &format!("a block at {} %", reached.nodes),
            format!("median {} ms, p90 {} ms, p99 {} ms", reached.p50_ms, reached.p90_ms, reached.p99_ms),
        );
    }
    line("reorganisations", list(&figures.reorganisations, |depth, times| format!("{times} of {depth}")));
    line("bytes/peer/hour", count(figures.bytes_per_peer_hour));
    line("sent", list(&figures.sent_percent, |kind, percent| format!("{kind} {percent:.1} %")));
    line("bans", list(&figures.bans, |fault, times| format!("{fault} {times}")));
    line("faults", list(&figures.faults, |fault, times| format!("{fault} {times}")));
    line("honest ones blamed", list(&figures.honest_faults, |fault, times| format!("{fault} {times}")));
    line("honest ones banned", figures.honest_banned.to_string());
    line(
        "wakes/node/hour",
        format!("{:.1}, {} at once after another", figures.wakes_per_node_hour, figures.eager_wakes),
    );
    line("events", format!("{}, {} connections", count(figures.events), count(figures.connections)));
    let agreed = if figures.converged { "all on one tip".to_owned() } else { format!("{} tips", figures.tips) };
    line("at the end", format!("{agreed}: {} at height {}", figures.tip, figures.height));
    out.trim_end().to_owned()
}

/// What came of attempts to surround a node.
pub(crate) fn siege(siege: &Siege) -> String {
    let slots = |slots: &BTreeMap<usize, u32>| list(slots, |slots, times| format!("{slots} in {times}"));
    [
        format!("{} attempts with {} addresses in {} groups", siege.seeds, siege.addresses, siege.groups),
        format!("honest outbound slots     {}", slots(&siege.honest_slots)),
        format!("the attacker's            {}", slots(&siege.attacked_slots)),
        format!("{} or more of 8 honest     {:.1} %", eclipse::MUST_STAY, siege.held_percent),
    ]
    .join("\n")
}

fn list<K, V: Copy>(entries: &BTreeMap<K, V>, text: impl Fn(&K, V) -> String) -> String
where
    K: Display,
{
    if entries.is_empty() {
        return "none".to_owned();
    }
    entries.iter().map(|(key, value)| text(key, *value)).collect::<Vec<_>>().join(", ")
}

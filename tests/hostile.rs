//! A node as a process among hostile ones (attacks 20 and 25 to 30): whatever they send, honest peers get new blocks through it,
//! it keeps its connections with them and its memory bounded, and whoever nobody honest could be is gone.
//!
//! `BLOOM_FLOODS=full cargo test --release -p bloom --test hostile -- --nocapture --test-threads 1` floods with 10 000
//! connections and a million headers, notes and addresses, and prints a line for each flood: the most memory in MiB, blocks
//! timed, and milliseconds from the miner through the flooded node to a third (median / 99th percentile), before and during it.
#![cfg(target_os = "linux")]

#[path = "hostile/attacker.rs"]
mod attacker;
#[path = "hostile/chains.rs"]
mod chains;
#[path = "hostile/forge.rs"]
mod forge;
#[path = "hostile/honest.rs"]
mod honest;
#[path = "network/node.rs"]
mod node;
#[path = "hostile/payments.rs"]
mod payments;
#[path = "hostile/storms.rs"]
mod storms;
#[path = "hostile/streams.rs"]
mod streams;
mod support;

//! Wallets against a chain in memory: what they know, what they pay, and what a reorganisation does to it.
#![expect(clippy::unwrap_used, reason = "these are tests, in several files")]

mod histories;
mod journal;
mod keeping;
mod memory_node;
mod paying;
mod replacing;
mod scanning;
mod sweeping;

//! The search for blooms: jobs, threads, Lucas nonces, the mining loop, and what a bloom costs.
//!
//! - [`mine_block`] finds one block; [`mining_loop`] goes on from tip to tip of a [`MiningChain`].
//! - Both drive a [`Search`]: one thread a core at the lowest priority, the current job behind an atomic swap.
//! - [`LucasNonceGenerator`], [`golden_adjust`] and [`calculate_new_difficulty`] are the design guide's helpers in exact
//!   integers; [`estimate`] and [`energy`] say in floating point, for display, what to expect.

mod adjust;
mod config;
mod difficulty;
pub mod energy;
pub mod estimate;
mod genesis;
mod mine;
mod mining_loop;
mod nonce;
mod on_chain;
mod search;
mod worker;

pub use adjust::{golden_adjust, inverse_golden_adjust};
pub use config::MinerConfig;
pub use difficulty::{calculate_new_difficulty, coupling_to_difficulty, difficulty_to_coupling};
pub use genesis::forge_genesis;
pub use mine::{MineError, MiningResult, mine_block};
pub use mining_loop::{Clock, LoopError, MiningChain, MiningEvent, Pace, Summary, mining_loop, unix_time};
pub use nonce::LucasNonceGenerator;
pub use on_chain::{OnChain, OnChainError};
pub use search::{Found, Job, Search, SearchError, Snapshot, StopSignal};

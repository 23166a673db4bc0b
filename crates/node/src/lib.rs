//! The node: chain, mempool, network and miner in one process.
//!
//! - [`start()`] puts it together from [`Settings`]; [`Node`] is what runs, [`Handle`] what others ask it through.
//! - One thread owns the engine of `bloom-net` (`engine_thread`): what the network delivers, what handles ask and what the
//!   provers found goes to it in turn, so that nothing in it is locked.
//! - [`Choices`] is the configuration file and the flags; [`control`] the socket that `bloom peers` speaks to; [`log`] what
//!   is said to people; [`NodeEvent`] what is said to programs.

mod advice;
mod carrier;
pub mod control;
mod disk;
mod engine_thread;
mod event;
mod files;
mod handle;
mod hook;
pub mod log;
mod mining;
mod prover;
mod seeds;
mod settings;
mod start;

pub use advice::{LEAST_CONFIRMATIONS, confirmations};
pub use carrier::{Carrier, Traffic};
pub use disk::DiskLimits;
pub use engine_thread::Ending;
pub use event::NodeEvent;
pub use files::{FileError, load_bans, load_book, store_bans, store_book};
pub use handle::{Handle, HandleError};
pub use hook::{Hook, HookError};
pub use mining::{Mining, NodeChain, NodeChainError};
pub use settings::{CONFIG_FILE, Choices, Settings, SettingsError, to_dial};
pub use start::{Node, StartError, start};

//! One file a subcommand.

pub(crate) mod attempt;
pub(crate) mod bench;
pub(crate) mod chain;
pub(crate) mod estimate;
pub(crate) mod genesis;
pub(crate) mod lab;
pub(crate) mod mempool;
pub(crate) mod mine;
pub(crate) mod node;
pub(crate) mod peers;
pub(crate) mod shell;
pub(crate) mod tx;
pub(crate) mod vectors;
pub(crate) mod verify;
pub(crate) mod wallet;

//! Keys, addresses, coins and payments: everything about holding and sending BLOOM but the chain itself.

mod node;

pub use node::{Node, Place};

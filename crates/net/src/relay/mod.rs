//! New blocks and transactions on their way.

mod blocks;
mod transactions;

pub(crate) use blocks::BlockRelay;
pub(crate) use transactions::TransactionRelay;

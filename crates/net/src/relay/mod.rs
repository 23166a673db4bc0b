//! New blocks and transactions on their way.

mod blocks;
mod compact;
mod headers;
mod recent;
mod transactions;

pub(crate) use blocks::BlockRelay;
pub(crate) use transactions::TransactionRelay;

use bloom_chain::StoreError;

use crate::hub::Hub;

/// The files fail, not a peer: nothing that is in memory can be trusted any more.
fn fail_on(hub: &mut Hub, done: Result<(), StoreError>) {
    if let Err(error) = done {
        hub.fail(error);
    }
}

#[cfg(test)]
mod tests;

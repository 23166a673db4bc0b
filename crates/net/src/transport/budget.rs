//! Bytes on their way, bounded: what is read waits for room, and the peer that sends it waits too.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of notes and requests that are being read or that the engine has not taken, of all peers.
pub(super) const UNASKED_BYTES: usize = 32 * 1024 * 1024;
/// The same of one connection. A longer message takes all of it.
pub(super) const UNASKED_BYTES_PER_PEER: usize = 256 * 1024;
/// Notes and requests of one connection that the engine has not taken.
pub(super) const UNASKED_PER_PEER: usize = 1_024;
/// Bytes of answers to this node that are being read or that the engine has not taken, of all peers.
pub(super) const ANSWERS_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of answers of this node that are being sent, to all peers. Above it the answer is *busy*.
pub(super) const GIVEN_BYTES: usize = 128 * 1024 * 1024;
/// The same to one connection.
pub(super) const GIVEN_BYTES_PER_PEER: usize = 4 * 1024 * 1024;
/// An answer this short is always sent: a connection has only so many streams.
pub(super) const SMALL_BYTES: usize = 4 * 1024;

/// A message weighs this much at least: what it takes beside its bytes.
const MIN_WEIGHT: usize = UNASKED_BYTES_PER_PEER / UNASKED_PER_PEER;

/// What is taken of a purse, until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    permits: Vec<OwnedSemaphorePermit>,
    /// Whether there was room only after a while: then whoever sends may have given up through no fault of its own.
    pub(super) waited: bool,
}

/// Where room for messages comes from: one connection's share, then what all have.
#[derive(Clone, Debug)]
pub(super) struct Purse {
    pockets: Vec<(Arc<Semaphore>, usize)>,
}

impl Purse {
    /// Pockets with their sizes, asked in this order. All streams ask in the same order and for all they need at once, so
    /// none waits for another that waits for it.
    pub(super) fn new(pockets: Vec<(Arc<Semaphore>, usize)>) -> Self {
        Self { pockets }
    }

    /// Room for a message, when there is.
    pub(super) async fn take(&self, bytes: usize) -> Held {
        let mut held = Held::default();
        for (pocket, size) in &self.pockets {
            let weight = weight(bytes, *size);
            let permit = match Arc::clone(pocket).try_acquire_many_owned(weight) {
                Ok(permit) => permit,
                Err(_) => {
                    held.waited = true;
                    Arc::clone(pocket).acquire_many_owned(weight).await.expect("no pocket is ever closed")
                }
            };
            held.permits.push(permit);
        }
        held
    }

    /// Room for a message, if there is any now.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Held> {
        let mut held = Held::default();
        for (pocket, size) in &self.pockets {
            held.permits.push(Arc::clone(pocket).try_acquire_many_owned(weight(bytes, *size)).ok()?);
        }
        Some(held)
    }
}

fn weight(bytes: usize, size: usize) -> u32 {
    u32::try_from(bytes.clamp(MIN_WEIGHT, size)).expect("pockets are smaller than 4 GiB")
}

/// A pocket of this many bytes.
pub(super) fn pocket(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes))
}

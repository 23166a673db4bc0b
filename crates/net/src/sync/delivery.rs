//! Bodies handed to the chain in order, a few at a time, so that the engine hears others in between.

use std::time::Duration;

use bloom_chain::{AcceptError, Outcome, StoreError};
use bloom_consensus::constants::FUTURE_LIMIT_SECS;
use bloom_consensus::{BlockHash, Timestamp};

use super::CatchUp;
use super::bodies::Held;
use crate::Fault;
use crate::hub::Hub;

/// Blocks handed over at a time.
const BLOCKS: usize = 32;
/// Bytes of them after which no more are.
const BYTES: usize = 512 << 10;
/// Blocks that are one commit while many are missing.
const BLOCKS_PER_COMMIT: usize = 64;
/// No block that was taken waits longer to be durable.
const COMMIT_TIME: Duration = Duration::from_secs(1);

/// What is written and not durable yet.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// When the first of several blocks was written that are one commit.
    since: Option<Duration>,
}

impl CatchUp {
    /// Hands over what is here of the blocks that come next.
    pub(super) fn deliver(&mut self, hub: &mut Hub) -> Result<(), StoreError> {
        let mut bytes = 0;
        for _ in 0..BLOCKS {
            if self.ahead_until.is_some() || bytes >= BYTES {
                break;
            }
            let Some(hash) = self.path.first() else { break };
            let Some(held) = self.bodies.take(&hash) else { break };
            bytes += held.bytes;
            if self.is_behind() {
                hub.chain.set_blocks_per_commit(BLOCKS_PER_COMMIT);
                self.commits.since = self.commits.since.or(Some(hub.now.elapsed));
            }
            self.hand_over(hub, hash, &held)?;
        }
        Ok(())
    }

    fn hand_over(&mut self, hub: &mut Hub, hash: BlockHash, held: &Held) -> Result<(), StoreError> {
        let Held { block, from, .. } = held;
        match hub.accept(block, Some(*from), true) {
            Ok(accepted) => match accepted.outcome {
                Outcome::SetAside { until } => self.ahead_until = Some(until),
                _ => {
                    self.filed(&hash);
                    if let Some(peer) = hub.peers.get_mut(*from) {
                        peer.last_block = Some(hub.now.elapsed);
                    }
                }
            },
            Err(AcceptError::Store(error)) => return Err(error),
            Err(AcceptError::Refused { rejection, .. }) if !rejection.condemns_header() => {
                self.convict(hub, *from, Fault::InvalidBlock(rejection.to_string()));
            }
            Err(AcceptError::TooFarAhead { .. } | AcceptError::NoRoom { .. }) => {
                let timestamp = block.header.template.timestamp.0;
                self.ahead_until = Some(Timestamp(timestamp.saturating_sub(FUTURE_LIMIT_SECS)));
            }
            // It is condemned, or on a branch that cannot be followed. Who served it is among those that are let go for
            // having it.
            Err(_) => {
                self.cut(hub, &hash);
                self.let_go(hub, *from, "it served an invalid block");
            }
        }
        Ok(())
    }

    /// From now on every block is durable when it was taken.
    pub(crate) fn commit_now(&mut self, hub: &mut Hub) {
        if self.commits.since.take().is_some() {
            hub.chain.set_blocks_per_commit(1);
            if let Err(error) = hub.chain.flush() {
                hub.fail(error);
            }
        }
    }

    /// Makes durable what was written: when nothing more is to come soon, or after a second.
    pub(super) fn end_commits(&mut self, hub: &mut Hub) -> Result<(), StoreError> {
        let Some(since) = self.commits.since else { return Ok(()) };
        let is_near = !self.is_behind();
        if is_near {
            hub.chain.set_blocks_per_commit(1);
        }
        if is_near || hub.now.elapsed >= since + COMMIT_TIME {
            hub.chain.flush()?;
            self.commits.since = None;
        }
        Ok(())
    }

    pub(super) fn commits_wake(&self) -> Option<Duration> {
        self.commits.since.map(|since| since + COMMIT_TIME)
    }
}

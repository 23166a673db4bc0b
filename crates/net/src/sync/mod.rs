//! Catching up: headers first, their proofs in batches, bodies in a moving window.
//!
//! [`tree`] holds the proven headers beyond the chain, [`leaders`] asks for them, [`headers`] judges them, [`path`] chooses the branch that
//! is worth its bodies, [`bodies`] asks for those, [`delivery`] hands them to the chain, [`serve`] answers others.

mod bodies;
mod delivery;
mod headers;
mod leaders;
mod path;
mod progress;
mod resting;
mod serve;
mod source;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bloom_chain::StoreError;
use bloom_consensus::{BlockHash, Header, Timestamp};

use crate::Fault;
use crate::event::{AnswerId, ConnId, Failure, JobId, RequestId};
use crate::fault::BAN_SCORE;
use crate::hub::{Happening, Hub};
use crate::wire::{Request, Response};
use bodies::Bodies;
use delivery::Commits;
use path::Path;
use progress::Progress;
use resting::Resting;
use source::{Job, Source};
use tree::Tree;

/// How often blocks that are ahead of the clock are tried again while there are any.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    sources: BTreeMap<ConnId, Source>,
    tree: Tree,
    jobs: BTreeMap<JobId, Job>,
    /// The headers that jobs check: nobody else's copy of them is checked meanwhile.
    proving: BTreeSet<BlockHash>,
    path: Path,
    bodies: Bodies,
    resting: Resting,
    commits: Commits,
    progress: Progress,
    /// The next block is ahead of the clock until then.
    ahead_until: Option<Timestamp>,
    /// When to try blocks again that were set aside.
    retry_at: Option<Duration>,
    next_wake: Option<Duration>,
}

impl CatchUp {
    /// Headers that a peer announced and that do not stand on the chain, or are too many to be new.
    pub(crate) fn announced(&mut self, hub: &mut Hub, peer: ConnId, headers: &[Header]) {
        self.guard(hub, |this, hub| this.headers_announced(hub, peer, headers));
    }

    pub(crate) fn response(&mut self, hub: &mut Hub, peer: ConnId, id: RequestId, response: Response) {
        self.guard(hub, |this, hub| {
            if this.bodies.is_request(id) {
                this.bodies_came(hub, peer, id, response);
                return Ok(());
            }
            this.headers_came(hub, peer, id, response)
        });
    }

    pub(crate) fn failed(&mut self, hub: &mut Hub, peer: ConnId, id: RequestId, failure: Failure) {
        self.guard(hub, |this, hub| {
            if this.bodies.is_request(id) {
                this.bodies_failed(hub, peer, id, failure);
            } else {
                this.headers_failed(hub, peer, id, failure);
            }
            Ok(())
        });
    }

    pub(crate) fn proven(&mut self, hub: &mut Hub, job: JobId, first_false: Option<usize>) {
        self.guard(hub, |this, hub| this.proofs_checked(hub, job, first_false));
    }

    pub(crate) fn happened(&mut self, hub: &mut Hub, happening: &Happening) {
        match happening {
            Happening::Joined(peer) => self.guard(hub, |this, hub| this.joined(hub, *peer)),
            Happening::Left(peer) => self.guard(hub, |this, _| {
                this.forget(*peer);
                // What it alone has shown goes with it, unless its bodies are being fetched.
                if this.tree.is_owner(*peer) {
                    this.keep_headers(true);
                }
                Ok(())
            }),
            Happening::Tip { connected, .. } => {
                // What was delivered is gone from the path already: nothing else is to be done about it.
                let mut news = false;
                for hash in connected {
                    news |= self.filed(hash);
                }
                if news {
                    self.guard(hub, |_, _| Ok(()));
                }
            }
            Happening::Transaction { .. } => {}
        }
    }

    /// Whether so much is missing that new blocks and transactions at the tip are of no use yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.progress.is_behind()
    }

    /// The height of the best header that is worth its bodies.
    pub(crate) fn best_height(&self) -> Option<bloom_consensus::Height> {
        self.path.target_height()
    }

    pub(crate) fn wake(&mut self, hub: &mut Hub) {
        self.guard(hub, |this, hub| {
            this.retry(hub)?;
            this.replace_stalled(hub);
            this.deliver(hub)?;
            this.judge_waiting(hub)
        });
    }

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.next_wake
    }

    /// Answers requests for headers and blocks.
    pub(crate) fn serve(&mut self, hub: &mut Hub, peer: ConnId, id: AnswerId, request: Request) {
        let answer = match request {
            Request::Headers { locator } => serve::headers(hub, peer, &locator),
            Request::Blocks { hashes } => serve::blocks(hub, peer, &hashes),
            _ => return,
        };
        match answer {
            Ok(response) => hub.answer(peer, id, response),
            Err(error) => hub.fail(error),
        }
    }

    /// Does something, then asks for whatever is to be asked for after it. If the store fails nothing more is done.
    fn guard(&mut self, hub: &mut Hub, work: impl FnOnce(&mut Self, &mut Hub) -> Result<(), StoreError>) {
        let done = work(self, hub).and_then(|()| self.settle(hub));
        if let Err(error) = done {
            hub.fail(error);
        }
    }

    fn settle(&mut self, hub: &mut Hub) -> Result<(), StoreError> {
        self.choose_path(hub);
        self.ask_for_bodies(hub);
        self.ask_for_headers(hub)?;
        let fetching_headers = self.is_fetching_headers(hub);
        self.progress.update(hub, &self.path, fetching_headers);
        self.end_commits(hub)?;
        self.next_wake = self.when_to_wake(hub);
        Ok(())
    }

    fn when_to_wake(&mut self, hub: &Hub) -> Option<Duration> {
        let now = hub.now.elapsed;
        if hub.chain.chain().waiting().1 == 0 {
            self.retry_at = None;
        } else {
            self.retry_at = self.retry_at.or(Some(now + RETRY));
        }
        let ahead = self.ahead_until.map(|until| {
            let wait = until.0.saturating_sub(hub.now.unix.0).clamp(1, 60);
            now + Duration::from_secs(wait)
        });
        let ready = (self.ahead_until.is_none() && self.is_next_here()).then_some(now);
        let parts = [self.headers_wake(hub.now), self.bodies_wake(now), self.commits_wake(), self.progress.next_wake()];
        [ahead, ready, self.retry_at].into_iter().chain(parts).flatten().min()
    }

    /// Tries blocks again that were ahead of the clock.
    fn retry(&mut self, hub: &mut Hub) -> Result<(), StoreError> {
        if self.ahead_until.is_some_and(|until| until <= hub.now.unix) {
            self.ahead_until = None;
            self.retry_at = Some(hub.now.elapsed);
        }
        if self.retry_at.is_some_and(|at| at <= hub.now.elapsed) {
            self.retry_at = None;
            hub.retry()?;
        }
        Ok(())
    }

    fn joined(&mut self, hub: &mut Hub, peer: ConnId) -> Result<(), StoreError> {
        let Some(hello) = hub.peers.get(peer).and_then(|peer| peer.hello.as_ref()) else { return Ok(()) };
        let chain = hub.chain.chain();
        let has_more = hello.work > chain.tip().work || chain.known(&hello.tip)?.is_none();
        let bodies_after = self.resting.until(hub, peer);
        self.sources.insert(peer, Source { bodies_after, ..Source::new(has_more, hub.now.elapsed) });
        Ok(())
    }

    /// Nothing is asked of a peer any more; what it was asked for is free to be asked of others.
    fn forget(&mut self, peer: ConnId) {
        self.sources.remove(&peer);
        self.bodies.forget(peer);
    }

    /// Blames a peer, and if that bans it forgets it.
    fn convict(&mut self, hub: &mut Hub, peer: ConnId, fault: Fault) {
        if fault.points() >= BAN_SCORE {
            self.forget(peer);
        }
        hub.blame(peer, fault);
    }

    /// Lets a peer go that may have been fooled, or is of no use.
    fn let_go(&mut self, hub: &mut Hub, peer: ConnId, why: &str) {
        self.forget(peer);
        hub.part(peer, why);
    }
}

#[cfg(test)]
mod tests;

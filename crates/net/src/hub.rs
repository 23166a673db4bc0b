//! What the parts of an engine share: the chain, the peers, the time, randomness, and the actions to come.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bloom_chain::{AcceptError, Accepted, AdmitError, Admitted, LiveChain, Outcome, StoreError};
use bloom_consensus::{Block, BlockHash, Height, Transaction};
use bloom_kernel::{Backend, Solo};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::config::Config;
use crate::event::{Action, AnswerId, ConnId, JobId, Now, Report, RequestId};
use crate::peers::{Ban, Peers};
use crate::wire::{Note, Request, Response};

/// What a request was made for, so that its answer finds the part that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be let in.
    Hello,
    /// Headers or whole blocks, to catch up.
    CatchUp,
    /// A new block, or parts of it.
    Relay,
    /// Transactions that were announced.
    Transactions,
    /// Addresses.
    Addresses,
}

/// A request without an answer yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) peer: ConnId,
    pub(crate) purpose: Purpose,
}

/// What happened in one part that others act on.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A peer was let in: hellos were exchanged.
    Joined(ConnId),
    /// A peer that had been let in is gone.
    Left(ConnId),
    /// The chain has a new tip.
    Tip {
        /// The blocks that are on the chain now and were not, the new tip last.
        connected: Vec<BlockHash>,
        /// The blocks that were on the chain, the old tip first.
        disconnected: Vec<BlockHash>,
        /// Who sent the last of them; none if it was made here.
        source: Option<ConnId>,
    },
    /// A transaction waits that did not.
    Transaction {
        /// It.
        transaction: Transaction,
    },
}

/// The source that the chain knows a block of one's own by; peers are one above their connection's number.
const MYSELF: u64 = 0;
/// How often it is told that a branch cannot be followed: each of its blocks would be another reason.
const OUT_OF_REACH_EVERY: Duration = Duration::from_secs(3_600);

pub(crate) struct Hub {
    pub(crate) chain: LiveChain,
    pub(crate) config: Config,
    pub(crate) peers: Peers,
    pub(crate) now: Now,
    pub(crate) random: ChaCha8Rng,
    /// For single proofs; many at once are an [`Action::Prove`].
    pub(crate) solo: Solo,
    /// Requests without an answer.
    pub(crate) asked: BTreeMap<RequestId, Asked>,
    pub(crate) happened: VecDeque<Happening>,
    /// Why the store failed, if it did: nothing is done any more then.
    fault: Option<StoreError>,
    /// When it was last told that a branch cannot be followed.
    out_of_reach: Option<Duration>,
    actions: Vec<Action>,
    requests: u64,
    jobs: u64,
}

impl Hub {
    pub(crate) fn new(chain: LiveChain, config: Config, bans: Vec<Ban>, backend: Backend, seed: u64) -> Self {
        Self {
            chain,
            config,
            peers: Peers::new(bans),
            now: Now::default(),
            random: ChaCha8Rng::seed_from_u64(seed),
            solo: Solo::new(backend),
            asked: BTreeMap::new(),
            happened: VecDeque::new(),
            fault: None,
            out_of_reach: None,
            actions: Vec::new(),
            requests: 0,
            jobs: 0,
        }
    }

    /// The store failed: what is in memory can no longer be trusted.
    pub(crate) fn fail(&mut self, error: StoreError) {
        self.fault.get_or_insert(error);
    }

    /// Why the store failed, if it did.
    pub(crate) fn fault(&self) -> Option<&StoreError> {
        self.fault.as_ref()
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn tell(&mut self, report: Report) {
        self.act(Action::Tell(report));
    }

    /// Sends one note to each of these peers.
    pub(crate) fn send(&mut self, peers: impl IntoIterator<Item = ConnId>, note: Note) {
        let note = Arc::new(note);
        for peer in peers {
            self.act(Action::Send { peer, note: Arc::clone(&note) });
        }
    }

    pub(crate) fn ask(&mut self, peer: ConnId, purpose: Purpose, request: Request, timeout: Duration) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.asked.insert(id, Asked { peer, purpose });
        self.act(Action::Ask { peer, id, request, timeout });
        id
    }

    pub(crate) fn answer(&mut self, peer: ConnId, id: AnswerId, response: Response) {
        self.act(Action::Answer { peer, id, response });
    }

    /// Has proofs checked elsewhere.
    pub(crate) fn prove(&mut self, headers: Vec<bloom_consensus::Header>) -> JobId {
        self.jobs += 1;
        let job = JobId(self.jobs);
        self.act(Action::Prove { job, headers });
        job
    }

    /// Hands the chain a block; what becomes of the tip is told to all parts. `proven` says that the block's own header had
    /// its proof checked.
    pub(crate) fn accept(
        &mut self,
        block: &Block,
        source: Option<ConnId>,
        proven: bool,
    ) -> Result<Accepted, AcceptError> {
        let number = source.map_or(MYSELF, |peer| peer.0.saturating_add(1));
        let accepted = if proven {
            self.chain.accept_proven(block, number, self.now.unix)
        } else {
            self.chain.accept(block, number, self.now.unix)
        };
        if let Err(AcceptError::Store(error)) = accepted {
            self.fail(error);
            return Err(StoreError::Closed.into());
        }
        if let Err(AcceptError::Pruned { hash, horizon }) = accepted {
            self.tell_out_of_reach(hash, horizon);
        }
        if let Ok(accepted) = &accepted {
            let followed =
                accepted.followed.iter().filter_map(|followed| Some((followed.hash, followed.result.as_ref().ok()?)));
            let hash = block.hash();
            let outcomes = std::iter::once((hash, &accepted.outcome)).chain(followed);
            self.follow(outcomes, source, Some((hash, block.transactions.len())));
        }
        accepted
    }

    fn tell_out_of_reach(&mut self, hash: BlockHash, horizon: Height) {
        if self.out_of_reach.is_none_or(|last| self.now.elapsed >= last + OUT_OF_REACH_EVERY) {
            self.out_of_reach = Some(self.now.elapsed);
            self.tell(Report::OutOfReach { hash, horizon });
        }
    }

    /// Tries blocks again that were ahead of the clock.
    pub(crate) fn retry(&mut self) -> Result<(), StoreError> {
        let followed = self.chain.retry(self.now.unix)?;
        let outcomes = followed.iter().filter_map(|followed| Some((followed.hash, followed.result.as_ref().ok()?)));
        self.follow(outcomes, None, None);
        Ok(())
    }

    /// Tells of each step of the tip.
    fn follow<'a>(
        &mut self,
        outcomes: impl Iterator<Item = (BlockHash, &'a Outcome)>,
        source: Option<ConnId>,
        counted: Option<(BlockHash, usize)>,
    ) {
        for (hash, outcome) in outcomes {
            let (connected, disconnected) = match outcome {
                Outcome::Extended => (vec![hash], Vec::new()),
                Outcome::Reorganised { disconnected, connected } => (connected.clone(), disconnected.clone()),
                Outcome::SideBranch | Outcome::Orphan | Outcome::SetAside { .. } | Outcome::Known => continue,
            };
            let new = connected.last().copied().unwrap_or(hash);
            let transactions = counted.and_then(|(hash, count)| (hash == new).then_some(count));
            self.tell_tip(new, transactions, disconnected.len(), source);
            self.happened.push_back(Happening::Tip { connected, disconnected, source });
        }
    }

    fn tell_tip(&mut self, hash: BlockHash, counted: Option<usize>, reorganised: usize, from: Option<ConnId>) {
        let chain = self.chain.chain();
        // After the last step the tip's height is at hand, and what came in has been counted: nothing is read.
        let tip = chain.tip();
        let read = || Ok(chain.block(&hash)?.map(|block| (block.header.template.height, block.transactions.len())));
        match counted.filter(|_| tip.hash == hash).map_or_else(read, |count| Ok(Some((tip.height, count)))) {
            Ok(Some((height, transactions))) => {
                self.tell(Report::Tip { hash, height, transactions, reorganised, from });
            }
            Ok(None) => {} // another has followed already, and it was pruned
            Err(error) => self.fail(error),
        }
    }

    /// Hands the mempool a transaction; that it waits now is told to all parts.
    pub(crate) fn submit(&mut self, transaction: Transaction) -> Result<Admitted, AdmitError> {
        let admitted = match self.chain.submit(transaction.clone(), self.now.unix) {
            Err(AdmitError::Store(error)) => {
                self.fail(error);
                return Err(StoreError::Closed.into());
            }
            admitted => admitted?,
        };
        if !admitted.known {
            self.happened.push_back(Happening::Transaction { transaction });
        }
        Ok(admitted)
    }
}

#[cfg(test)]
mod tests {
    use bloom_chain::{Keep, MempoolLimits, Options};
    use bloom_consensus::{Params, genesis};
    use bloom_kernel::Batch;

    use super::*;
    use crate::testing::output_key;

    fn grow(chain: &mut LiveChain, key: u8, batch: &mut Batch) -> Block {
        let time = chain.chain().template_facts().unwrap().min_timestamp;
        genesis::forge(chain.draft(output_key(key), time).unwrap(), batch)
    }

    /// Whoever runs a pruned node must hear that it cannot follow its peers, and not once for every block.
    #[test]
    fn a_branch_that_leaves_the_chain_where_it_was_pruned_is_told_once_an_hour() {
        let params = Params::dev();
        let options = Options { prune: Some(Keep::LEAST), threads: 1, ..Options::default() };
        let mut chain = LiveChain::in_memory(&params, options, MempoolLimits::default()).unwrap();
        let mut other = LiveChain::in_memory(&params, Options::default(), MempoolLimits::default()).unwrap();
        let mut batch = Box::new(Batch::new(Backend::detect()));
        let foreign = grow(&mut other, 2, &mut batch);
        let now = bloom_consensus::Timestamp(1_900_000_000);
        for _ in 0..1_200 {
            let block = grow(&mut chain, 1, &mut batch);
            chain.accept(&block, MYSELF, now).unwrap();
        }
        let mut hub = Hub::new(chain, Config::default(), Vec::new(), Backend::detect(), 1);
        hub.now.unix = now;
        let mut told = |secs: u64| {
            hub.now.elapsed = Duration::from_secs(secs);
            assert!(matches!(hub.accept(&foreign, None, false), Err(AcceptError::Pruned { .. })));
            hub.take_actions().iter().filter(|act| matches!(act, Action::Tell(Report::OutOfReach { .. }))).count()
        };
        assert_eq!([0, 1, 3_599, 3_600, 3_601].map(&mut told), [1, 0, 0, 1, 0]);
    }
}

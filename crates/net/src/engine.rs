//! The node's behaviour: events and the time in, actions out.

mod operator;

pub use operator::{PeerInfo, Status};

use std::time::Duration;

use bloom_chain::{AcceptError, Accepted, AdmitError, Admitted, LiveChain, StoreError};
use bloom_consensus::{Block, Transaction};
use bloom_kernel::Backend;

use crate::book::Book;
use crate::config::Config;
use crate::event::{Action, AnswerId, ConnId, Event, Now};
use crate::fault::Fault;
use crate::hub::{Happening, Hub, Purpose};
use crate::peers::{Ban, Manager};
use crate::relay::{BlockRelay, TransactionRelay};
use crate::sync::CatchUp;
use crate::wire::{Note, Request, Response};

/// A node without its sockets, clocks and threads. It owns the chain.
pub struct Engine {
    hub: Hub,
    manager: Manager,
    catch_up: CatchUp,
    blocks: BlockRelay,
    transactions: TransactionRelay,
}

impl Engine {
    /// A node on a chain, with the book and the bans of its last run. The same seed, configuration and events give the same actions.
    #[must_use]
    pub fn new(chain: LiveChain, config: Config, book: Book, bans: Vec<Ban>, backend: Backend, seed: u64) -> Self {
        let mut hub = Hub::new(chain, config, bans, backend, seed);
        let manager = Manager::new(&mut hub, book);
        Self {
            hub,
            manager,
            catch_up: CatchUp::default(),
            blocks: BlockRelay::default(),
            transactions: TransactionRelay::default(),
        }
    }

    /// The chain and what waits for it.
    #[must_use]
    pub fn chain(&self) -> &LiveChain {
        &self.hub.chain
    }

    /// The chain, for what changes neither tip nor mempool: drafts, saving.
    pub fn chain_mut(&mut self) -> &mut LiveChain {
        &mut self.hub.chain
    }

    /// What all parts share, and catching up.
    #[cfg(test)]
    pub(crate) fn parts(&mut self) -> (&mut Hub, &mut CatchUp) {
        (&mut self.hub, &mut self.catch_up)
    }

    /// Takes in what happened; yields what is to be done.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        if self.hub.fault().is_some() {
            return Vec::new();
        }
        self.hub.now = now;
        self.dispatch(event);
        self.settle()
    }

    /// Why the chain's files failed, if they did. Nothing is done any more from then on: what is in memory may be ahead of
    /// the files, and only opening them again tells.
    #[must_use]
    pub fn fault(&self) -> Option<&StoreError> {
        self.hub.fault()
    }

    /// When it wants to be woken at the latest, in time since it began; it may be past.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        if self.hub.fault().is_some() {
            return None;
        }
        let parts = [
            self.manager.next_wake(),
            self.catch_up.next_wake(),
            self.blocks.next_wake(),
            self.transactions.next_wake(),
        ];
        parts.into_iter().flatten().min()
    }

    /// Takes a block of one's own; when this returns it is durable, and the actions announce it.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub fn submit_block(&mut self, block: &Block, now: Now) -> (Result<Accepted, AcceptError>, Vec<Action>) {
        self.hub.now = now;
        self.catch_up.commit_now(&mut self.hub);
        let accepted = self.hub.accept(block, None, false);
        (accepted, self.settle())
    }

    /// Takes a transaction of one's own; the actions announce it.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub fn submit(&mut self, transaction: Transaction, now: Now) -> (Result<Admitted, AdmitError>, Vec<Action>) {
        self.hub.now = now;
        let admitted = self.hub.submit(transaction);
        (admitted, self.settle())
    }

    /// What the parts share, for tests that play one of them.
    #[cfg(test)]
    pub(crate) fn hub_for_test(&mut self) -> &mut Hub {
        &mut self.hub
    }

    fn dispatch(&mut self, event: Event) {
        let hub = &mut self.hub;
        match event {
            Event::Connected { peer, address, identity, direction } => {
                self.manager.connected(hub, peer, address, identity, direction);
            }
            Event::Disconnected { peer } => self.manager.disconnected(hub, peer),
            Event::DialFailed { address } => self.manager.dial_failed(hub, address),
            Event::Found { addresses, finder } => self.manager.found(hub, &addresses, finder),
            Event::RoundTrip { peer, time } => {
                if let Some(peer) = hub.peers.get_mut(peer) {
                    peer.round_trip = Some(peer.round_trip.map_or(time, |best| best.min(time)));
                }
            }
            Event::Malformed { peer, error } => hub.blame(peer, Fault::Malformed(error)),
            Event::Proven { job, first_false } => self.catch_up.proven(hub, job, first_false),
            Event::Request { peer, id, request: Request::Hello(hello) } => self.manager.hello(hub, peer, id, hello),
            Event::Note { peer, .. } | Event::Request { peer, .. } => {
                if let Some(event) = hub.in_turn(peer, event) {
                    self.hear(event);
                }
            }
            Event::Response { peer, id, response } => {
                let Some(asked) = hub.asked.remove(&id).filter(|asked| asked.peer == peer) else { return };
                match asked.purpose {
                    Purpose::Hello | Purpose::Addresses => self.manager.response(hub, peer, response),
                    Purpose::CatchUp => self.catch_up.response(hub, peer, id, response),
                    Purpose::Relay => self.blocks.response(hub, &mut self.catch_up, peer, id, response),
                    Purpose::Transactions => self.transactions.response(hub, peer, id, response),
                }
            }
            Event::Failed { peer, id, failure } => {
                let Some(asked) = hub.asked.remove(&id).filter(|asked| asked.peer == peer) else { return };
                match asked.purpose {
                    Purpose::Hello | Purpose::Addresses => self.manager.failed(hub, peer, failure),
                    Purpose::CatchUp => self.catch_up.failed(hub, peer, id, failure),
                    Purpose::Relay => self.blocks.failed(hub, &mut self.catch_up, peer, id, failure),
                    Purpose::Transactions => self.transactions.failed(hub, peer, id, failure),
                }
            }
            Event::Wake => {
                self.catch_up.wake(hub);
                self.blocks.wake(hub, &mut self.catch_up);
                self.transactions.wake(hub);
            }
        }
    }

    /// What a peer says that was let in, if it is within its budget.
    fn hear(&mut self, event: Event) {
        match event {
            Event::Note { peer, note } if self.hub.charge(peer, note.encoded_len()) => self.note(peer, note),
            Event::Request { peer, id, request } => {
                if self.hub.charge(peer, request.encoded_len()) {
                    self.request(peer, id, request);
                } else {
                    self.hub.answer(peer, id, Response::Busy);
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, peer: ConnId, note: Note) {
        let hub = &mut self.hub;
        match note {
            Note::Addresses(addresses) => self.manager.addresses_told(hub, peer, &addresses),
            Note::Transactions(wtxids) => self.transactions.announced(hub, peer, &wtxids),
            Note::Blocks(_) | Note::Compact(_) | Note::PushBlocks(_) => {
                self.blocks.note(hub, &mut self.catch_up, peer, note);
            }
        }
    }

    fn request(&mut self, peer: ConnId, id: AnswerId, request: Request) {
        let hub = &mut self.hub;
        match request {
            Request::Hello(hello) => self.manager.hello(hub, peer, id, hello),
            Request::Addresses => self.manager.addresses_asked(hub, peer, id),
            Request::Headers { .. } | Request::Blocks { .. } => self.catch_up.serve(hub, peer, id, request),
            Request::Compact { .. } | Request::BlockTransactions { .. } => self.blocks.serve(hub, peer, id, request),
            Request::Transactions { wtxids } => self.transactions.serve(hub, peer, id, &wtxids),
        }
    }

    /// Tells every part what happened in the others, until nothing more does; yields what is to be done.
    fn settle(&mut self) -> Vec<Action> {
        loop {
            while let Some(happening) = self.hub.happened.pop_front() {
                let hub = &mut self.hub;
                self.manager.happened(hub, &happening);
                self.catch_up.happened(hub, &happening);
                self.blocks.happened(hub, &mut self.catch_up, &happening);
                self.transactions.happened(hub, &happening);
                if let Happening::Joined(peer) = happening {
                    self.hub.take_early(peer).into_iter().for_each(|event| self.hear(event));
                }
            }
            self.transactions.ask(&mut self.hub, &self.catch_up);
            self.manager.tend(&mut self.hub);
            if self.hub.happened.is_empty() {
                break;
            }
        }
        if self.hub.fault().is_some() {
            return Vec::new();
        }
        self.hub.take_actions()
    }
}

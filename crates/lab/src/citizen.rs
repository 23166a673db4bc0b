//! A node with an engine: its chain, its book and its bans outlive its process. It may wear a mask.

use std::time::Duration;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::Params;
use bloom_kernel::Backend;
use bloom_net::event::Finder;
use bloom_net::{Action, Ban, Book, Config, Engine, Event, Now, PeerAddr};

use crate::actor::Actor;
use crate::dice::Dice;
use crate::mask::Mask;

/// How every chain here is opened: in memory, on one thread.
pub(crate) fn options(backend: Backend) -> Options {
    Options { cache_bytes: 1 << 20, backend, blocks_per_commit: 1, threads: 1, create: true, prune: None }
}

/// An empty chain in memory.
pub(crate) fn empty_chain(params: &Params, backend: Backend) -> LiveChain {
    LiveChain::in_memory(params, options(backend), MempoolLimits::default()).expect("a store in memory does not fail")
}

/// A node as a process that starts and ends.
pub struct Citizen {
    config: Config,
    seeds: Vec<PeerAddr>,
    backend: Backend,
    dice: Dice,
    mask: Option<Mask>,
    state: State,
}

enum State {
    Running(Box<Engine>),
    Kept(Box<Kept>),
    /// While it passes from one into the other.
    Between,
}

/// What a node has on its disk.
struct Kept {
    chain: LiveChain,
    bans: Vec<Ban>,
    /// As its file.
    book: Vec<u8>,
}

impl Citizen {
    /// A node that was never started, on that chain. It is told of the seeds each time it starts.
    #[must_use]
    pub fn new(chain: LiveChain, config: Config, seeds: Vec<PeerAddr>, backend: Backend, mut dice: Dice) -> Self {
        let kept = Kept { chain, bans: Vec::new(), book: Book::new(dice.bytes()).encode() };
        Self { config, seeds, backend, dice, mask: None, state: State::Kept(Box::new(kept)) }
    }

    /// The same, but that it does not do what it says, or says what is not.
    #[must_use]
    pub fn behind(self, mask: Mask) -> Self {
        Self { mask: Some(mask), ..self }
    }

    fn masked(&mut self, actions: Vec<Action>) -> Vec<Action> {
        match &mut self.mask {
            Some(mask) => mask.distort(actions),
            None => actions,
        }
    }
}

impl Actor for Citizen {
    fn start(&mut self, now: Now) -> Vec<Action> {
        let State::Kept(kept) = std::mem::replace(&mut self.state, State::Between) else { return Vec::new() };
        let Kept { chain, bans, book } = *kept;
        let book = Book::decode(&book).expect("a book that was encoded is one");
        let mut engine = Engine::new(chain, self.config.clone(), book, bans, self.backend, self.dice.any());
        let mut actions = engine.handle(Event::Wake, now);
        let found = Event::Found { addresses: self.seeds.clone(), finder: Finder::Seed };
        actions.extend(engine.handle(found, now));
        self.state = State::Running(Box::new(engine));
        self.masked(actions)
    }

    fn stop(&mut self) {
        let State::Running(mut engine) = std::mem::replace(&mut self.state, State::Between) else { return };
        let (bans, book) = (engine.bans(), engine.book().encode());
        let params = engine.chain().chain().params().clone();
        let chain = std::mem::replace(engine.chain_mut(), empty_chain(&params, self.backend));
        self.state = State::Kept(Box::new(Kept { chain, bans, book }));
    }

    fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        let State::Running(engine) = &mut self.state else { return Vec::new() };
        if self.mask.as_mut().is_some_and(|mask| mask.ignores(&event)) {
            return Vec::new();
        }
        let actions = engine.handle(event, now);
        self.masked(actions)
    }

    fn next_wake(&self) -> Option<Duration> {
        match &self.state {
            State::Running(engine) => engine.next_wake(),
            State::Kept(_) | State::Between => None,
        }
    }

    fn engine(&mut self) -> Option<&mut Engine> {
        match &mut self.state {
            State::Running(engine) => Some(engine),
            State::Kept(_) | State::Between => None,
        }
    }
}

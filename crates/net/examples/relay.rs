//! How fast a block of known transactions reaches everybody, and in how many bytes.
//!
//!     cargo run --release -p bloom-net --example relay [-- ENGINES ROUNDS WAITING]
//!
//! ENGINES (5), each connected with every other, pass ROUNDS (20) blocks of 2 000 known transactions, made by another of
//! them each time, while WAITING (2 000) wait. Messages take no time; all engines run on this thread, one after the other,
//! so that what is measured is their work: from when the maker has its block until each other one has it. Chains are in
//! memory.

#![expect(clippy::print_stdout, reason = "an example prints what it measures")]
#![expect(clippy::unwrap_used, reason = "an example that cannot go on ends")]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{
    Amount, Block, Body, Coinbase, Draft, Height, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, genesis,
    reward, signing,
};
use bloom_kernel::{Backend, Batch};
use bloom_net::event::{AnswerId, ConnId, Direction, Identity};
use bloom_net::wire::{FRAME_HEADER_BYTES, MAX_BLOCK_TRANSACTIONS, Note, Request, Response};
use bloom_net::{Action, Book, Config, Engine, Event, Now, PeerAddr};
use secp256k1::{Keypair, schnorr};

const NOW: Timestamp = Timestamp(1_800_000_000);
const IN_BLOCK: usize = 2_000;
/// Outputs of one transaction that makes coins.
const FAN: usize = 2_000;

fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let argument = |at: usize, or: usize| arguments.get(at).copied().unwrap_or(or);
    let (engines, rounds, waiting) = (argument(0, 5), argument(1, 20), argument(2, IN_BLOCK).max(IN_BLOCK));
    let mut coins = Coins::new();
    let payments = coins.payments(waiting + rounds * IN_BLOCK);
    let mut mesh = Mesh::new(engines, &coins.blocks);
    let mut payments = payments.into_iter();
    mesh.submit(payments.by_ref().take(waiting));
    println!("{engines} engines, {} transactions wait at each", mesh.engines[0].chain().mempool().len());

    let (mut times, mut shares) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let maker = round % engines;
        let block = coins.block(&mesh.engines[maker]);
        let size = block.encoded_len();
        mesh.received = vec![0; engines];
        let took = mesh.spread(maker, &block);
        // In the first round nobody has been asked to push by who has shown that it brings blocks.
        if round > 0 {
            times.extend(took);
            let others = mesh.received.iter().enumerate().filter(|(engine, _)| *engine != maker);
            shares.extend(others.map(|(_, bytes)| (*bytes * 10_000 / size, *bytes, size)));
        }
        mesh.submit(payments.by_ref().take(IN_BLOCK));
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("to each other engine: p50 {:.2?}, p99 {:.2?}, worst {:.2?}", at(50), at(99), at(100));
    shares.sort_unstable();
    let (share, bytes, size) = shares.last().copied().unwrap();
    println!("received for one block: at most {bytes} bytes of {size}, {:.2} %", share as f64 / 100.0);
}

/// A key's coins and the blocks that made them.
struct Coins {
    params: Params,
    pair: Keypair,
    key: OutputKey,
    live: LiveChain,
    blocks: Vec<Block>,
}

impl Coins {
    fn new() -> Self {
        let params = Params::dev();
        let pair = Keypair::from_secret_bytes([7; 32]).unwrap();
        let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
        let live = LiveChain::in_memory(&params, Options::default(), MempoolLimits::default()).unwrap();
        Self { params, pair, key, live, blocks: Vec::new() }
    }

    fn make(&self, live: &LiveChain, transactions: Vec<Transaction>) -> Block {
        let chain = live.chain();
        let facts = chain.template_facts().unwrap();
        let outputs = vec![Output { amount: reward::reward(facts.height), key: self.key }];
        let coinbase = Coinbase::new(facts.height, Vec::new(), outputs).unwrap();
        let (parent, ancestors) = (chain.tip().as_parent(), chain.ancestors());
        let time = Timestamp(facts.min_timestamp.0.max(NOW.0 - 10_000));
        let draft = Draft::child(&self.params, &parent, &ancestors, time, coinbase, transactions).unwrap();
        genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect())))
    }

    /// A block of the first of what waits at an engine.
    fn block(&self, engine: &Engine) -> Block {
        let waiting = engine.chain().mempool().iter().take(IN_BLOCK.min(MAX_BLOCK_TRANSACTIONS));
        self.make(engine.chain(), waiting.map(|entry| entry.transaction().clone()).collect())
    }

    fn mine(&mut self, transactions: Vec<Transaction>) -> (Outpoint, Output) {
        let block = self.make(&self.live, transactions);
        self.live.accept(&block, 0, NOW).unwrap();
        let coin = (Outpoint { txid: block.coinbase.id(), index: 0 }, block.coinbase.outputs()[0]);
        self.blocks.push(block);
        coin
    }

    fn sign(&self, (outpoint, output): (Outpoint, Output), units: u64, times: usize) -> Transaction {
        let outputs = vec![Output { amount: Amount::from_units(units), key: self.key }; times];
        let body = Body::new(Height(0), vec![outpoint], outputs).unwrap();
        let common = signing::common(&self.params.network_id, &body, &[output]).unwrap();
        let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &self.pair).to_byte_array();
        Transaction::new(body, vec![signature]).unwrap()
    }

    /// Payments of one input and two outputs, all of confirmed coins.
    fn payments(&mut self, count: usize) -> Vec<Transaction> {
        let funded = count.div_ceil(FAN);
        let rewards: Vec<_> = (0..funded + 123).map(|_| self.mine(Vec::new())).collect();
        let share = rewards[0].1.amount.units() / FAN as u64;
        let fans: Vec<_> = rewards.iter().take(funded).map(|coin| self.sign(*coin, share, FAN)).collect();
        for chunk in fans.chunks(12) {
            self.mine(chunk.to_vec());
        }
        let coins = fans.iter().flat_map(|fan| {
            let txid = fan.txid();
            (0..).zip(fan.body().outputs()).map(move |(index, output)| (Outpoint { txid, index }, *output))
        });
        coins.take(count).map(|coin| self.sign(coin, (coin.1.amount.units() - 1_000) / 2, 2)).collect()
    }
}

fn address(engine: usize) -> PeerAddr {
    PeerAddr::new(IpAddr::V4(Ipv4Addr::new(20, engine as u8, 0, 1)), 7_617)
}

/// Engines, each connected with every other.
struct Mesh {
    engines: Vec<Engine>,
    now: Now,
    queue: VecDeque<(usize, Event)>,
    /// Bytes of messages, by who received them.
    received: Vec<usize>,
}

impl Mesh {
    fn new(count: usize, blocks: &[Block]) -> Self {
        let now = Now { elapsed: Duration::ZERO, unix: NOW };
        let engine = |seed: usize| {
            let chain = LiveChain::in_memory(&Params::dev(), Options::default(), MempoolLimits::default()).unwrap();
            let config = Config { allow_local: true, ..Config::default() };
            let mut engine = Engine::new(chain, config, Book::new([0; 32]), Vec::new(), Backend::detect(), seed as u64);
            for block in blocks {
                engine.submit_block(block, now).0.unwrap();
            }
            engine
        };
        let engines = (0..count).map(engine).collect();
        let mut mesh = Self { engines, now, queue: VecDeque::new(), received: vec![0; count] };
        for from in 0..count {
            for to in from + 1..count {
                let (_, actions) = mesh.engines[from].add_peer(address(to), now);
                mesh.perform(from, actions);
                mesh.drain(|_, _| {});
            }
        }
        mesh.pass(Duration::from_secs(30));
        mesh
    }

    /// A connection's number says whose end it is and where the other is.
    fn end(&self, of: usize, other: usize) -> ConnId {
        ConnId((of * self.engines.len() + other) as u64)
    }

    fn other_end(&self, end: ConnId) -> (usize, ConnId) {
        let end = end.0 as usize;
        let (of, other) = (end / self.engines.len(), end % self.engines.len());
        (other, self.end(other, of))
    }

    fn dial(&mut self, from: usize, to: usize) {
        for (of, other, direction) in [(from, to, Direction::Outbound), (to, from, Direction::Inbound)] {
            let (address, identity) = (address(other), Identity([other as u8; 32]));
            let peer = self.end(of, other);
            self.queue.push_back((of, Event::Connected { peer, address, identity, direction }));
        }
    }

    /// Lets virtual time pass, so that what is to happen between two blocks happens.
    fn pass(&mut self, time: Duration) {
        let end = self.now.elapsed + time;
        while self.now.elapsed < end {
            self.now.elapsed += Duration::from_millis(100);
            for engine in 0..self.engines.len() {
                if self.engines[engine].next_wake().is_some_and(|at| at <= self.now.elapsed) {
                    self.queue.push_back((engine, Event::Wake));
                }
            }
            self.drain(|_, _| {});
        }
    }

    /// Gives every engine the same transactions, and lets the announcements pass.
    fn submit(&mut self, transactions: impl Iterator<Item = Transaction>) {
        for transaction in transactions {
            for engine in 0..self.engines.len() {
                let (admitted, actions) = self.engines[engine].submit(transaction.clone(), self.now);
                admitted.unwrap();
                self.perform(engine, actions);
            }
        }
        self.pass(Duration::from_secs(60));
    }

    /// How long it takes until each other engine has a block.
    fn spread(&mut self, maker: usize, block: &Block) -> Vec<Duration> {
        let (accepted, actions) = self.engines[maker].submit_block(block, self.now);
        accepted.unwrap();
        let hash = block.hash();
        let mut times = vec![None; self.engines.len()];
        let began = Instant::now();
        self.perform(maker, actions);
        self.drain(|engine, at| {
            if at.chain().chain().tip().hash == hash {
                times[engine].get_or_insert(began.elapsed());
            }
        });
        let others = times.into_iter().enumerate().filter(|(engine, _)| *engine != maker);
        others.map(|(_, time)| time.unwrap()).collect()
    }

    fn drain(&mut self, mut after: impl FnMut(usize, &Engine)) {
        while let Some((engine, event)) = self.queue.pop_front() {
            let actions = self.engines[engine].handle(event, self.now);
            after(engine, &self.engines[engine]);
            self.perform(engine, actions);
        }
    }

    fn perform(&mut self, engine: usize, actions: Vec<Action>) {
        for action in actions {
            let (to, bytes, event) = match action {
                Action::Send { peer, note } => {
                    let (to, peer) = self.other_end(peer);
                    (to, note.encoded_len(), Event::Note { peer, note: Note::clone(&Arc::clone(&note)) })
                }
                Action::Ask { peer, id, request, .. } => {
                    let (to, peer) = self.other_end(peer);
                    // The number that the answer comes back under says whose request it was.
                    let id = AnswerId(id.0 * self.engines.len() as u64 + engine as u64);
                    (to, Request::encoded_len(&request), Event::Request { peer, id, request })
                }
                Action::Answer { peer, id, response } => {
                    let (to, peer) = self.other_end(peer);
                    let id = bloom_net::event::RequestId(id.0 / self.engines.len() as u64);
                    (to, Response::encoded_len(&response), Event::Response { peer, id, response })
                }
                Action::Dial { address: to } => {
                    let to = (0..self.engines.len()).find(|engine| address(*engine) == to).unwrap();
                    self.dial(engine, to);
                    continue;
                }
                Action::Disconnect { .. } => panic!("all are honest"),
                Action::Prove { .. } | Action::Bar { .. } | Action::Tell(_) => continue,
            };
            self.received[to] += bytes + FRAME_HEADER_BYTES;
            self.queue.push_back((to, event));
        }
    }
}

//! How fast a node catches up, without a network between: `catch_up [BLOCKS] [TRANSACTIONS PER BLOCK] [DIR]`.
//!
//! Three engines have a chain on the dev network; a fourth on a fresh directory is connected with them. All run on this
//! thread by the wall clock; what is told apart is the time inside the fourth, proofs aside, and that of the proofs.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{
    Block, Body, Height, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, genesis, proof, signing,
};
use bloom_kernel::{Backend, Batch};
use bloom_net::book::Book;
use bloom_net::event::{AnswerId, ConnId, Direction, Identity, RequestId};
use bloom_net::{Action, Config, Engine, Event, Now, PeerAddr};
use secp256k1::{Keypair, schnorr};

/// Blocks between a reward and its spending.
const MATURITY: usize = 123;

fn mine(params: &Params, count: usize, payments: usize) -> LiveChain {
    let options = Options::default();
    let mut chain = LiveChain::in_memory(params, options, MempoolLimits::default()).expect("memory");
    let mut batch = Box::new(Batch::new(options.backend));
    let pair = Keypair::from_secret_bytes([1; 32]).expect("a secret below the order");
    let key = OutputKey(pair.x_only_public_key().0.to_byte_array());
    let mut coins: VecDeque<(usize, Outpoint, Output)> = VecDeque::new();
    for height in 1..=count {
        let ready = |coin: &mut (usize, Outpoint, Output)| coin.0 + MATURITY < height;
        let paid: Vec<_> = (0..payments).map_while(|_| coins.pop_front_if(ready)).collect();
        let transactions = paid.iter().map(|(_, outpoint, output)| pay(params, &pair, key, *outpoint, *output));
        for transaction in transactions {
            for (index, output) in (0..).zip(transaction.body().outputs()) {
                coins.push_back((height, Outpoint { txid: transaction.txid(), index }, *output));
            }
            chain.submit(transaction, Timestamp(u64::MAX / 2)).expect("a good payment");
        }
        let time = chain.chain().template_facts().expect("memory").min_timestamp;
        let block = genesis::forge(chain.draft(key, time).expect("a good draft"), &mut batch);
        let outpoint = Outpoint { txid: block.coinbase.id(), index: 0 };
        coins.extend(block.coinbase.outputs().first().map(|output| (height, outpoint, *output)));
        chain.accept(&block, 0, Timestamp(u64::MAX / 2)).expect("a good block");
    }
    chain
}

/// One coin into two of a half each, less a fee.
fn pay(params: &Params, pair: &Keypair, key: OutputKey, outpoint: Outpoint, spent: Output) -> Transaction {
    let half = bloom_consensus::Amount::from_units(spent.amount.units() / 2 - 5_000);
    let outputs = vec![Output { amount: half, key }; 2];
    let body = Body::new(Height(0), vec![outpoint], outputs).expect("few inputs and outputs");
    let common = signing::common(&params.network_id, &body, &[spent]).expect("one output spent for each input");
    let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), pair);
    Transaction::new(body, vec![signature.to_byte_array()]).expect("a signature for each input")
}

fn copy(params: &Params, from: &LiveChain) -> LiveChain {
    let mut chain = LiveChain::in_memory(params, Options::default(), MempoolLimits::default()).expect("memory");
    for height in 1..=from.chain().tip().height.0 {
        let block = block_at(from, height);
        chain.accept_proven(&block, 0, Timestamp(u64::MAX / 2)).expect("a good block");
    }
    chain
}

fn block_at(chain: &LiveChain, height: u64) -> Block {
    let hash = chain.chain().hash_at(Height(height)).expect("memory").expect("below the tip");
    chain.chain().block(&hash).expect("memory").expect("nothing is pruned")
}

struct Loop {
    engines: Vec<Engine>,
    queue: VecDeque<(usize, Event)>,
    ends: BTreeMap<ConnId, (usize, ConnId)>,
    asked: BTreeMap<AnswerId, (usize, ConnId, RequestId)>,
    numbers: u64,
    began: Instant,
    inside: Vec<Duration>,
    proofs: Duration,
    longest: Duration,
    events: u64,
}

impl Loop {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn now(&self) -> Now {
        let unix = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        Now { elapsed: self.began.elapsed(), unix: Timestamp(unix) }
    }

    fn address(engine: usize) -> PeerAddr {
        let number = u8::try_from(engine).expect("there are four");
        PeerAddr::new(IpAddr::V4(Ipv4Addr::new(20, number, 0, 1)), 7_617)
    }

    fn step(&mut self, node: usize, event: Event) {
        let (now, start) = (self.now(), Instant::now());
        let actions = self.engines[node].handle(event, now);
        let took = start.elapsed();
        self.inside[node] += took;
        if node == 0 {
            self.longest = self.longest.max(took);
            self.events += 1;
        }
        actions.into_iter().for_each(|action| self.perform(node, action));
    }

    fn perform(&mut self, node: usize, action: Action) {
        match action {
            Action::Dial { address } => {
                let Some(to) = (0..self.engines.len()).find(|to| Self::address(*to) == address) else { return };
                let (a, b) = (ConnId(self.number()), ConnId(self.number()));
                self.ends.insert(a, (to, b));
                self.ends.insert(b, (node, a));
                for (at, id, other, direction) in
                    [(node, a, to, Direction::Outbound), (to, b, node, Direction::Inbound)]
                {
                    let (address, identity) = (Self::address(other), Identity([u8::try_from(other).unwrap_or(0); 32]));
                    self.queue.push_back((at, Event::Connected { peer: id, address, identity, direction }));
                }
            }
            Action::Send { peer, note } => {
                if let Some((to, peer)) = self.ends.get(&peer).copied() {
                    self.queue.push_back((to, Event::Note { peer, note: Arc::unwrap_or_clone(note) }));
                }
            }
            Action::Ask { peer: by, id, request, .. } => {
                if let Some((to, peer)) = self.ends.get(&by).copied() {
                    let answer = AnswerId(self.number());
                    self.asked.insert(answer, (node, by, id));
                    self.queue.push_back((to, Event::Request { peer, id: answer, request }));
                }
            }
            Action::Answer { id, response, .. } => {
                if let Some((to, peer, id)) = self.asked.remove(&id) {
                    self.queue.push_back((to, Event::Response { peer, id, response }));
                }
            }
            Action::Prove { job, headers } => {
                let start = Instant::now();
                let mut batch = Box::new(Batch::new(Backend::detect()));
                let first_false = proof::verify_many(&headers, &mut batch).iter().position(Result::is_err);
                self.proofs += start.elapsed();
                self.queue.push_back((node, Event::Proven { job, first_false }));
            }
            Action::Tell(report) => {
                if node == 0 && !matches!(report, bloom_net::event::Report::Tip { .. }) {
                    println!("{:>8.3} s {report:?}", self.began.elapsed().as_secs_f64());
                }
            }
            Action::Disconnect { .. } | Action::Bar { .. } => {}
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(20_000, |count| count.parse().expect("a number of blocks"));
    let payments = arguments.next().map_or(0, |count| count.parse().expect("a number of transactions"));
    let dir = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from).join("bloom-catch-up");
    let _ = std::fs::remove_dir_all(&dir);
    let params = Params::dev();
    let full = mine(&params, count, payments);
    let target = full.chain().tip();
    let fresh = LiveChain::open(&dir, &params, Options::default(), MempoolLimits::default(), Timestamp(0));
    let chains = [fresh.expect("a directory to write to"), copy(&params, &full), copy(&params, &full), full];
    let engine = |(number, chain): (usize, LiveChain)| {
        Engine::new(chain, Config::default(), Book::new([0; 32]), Vec::new(), Backend::detect(), number as u64)
    };
    let engines: Vec<_> = chains.into_iter().enumerate().map(engine).collect();
    let mut run = Loop {
        inside: vec![Duration::ZERO; engines.len()],
        engines,
        queue: VecDeque::new(),
        ends: BTreeMap::new(),
        asked: BTreeMap::new(),
        numbers: 0,
        began: Instant::now(),
        proofs: Duration::ZERO,
        longest: Duration::ZERO,
        events: 0,
    };
    for peer in 1..=3 {
        let now = run.now();
        let (_, actions) = run.engines[0].add_peer(Loop::address(peer), now);
        actions.into_iter().for_each(|action| run.perform(0, action));
    }
    while run.engines[0].chain().chain().tip().hash != target.hash {
        let due = |at: &usize| run.engines[*at].next_wake().is_some_and(|wake| wake <= run.began.elapsed());
        let due: Vec<_> = (0..run.engines.len()).filter(due).collect();
        due.into_iter().for_each(|node| run.step(node, Event::Wake));
        if let Some((node, event)) = run.queue.pop_front() {
            run.step(node, event);
        }
    }
    let total = run.began.elapsed();
    let own = run.inside[0] + run.proofs;
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    println!("{count} blocks of {payments} payments: {total:.3?} for all four, {:.0} blocks/s", rate(total));
    println!(
        "the node alone: {:.3?} and {:.3?} of proofs on one thread, {:.0} blocks/s",
        run.inside[0],
        run.proofs,
        rate(own)
    );
    println!(
        "{} events, the longest took {:.3?}; those that serve took {:.3?}",
        run.events,
        run.longest,
        &run.inside[1..]
    );
    drop(run);
    let _ = std::fs::remove_dir_all(&dir);
}

//! A peer that serves a chain and cheats: `hostile DIR HOW ADDRESS`.
//!
//! It is a whole node without miner or mempool's file, on a directory that no other has, but for its answers:
//! - `stall`: headers true, bodies never;
//! - `bodies`: headers true, in each lot of blocks one with another's coinbase;
//! - `proofs`: of headers after height 1 000 each message's last has a false proof.
//!
//! It claims a chain that is longer than it has, so that it is asked first. It prints where it listens.
#![expect(clippy::print_stdout, reason = "an example's results are for whoever runs it")]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{Block, Header, Height, Params, Timestamp, Work, proof, rules};
use bloom_kernel::{Backend, Batch};
use bloom_net::transport::{Delivery, Keypair, Transport, TransportConfig, start};
use bloom_net::wire::{Hello, Request, Response};
use bloom_net::{Action, Book, Config, Engine, Event, Now};
use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};

type Failure = Box<dyn std::error::Error>;

/// More than the chain has, as it claims.
const BOAST: u64 = 1_000;
/// Headers up to here are true, so that the liar gets as far as to be trusted with them.
const TRUE_HEADERS: u64 = 1_000;
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

#[derive(Clone, Copy)]
enum How {
    Stall,
    Bodies,
    Proofs,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, how, address] = arguments.as_slice() else { return Err("say DIR HOW ADDRESS".into()) };
    let how = match how.as_str() {
        "stall" => How::Stall,
        "bodies" => How::Bodies,
        "proofs" => How::Proofs,
        _ => return Err("how: stall, bodies or proofs".into()),
    };
    let params = Params::dev();
    let chain = LiveChain::open(Path::new(dir), &params, Options::default(), MempoolLimits::default(), unix())?;
    let listen = vec![address.parse()?];
    let config = TransportConfig { listen, ..TransportConfig::new(Keypair::generate_ed25519(), params.magic) };
    let (sink, deliveries) = unbounded();
    let transport = start(&config, sink)?;
    println!("{}", transport.listening().first().ok_or("it listens nowhere")?);
    let config = Config { allow_local: true, ..Config::default() };
    let backend = Backend::detect();
    let engine = Engine::new(chain, config, Book::new([0; 32]), Vec::new(), backend, 1);
    Peer { engine, transport, batch: Box::new(Batch::new(backend)), began: Instant::now(), how }.run(&deliveries)
}

fn unix() -> Timestamp {
    Timestamp(SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()))
}

struct Peer {
    engine: Engine,
    transport: Transport,
    batch: Box<Batch>,
    began: Instant,
    how: How,
}

impl Peer {
    fn run(mut self, deliveries: &Receiver<Delivery>) -> Result<(), Failure> {
        loop {
            let elapsed = self.began.elapsed();
            let sleep = self.engine.next_wake().map_or(LONGEST_SLEEP, |wake| wake.saturating_sub(elapsed));
            match deliveries.recv_timeout(sleep.clamp(Duration::from_millis(2), LONGEST_SLEEP)) {
                Ok(delivery) => self.hear(delivery.event),
                Err(RecvTimeoutError::Timeout) => self.hear(Event::Wake),
                Err(RecvTimeoutError::Disconnected) => return Err("the network's threads have ended".into()),
            }
        }
    }

    fn hear(&mut self, event: Event) {
        let now = Now { elapsed: self.began.elapsed(), unix: unix() };
        for action in self.engine.handle(event, now) {
            match action {
                Action::Prove { job, headers } => {
                    let first_false = proof::verify_many(&headers, &mut self.batch).iter().position(Result::is_err);
                    self.hear(Event::Proven { job, first_false });
                }
                Action::Answer { peer, id, response } => {
                    if let Some(response) = self.tamper(response) {
                        self.transport.perform(Action::Answer { peer, id, response });
                    }
                }
                Action::Ask { peer, id, request: Request::Hello(hello), timeout } => {
                    let request = Request::Hello(boast(hello));
                    self.transport.perform(Action::Ask { peer, id, request, timeout });
                }
                action => self.transport.perform(action),
            }
        }
    }

    fn tamper(&self, response: Response) -> Option<Response> {
        Some(match (response, self.how) {
            (Response::Hello(hello), _) => Response::Hello(boast(hello)),
            (Response::Blocks(_) | Response::Compact(_) | Response::Transactions(_), How::Stall) => return None,
            (Response::Blocks(blocks), How::Bodies) => Response::Blocks(swap(blocks)),
            (Response::Headers(headers), How::Proofs) => Response::Headers(forge(headers)),
            (response, _) => response,
        })
    }
}

fn boast(hello: Hello) -> Hello {
    let height = Height(hello.height.0 + BOAST);
    Hello { height, work: Work::from_be_bytes([0x0f; 32]), ..hello }
}

/// The last block gets the coinbase of the one before.
fn swap(mut blocks: Vec<Block>) -> Vec<Block> {
    if let [.., before, last] = blocks.as_mut_slice() {
        last.coinbase = before.coinbase.clone();
    }
    blocks
}

/// The last header gets a seal that looks right until its attempt is run again; the answer ends there.
fn forge(mut headers: Vec<Header>) -> Vec<Header> {
    if let Some(last) = headers.last_mut().filter(|last| last.template.height.0 > TRUE_HEADERS) {
        let truth = last.seal.extra_nonce;
        let looks_right = |nonce: &u64| {
            last.seal.extra_nonce = *nonce;
            rules::header::check_isolated(last).is_ok()
        };
        (truth + 1..).find(looks_right);
    }
    headers
}

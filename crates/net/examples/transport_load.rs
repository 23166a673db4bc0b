//! What a transport costs: idle bytes, memory under connections tried, and how long a note and a request take.
//!
//!     cargo run --release -p bloom-net --features raw-peer --example transport_load -- idle
//!     cargo run --release -p bloom-net --features raw-peer --example transport_load -- tried 10000
//!     cargo run --release -p bloom-net --features raw-peer --example transport_load -- latency

#![expect(clippy::print_stdout, reason = "an example's results are for whoever runs it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bloom_consensus::Wtxid;
use bloom_net::transport::raw::RawPeer;
use bloom_net::transport::{Delivery, Keypair, Transport, TransportConfig, start};
use bloom_net::wire::{Note, Request, Response};
use bloom_net::{Action, Event, PeerAddr, event};
use crossbeam_channel::{Receiver, unbounded};

type Failure = Box<dyn std::error::Error>;

const MAGIC: [u8; 4] = *b"load";
const ROUNDS: usize = 2_000;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("idle"), None) => idle(),
        (Some("latency"), None) => latency(),
        (Some("serve"), None) => serve(),
        (Some("tried"), Some(count)) => tried(count.parse()?),
        _ => Err("say idle, latency, or tried and how many".into()),
    }
}

struct Node {
    transport: Transport,
    events: Receiver<Delivery>,
}

impl Node {
    fn new() -> Result<Self, Failure> {
        let mut config = TransportConfig::new(Keypair::generate_ed25519(), MAGIC);
        config.listen = vec!["127.0.0.1:0".parse()?];
        config.kademlia = true;
        let (sink, events) = unbounded();
        Ok(Self { transport: start(&config, sink)?, events })
    }

    fn address(&self) -> Result<PeerAddr, Failure> {
        self.transport.listening().first().copied().ok_or_else(|| "it listens nowhere".into())
    }

    fn wait<T>(&self, mut wanted: impl FnMut(Event) -> Option<T>) -> Result<T, Failure> {
        loop {
            if let Some(found) = wanted(self.events.recv_timeout(Duration::from_secs(30))?.event) {
                return Ok(found);
            }
        }
    }

    fn connected(&self) -> Result<event::ConnId, Failure> {
        self.wait(|event| match event {
            Event::Connected { peer, .. } => Some(peer),
            _ => None,
        })
    }
}

/// Bytes a second of each of eight connections on which nobody says anything.
fn idle() -> Result<(), Failure> {
    let node = Node::new()?;
    let others = (0..8).map(|_| Node::new()).collect::<Result<Vec<_>, _>>()?;
    for other in &others {
        node.transport.perform(Action::Dial { address: other.address()? });
        node.connected()?;
    }
    sleep(Duration::from_secs(5));
    let (before, begun) = (total(&node), Instant::now());
    sleep(Duration::from_secs(120));
    let secs = begun.elapsed().as_secs_f64();
    let bytes = f64::from(u32::try_from(total(&node) - before)?);
    println!("{:.1} bytes/s for each of 8 peers, both directions, over {secs:.0} s", bytes / secs / 8.0);
    Ok(())
}

fn total(node: &Node) -> u64 {
    node.transport.traffic().iter().map(|(_, read, written)| read + written).sum()
}

/// How long a note and a request with its answer take from engine to engine.
fn latency() -> Result<(), Failure> {
    let (a, b) = (Node::new()?, Node::new()?);
    a.transport.perform(Action::Dial { address: b.address()? });
    let (to_b, _) = (a.connected()?, b.connected()?);
    let note = Arc::new(Note::Transactions(vec![Wtxid([1; 32])]));
    let mut notes = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        a.transport.perform(Action::Send { peer: to_b, note: Arc::clone(&note) });
        b.wait(|event| matches!(event, Event::Note { .. }).then_some(()))?;
        notes.push(begun.elapsed());
    }
    let mut requests = Vec::new();
    for round in 0..ROUNDS {
        let begun = Instant::now();
        a.transport.perform(Action::Ask {
            peer: to_b,
            id: event::RequestId(u64::try_from(round)?),
            request: Request::Addresses,
            timeout: Duration::from_secs(10),
        });
        b.wait(|event| match event {
            Event::Request { peer, id, .. } => {
                b.transport.perform(Action::Answer { peer, id, response: Response::NotFound });
                Some(())
            }
            _ => None,
        })?;
        a.wait(|event| matches!(event, Event::Response { .. }).then_some(()))?;
        requests.push(begun.elapsed());
    }
    for (what, times) in [("note", &mut notes), ("request and answer", &mut requests)] {
        times.sort_unstable();
        println!("{what}: median {:?}, p99 {:?}", times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
    }
    Ok(())
}

/// A node in a process of its own, so that its memory can be read.
fn serve() -> Result<(), Failure> {
    let node = Node::new()?;
    println!("{}", node.address()?);
    std::io::stdout().flush()?;
    let closed = std::thread::spawn(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    while !closed.is_finished() {
        if let Ok(delivery) = node.events.recv_timeout(Duration::from_millis(100)) {
            drop(delivery);
        }
    }
    Ok(())
}

/// Memory of a node at which this many connections were tried: half of them half-open and left so, half shaking hands.
fn tried(count: usize) -> Result<(), Failure> {
    let mut child =
        Command::new(std::env::current_exe()?).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let address: PeerAddr = line.trim().parse()?;
    println!("before: {} kB", resident(&child)?);
    let (begun, mut most, mut taken) = (Instant::now(), 0, 0);
    let mut sockets = Vec::new();
    for number in 0..count {
        if number % 2 == 0 {
            sockets.push(TcpStream::connect(SocketAddr::from(address))?);
            if sockets.len() > 500 {
                sockets.drain(..250);
            }
        } else {
            taken += usize::from(RawPeer::connect(address, &Keypair::generate_ed25519()).is_ok());
        }
        if number % 100 == 0 {
            most = most.max(resident(&child)?);
        }
    }
    println!("{count} tried in {:.1} s, {taken} let in; at most {most} kB", begun.elapsed().as_secs_f64());
    drop(sockets);
    sleep(Duration::from_secs(12));
    println!("12 s later: {} kB", resident(&child)?);
    RawPeer::connect(address, &Keypair::generate_ed25519())?;
    println!("and it lets another in");
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

fn resident(child: &Child) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no resident memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

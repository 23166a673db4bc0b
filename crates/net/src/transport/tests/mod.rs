//! Transports on the loopback.

mod between;
mod finding;
mod gate;
mod hostile;
mod key;

use std::time::{Duration, Instant};

use bloom_consensus::{BlockHash, Height, NetworkId, Timestamp, Work};
use crossbeam_channel::{Receiver, unbounded};

use super::{Delivery, Keypair, Transport, TransportConfig, start};
use crate::address::PeerAddr;
use crate::event::{Action, ConnId, Event};
use crate::wire::{Hello, WIRE_VERSION};

/// In which something must happen at all.
const DEADLINE: Duration = Duration::from_secs(30);
const MAGIC: [u8; 4] = *b"test";

/// A transport whose events a test takes by hand.
struct Node {
    transport: Transport,
    events: Receiver<Delivery>,
    key: Keypair,
}

impl Node {
    fn new(change: impl FnOnce(&mut TransportConfig)) -> Self {
        let mut config = TransportConfig::new(Keypair::generate_ed25519(), MAGIC);
        config.listen = vec!["127.0.0.1:0".parse().unwrap()];
        change(&mut config);
        let (sink, events) = unbounded();
        Self { transport: start(&config, sink).unwrap(), events, key: config.key }
    }

    fn plain() -> Self {
        Self::new(|_| {})
    }

    fn address(&self) -> PeerAddr {
        self.transport.listening()[0]
    }

    /// The first event that is looked for; others are dropped.
    fn wait<T>(&self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        loop {
            let delivery = self.events.recv_deadline(end).expect("what is looked for happens in time");
            if let Some(found) = wanted(delivery.event) {
                return found;
            }
        }
    }

    /// Dials another; the numbers that both give the connection.
    fn dial(&self, other: &Node) -> (ConnId, ConnId) {
        self.transport.perform(Action::Dial { address: other.address() });
        (self.connected(), other.connected())
    }

    fn connected(&self) -> ConnId {
        self.wait(|event| match event {
            Event::Connected { peer, .. } => Some(peer),
            _ => None,
        })
    }

    fn disconnected(&self, whom: ConnId) {
        self.wait(|event| matches!(event, Event::Disconnected { peer } if peer == whom).then_some(()));
    }
}

fn hello(height: u64) -> Hello {
    Hello {
        version: WIRE_VERSION,
        network_id: NetworkId([7; 32]),
        tip: BlockHash([1; 32]),
        height: Height(height),
        work: Work::default(),
        time: Timestamp(1),
        nonce: 3,
        listen_port: 0,
        is_archive: true,
        agent: "test".to_owned(),
    }
}

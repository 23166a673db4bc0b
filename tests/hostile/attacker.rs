//! Attackers: one that writes on its streams what it likes, and one that speaks well and lies.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bloom_consensus::{Height, Params, Timestamp, Work};
use bloom_net::event::{ConnId, RequestId};
use bloom_net::transport::raw::RawPeer;
use bloom_net::transport::{Delivery, Keypair, Transport, TransportConfig, start};
use bloom_net::wire::{Hello, Note, Request, Response, WIRE_VERSION};
use bloom_net::{Action, Event, PeerAddr};
use crossbeam_channel::{Receiver, unbounded};

pub(crate) static DEV: LazyLock<Params> = LazyLock::new(Params::dev);
pub(crate) const HELLO: &str = "/bloom/hello/1";
/// In which something must happen that is to happen at all.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// Streams that an attacker has open at a time: below what a node hears at a time.
const STREAMS: usize = 12;
/// What nobody can say in the seconds until it is banned.
const NOTES_BEFORE_A_BAN: usize = 10_000_000;

/// The name of what wants an answer, `ask`, or of what wants none, `note`.
pub(crate) fn protocol(name: &str) -> String {
    let magic: String = DEV.magic.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/bloom/{magic}/{name}/1")
}

/// The hello of somebody who has nothing but genesis.
pub(crate) fn hello() -> Hello {
    static NONCE: AtomicU64 = AtomicU64::new(1 << 40);
    Hello {
        version: WIRE_VERSION,
        network_id: DEV.network_id,
        tip: DEV.genesis.hash(),
        height: Height::GENESIS,
        work: Work::ZERO.plus(DEV.genesis.header.template.difficulty),
        time: now(),
        nonce: NONCE.fetch_add(1, Ordering::Relaxed),
        listen_port: 0,
        is_archive: true,
        agent: "hostile".to_owned(),
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())
}

/// Connects with a key of its own, and says hello if it is to; an error when it is not let in.
pub(crate) fn connect(address: PeerAddr, key: &Keypair, greets: bool) -> io::Result<RawPeer> {
    let raw = RawPeer::connect(address, key)?;
    if greets {
        let mut stream = raw.open(HELLO)?;
        stream.write(&Request::Hello(hello()).encode())?;
        stream.close()?;
        let answer = stream.read_to_end(SOON)?;
        if answer.first() != Some(&0) {
            return Err(io::Error::other("it said no hello"));
        }
    }
    Ok(raw)
}

/// Whether somebody with this key is not let in, or sent away at once.
pub(crate) fn is_banned(address: PeerAddr, key: &Keypair) -> bool {
    RawPeer::connect(address, key).map_or(true, |mut raw| raw.is_left_within(Duration::from_secs(5)))
}

/// Says notes over and over, until the node has had enough; how many it heard.
pub(crate) fn storm(raw: &RawPeer, mut note: impl FnMut() -> Note) -> usize {
    let (name, mut streams) = (protocol("note"), VecDeque::new());
    for said in 0..NOTES_BEFORE_A_BAN {
        let Ok(mut stream) = raw.open(&name) else { return said };
        if stream.write(&note().encode()).and_then(|()| stream.close()).is_err() {
            return said;
        }
        streams.push_back(stream);
        if streams.len() >= STREAMS && streams.pop_front().is_some_and(|mut stream| stream.read_to_end(SOON).is_err()) {
            return said;
        }
    }
    panic!("it may go on for ever")
}

/// A peer that keeps to the messages and to nothing else.
pub(crate) struct Liar {
    pub(crate) transport: Transport,
    events: Receiver<Delivery>,
    pub(crate) peer: ConnId,
}

impl Liar {
    /// Joins with a key of its own; none when it is not let in.
    pub(crate) fn join(address: PeerAddr, hello: &Hello) -> Option<Self> {
        let (sink, events) = unbounded();
        let transport = start(&TransportConfig::new(Keypair::generate_ed25519(), DEV.magic), sink).unwrap();
        transport.perform(Action::Dial { address });
        let mut liar = Self { transport, events, peer: ConnId(0) };
        loop {
            match liar.events.recv_timeout(SOON).unwrap().event {
                Event::Connected { peer, .. } => {
                    liar.peer = peer;
                    let request = Request::Hello(hello.clone());
                    liar.transport.perform(Action::Ask { peer, id: RequestId(0), request, timeout: SOON });
                }
                Event::Response { response: Response::Hello(_), .. } => return Some(liar),
                Event::DialFailed { .. } | Event::Disconnected { .. } | Event::Failed { .. } => return None,
                _ => {}
            }
        }
    }

    pub(crate) fn say(&self, note: Note) {
        self.transport.perform(Action::Send { peer: self.peer, note: Arc::new(note) });
    }

    /// Answers what it is asked, or does not, until it is sent away or so much time has passed; whether it was sent away.
    pub(crate) fn serve(&self, time: Duration, mut answer: impl FnMut(&Self, Request) -> Option<Response>) -> bool {
        let until = Instant::now() + time;
        while let Ok(delivery) = self.events.recv_deadline(until) {
            match delivery.event {
                Event::Disconnected { .. } => return true,
                Event::Request { peer, id, request } => {
                    if let Some(response) = answer(self, request) {
                        self.transport.perform(Action::Answer { peer, id, response });
                    }
                }
                _ => {}
            }
        }
        false
    }
}

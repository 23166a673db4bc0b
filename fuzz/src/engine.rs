//! Any sequence of events, for an engine on a dev chain in memory: no panic, no wake that begets another without end, no
//! answer but to a question, and no more memory than what peers may fill.
//!
//! A sequence is read as steps: a byte that says what happens, a byte that says with which of some peers, and what that
//! step needs. Some steps carry messages as any bytes; others say what an honest peer would, of a short chain.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::OnceLock;
use std::time::Duration;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{Block, BlockHash, Header, Height, OutputKey, Params, Timestamp, Work, genesis};
use bloom_kernel::{Backend, Batch};
use bloom_net::event::{AnswerId, ConnId, Direction, Failure, Finder, Identity, JobId, RequestId};
use bloom_net::wire::{CompactBlock, Hello, Note, Request, Response, WIRE_VERSION};
use bloom_net::{Action, Book, Config, Engine, Event, Now, PeerAddr};

/// What may happen.
pub mod step {
    /// A peer connects.
    pub const CAME: u8 = 0;
    /// This node is told to seek a peer, and reaches it.
    pub const DIALLED: u8 = 1;
    /// It is gone.
    pub const LEFT: u8 = 2;
    /// It says hello, or returns it.
    pub const HELLO: u8 = 3;
    /// A length in two bytes, and a note of so many.
    pub const NOTE: u8 = 4;
    /// The same with a request.
    pub const REQUEST: u8 = 5;
    /// The same with an answer to what it was asked first.
    pub const ANSWER: u8 = 6;
    /// What it was asked first is not answered.
    pub const FAILED: u8 = 7;
    /// So many tenths of a second pass, in two bytes.
    pub const WAIT: u8 = 8;
    /// It answers with headers of the chain: from where, how many.
    pub const HEADERS: u8 = 9;
    /// It answers with blocks of the chain: from where, how many.
    pub const BLOCKS: u8 = 10;
    /// It announces the header of a block of the chain.
    pub const ANNOUNCE: u8 = 11;
    /// It pushes a block of the chain.
    pub const COMPACT: u8 = 12;
    /// It answers with a compact block of the chain.
    pub const COMPACT_ANSWER: u8 = 13;
    /// Proofs were checked.
    pub const PROVEN: u8 = 14;
    /// An address is found.
    pub const FOUND: u8 = 15;
    /// What was dialled first is there, or not.
    pub const DIAL: u8 = 16;
    /// How many there are.
    pub const ALL: u8 = 17;
}

/// Blocks that honest peers have.
const CHAIN: usize = 12;
/// Peers of a sequence.
const PEERS: u8 = 6;
/// Longer sequences are cut.
const MOST_STEPS: usize = 200;
/// Wakes that may follow one another without time passing.
const MOST_WAKES: usize = 256;
/// What an engine with a chain of a few blocks and six peers may hold, beside what was sent, in bytes.
const MEMORY: usize = 32 << 20;
const MEMORY_PER_BYTE: usize = 64;
/// Whom blocks pay: the curve's base point is somebody's key.
const PAYEE: OutputKey = OutputKey([
    0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07, 0x02, 0x9b, 0xfc,
    0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
]);
const BEGIN: Timestamp = Timestamp(1_800_000_000);

/// Plays a sequence; whether the engine let a peer in and its chain grew.
pub fn play(bytes: &[u8]) -> bool {
    let chain = chain();
    let before = super::ALLOCATOR.current_usage();
    let mut world = World::new(chain);
    let mut rest = bytes;
    for _ in 0..MOST_STEPS {
        if world.step(&mut rest).is_none() {
            break;
        }
    }
    let held = super::ALLOCATOR.current_usage().saturating_sub(before);
    assert!(held <= MEMORY + MEMORY_PER_BYTE * bytes.len(), "{held} bytes held after {} sent", bytes.len());
    world.engine.chain().chain().tip().height > Height(0)
}

/// A dev chain that is the same in every run.
fn chain() -> &'static [Block] {
    static BLOCKS: OnceLock<Vec<Block>> = OnceLock::new();
    BLOCKS.get_or_init(|| {
        let mut chain = empty();
        let mut batch = Batch::new(Backend::detect());
        let mut mine = |n: usize| {
            let time = Timestamp(BEGIN.0 - 10_000 + 420 * u64::try_from(n).expect("a short chain"));
            let draft = chain.empty_draft(PAYEE, time).expect("a tip can be built on");
            let block = genesis::forge(draft, &mut batch);
            chain.accept(&block, 0, BEGIN).expect("what was mined is good");
            block
        };
        (0..CHAIN).map(&mut mine).collect()
    })
}

fn empty() -> LiveChain {
    let options = Options { threads: 1, cache_bytes: 1 << 20, ..Options::default() };
    LiveChain::in_memory(&Params::dev(), options, MempoolLimits::default()).expect("a store in memory opens")
}

struct World {
    engine: Engine,
    now: Now,
    chain: &'static [Block],
    peers: BTreeMap<u8, (ConnId, Direction)>,
    /// Requests of the engine that wait for an answer.
    asked: VecDeque<(ConnId, RequestId, Request)>,
    /// Requests to the engine that wait for an answer.
    waiting: Vec<AnswerId>,
    jobs: VecDeque<(JobId, Option<usize>)>,
    dials: VecDeque<PeerAddr>,
    numbers: u64,
}

impl World {
    fn new(chain: &'static [Block]) -> Self {
        let config = Config { listen_port: Some(7_617), ..Config::default() };
        let engine = Engine::new(empty(), config, Book::new([3; 32]), Vec::new(), Backend::detect(), 1);
        Self {
            engine,
            now: Now { elapsed: Duration::ZERO, unix: BEGIN },
            chain,
            peers: BTreeMap::new(),
            asked: VecDeque::new(),
            waiting: Vec::new(),
            jobs: VecDeque::new(),
            dials: VecDeque::new(),
            numbers: 0,
        }
    }

    /// One step; none where the sequence ends.
    fn step(&mut self, rest: &mut &[u8]) -> Option<()> {
        let [step, slot] = take(rest)?;
        let slot = slot % PEERS;
        let peer = self.peers.get(&slot).copied();
        match step % step::ALL {
            step::CAME => self.connect(slot, Direction::Inbound, address(slot)),
            step::DIALLED => self.seek(slot),
            step::WAIT => {
                let tenths = u16::from_le_bytes(take(rest)?);
                self.now.elapsed += Duration::from_millis(100) * u32::from(tenths);
                self.now.unix = Timestamp(BEGIN.0 + self.now.elapsed.as_secs());
                self.wake();
            }
            step::PROVEN => {
                if let Some((job, first_false)) = self.jobs.pop_front() {
                    self.handle(Event::Proven { job, first_false });
                }
            }
            step::FOUND => {
                let ip = Ipv4Addr::from(take::<4>(rest)?);
                self.handle(Event::Found { addresses: vec![PeerAddr::new(ip.into(), 7_617)], finder: Finder::Seed });
            }
            step::DIAL => match self.dials.pop_front() {
                Some(address) if peer.is_none() => self.connect(slot, Direction::Outbound, address),
                Some(address) => self.handle(Event::DialFailed { address }),
                None => {}
            },
            said => {
                if let Some((peer, direction)) = peer {
                    self.say(said, slot, peer, direction, rest)?;
                }
            }
        }
        Some(())
    }

    /// A peer says something.
    fn say(&mut self, step: u8, slot: u8, peer: ConnId, direction: Direction, rest: &mut &[u8]) -> Option<()> {
        match step {
            step::LEFT => {
                self.peers.remove(&slot);
                self.gone(peer);
            }
            step::HELLO if direction == Direction::Inbound => self.request(peer, Request::Hello(self.hello(slot))),
            step::HELLO => self.answer(peer, Response::Hello(self.hello(slot))),
            step::NOTE => {
                let (kind, body) = message(rest)?;
                match Note::decode(kind, body) {
                    Ok(note) => self.handle(Event::Note { peer, note }),
                    Err(error) => self.handle(Event::Malformed { peer, error }),
                }
            }
            step::REQUEST => {
                let (kind, body) = message(rest)?;
                match Request::decode(kind, body) {
                    Ok(request) => self.request(peer, request),
                    Err(error) => self.handle(Event::Malformed { peer, error }),
                }
            }
            step::ANSWER => {
                let (kind, body) = message(rest)?;
                match Response::decode(kind, body) {
                    Ok(response) => {
                        let is_hello = matches!(response, Response::Hello(_) | Response::Goodbye(_));
                        let fits = |request: &Request| matches!(request, Request::Hello(_)) == is_hello;
                        if let Some(id) = self.first_asked(peer, fits) {
                            self.handle(Event::Response { peer, id, response });
                        }
                    }
                    Err(error) => self.handle(Event::Malformed { peer, error }),
                }
            }
            step::FAILED => {
                if let Some(id) = self.first_asked(peer, |_| true) {
                    self.handle(Event::Failed { peer, id, failure: Failure::Timeout });
                }
            }
            step::HEADERS => {
                let headers = self.blocks(rest)?.iter().map(|block| block.header).collect();
                self.answer(peer, Response::Headers(headers));
            }
            step::BLOCKS => {
                let blocks = self.blocks(rest)?.to_vec();
                self.answer(peer, Response::Blocks(blocks));
            }
            step::ANNOUNCE => {
                if let Some(block) = self.blocks(rest)?.first() {
                    self.handle(Event::Note { peer, note: Note::Blocks(vec![block.header]) });
                }
            }
            step::COMPACT => {
                if let Some(block) = self.blocks(rest)?.first() {
                    self.handle(Event::Note { peer, note: Note::Compact(compact(block)) });
                }
            }
            _ => {
                if let Some(block) = self.blocks(rest)?.first() {
                    self.answer(peer, Response::Compact(compact(block)));
                }
            }
        }
        Some(())
    }

    /// Some of the chain: from where, how many.
    fn blocks(&self, rest: &mut &[u8]) -> Option<&'static [Block]> {
        let [from, count] = take(rest)?.map(usize::from);
        let from = from % CHAIN;
        let until = (from + count % (CHAIN + 1)).min(CHAIN);
        self.chain.get(from..until)
    }

    fn hello(&self, slot: u8) -> Hello {
        let params = Params::dev();
        let work = self.chain.iter().fold(Work::ZERO.plus(params.genesis_difficulty()), |work, block| {
            work.plus(block.header.template.difficulty)
        });
        Hello {
            version: WIRE_VERSION,
            network_id: params.network_id,
            tip: self.chain.last().map_or(BlockHash::ZERO, Block::hash),
            height: Height(u64::try_from(CHAIN).expect("a short chain")),
            work,
            time: self.now.unix,
            nonce: u64::from(slot),
            listen_port: 7_617,
            is_archive: true,
            agent: "fuzz".to_owned(),
        }
    }

    fn seek(&mut self, slot: u8) {
        let (_, actions) = self.engine.add_peer(address(slot), self.now);
        self.perform(actions);
        if let Some(at) = self.dials.iter().position(|dial| *dial == address(slot)) {
            self.dials.remove(at);
            self.connect(slot, Direction::Outbound, address(slot));
        }
    }

    fn connect(&mut self, slot: u8, direction: Direction, address: PeerAddr) {
        if !self.peers.contains_key(&slot) {
            let peer = ConnId(self.number());
            self.peers.insert(slot, (peer, direction));
            self.handle(Event::Connected { peer, address, identity: Identity([slot; 32]), direction });
        }
    }

    fn request(&mut self, peer: ConnId, request: Request) {
        let id = AnswerId(self.number());
        self.waiting.push(id);
        self.handle(Event::Request { peer, id, request });
    }

    /// Answers what a peer was asked first of what this is an answer to.
    fn answer(&mut self, peer: ConnId, response: Response) {
        let answers = |request: &Request| match response {
            Response::Hello(_) | Response::Goodbye(_) => matches!(request, Request::Hello(_)),
            Response::Headers(_) => matches!(request, Request::Headers { .. }),
            Response::Blocks(_) => matches!(request, Request::Blocks { .. }),
            Response::Compact(_) => matches!(request, Request::Compact { .. }),
            _ => false,
        };
        if let Some(id) = self.first_asked(peer, answers) {
            self.handle(Event::Response { peer, id, response });
        }
    }

    fn first_asked(&mut self, peer: ConnId, fits: impl Fn(&Request) -> bool) -> Option<RequestId> {
        let at = self.asked.iter().position(|(who, _, request)| *who == peer && fits(request))?;
        self.asked.remove(at).map(|(_, id, _)| id)
    }

    fn gone(&mut self, peer: ConnId) {
        while let Some(id) = self.first_asked(peer, |_| true) {
            self.handle(Event::Failed { peer, id, failure: Failure::Closed });
        }
        self.handle(Event::Disconnected { peer });
    }

    /// Wakes the engine until it wants to be woken later.
    fn wake(&mut self) {
        let mut wakes = 0;
        while self.engine.next_wake().is_some_and(|at| at <= self.now.elapsed) {
            wakes += 1;
            assert!(wakes <= MOST_WAKES, "it wants to be woken again and again at {:?}", self.now.elapsed);
            self.handle(Event::Wake);
        }
    }

    fn handle(&mut self, event: Event) {
        let actions = self.engine.handle(event, self.now);
        self.perform(actions);
    }

    fn perform(&mut self, actions: Vec<Action>) {
        let mut ended = Vec::new();
        for action in actions {
            match action {
                Action::Dial { address } => self.dials.push_back(address),
                Action::Disconnect { peer } => ended.push(peer),
                Action::Ask { peer, id, request, .. } => self.asked.push_back((peer, id, request)),
                Action::Answer { id, .. } => {
                    let at = self.waiting.iter().position(|waiting| *waiting == id);
                    self.waiting.swap_remove(at.expect("an answer is to a question, once"));
                }
                Action::Prove { job, headers } => {
                    let first_false = headers.iter().position(|header| !self.is_known(header));
                    self.jobs.push_back((job, first_false));
                }
                Action::Send { .. } | Action::Bar { .. } | Action::Tell(_) => {}
            }
        }
        for peer in ended {
            let slot = self.peers.iter().find(|(_, (id, _))| *id == peer).map(|(slot, _)| *slot);
            if let Some(slot) = slot {
                self.peers.remove(&slot);
                self.gone(peer);
            }
        }
    }

    /// Headers of the chain have true proofs; nobody finds another by chance.
    fn is_known(&self, header: &Header) -> bool {
        self.chain.iter().any(|block| block.header == *header)
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

fn address(slot: u8) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::new(8, slot, 1, 1).into(), 7_617)
}

fn compact(block: &Block) -> Box<CompactBlock> {
    Box::new(CompactBlock { header: block.header, salt: 5, coinbase: block.coinbase.clone(), short_ids: Vec::new() })
}

fn message<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let (message, after) = rest.split_at_checked(length)?;
    *rest = after;
    message.split_first().map(|(kind, body)| (*kind, body))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*head)
}

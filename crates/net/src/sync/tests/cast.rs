//! Puppets with a chain to show, each in its own manner, around one engine.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::Duration;

use bloom_consensus::reward::reward;
use bloom_consensus::{
    Ancestor, Ancestors, Block, BlockHash, Coinbase, Draft, Header, Height, Output, Params, Timestamp, Work, genesis,
};
use bloom_kernel::{Backend, Batch, Seal};

use crate::event::{AnswerId, ConnId, Event, Report};
use crate::testing::{Wire, output_key};
use crate::wire::{Hello, MAX_ANNOUNCED, MAX_BLOCKS_BYTES, MAX_HEADERS, Note, Request, Response};
use crate::{Config, Fault};

pub(super) static DEV: LazyLock<Params> = LazyLock::new(Params::dev);

/// On dev every block asks the same difficulty, and its time is held against its parent's.
struct Dev(Timestamp);

impl Ancestors for Dev {
    type Error = Infallible;

    fn at(&self, _: Height) -> Result<Ancestor, Infallible> {
        Ok(Ancestor { timestamp: self.0, difficulty: DEV.genesis_difficulty() })
    }
}

/// Genesis alone.
pub(super) fn beginning() -> Vec<Block> {
    vec![DEV.genesis.clone()]
}

/// Mines so many blocks more, a second apart, that pay `key`.
pub(super) fn grow(mut line: Vec<Block>, count: usize, key: u8) -> Vec<Block> {
    for _ in 0..count {
        let time = line.last().unwrap().header.template.timestamp.0 + 1;
        line = mine_at(line, Timestamp(time), key, 0);
    }
    line
}

/// Mines one block of some time, whose coinbase takes so many units too many.
pub(super) fn mine_at(mut line: Vec<Block>, time: Timestamp, key: u8, too_many: u64) -> Vec<Block> {
    let parent = line.last().unwrap();
    let height = parent.header.template.height.next().unwrap();
    let amount = bloom_consensus::Amount::from_units(reward(height).units() + too_many);
    let outputs = vec![Output { amount, key: output_key(key) }];
    let coinbase = Coinbase::new(height, vec![key], outputs).unwrap();
    let ancestors = Dev(parent.header.template.timestamp);
    let Ok(draft) = Draft::child(&DEV, &parent.header.as_parent(), &ancestors, time, coinbase, Vec::new());
    line.push(genesis::forge(draft, &mut Box::new(Batch::new(Backend::detect()))));
    line
}

/// A block that costs nothing to make: its ticket is good, for it claims the most rounds, and its proof is false.
pub(super) fn forged(parent: &Header, number: u64) -> Header {
    let mut header = DEV.genesis.header;
    header.template.height = parent.template.height.next().unwrap();
    header.template.prev_hash = parent.block_hash();
    header.template.timestamp = Timestamp(parent.template.timestamp.0 + 1);
    header.seal = Seal { extra_nonce: number, bloom_end: bloom_kernel::ROUNDS_MAX - 1, ..header.seal };
    header
}

/// The first 600 blocks of a chain.
pub(super) fn long() -> Vec<Block> {
    static LONG: LazyLock<Vec<Block>> = LazyLock::new(|| grow(beginning(), 600, 1));
    LONG.clone()
}

/// What a puppet does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// It shows headers and then says nothing.
    Silent,
    /// It says nothing to anything.
    Dead,
    /// Its bodies are those of other blocks.
    WrongBodies,
    /// It answers with other blocks.
    OtherBlocks,
    /// Its headers from a height on cost nothing.
    FalseProofs(usize),
    /// It has no bodies above a height.
    Half(usize),
    /// It has no bodies below a height.
    Pruned(usize),
    /// Its headers do not stand on what was asked for.
    Unconnected,
    /// It answers with headers that are known, from the one after a height on.
    Known(usize),
    /// Asked for headers it says that it is busy, when its time is almost up.
    Busy,
}

pub(super) struct Player {
    pub(super) line: Vec<Block>,
    pub(super) manner: Manner,
    pub(super) end: ConnId,
    /// Requests for headers and for blocks that it heard, and blocks that it served.
    pub(super) headers_asked: usize,
    pub(super) blocks_asked: usize,
    pub(super) served: usize,
}

pub(super) struct Cast {
    pub(super) wire: Wire,
    pub(super) engine: usize,
    pub(super) players: BTreeMap<usize, Player>,
    /// Headers of a full answer.
    in_answer: usize,
    /// Answers that are held back until then.
    late: Vec<(Duration, AnswerId)>,
}

impl Cast {
    /// An engine that has a chain already.
    pub(super) fn new(line: &[Block]) -> Self {
        let mut wire = Wire::new();
        let engine = wire.engine(Config::default());
        let now = wire.clock().unix;
        for block in line {
            wire.at_mut(engine).chain_mut().accept(block, 0, now).unwrap();
        }
        Self { wire, engine, players: BTreeMap::new(), in_answer: MAX_HEADERS, late: Vec::new() }
    }

    /// Has all hold an answer of so many headers to be full.
    pub(super) fn answer_by(&mut self, headers: usize) {
        self.in_answer = headers;
        let engine = self.engine;
        self.wire.at_mut(engine).parts().1.tree.bounds.in_answer = headers;
    }

    pub(super) fn join(&mut self, line: Vec<Block>, manner: Manner) -> usize {
        let work = line.iter().fold(Work::ZERO, |work, block| work.plus(block.header.template.difficulty));
        self.join_claiming(line, manner, work)
    }

    pub(super) fn join_claiming(&mut self, line: Vec<Block>, manner: Manner, work: Work) -> usize {
        let height = line.last().unwrap().header.template.height;
        self.join_saying(line, manner, |hello| Hello { work, height, ..hello })
    }

    /// It says hello in its own way.
    pub(super) fn join_saying(&mut self, line: Vec<Block>, manner: Manner, say: impl Fn(Hello) -> Hello) -> usize {
        let puppet = self.wire.puppet();
        let tip = line.last().unwrap().hash();
        let hello = say(Hello { tip, ..self.wire.hello(puppet) });
        let end = self.wire.link(puppet, self.engine).unwrap();
        self.wire.ask(end, Request::Hello(hello));
        let player = Player { line, manner, end, headers_asked: 0, blocks_asked: 0, served: 0 };
        self.players.insert(puppet, player);
        puppet
    }

    /// A puppet that was let go comes back as who it was.
    pub(super) fn come_back(&mut self, puppet: usize) {
        let player = self.players.get_mut(&puppet).unwrap();
        let hello = Hello {
            tip: player.line.last().unwrap().hash(),
            work: Work::from_be_bytes([0xff; 32]),
            ..self.wire.hello(puppet)
        };
        player.end = self.wire.link(puppet, self.engine).unwrap();
        self.wire.ask(player.end, Request::Hello(hello));
    }

    /// A puppet's chain grows, and it says so.
    pub(super) fn lengthen(&mut self, puppet: usize, line: Vec<Block>) {
        let player = self.players.get_mut(&puppet).unwrap();
        let news = line[line.len() - MAX_ANNOUNCED..].iter().map(|block| block.header).collect();
        player.line = line;
        self.wire.say(player.end, Note::Blocks(news));
    }

    /// Lets time pass until something holds, at most so many seconds; says whether it does.
    pub(super) fn until(&mut self, secs: u64, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.wire.now + Duration::from_secs(secs);
        while self.wire.now < end {
            if holds(self) {
                return true;
            }
            self.wire.run(Duration::from_millis(10));
            self.react();
        }
        holds(self)
    }

    pub(super) fn tip(&self) -> BlockHash {
        self.wire.at(self.engine).chain().chain().tip().hash
    }

    pub(super) fn has(&self, line: &[Block]) -> bool {
        self.tip() == line.last().unwrap().hash()
    }

    pub(super) fn is_connected(&self, puppet: usize) -> bool {
        !self.wire.between(puppet, self.engine).is_empty()
    }

    /// The faults that a puppet was blamed for.
    pub(super) fn faults(&self, puppet: usize) -> Vec<Fault> {
        let at = self.wire.address(puppet).ip();
        let blamed = |report: &Report| match report {
            Report::Blamed { address, fault, .. } if address.ip() == at => Some(fault.clone()),
            _ => None,
        };
        self.wire.reports[self.engine].iter().filter_map(blamed).collect()
    }

    pub(super) fn bans(&self) -> usize {
        self.wire.reports[self.engine].iter().filter(|report| matches!(report, Report::Banned { .. })).count()
    }

    fn react(&mut self) {
        let now = self.wire.now;
        for (_, id) in self.late.extract_if(.., |(at, _)| *at <= now) {
            self.wire.answer(id, Response::Busy);
        }
        for puppet in self.players.keys().copied().collect::<Vec<_>>() {
            for event in self.wire.heard(puppet) {
                let Event::Request { id, request, .. } = event else { continue };
                let player = self.players.get_mut(&puppet).unwrap();
                if player.manner == Manner::Busy && matches!(request, Request::Headers { .. }) {
                    player.headers_asked += 1;
                    self.late.push((now + Duration::from_millis(9_800), id));
                } else if let Some(response) = player.answer(request, self.in_answer) {
                    self.wire.answer(id, response);
                }
            }
        }
    }
}

impl Player {
    fn answer(&mut self, request: Request, in_answer: usize) -> Option<Response> {
        match request {
            Request::Headers { locator } => {
                self.headers_asked += 1;
                (self.manner != Manner::Dead).then(|| Response::Headers(self.headers(&locator, in_answer)))
            }
            Request::Blocks { hashes } => {
                self.blocks_asked += 1;
                let response = self.blocks(&hashes);
                if let Some(Response::Blocks(blocks)) = &response {
                    self.served += blocks.len();
                }
                response
            }
            _ => Some(Response::NotFound),
        }
    }

    fn at(&self, hash: &BlockHash) -> Option<usize> {
        self.line.iter().position(|block| block.hash() == *hash)
    }

    fn headers(&self, locator: &[BlockHash], in_answer: usize) -> Vec<Header> {
        let start = locator.iter().find_map(|hash| self.at(hash)).unwrap_or(0);
        let start = match self.manner {
            Manner::Unconnected => start + 1,
            Manner::Known(after) => after,
            _ => start,
        };
        let mut headers: Vec<_> = self.line.iter().skip(start + 1).take(in_answer).map(|block| block.header).collect();
        if let Manner::FalseProofs(from) = self.manner {
            for at in from.saturating_sub(start + 1)..headers.len() {
                let parent = if at == 0 { self.line[start].header } else { headers[at - 1] };
                headers[at] = forged(&parent, at as u64);
            }
        }
        headers
    }

    fn blocks(&self, hashes: &[BlockHash]) -> Option<Response> {
        let known = hashes.iter().map_while(|hash| self.at(hash));
        let has = |at: &usize| match self.manner {
            Manner::Half(most) => *at <= most,
            Manner::Pruned(least) => *at >= least,
            _ => true,
        };
        let mut bytes = 0;
        let fits = |at: &usize| {
            bytes += self.line[*at].encoded_len();
            bytes <= MAX_BLOCKS_BYTES
        };
        let blocks = known.take_while(has).take_while(fits).map(|at| match self.manner {
            Manner::WrongBodies => Block { coinbase: self.line[at - 1].coinbase.clone(), ..self.line[at].clone() },
            Manner::OtherBlocks => self.line[at - 1].clone(),
            _ => self.line[at].clone(),
        });
        let blocks: Vec<_> = blocks.collect();
        match self.manner {
            Manner::Silent | Manner::Dead => None,
            _ if blocks.is_empty() => Some(Response::NotFound),
            _ => Some(Response::Blocks(blocks)),
        }
    }
}

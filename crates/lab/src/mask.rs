//! Nodes that are not what they seem: an engine does their work, and what it says is spoiled on its way out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bloom_consensus::{Block, Header, Height, Timestamp, Work, rules};
use bloom_net::wire::{CompactBlock, Hello, KnownAddress, MAX_ADDRESSES, MAX_ADDRESSES_TOLD, Note, Request, Response};
use bloom_net::{Action, Event, PeerAddr};

use crate::dice::Dice;

/// Nonces that a liar tries for a ticket that looks right: at the least difficulty one of a few does.
const GRIND: u64 = 4_096;
/// How much higher than the truth a fake height is.
const FAKE_HEIGHTS: u64 = 1_000_000;

/// What is false about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vice {
    /// It takes connections and announces, and never answers for headers, blocks or transactions.
    Stalls,
    /// It makes children of every new block whose proof is false.
    FalseProofs,
    /// It serves other bodies than the headers' own.
    WrongBodies,
    /// It claims a million blocks and the work of more, and has none of them.
    FakeHeights,
    /// It tells addresses at which nobody is.
    Nowhere,
}

impl Vice {
    /// The kinds of liars, dealt out in turn.
    pub const LIES: [Self; 4] = [Self::FalseProofs, Self::WrongBodies, Self::FakeHeights, Self::Nowhere];
}

/// A vice at work.
#[derive(Debug)]
pub struct Mask {
    vice: Vice,
    dice: Dice,
    now: Timestamp,
}

impl Mask {
    /// One that spoils what this chance has it spoil.
    #[must_use]
    pub fn new(vice: Vice, dice: Dice) -> Self {
        Self { vice, dice, now: Timestamp(0) }
    }

    /// Whether the engine does not get to hear of something.
    pub(crate) fn ignores(&mut self, event: &Event) -> bool {
        if let Event::Request { request: Request::Hello(hello), .. } = event {
            self.now = hello.time;
        }
        let Event::Request { request, .. } = event else { return false };
        let is_wanted = !matches!(request, Request::Hello(_) | Request::Addresses);
        self.vice == Vice::Stalls && is_wanted
    }

    /// Spoils what an engine wants done.
    pub(crate) fn distort(&mut self, actions: Vec<Action>) -> Vec<Action> {
        let mut distorted = Vec::with_capacity(actions.len());
        for action in actions {
            match (self.vice, action) {
                (Vice::FalseProofs, Action::Send { peer, note }) => {
                    let lie = self.false_child(&note).map(|note| Action::Send { peer, note: Arc::new(note) });
                    distorted.push(Action::Send { peer, note });
                    distorted.extend(lie);
                }
                (Vice::WrongBodies, Action::Answer { peer, id, response }) => {
                    distorted.push(Action::Answer { peer, id, response: spoil(response) });
                }
                (Vice::FakeHeights, Action::Ask { peer, id, request: Request::Hello(hello), timeout }) => {
                    distorted.push(Action::Ask { peer, id, request: Request::Hello(boast(hello)), timeout });
                }
                (Vice::FakeHeights, Action::Answer { peer, id, response: Response::Hello(hello) }) => {
                    distorted.push(Action::Answer { peer, id, response: Response::Hello(boast(hello)) });
                }
                (Vice::Nowhere, Action::Answer { peer, id, response: Response::Addresses(_) }) => {
                    let response = Response::Addresses(self.nowhere(MAX_ADDRESSES));
                    distorted.push(Action::Answer { peer, id, response });
                    let note = Arc::new(Note::Addresses(self.nowhere(MAX_ADDRESSES_TOLD)));
                    distorted.push(Action::Send { peer, note });
                }
                (_, action) => distorted.push(action),
            }
        }
        distorted
    }

    /// A child of the last block of a note, with a seal that looks right until the attempt is re-run.
    fn false_child(&mut self, note: &Note) -> Option<Note> {
        let parent = match note {
            Note::Blocks(headers) => *headers.last()?,
            Note::Compact(compact) => compact.header,
            Note::Transactions(_) | Note::Addresses(_) | Note::PushBlocks(_) => return None,
        };
        let mut child = parent;
        child.template.height = parent.template.height.next()?;
        child.template.prev_hash = parent.block_hash();
        child.template.timestamp = Timestamp(parent.template.timestamp.0 + 1);
        for _ in 0..GRIND {
            child.seal.extra_nonce = self.dice.any();
            if rules::header::check_isolated(&child).is_ok() {
                return Some(Note::Blocks(vec![child]));
            }
        }
        None
    }

    /// Addresses of nobody.
    fn nowhere(&mut self, count: usize) -> Vec<KnownAddress> {
        let seen = self.now;
        let mut one = || {
            let [a, b, c, d, ..] = self.dice.any().to_le_bytes();
            let ip = IpAddr::V4(Ipv4Addr::new(120 + a % 48, b, c, d));
            KnownAddress { address: PeerAddr::new(ip, 27_617), seen }
        };
        (0..count).map(|_| one()).filter(|known| known.address.is_routable()).collect()
    }
}

fn boast(hello: Hello) -> Hello {
    let height = Height(hello.height.0.saturating_add(FAKE_HEIGHTS));
    Hello { height, work: Work::from_be_bytes([0x0f; 32]), ..hello }
}

/// The same headers with other bodies.
fn spoil(response: Response) -> Response {
    let other = |header: Header, block: Block| Block { header, ..block };
    match response {
        Response::Blocks(mut blocks) => {
            let headers: Vec<Header> = blocks.iter().map(|block| block.header).collect();
            blocks.rotate_left(1);
            for block in &mut blocks {
                block.coinbase = spoiled(&block.coinbase);
            }
            let spoiled = headers.into_iter().zip(blocks).map(|(header, block)| other(header, block));
            Response::Blocks(spoiled.collect())
        }
        Response::Compact(compact) => {
            let coinbase = spoiled(&compact.coinbase);
            Response::Compact(Box::new(CompactBlock { coinbase, ..*compact }))
        }
        other => other,
    }
}

/// A coinbase of other data.
fn spoiled(coinbase: &bloom_consensus::Coinbase) -> bloom_consensus::Coinbase {
    let outputs = coinbase.outputs().to_vec();
    bloom_consensus::Coinbase::new(coinbase.height(), vec![0xff; 9], outputs).unwrap_or_else(|_| coinbase.clone())
}

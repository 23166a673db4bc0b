//! Blocks of an attacker: those that cost what they must, and those that cost nothing.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::HashMap;
use std::convert::Infallible;

use bloom_consensus::reward::reward;
use bloom_consensus::{
    Amount, Ancestor, Ancestors, Block, BlockHash, Coinbase, Draft, Header, Height, Output, OutputKey, Timestamp, Work,
    genesis,
};
use bloom_kernel::{Backend, Batch, ROUNDS_MAX, Seal};
use bloom_net::wire::{Hello, MAX_BLOCKS_BYTES, MAX_HEADERS, Request, Response};
use secp256k1::Keypair;

use super::attacker::{DEV, hello};

/// On dev every block asks the same difficulty, and its time is held against its parent's.
struct Dev(Timestamp);

impl Ancestors for Dev {
    type Error = Infallible;

    fn at(&self, _: Height) -> Result<Ancestor, Infallible> {
        Ok(Ancestor { timestamp: self.0, difficulty: DEV.genesis_difficulty() })
    }
}

/// Who the coins of forged blocks belong to.
pub(crate) fn owner() -> Keypair {
    Keypair::from_secret_bytes([7; 32]).unwrap()
}

pub(crate) fn output_key() -> OutputKey {
    OutputKey(owner().x_only_public_key().0.to_byte_array())
}

/// A chain from genesis on, and where each of its blocks is.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) blocks: Vec<Block>,
    at: HashMap<BlockHash, usize>,
}

impl Line {
    /// Mines so many blocks, a second apart; `mark` tells lines apart.
    pub(crate) fn mine(count: usize, mark: u8) -> Self {
        let mut line = Self { blocks: vec![DEV.genesis.clone()], at: HashMap::from([(DEV.genesis.hash(), 0)]) };
        let mut batch = Batch::new(Backend::detect());
        for _ in 0..count {
            line.grow(mark, 0, &mut batch);
        }
        line
    }

    /// Mines one more, whose coinbase takes so many units too many.
    pub(crate) fn greedy(mut self, too_many: u64) -> Self {
        self.grow(9, too_many, &mut Batch::new(Backend::detect()));
        self
    }

    fn grow(&mut self, mark: u8, too_many: u64, batch: &mut Batch) {
        let parent = &self.blocks.last().unwrap().header;
        let (height, time) = (parent.template.height.next().unwrap(), parent.template.timestamp);
        let amount = Amount::from_units(reward(height).units() + too_many);
        let coinbase = Coinbase::new(height, vec![mark], vec![Output { amount, key: output_key() }]).unwrap();
        let Ok(draft) =
            Draft::child(&DEV, &parent.as_parent(), &Dev(time), Timestamp(time.0 + 1), coinbase, Vec::new());
        let block = genesis::forge(draft, batch);
        self.at.insert(block.hash(), self.blocks.len());
        self.blocks.push(block);
    }

    /// The hello of who has it.
    pub(crate) fn hello(&self) -> Hello {
        let tip = self.blocks.last().unwrap();
        let work = self.blocks.iter().fold(Work::ZERO, |work, block| work.plus(block.header.template.difficulty));
        Hello { tip: tip.hash(), height: tip.header.template.height, work, ..hello() }
    }

    /// What an honest peer answers that has it.
    pub(crate) fn answer(&self, request: Request) -> Option<Response> {
        Some(match request {
            Request::Headers { locator } => Response::Headers(self.headers(&locator)),
            Request::Blocks { hashes } => {
                let mut bytes = 0;
                let known = hashes.iter().map_while(|hash| self.at.get(hash)).map(|at| &self.blocks[*at]);
                let fits = |block: &&Block| {
                    bytes += block.encoded_len();
                    bytes <= MAX_BLOCKS_BYTES
                };
                match known.take_while(fits).cloned().collect::<Vec<_>>() {
                    blocks if blocks.is_empty() => Response::NotFound,
                    blocks => Response::Blocks(blocks),
                }
            }
            _ => Response::NotFound,
        })
    }

    /// The same, each block with the coinbase of the one before: a body of another root.
    pub(crate) fn answer_wrong_bodies(&self, request: Request) -> Option<Response> {
        let Some(Response::Blocks(mut blocks)) = self.answer(request.clone()) else { return self.answer(request) };
        for block in &mut blocks {
            block.coinbase = self.blocks[self.at[&block.hash()] - 1].coinbase.clone();
        }
        Some(Response::Blocks(blocks))
    }

    pub(crate) fn headers(&self, locator: &[BlockHash]) -> Vec<Header> {
        let start = locator.iter().find_map(|hash| self.at.get(hash)).map_or(1, |at| at + 1);
        self.blocks.iter().skip(start).take(MAX_HEADERS).map(|block| block.header).collect()
    }
}

/// As many headers on a parent as an answer may have: their tickets are good, for they claim the most rounds, and their
/// proofs are false.
pub(crate) fn false_proofs(parent: &Header, mark: u64) -> Vec<Header> {
    let mut headers = vec![*parent];
    for _ in 0..MAX_HEADERS {
        let (last, mut next) = (headers.last().unwrap(), DEV.genesis.header);
        next.template.height = last.template.height.next().unwrap();
        next.template.prev_hash = last.block_hash();
        next.template.timestamp = Timestamp(last.template.timestamp.0 + 1);
        next.seal = Seal { extra_nonce: mark, bloom_end: ROUNDS_MAX - 1, ..next.seal };
        headers.push(next);
    }
    headers.split_off(1)
}

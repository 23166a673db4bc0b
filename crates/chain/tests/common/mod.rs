//! Lines of real blocks, mined on the spot, with transactions signed by known keys.
#![expect(dead_code, reason = "every test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::convert::Infallible;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use bloom_chain::{Chain, Options, Outcome, Tip, Verified};
use bloom_consensus::network::Params;
use bloom_consensus::reward::reward;
use bloom_consensus::{
    Amount, Ancestor, Ancestors, Block, BlockHash, Body, Coinbase, Draft, Height, Outpoint, Output, OutputKey,
    Timestamp, Transaction, genesis, signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::{Keypair, schnorr};

/// A clock behind which all blocks of the lines are, unless they say otherwise.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);

pub(crate) static DEV: LazyLock<Params> = LazyLock::new(Params::dev);

/// A branch from genesis on.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) params: Params,
    pub(crate) blocks: Vec<Block>,
}

impl Ancestors for Line {
    type Error = Infallible;

    fn at(&self, height: Height) -> Result<Ancestor, Infallible> {
        let template = self.blocks[usize::try_from(height.0).unwrap()].header.template;
        Ok(Ancestor { timestamp: template.timestamp, difficulty: template.difficulty })
    }
}

impl Line {
    pub(crate) fn new(params: &Params) -> Self {
        Self { params: params.clone(), blocks: vec![params.genesis.clone()] }
    }

    pub(crate) fn dev() -> Self {
        Self::new(&DEV)
    }

    pub(crate) fn tip(&self) -> &Block {
        self.blocks.last().unwrap()
    }

    pub(crate) fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    pub(crate) fn hash_at(&self, height: u64) -> BlockHash {
        self.blocks[usize::try_from(height).unwrap()].hash()
    }

    /// The first blocks of the line, up to a height.
    pub(crate) fn cut(&self, height: u64) -> Self {
        Self { params: self.params.clone(), blocks: self.blocks[..=usize::try_from(height).unwrap()].to_vec() }
    }

    /// Mines `count` blocks whose coinbases pay `key`, a second apart.
    pub(crate) fn grow(mut self, count: usize, key: u8) -> Self {
        for _ in 0..count {
            self.mine(key, Vec::new());
        }
        self
    }

    /// Mines a block that pays its reward to `key`.
    pub(crate) fn mine(&mut self, key: u8, transactions: Vec<Transaction>) -> &Block {
        let time = Timestamp(self.tip().header.template.timestamp.0 + 1);
        self.mine_at(time, key, transactions)
    }

    pub(crate) fn mine_at(&mut self, time: Timestamp, key: u8, transactions: Vec<Transaction>) -> &Block {
        let height = Height(self.height() + 1);
        let outputs = vec![Output { amount: reward(height), key: output_key(key) }];
        self.mine_with(time, Coinbase::new(height, vec![key], outputs).unwrap(), transactions)
    }

    pub(crate) fn mine_with(&mut self, time: Timestamp, coinbase: Coinbase, transactions: Vec<Transaction>) -> &Block {
        let parent = self.tip().header.as_parent();
        let Ok(draft) = Draft::child(&self.params, &parent, self, time, coinbase, transactions);
        let mut batch = Box::new(Batch::new(Backend::detect()));
        self.blocks.push(genesis::forge(draft, &mut batch));
        self.tip()
    }

    /// The coin that the block at a height made for its miner.
    pub(crate) fn reward_at(&self, height: u64) -> (Outpoint, Output) {
        let coinbase = &self.blocks[usize::try_from(height).unwrap()].coinbase;
        (Outpoint { txid: coinbase.id(), index: 0 }, coinbase.outputs()[0])
    }
}

pub(crate) fn keypair(key: u8) -> Keypair {
    Keypair::from_secret_bytes([key; 32]).unwrap()
}

pub(crate) fn output_key(key: u8) -> OutputKey {
    OutputKey(keypair(key).x_only_public_key().0.to_byte_array())
}

/// A transaction that gives all of `from`'s coin, which `owner` holds, to several keys in equal parts.
pub(crate) fn pay(params: &Params, (outpoint, output): (Outpoint, Output), owner: u8, to: &[u8]) -> Transaction {
    let share = Amount::from_units(output.amount.units() / to.len() as u64);
    let outputs = to.iter().map(|key| Output { amount: share, key: output_key(*key) }).collect();
    let body = Body::new(Height(0), vec![outpoint], outputs).unwrap();
    let common = signing::common(&params.network_id, &body, &[output]).unwrap();
    let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &keypair(owner));
    Transaction::new(body, vec![signature.to_byte_array()]).unwrap()
}

/// A transaction that spends several coins with their owners' keys and pays amounts to keys, allowed from a height on.
pub(crate) fn spend(
    params: &Params,
    coins: &[(Outpoint, Output, u8)],
    to: &[(u8, u64)],
    not_before: u64,
) -> Transaction {
    let mut coins = coins.to_vec();
    coins.sort_by_key(|(outpoint, ..)| *outpoint);
    let outputs = to.iter().map(|(key, units)| Output { amount: Amount::from_units(*units), key: output_key(*key) });
    let inputs = coins.iter().map(|(outpoint, ..)| *outpoint).collect();
    let body = Body::new(Height(not_before), inputs, outputs.collect()).unwrap();
    let spent: Vec<_> = coins.iter().map(|(_, output, _)| *output).collect();
    let common = signing::common(&params.network_id, &body, &spent).unwrap();
    let sign = |(input, (.., key)): (u32, &(Outpoint, Output, u8))| {
        schnorr::sign_no_aux_rand(&signing::digest(&common, input), &keypair(*key)).to_byte_array()
    };
    let signatures = (0..).zip(&coins).map(sign).collect();
    Transaction::new(body, signatures).unwrap()
}

/// Two branches from height 150 on, the other a block longer than the one, that have transactions in common, transactions that conflict, and transactions that
/// only one of them can hold: they spend what it alone has made, or what is mature on it earlier.
pub(crate) fn contended_branches(length: u64) -> (Line, Line) {
    let trunk = Line::dev().grow(150, 1);
    let (mut one, mut other) = (trunk.clone(), trunk.clone());
    let common: Vec<Transaction> = (1..=8).map(|height| pay(&DEV, trunk.reward_at(height), 1, &[3, 4])).collect();
    for n in 1..=length + 1 {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        match n {
            // The same payments, in the one branch early and in the other late: they come back.
            1..=8 => ours.push(common[(n - 1) as usize].clone()),
            _ if (length - 99..length - 91).contains(&n) => theirs.push(common[(n - (length - 99)) as usize].clone()),
            // Conflicts: the same coin to one or to another.
            11..=24 => {
                ours.push(pay(&DEV, trunk.reward_at(n), 1, &[5]));
                theirs.push(pay(&DEV, trunk.reward_at(n), 1, &[6, 7]));
            }
            // Coins that only this branch has made, as soon as they are mature.
            124.. if n % 10 == 0 => {
                ours.push(pay(&DEV, one.reward_at(150 + n - 123), 8, &[5, 6]));
                theirs.push(pay(&DEV, other.reward_at(150 + n - 123), 9, &[7]));
            }
            _ => {}
        }
        if n <= length {
            one.mine(8, ours);
        }
        other.mine(9, theirs);
    }
    (one, other)
}

pub(crate) fn bulk() -> Options {
    Options { blocks_per_commit: 64, ..Options::default() }
}

pub(crate) fn open(dir: &Path) -> Chain {
    Chain::open(dir, &DEV, Options::default()).unwrap()
}

pub(crate) fn in_memory(params: &Params) -> Chain {
    Chain::in_memory(params, Options::default()).unwrap()
}

/// Gives a chain blocks that it must take; what became of the last.
pub(crate) fn feed<'a>(chain: &mut Chain, blocks: impl IntoIterator<Item = &'a Block>) -> Outcome {
    let mut last = Outcome::Known;
    for block in blocks {
        last = chain.accept(block, 0, NOW).unwrap().outcome;
    }
    last
}

/// The tip and the unspent outputs after a line alone, replayed from nothing.
pub(crate) fn replayed(line: &Line) -> (Tip, [u8; 32]) {
    let mut chain = in_memory(&line.params);
    feed(&mut chain, &line.blocks);
    state(&chain)
}

pub(crate) fn state(chain: &Chain) -> (Tip, [u8; 32]) {
    (chain.tip(), chain.state_digest().unwrap())
}

pub(crate) fn verify(chain: &mut Chain, from: u64) -> Result<Verified, bloom_chain::VerifyError> {
    chain.verify(Height(from), 2, &mut |_| {}, &AtomicBool::new(false))
}

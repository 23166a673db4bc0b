//! Real payments: a history of blocks whose rewards are mature, and a purse that pays itself from them.

use std::collections::VecDeque;

use bloom_consensus::constants::{BLOCK_TIME_SECS, COINBASE_MATURITY};
use bloom_consensus::{
    Amount, Block, Body, Height, NetworkId, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, genesis,
    signing,
};
use bloom_kernel::{Backend, Batch};
use secp256k1::{Keypair, schnorr};

use crate::citizen::empty_chain;

/// Coins that there are to pay with at first: more payments an hour than a few times this wait for each other.
const COINS: u64 = 64;
/// What a payment pays for being taken.
const FEE_UNITS: u64 = 10_000;

/// Coins of one key, and that key.
pub(crate) struct Purse {
    pair: Keypair,
    network: NetworkId,
    coins: VecDeque<(Outpoint, Output)>,
}

impl Purse {
    /// One that holds nothing.
    pub(crate) fn new(secret: [u8; 32], params: &Params) -> Self {
        // All but 2⁻¹²⁸ of all secrets are keys.
        let pair = Keypair::from_secret_bytes(secret).or_else(|_| Keypair::from_secret_bytes([1; 32]));
        let pair = pair.expect("1 is a key");
        Self { pair, network: params.network_id, coins: VecDeque::new() }
    }

    /// Whom rewards are paid to.
    pub(crate) fn key(&self) -> OutputKey {
        OutputKey(self.pair.x_only_public_key().0.to_byte_array())
    }

    /// Takes a coin to pay with.
    pub(crate) fn take(&mut self) -> Option<(Outpoint, Output)> {
        self.coins.pop_front()
    }

    /// Puts one that was not spent back.
    pub(crate) fn put_back(&mut self, coin: (Outpoint, Output)) {
        self.coins.push_back(coin);
    }

    /// A payment of a coin to oneself, in two halves.
    pub(crate) fn pay(&self, (outpoint, output): (Outpoint, Output)) -> Option<Transaction> {
        let left = output.amount.units().checked_sub(FEE_UNITS)?;
        let half = |units: u64| Output { amount: Amount::from_units(units), key: self.key() };
        let outputs = vec![half(left / 2), half(left - left / 2)];
        let body = Body::new(Height(0), vec![outpoint], outputs).ok()?;
        let common = signing::common(&self.network, &body, &[output]).ok()?;
        let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &self.pair);
        Transaction::new(body, vec![signature.to_byte_array()]).ok()
    }

    /// Takes in what a payment made: one half stays for a later payment.
    pub(crate) fn paid(&mut self, transaction: &Transaction) {
        let txid = transaction.txid();
        if let Some(output) = transaction.body().outputs().first() {
            self.coins.push_back((Outpoint { txid, index: 0 }, *output));
        }
    }
}

/// Blocks that were there before the simulation began, the last a block time before `end`; the first rewards are mature.
pub(crate) fn history(params: &Params, purse: &mut Purse, end: Timestamp, backend: Backend) -> Vec<Block> {
    let count = COINBASE_MATURITY + COINS;
    let mut chain = empty_chain(params, backend);
    let mut batch = Batch::new(backend);
    let mut blocks = Vec::new();
    for number in 0..count {
        let time = Timestamp(end.0 - (count - number) * BLOCK_TIME_SECS);
        let draft = chain.draft(purse.key(), time).expect("an empty block on an empty chain's tip is good");
        let block = genesis::forge(draft, &mut batch);
        chain.accept(&block, 0, end).expect("what was just made by the rules is taken");
        blocks.push(block);
    }
    for block in blocks.iter().take(usize::try_from(COINS).unwrap_or(0)) {
        if let Some(output) = block.coinbase.outputs().first() {
            purse.coins.push_back((Outpoint { txid: block.coinbase.id(), index: 0 }, *output));
        }
    }
    blocks
}

/// How far before the simulation's beginning the history's begins.
pub(crate) fn history_secs() -> u64 {
    (COINBASE_MATURITY + COINS + 1) * BLOCK_TIME_SECS
}

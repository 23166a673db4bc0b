//! All coins of a key that is not the wallet's, such as the one that a miner made for itself, paid to the wallet.

use std::collections::BTreeMap;

use bloom_chain::FeeRate;
use bloom_consensus::constants::COINBASE_MATURITY;
use bloom_consensus::{Amount, Block, Body, Coin, Height, NetworkId, Outpoint, Output, OutputKey, Transaction};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::{Keypair, schnorr};

use crate::build::{add, check_rate, fee_is_high, sum};
use crate::error::BuildError;
use crate::keeper::Keeper;
use crate::node::Node;
use crate::scan::{PATIENCE, ScanError};
use crate::signing::{check, sign_inputs};
use crate::size::{DUST, INPUT_BYTES, most_inputs, transaction_bytes};
use crate::watch::GAP_LIMIT;
use crate::{KeyChain, Wallet};

type Coins = BTreeMap<Outpoint, Coin>;

/// What a key has, at a tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the next block may spend and nothing that waits does.
    mature: Coins,
    /// Mined and too young to be spent: how much can be spent from which height on.
    pub immature: BTreeMap<Height, Amount>,
    /// Spent by transactions that wait in the mempool.
    pub leaving: Amount,
    /// The lowest block that could be looked at: what lies below was pruned, and coins in it are not seen.
    pub seen_from: Height,
    /// The tip's height.
    pub tip: Height,
}

/// Looks through the whole chain, and what waits, for coins of a key.
///
/// # Errors
/// [`ScanError`]; blocks that were pruned are none, see [`Found::seen_from`].
pub fn find<N: Node>(node: &N, key: &OutputKey) -> Result<Found, ScanError<N::Error>> {
    for _ in 0..PATIENCE {
        let tip = node.tip().map_err(ScanError::Node)?.height;
        if let Some((coins, seen_from)) = coins(node, key, tip)? {
            return sort(node, coins, seen_from, tip);
        }
    }
    Err(ScanError::Restless)
}

/// Unspent coins, and from which height on they were looked for; none if the chain changed meanwhile.
fn coins<N: Node>(node: &N, key: &OutputKey, tip: Height) -> Result<Option<(Coins, Height)>, ScanError<N::Error>> {
    let mut coins = Coins::new();
    let mut seen_from = Height::GENESIS;
    let mut parent = None;
    for height in (0..=tip.0).map(Height) {
        let Some(hash) = node.hash_at(height).map_err(ScanError::Node)? else { return Ok(None) };
        match node.block(&hash).map_err(ScanError::Node)? {
            Some(block) if parent.is_some_and(|parent| block.header.template.prev_hash != parent) => return Ok(None),
            Some(block) => note(&mut coins, key, &block, height),
            None => {
                // Whether what was seen until here is spent in this block is not known.
                coins.clear();
                seen_from = Height(height.0 + 1);
            }
        }
        parent = Some(hash);
    }
    Ok(Some((coins, seen_from)))
}

fn note(coins: &mut Coins, key: &OutputKey, block: &Block, height: Height) {
    let mut create = |txid, outputs: &[Output], is_coinbase| {
        for (index, output) in (0..).zip(outputs).filter(|(_, output)| output.key == *key) {
            coins.insert(Outpoint { txid, index }, Coin { output: *output, height, is_coinbase });
        }
    };
    create(block.coinbase.id(), block.coinbase.outputs(), true);
    for transaction in &block.transactions {
        create(transaction.txid(), transaction.body().outputs(), false);
    }
    // A transaction may spend what another of its block makes: all of that is there by now.
    for input in block.transactions.iter().flat_map(|transaction| transaction.body().inputs()) {
        coins.remove(input);
    }
}

fn sort<N: Node>(node: &N, mut mature: Coins, seen_from: Height, tip: Height) -> Result<Found, ScanError<N::Error>> {
    let mut leaving = Amount::ZERO;
    for waiting in node.waiting().map_err(ScanError::Node)? {
        for coin in waiting.transaction.body().inputs().iter().filter_map(|input| mature.remove(input)) {
            leaving = add(leaving, coin.output.amount);
        }
    }
    let mut immature = BTreeMap::<Height, Amount>::new();
    mature.retain(|_, coin| {
        let matures_at = Height(coin.height.0.saturating_add(COINBASE_MATURITY));
        let is_mature = !coin.is_coinbase || matures_at.0 <= tip.0.saturating_add(1);
        if !is_mature {
            let amount = immature.entry(matures_at).or_default();
            *amount = add(*amount, coin.output.amount);
        }
        is_mature
    });
    Ok(Found { mature, immature, leaving, seen_from, tip })
}

impl Found {
    /// What the next block may spend.
    #[must_use]
    pub fn mature_total(&self) -> Amount {
        sum(self.mature.values().map(|coin| coin.output.amount))
    }

    /// What it may not yet.
    #[must_use]
    pub fn immature_total(&self) -> Amount {
        sum(self.immature.values().copied())
    }

    /// From which height of the tip on all of it can be swept; `None` if nothing has to mature.
    #[must_use]
    pub fn all_at(&self) -> Option<Height> {
        self.immature.keys().last().map(|matures_at| Height(matures_at.0 - 1))
    }

    /// Pays all that is mature to a key, in as many transactions as a mempool's largest demands, the oldest coins first;
    /// none if there is nothing. What costs more to spend than it holds stays where it is.
    ///
    /// # Errors
    /// [`BuildError::RateTooLow`], [`BuildError::AmountSum`].
    pub fn pay_to(&self, to: OutputKey, rate: FeeRate) -> Result<Vec<Sweep>, BuildError> {
        check_rate(rate)?;
        let mut coins: Vec<(Outpoint, Coin)> = self.mature.iter().map(|(outpoint, coin)| (*outpoint, *coin)).collect();
        coins.retain(|(_, coin)| coin.output.amount > rate.fee(INPUT_BYTES));
        coins.sort_by_key(|(outpoint, coin)| (coin.height, *outpoint));
        let mut sweeps = Vec::new();
        for coins in coins.chunks_mut(most_inputs(1)) {
            // "Inputs stand in strictly ascending order" (law §7).
            coins.sort_by_key(|(outpoint, _)| *outpoint);
            let inputs = Amount::checked_sum(coins.iter().map(|(_, coin)| coin.output.amount));
            let fee = rate.fee(transaction_bytes(coins.len(), 1));
            let amount = inputs.ok_or(BuildError::AmountSum)?.checked_sub(fee).filter(|amount| *amount >= DUST);
            if let Some(amount) = amount {
                let inputs = coins.iter().map(|(outpoint, _)| *outpoint).collect();
                let body = Body::new(Height(0), inputs, vec![Output { amount, key: to }])?;
                sweeps.push(Sweep { body, coins: coins.iter().map(|(_, coin)| *coin).collect(), amount, fee });
            }
        }
        Ok(sweeps)
    }
}

/// A transaction that empties a key, not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// All of it but the signatures.
    pub body: Body,
    /// What it spends, one for each input in their order.
    pub coins: Vec<Coin>,
    /// What arrives.
    pub amount: Amount,
    /// What does not.
    pub fee: Amount,
}

impl Sweep {
    /// Bytes of the signed transaction.
    #[must_use]
    pub fn bytes(&self) -> usize {
        transaction_bytes(self.coins.len(), 1)
    }

    /// What it pays for its bytes.
    #[must_use]
    pub fn rate(&self) -> FeeRate {
        FeeRate::of(self.fee, self.bytes())
    }

    /// Whether its fee looks meant: no more than a tenth of what arrives, or little.
    ///
    /// # Errors
    /// [`BuildError::HighFee`].
    pub fn check_fee(&self) -> Result<(), BuildError> {
        if fee_is_high(self.fee, self.amount) {
            return Err(BuildError::HighFee { fee: self.fee, paid: self.amount });
        }
        Ok(())
    }

    /// Signs every input with the key that is emptied, and judges the whole as the block after the tip would.
    ///
    /// # Errors
    /// [`BuildError::Rule`] if the law would refuse it, as it does if it is another's key.
    pub fn sign(
        &self,
        network: &NetworkId,
        keypair: &Keypair,
        tip: Height,
        rng: &mut (impl Rng + CryptoRng),
    ) -> Result<Transaction, BuildError> {
        let outputs: Vec<Output> = self.coins.iter().map(|coin| coin.output).collect();
        let transaction =
            sign_inputs(network, &self.body, &outputs, |_, digest| schnorr::sign_with_rng(digest, keypair, rng))?;
        check(network, &transaction, &self.coins, tip)?;
        Ok(transaction)
    }
}

impl<K: Keeper> Wallet<K> {
    /// Where a sweep goes: the next receiving key, in use once the sweep is recorded. When twenty in a row are unused it
    /// is the last of them, for a search from words alone would look no further.
    #[must_use]
    pub fn sweep_key(&self) -> OutputKey {
        let last = self.book().confirmed_index(KeyChain::Receive) + GAP_LIMIT - 1;
        let index = self.book().next_index(KeyChain::Receive).min(last);
        self.watch().key(&self.watch().path_of(KeyChain::Receive, index))
    }
}

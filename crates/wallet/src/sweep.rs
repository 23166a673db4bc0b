//! All coins of a key that is not the wallet's, such as the one that a miner made for itself, paid to the wallet.

use std::collections::BTreeMap;

use bloom_chain::FeeRate;
use bloom_consensus::constants::COINBASE_MATURITY;
use bloom_consensus::{Amount, Body, Coin, Height, NetworkId, Outpoint, Output, OutputKey, Transaction};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::{Keypair, schnorr};

use crate::build::{add, check_rate, fee_is_high, sum};
use crate::error::BuildError;
use crate::keeper::Keeper;
use crate::node::Node;
use crate::signing::{check, sign_inputs};
use crate::size::{DUST, INPUT_BYTES, most_inputs, transaction_bytes};
use crate::watch::GAP_LIMIT;
use crate::{KeyChain, Wallet};

/// What a key has, at a tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the next block may spend and nothing that waits does.
    mature: BTreeMap<Outpoint, Coin>,
    /// Mined and too young to be spent: how much can be spent from which height on.
    pub immature: BTreeMap<Height, Amount>,
    /// Spent by transactions that wait in the mempool.
    pub leaving: Amount,
    /// The tip's height.
    pub tip: Height,
}

/// Asks for the coins of a key, and what waits that spends them.
///
/// # Errors
/// The node's.
pub fn find<N: Node>(node: &N, key: &OutputKey) -> Result<Found, N::Error> {
    let tip = node.tip()?.height;
    let mut mature: BTreeMap<Outpoint, Coin> = node.coins_of(key)?.into_iter().collect();
    let mut leaving = Amount::ZERO;
    for waiting in node.waiting()? {
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
    Ok(Found { mature, immature, leaving, tip })
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

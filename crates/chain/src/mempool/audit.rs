//! Everything that the mempool keeps, recomputed from nothing and from the chain.

use std::collections::{BTreeMap, BTreeSet};

use bloom_consensus::rules::{isolation, utxo};
use bloom_consensus::{Coin, Outpoint, Txid};

use super::Mempool;
use super::admit::next_height;
use super::entry::{MempoolEntry, Totals, memory};
use super::graph::Rank;
use super::policy::{MAX_CHAIN, MAX_CHAIN_BYTES};
use crate::{Chain, StoreError};

/// Something that the mempool keeps and that is not so.
#[derive(Debug, thiserror::Error)]
pub enum Inconsistency {
    /// What is kept and what it should be.
    #[error("the mempool contradicts itself or the tip: {0}")]
    Found(String),
    /// The files fail.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn demand(holds: bool, what: impl FnOnce() -> String) -> Result<(), Inconsistency> {
    if holds { Ok(()) } else { Err(Inconsistency::Found(what())) }
}

impl Mempool {
    /// Whether all that waits could be in the next block, in the order of [`Mempool::iter`], and everything kept about it
    /// is so. For tests, and for whoever suspects memory: it takes as long as there are transactions.
    ///
    /// # Errors
    /// The first [`Inconsistency`].
    pub fn audit(&self, chain: &Chain) -> Result<(), Inconsistency> {
        demand(self.tip == chain.tip().hash, || format!("it stands on {}", self.tip))?;
        self.audit_spending(chain)?;
        self.audit_totals()?;
        self.audit_indexes()
    }

    /// Each spends what is there, once; it is mature, allowed, and pays the fee that is kept.
    fn audit_spending(&self, chain: &Chain) -> Result<(), Inconsistency> {
        let next = next_height(chain);
        let mut made: BTreeMap<Outpoint, Coin> = BTreeMap::new();
        let mut spent: BTreeSet<Outpoint> = BTreeSet::new();
        for entry in self.iter() {
            let (txid, body) = (entry.transaction.txid(), entry.transaction.body());
            let mut coins = Vec::new();
            for outpoint in body.inputs() {
                demand(spent.insert(*outpoint), || format!("{outpoint} is spent twice"))?;
                demand(self.spender_of(outpoint) == Some(txid), || format!("{outpoint} has another spender"))?;
                let coin = match made.get(outpoint) {
                    Some(coin) => Some(*coin),
                    None => chain.coin(outpoint)?,
                };
                demand(coin.is_some(), || format!("{txid} spends {outpoint}, which is not there"))?;
                coins.extend(coin);
            }
            let fee = utxo::check_spend(body, next, &coins);
            demand(fee == Ok(entry.fee), || format!("{txid} pays {fee:?}, not {}", entry.fee))?;
            let lawful = isolation::check_transaction(&entry.transaction)
                .and_then(|()| isolation::check_not_before(&entry.transaction, next));
            demand(lawful.is_ok(), || format!("{txid}: {lawful:?}"))?;
            for (index, output) in (0..).zip(body.outputs()) {
                made.insert(Outpoint { txid, index }, Coin { output: *output, height: next, is_coinbase: false });
            }
        }
        Ok(())
    }

    /// Ancestors and descendants by following inputs alone.
    fn audit_totals(&self) -> Result<(), Inconsistency> {
        let mut above: BTreeMap<Txid, BTreeSet<Txid>> = BTreeMap::new();
        let mut below: BTreeMap<Txid, Totals> = BTreeMap::new();
        for entry in self.iter() {
            let txid = entry.transaction.txid();
            let mut ancestors = BTreeSet::from([txid]);
            for input in entry.transaction.body().inputs() {
                ancestors.extend(above.get(&input.txid).into_iter().flatten());
            }
            let mut totals = Totals::default();
            for ancestor in &ancestors {
                totals.add(self.get(ancestor).expect("it was iterated over").own());
                below.entry(*ancestor).or_default().add(entry.own());
            }
            demand(totals == entry.ancestors, || format!("{txid} stands on {totals:?}, not {:?}", entry.ancestors))?;
            above.insert(txid, ancestors);
        }
        for entry in self.iter() {
            let txid = entry.transaction.txid();
            let totals = below.get(&txid).copied().unwrap_or_default();
            let kept = entry.descendants;
            demand(totals == kept, || format!("{txid} carries {totals:?}, not {kept:?}"))?;
            for totals in [entry.ancestors, kept] {
                let fits = totals.count <= MAX_CHAIN && (totals.bytes <= MAX_CHAIN_BYTES || totals.count == 1);
                demand(fits, || format!("{txid} is in a chain of {totals:?}"))?;
            }
        }
        Ok(())
    }

    /// The two orders, the ids and the memory, and that it is within its limit.
    fn audit_indexes(&self) -> Result<(), Inconsistency> {
        let ranks = |score: fn(&MempoolEntry) -> super::entry::Score| -> BTreeSet<Rank> {
            self.graph.occupied().map(|(slot, entry)| Rank::new(score(entry), entry.sequence, slot)).collect()
        };
        demand(self.graph.best == ranks(|entry| entry.ancestors.score()), || "the order of mining".to_owned())?;
        demand(self.graph.worst == ranks(MempoolEntry::keep_score), || "the order of eviction".to_owned())?;
        for entry in self.entries() {
            let (txid, wtxid) = (entry.transaction.txid(), entry.transaction.wtxid());
            let found = self.get_by_witness(&wtxid).map(|entry| entry.transaction.txid());
            demand(found == Some(txid), || format!("{wtxid} leads to {found:?}, not to {txid}"))?;
        }
        let bytes: usize = self.iter().map(|entry| memory(&entry.transaction)).sum();
        demand(bytes == self.bytes(), || format!("{bytes} bytes, not {}", self.bytes()))?;
        let most = self.limits.max_bytes;
        demand(bytes <= most, || format!("{bytes} bytes, at most {most} are allowed"))
    }
}

//! Replacement: whoever spends the same coins anew must offer more, to miners and to those who relay, than all that leaves.

use bloom_consensus::{Amount, Outpoint, Transaction, Txid};

use super::Mempool;
use super::entry::{Slot, Totals};
use super::error::AdmitError;
use super::policy::{MAX_CHAIN, MAX_REPLACED, MIN_RELAY_RATE};

/// The waiting transactions that spend what a new one spends.
pub(crate) struct Replacement {
    conflicts: Vec<(Outpoint, Slot)>,
}

impl Replacement {
    pub(crate) fn of(pool: &Mempool, transaction: &Transaction) -> Self {
        let spender = |input: &Outpoint| Some((*input, pool.graph.spender(input)?));
        Self { conflicts: transaction.body().inputs().iter().filter_map(spender).collect() }
    }

    /// One of the conflicts, if there is any.
    pub(crate) fn first(&self, pool: &Mempool) -> Option<(Outpoint, Txid)> {
        let (outpoint, slot) = self.conflicts.first()?;
        Some((*outpoint, pool.graph.at(*slot).transaction.txid()))
    }

    /// All that leaves if the transaction may replace it: nothing where nothing conflicts.
    pub(crate) fn check(
        &self,
        pool: &Mempool,
        transaction: &Transaction,
        own: Totals,
        parents: &[Slot],
    ) -> Result<Vec<Slot>, AdmitError> {
        if self.conflicts.is_empty() {
            return Ok(Vec::new());
        }
        let mut direct: Vec<Slot> = self.conflicts.iter().map(|(_, slot)| *slot).collect();
        direct.sort_unstable();
        direct.dedup();
        let leaving = pool.graph.with_descendants(&direct, MAX_REPLACED).ok_or(AdmitError::ReplacesTooMany)?;
        check_parents(pool, transaction, &direct, &leaving, parents)?;
        let package = package(pool, own, parents)?;
        for slot in &direct {
            higher_rate(pool, *slot, own, package, parents)?;
        }
        pays_for_itself(pool, &leaving, own)?;
        Ok(leaving)
    }
}

/// It stands on nothing that leaves, and on no waiting transaction that none of the replaced stood on: what it waits for
/// is known to whoever made one of them.
fn check_parents(
    pool: &Mempool,
    transaction: &Transaction,
    direct: &[Slot],
    leaving: &[Slot],
    parents: &[Slot],
) -> Result<(), AdmitError> {
    // Not its grandparents either, but those are parents of its parents: if one left, so would they.
    if let Some(parent) = parents.iter().find(|parent| leaving.contains(parent)) {
        return Err(AdmitError::SpendsReplaced { txid: pool.graph.at(*parent).transaction.txid() });
    }
    let is_new = |parent: &&Slot| !direct.iter().any(|slot| pool.graph.at(*slot).parents.contains(parent));
    if let Some(parent) = parents.iter().find(is_new) {
        let txid = pool.graph.at(*parent).transaction.txid();
        let input = transaction.body().inputs().iter().find(|input| input.txid == txid);
        let outpoint = *input.expect("it is a parent by one of the inputs");
        return Err(AdmitError::NewUnconfirmedInput { outpoint });
    }
    Ok(())
}

/// It with all that it stands on. What leaves is not among that: it would have taken a parent along.
fn package(pool: &Mempool, own: Totals, parents: &[Slot]) -> Result<Totals, AdmitError> {
    let ancestors = pool.graph.with_ancestors(parents, MAX_CHAIN as usize - 1).ok_or(AdmitError::TooManyAncestors)?;
    let mut package = own;
    ancestors.into_iter().for_each(|slot| package.add(pool.graph.at(slot).own()));
    Ok(package)
}

/// Its rate is above that of each that it conflicts with, alone and with all that stands on it. Where it stands on what
/// the conflict did not stand on, that counts: otherwise it could drive out what does not wait for anybody and wait itself
/// for a cheap parent of some other conflict, which no miner wants. Parents that both have are no difference.
fn higher_rate(
    pool: &Mempool,
    conflict: Slot,
    own: Totals,
    package: Totals,
    parents: &[Slot],
) -> Result<(), AdmitError> {
    let entry = pool.graph.at(conflict);
    let has_the_same = parents.iter().all(|parent| entry.parents.contains(parent));
    let worth = if has_the_same || own.score() <= package.score() { own } else { package };
    if worth.score() <= entry.keep_score() {
        let than = entry.own().rate().max(entry.descendants.rate());
        return Err(AdmitError::ReplacementRate { got: worth.rate(), than, txid: entry.transaction.txid() });
    }
    Ok(())
}

/// It pays all that leaves had paid and for its own relaying on top, so that a storm of replacements costs its maker at
/// least what as many new transactions would (attacks 31).
fn pays_for_itself(pool: &Mempool, leaving: &[Slot], own: Totals) -> Result<(), AdmitError> {
    let mut totals = Totals::default();
    for slot in leaving {
        totals.add(pool.graph.at(*slot).own());
    }
    let relay = MIN_RELAY_RATE.fee(usize::try_from(own.bytes).unwrap_or(usize::MAX));
    let expected = Amount::from_units(totals.fees.units().saturating_add(relay.units()));
    if own.fees < expected {
        return Err(AdmitError::ReplacementFee { got: own.fees, expected });
    }
    Ok(())
}

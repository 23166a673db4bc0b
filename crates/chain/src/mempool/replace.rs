//! Replacement: whoever spends the same coins anew must offer more, to miners and to those who relay, than all that leaves.

use bloom_consensus::{Amount, Outpoint, Transaction, Txid};

use super::Mempool;
use super::entry::{Slot, Totals};
use super::error::AdmitError;
use super::policy::{MAX_REPLACED, MIN_RELAY_RATE};

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
        for slot in &direct {
            higher_rate(pool, *slot, own)?;
        }
        pays_for_itself(pool, &leaving, own)?;
        Ok(leaving)
    }
}

/// It stands on nothing that leaves, and on no waiting transaction that a replaced one did not stand on: otherwise a
/// replacement of a high rate could wait for a parent that no miner wants.
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

/// Its rate is above that of each that it conflicts with, alone and with all that stands on it.
fn higher_rate(pool: &Mempool, conflict: Slot, own: Totals) -> Result<(), AdmitError> {
    let entry = pool.graph.at(conflict);
    if own.score() <= entry.keep_score() {
        let than = entry.own().rate().max(entry.descendants.rate());
        return Err(AdmitError::ReplacementRate { got: own.rate(), than, txid: entry.transaction.txid() });
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

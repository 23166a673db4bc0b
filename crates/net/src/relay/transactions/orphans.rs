//! Transactions that came before what they spend from.

use std::collections::BTreeMap;

use bloom_consensus::{Outpoint, Transaction, Txid, Wtxid};

use crate::event::ConnId;

/// Most that are kept.
pub(crate) const MOST_ORPHANS: usize = 64;
/// Most bytes of their encodings.
pub(crate) const MOST_ORPHAN_BYTES: usize = 1 << 20;
/// Tips that one waits for.
pub(crate) const MOST_TIPS: u32 = 10;

/// A transaction that waits for its parents.
#[derive(Clone, Debug)]
pub(crate) struct Orphan {
    pub(crate) transaction: Transaction,
    pub(crate) from: ConnId,
    /// What is missing: of each parent the first output that it spends.
    parents: BTreeMap<Txid, Outpoint>,
    number: u64,
    /// Tips that came since and brought nothing for it.
    tips: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Orphans {
    kept: BTreeMap<Wtxid, Orphan>,
    bytes: usize,
    next: u64,
}

impl Orphans {
    pub(crate) fn contains(&self, wtxid: &Wtxid) -> bool {
        self.kept.contains_key(wtxid)
    }

    /// Keeps one. When there is no room, whoever takes most of it loses its oldest: nobody pushes out another's.
    pub(crate) fn keep(&mut self, transaction: Transaction, parents: BTreeMap<Txid, Outpoint>, from: ConnId) {
        let wtxid = transaction.wtxid();
        if self.contains(&wtxid) {
            return;
        }
        self.bytes += transaction.encoded_len();
        let number = self.next;
        self.next += 1;
        self.kept.insert(wtxid, Orphan { transaction, from, parents, number, tips: 0 });
        while self.kept.len() > MOST_ORPHANS || self.bytes > MOST_ORPHAN_BYTES {
            let Some(oldest) = self.oldest_of_the_greediest() else { break };
            self.take(&oldest);
        }
    }

    /// Those that wait for a transaction, taken out.
    pub(crate) fn children_of(&mut self, parent: &Txid) -> Vec<Orphan> {
        self.take_if(|orphan| orphan.parents.contains_key(parent))
    }

    /// Those of which the tip has a parent, taken out, the oldest first: nothing is judged again for whom nothing came. What
    /// has waited for too many tips is forgotten.
    ///
    /// # Errors
    /// What `is_there` says.
    pub(crate) fn new_tip<E>(&mut self, is_there: impl Fn(&Outpoint) -> Result<bool, E>) -> Result<Vec<Orphan>, E> {
        let mut meant = Vec::new();
        for (wtxid, orphan) in &mut self.kept {
            orphan.tips += 1;
            let mut is_ready = false;
            for outpoint in orphan.parents.values() {
                is_ready = is_ready || is_there(outpoint)?;
            }
            if is_ready {
                meant.push(*wtxid);
            }
        }
        let mut ready: Vec<_> = meant.iter().filter_map(|wtxid| self.take(wtxid)).collect();
        ready.sort_by_key(|orphan| orphan.number);
        self.take_if(|orphan| orphan.tips >= MOST_TIPS);
        Ok(ready)
    }

    /// Forgets what a peer sent.
    pub(crate) fn left(&mut self, peer: ConnId) {
        self.take_if(|orphan| orphan.from == peer);
    }

    fn take_if(&mut self, is_meant: impl Fn(&Orphan) -> bool) -> Vec<Orphan> {
        let meant = self.kept.iter().filter(|(_, orphan)| is_meant(orphan));
        let meant: Vec<_> = meant.map(|(wtxid, _)| *wtxid).collect();
        meant.iter().filter_map(|wtxid| self.take(wtxid)).collect()
    }

    fn take(&mut self, wtxid: &Wtxid) -> Option<Orphan> {
        let orphan = self.kept.remove(wtxid)?;
        self.bytes -= orphan.transaction.encoded_len();
        Some(orphan)
    }

    fn oldest_of_the_greediest(&self) -> Option<Wtxid> {
        let mut bytes: BTreeMap<ConnId, usize> = BTreeMap::new();
        for orphan in self.kept.values() {
            // Each counts as its share of the places too, whatever its length.
            let weight = orphan.transaction.encoded_len().max(MOST_ORPHAN_BYTES / MOST_ORPHANS);
            *bytes.entry(orphan.from).or_default() += weight;
        }
        let (greediest, _) = bytes.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        let theirs = self.kept.iter().filter(|(_, orphan)| orphan.from == greediest);
        theirs.min_by_key(|(_, orphan)| orphan.number).map(|(wtxid, _)| *wtxid)
    }
}

#[cfg(test)]
mod tests {
    use bloom_consensus::{Amount, Body, Height, Output, OutputKey};

    use super::*;

    fn orphan(number: u64, outputs: usize) -> (Transaction, BTreeMap<Txid, Outpoint>) {
        let txid = Txid([number as u8; 32]);
        let spends = Outpoint { txid, index: 0 };
        let output = Output { amount: Amount::from_units(number), key: OutputKey([1; 32]) };
        let body = Body::new(Height(number), vec![spends], vec![output; outputs]).unwrap();
        (Transaction::new(body, vec![[0; 64]]).unwrap(), BTreeMap::from([(txid, spends)]))
    }

    #[test]
    fn a_tip_brings_out_those_whose_parents_it_has_and_none_waits_for_ever() {
        let mut orphans = Orphans::default();
        for number in 1..=5 {
            let (transaction, parents) = orphan(number, 1);
            orphans.keep(transaction, parents, ConnId(1));
        }
        let ready = orphans.new_tip(|outpoint| Ok::<_, ()>(outpoint.txid == Txid([3; 32]))).unwrap();
        assert_eq!(ready.iter().map(|orphan| orphan.number).collect::<Vec<_>>(), [2]);
        for tip in 2..=MOST_TIPS {
            assert_eq!(orphans.kept.len(), 4, "{tip}");
            assert!(orphans.new_tip(|_| Ok::<_, ()>(false)).unwrap().is_empty());
        }
        assert!(orphans.kept.is_empty() && orphans.bytes == 0);
    }

    #[test]
    fn a_flood_of_orphans_is_bounded_and_pushes_out_only_its_makers() {
        let mut orphans = Orphans::default();
        for (number, outputs) in [(1, 1), (2, 1_000)] {
            let (transaction, parents) = orphan(number, outputs);
            orphans.keep(transaction, parents, ConnId(1));
        }
        for number in 10..2_000 {
            let (transaction, parents) = orphan(number, if number < 1_000 { 1 } else { 2_400 });
            orphans.keep(transaction, parents, ConnId(2 + number % 2));
            assert!(orphans.kept.len() <= MOST_ORPHANS && orphans.bytes <= MOST_ORPHAN_BYTES);
        }
        let bytes: usize = orphans.kept.values().map(|orphan| orphan.transaction.encoded_len()).sum();
        assert_eq!(bytes, orphans.bytes);
        for number in [1, 2] {
            let honest = orphans.children_of(&Txid([number; 32]));
            assert!(honest.iter().any(|orphan| orphan.from == ConnId(1)), "{number}");
        }
        orphans.left(ConnId(2));
        orphans.left(ConnId(3));
        assert!(orphans.kept.is_empty() && orphans.bytes == 0);
    }
}

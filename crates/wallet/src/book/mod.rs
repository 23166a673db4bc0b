//! A wallet's book: how far it has read the chain, which transactions concern it, which keys are given away. It is kept
//! in the encrypted file and holds facts alone; balances and statuses are worked out anew from them ([`View`]).

pub(crate) mod as_text;
mod record;
mod view;

use std::collections::BTreeMap;

use bloom_consensus::{Amount, BlockHash, Height, Outpoint, Timestamp, Transaction, Txid};
use serde::{Deserialize, Serialize};

pub use record::{InBlock, Payment, Received, Record};
pub use view::{OwnCoin, Status, View};

use crate::node::Place;
use crate::watch::{GAP_LIMIT, Watch, slot};
use crate::{KeyChain, KeyPath};

/// A wallet file of a later program may hold what this one does not understand.
const VERSION: u32 = 1;

/// The most characters of a label or of a payment's id.
pub const MOST_LABEL_CHARS: usize = 200;

/// Facts about one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    #[serde(deserialize_with = "this_version")]
    version: u32,
    /// The next index of each chain of keys: receiving, change.
    next: [u32; 2],
    /// Labels of addresses, own and others', by the address.
    labels: BTreeMap<String, String>,
    /// Blocks that were read, or lie below the birthday, ascending: all of the last ones, of earlier ones ever fewer.
    scanned: Vec<Scanned>,
    /// How many transactions ever became known.
    known: u64,
    #[serde(with = "in_order")]
    records: BTreeMap<Txid, Record>,
}

/// A block that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scanned {
    #[serde(with = "as_text::height")]
    height: Height,
    #[serde(with = "as_text::text")]
    hash: BlockHash,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            version: VERSION,
            next: [0, 0],
            labels: BTreeMap::new(),
            scanned: Vec::new(),
            known: 0,
            records: BTreeMap::new(),
        }
    }
}

impl Book {
    /// All records, by id.
    #[must_use]
    pub fn records(&self) -> &BTreeMap<Txid, Record> {
        &self.records
    }

    /// One record.
    #[must_use]
    pub fn record(&self, txid: &Txid) -> Option<&Record> {
        self.records.get(txid)
    }

    /// A transaction and all that it was made to take the place of, that whose place those took too.
    pub(crate) fn replaced_up_to(&self, txid: &Txid) -> Vec<Txid> {
        let mut all = vec![*txid];
        let mut at = 0;
        while let Some(last) = all.get(at).copied() {
            let replaced = self.records.values().filter(|record| record.replaced_by == Some(last));
            let new: Vec<Txid> = replaced.map(|record| record.txid).filter(|txid| !all.contains(txid)).collect();
            all.extend(new);
            at += 1;
        }
        all
    }

    /// Forgets a transaction that was made here to take another's place, which stands as it did before.
    pub(crate) fn forget_replacement(&mut self, txid: &Txid) {
        let mut is_one = false;
        for old in self.records.values_mut().filter(|record| record.replaced_by == Some(*txid)) {
            old.replaced_by = None;
            is_one = true;
        }
        if is_one {
            self.records.remove(txid);
        }
    }

    pub(crate) fn records_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.values_mut()
    }

    pub(crate) fn record_mut(&mut self, txid: &Txid) -> Option<&mut Record> {
        self.records.get_mut(txid)
    }

    /// The last block that was read.
    #[must_use]
    pub fn scanned_to(&self) -> Option<Place> {
        self.scanned.last().map(|at| Place { hash: at.hash, height: at.height })
    }

    /// The label of an address.
    #[must_use]
    pub fn label(&self, address: &str) -> Option<&str> {
        self.labels.get(address).map(String::as_str)
    }

    /// All labels, by address.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Labels an address; an empty label takes it away.
    pub fn set_label(&mut self, address: String, label: String) {
        if label.is_empty() {
            self.labels.remove(&address);
        } else {
            self.labels.insert(address, label);
        }
    }

    /// The first key of a chain that was neither given away nor seen.
    #[must_use]
    pub fn next_index(&self, chain: KeyChain) -> u32 {
        self.next[slot(chain)]
    }

    /// One more than the last key of a chain that a confirmed output went to: where a search from words alone starts
    /// counting unused keys.
    #[must_use]
    pub fn confirmed_index(&self, chain: KeyChain) -> u32 {
        let confirmed = self.records.values().filter(|record| record.confirmed.is_some());
        let paths = confirmed.flat_map(|record| &record.received).map(|output| output.path);
        paths.filter(|path| path.chain == chain).map(|path| path.index + 1).max().unwrap_or(0)
    }

    /// Where the next change goes: a new key, unless that would lie where a search from words alone doesn't look.
    #[must_use]
    pub fn change_index(&self, ahead: u32) -> u32 {
        let last = self.confirmed_index(KeyChain::Change) + GAP_LIMIT - 1;
        self.next_index(KeyChain::Change).saturating_add(ahead).min(last)
    }

    pub(crate) fn use_index(&mut self, watch: &mut Watch, chain: KeyChain, index: u32) {
        let next = &mut self.next[slot(chain)];
        *next = (*next).max(index + 1);
        watch.reach(chain, *next);
    }

    /// Watches every key that this book knows of.
    pub(crate) fn watch_all(&self, watch: &mut Watch) {
        KeyChain::ALL.into_iter().for_each(|chain| watch.reach(chain, self.next[slot(chain)]));
    }

    /// The own output at an outpoint, spent or not, whatever became of its transaction.
    #[must_use]
    pub fn output(&self, outpoint: &Outpoint) -> Option<&Received> {
        let record = self.records.get(&outpoint.txid)?;
        record.received.iter().find(|output| output.index == outpoint.index)
    }

    /// Notes a transaction if it concerns the wallet; whether it does.
    pub(crate) fn see(&mut self, watch: &mut Watch, transaction: &Transaction, now: Timestamp) -> bool {
        let body = transaction.body();
        let received = self.received(watch, body.outputs());
        let spends: Vec<Outpoint> =
            body.inputs().iter().copied().filter(|outpoint| self.output(outpoint).is_some()).collect();
        if received.is_empty() && spends.is_empty() {
            return false;
        }
        let txid = transaction.txid();
        let own = spends.len() == body.inputs().len();
        let spent = Amount::checked_sum(spends.iter().filter_map(|at| self.output(at)).map(|output| output.amount));
        let paid = Amount::checked_sum(body.outputs().iter().map(|output| output.amount));
        let record = self.entry(txid, false, now);
        record.bytes = transaction.encoded_len() as u64;
        record.received = received;
        if own && let (Some(spent), Some(paid)) = (spent, paid) {
            record.fee = spent.checked_sub(paid);
        }
        let is_kept = !spends.is_empty() || record.payment.is_some();
        record.transaction = is_kept.then(|| transaction.clone());
        record.spends = spends;
        true
    }

    /// Notes a coinbase if it pays the wallet; whether it does.
    pub(crate) fn see_coinbase(
        &mut self,
        watch: &mut Watch,
        coinbase: &bloom_consensus::Coinbase,
        now: Timestamp,
    ) -> Option<Txid> {
        let received = self.received(watch, coinbase.outputs());
        if received.is_empty() {
            return None;
        }
        let txid = coinbase.id();
        self.entry(txid, true, now).received = received;
        Some(txid)
    }

    fn received(&mut self, watch: &mut Watch, outputs: &[bloom_consensus::Output]) -> Vec<Received> {
        let mut received = Vec::new();
        for (index, output) in (0..).zip(outputs) {
            if let Some(path) = watch.path(&output.key) {
                self.use_index(watch, path.chain, path.index);
                received.push(Received { index, amount: output.amount, path });
            }
        }
        received
    }

    fn entry(&mut self, txid: Txid, coinbase: bool, now: Timestamp) -> &mut Record {
        let known = &mut self.known;
        self.records.entry(txid).or_insert_with(|| Record {
            txid,
            coinbase,
            number: std::mem::replace(known, *known + 1),
            received: Vec::new(),
            spends: Vec::new(),
            transaction: None,
            bytes: 0,
            fee: None,
            seen: now,
            confirmed: None,
            rescinded: None,
            waiting: false,
            payment: None,
            replaced_by: None,
        })
    }

    pub(crate) fn confirm(&mut self, txid: &Txid, block: InBlock) {
        if let Some(record) = self.records.get_mut(txid) {
            record.confirmed = Some(block);
            record.rescinded = None;
            record.waiting = false;
        }
    }

    /// The blocks that were read, latest first.
    pub(crate) fn scanned(&self) -> impl Iterator<Item = Place> + '_ {
        self.scanned.iter().rev().map(|at| Place { hash: at.hash, height: at.height })
    }

    /// Forgets what was read above a place, or all of it: transactions there are confirmed no longer.
    pub(crate) fn undo_above(&mut self, place: Option<Place>) {
        let is_above = |height: Height| place.is_none_or(|place| height > place.height);
        self.scanned.retain(|at| !is_above(at.height));
        for record in self.records.values_mut() {
            if record.confirmed.is_some_and(|block| is_above(block.height)) {
                record.rescinded = record.confirmed.take();
            }
        }
    }

    /// What is above a place, or all of it, is to be read once more; what was found there stands meanwhile.
    pub(crate) fn read_again_above(&mut self, place: Option<Place>) {
        self.scanned.retain(|at| place.is_some_and(|place| at.height <= place.height));
    }

    pub(crate) fn push_scanned(&mut self, place: Place) {
        self.scanned.push(Scanned { height: place.height, hash: place.hash });
    }

    /// Of what was read long ago few blocks need be known: a reorganisation that deep reads some more again.
    pub(crate) fn thin_scanned(&mut self) {
        let Some(tip) = self.scanned_to() else { return };
        self.scanned.retain(|at| Self::is_remembered(at.height, tip.height));
    }

    /// Whether a block is one of those known when the book has been read up to a tip.
    pub(crate) fn is_remembered(height: Height, tip: Height) -> bool {
        let age = tip.0.saturating_sub(height.0);
        age < 200 || (age < 20_000 && height.0.is_multiple_of(100)) || height.0.is_multiple_of(10_000)
    }

    /// What was in the mempool is asked again.
    pub(crate) fn forget_waiting(&mut self) {
        self.records.values_mut().for_each(|record| record.waiting = false);
    }

    /// The path of an own output's key.
    #[must_use]
    pub fn path(&self, outpoint: &Outpoint) -> Option<KeyPath> {
        self.output(outpoint).map(|output| output.path)
    }
}

fn this_version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        VERSION => Ok(VERSION),
        got => Err(serde::de::Error::custom(format!("the wallet's book is of version {got}, expected {VERSION}"))),
    }
}

/// Records as a list; each knows its id.
mod in_order {
    use std::collections::BTreeMap;

    use bloom_consensus::Txid;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Record;

    pub(super) fn serialize<S: Serializer>(records: &BTreeMap<Txid, Record>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(records.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Txid, Record>, D::Error> {
        let records = Vec::<Record>::deserialize(deserializer)?;
        Ok(records.into_iter().map(|record| (record.txid, record)).collect())
    }
}

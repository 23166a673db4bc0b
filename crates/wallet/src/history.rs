//! What happened, in the order in which it did.

use bloom_consensus::{Amount, Height, Output, Timestamp, Txid};

use crate::balance::spent_amount;
use crate::book::{Book, InBlock, Record, Status, View};

/// One transaction, as it changed what the wallet owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub txid: Txid,
    /// What has become of it.
    pub status: Status,
    /// The block that held it until a reorganisation took that from the chain.
    pub rescinded: Option<InBlock>,
    /// Whether it made new coins.
    pub coinbase: bool,
    /// What it pays to the wallet's keys, change included.
    pub received: Amount,
    /// What it spends of the wallet's coins.
    pub spent: Amount,
    /// Inputs less outputs, if that is known.
    pub fee: Option<Amount>,
    /// Whom it pays beside the wallet; known of those that spend from it.
    pub paid: Vec<Output>,
    /// Which keys of the wallet's it pays.
    pub keys: Vec<(crate::KeyPath, Amount)>,
    /// Its block's time, or when it became known.
    pub time: Timestamp,
    /// The first height at which a block may hold it.
    pub not_before: Height,
    /// The name that its maker gave it.
    pub id: Option<String>,
}

/// Everything, the confirmed by height, then what is not in the order in which it became known.
#[must_use]
pub fn history(book: &Book, view: &View) -> Vec<Entry> {
    let mut records: Vec<&Record> = book.records().values().collect();
    records.sort_by_key(|record| (record.confirmed.map_or(u64::MAX, |block| block.height.0), record.number));
    records.into_iter().map(|record| entry(book, view, record)).collect()
}

/// One of them.
#[must_use]
pub fn entry(book: &Book, view: &View, record: &Record) -> Entry {
    let body = record.transaction.as_ref().map(bloom_consensus::Transaction::body);
    let is_foreign = |at: u32| record.received.iter().all(|own| own.index != at);
    let outputs = body.map(|body| (0..).zip(body.outputs()).filter(|(at, _)| is_foreign(*at)));
    Entry {
        txid: record.txid,
        status: view.status(&record.txid),
        rescinded: record.rescinded,
        coinbase: record.coinbase,
        received: record.received_amount(),
        spent: spent_amount(book, record),
        fee: record.fee,
        paid: outputs.into_iter().flatten().map(|(_, output)| *output).collect(),
        keys: record.received.iter().map(|own| (own.path, own.amount)).collect(),
        time: record.confirmed.map_or(record.seen, |block| block.time),
        not_before: body.map_or(Height::GENESIS, bloom_consensus::Body::not_before),
        id: record.payment.as_ref().and_then(|payment| payment.id.clone()),
    }
}

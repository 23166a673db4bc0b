//! What follows from a book's facts: which transactions count, which coins are there, what has become of the rest.

use std::collections::BTreeMap;

use bloom_consensus::constants::COINBASE_MATURITY;
use bloom_consensus::{Amount, Height, Outpoint, Txid};

use super::{Book, InBlock, Record};
use crate::KeyPath;

/// What has become of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A block of the chain holds it.
    Confirmed(InBlock),
    /// It waits in the mempool.
    Pending,
    /// Made here and kept, but not in the mempool: not sent yet, or dropped by the node. Its coins are reserved, and the
    /// next command sends it again.
    Recorded,
    /// Another that was made in its place, or that waits, spends what it spends.
    Replaced {
        /// The other.
        by: Txid,
    },
    /// It never can be confirmed while the chain stays as it is: a confirmed one spends what it spends, or it spends from
    /// one that does not count.
    Conflicted {
        /// The other.
        by: Txid,
    },
    /// Made here and taken back before anybody had it.
    Withdrawn,
    /// Neither on the chain nor in the mempool, and not made here; of a coinbase: its block is not on the chain.
    Gone,
}

impl Status {
    /// Whether its outputs count and what it spends is spent.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Confirmed(_) | Self::Pending | Self::Recorded)
    }
}

/// An own output that no live transaction spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCoin {
    /// Where it is.
    pub outpoint: Outpoint,
    /// How much.
    pub amount: Amount,
    /// Whose key.
    pub path: KeyPath,
    /// Whether a coinbase made it.
    pub coinbase: bool,
    /// The height of its block; `None` while it is pending.
    pub height: Option<Height>,
    /// Whether the wallet itself made it, by a transaction that waits: only the wallet could replace that.
    pub own_pending: bool,
    /// Whether the transaction that makes it spends from the wallet.
    pub from_self: bool,
}

impl OwnCoin {
    /// The first height of a block that may spend it, `None` while it is pending.
    #[must_use]
    pub fn matures_at(&self) -> Option<Height> {
        let wait = if self.coinbase { COINBASE_MATURITY } else { 1 };
        self.height.map(|height| Height(height.0.saturating_add(wait)))
    }

    /// Whether the block after the tip may spend it.
    #[must_use]
    pub fn is_spendable(&self, tip: Height) -> bool {
        self.matures_at().is_some_and(|height| height.0 <= tip.0.saturating_add(1))
    }
}

/// Statuses and coins.
#[derive(Clone, Debug, Default)]
pub struct View {
    statuses: BTreeMap<Txid, Status>,
    coins: BTreeMap<Outpoint, OwnCoin>,
    spenders: BTreeMap<Outpoint, Txid>,
}

impl View {
    /// Works out a book.
    #[must_use]
    pub fn new(book: &Book) -> Self {
        let mut judge = Judge {
            book,
            confirmed: spenders(book, |r| r.confirmed.is_some()),
            waiting: spenders(book, |r| r.waiting),
            statuses: BTreeMap::new(),
        };
        for txid in book.records().keys() {
            judge.status(txid, 0);
        }
        let statuses = judge.statuses;
        let live = |record: &Record| statuses.get(&record.txid).is_some_and(Status::is_live);
        let spenders = spenders(book, live);
        let mut coins = BTreeMap::new();
        for record in book.records().values().filter(|record| live(record)) {
            let status = statuses[&record.txid];
            for output in &record.received {
                let outpoint = Outpoint { txid: record.txid, index: output.index };
                if !spenders.contains_key(&outpoint) {
                    coins.insert(
                        outpoint,
                        OwnCoin {
                            outpoint,
                            amount: output.amount,
                            path: output.path,
                            coinbase: record.coinbase,
                            height: record.confirmed.map(|block| block.height),
                            own_pending: status == Status::Pending && record.is_own(),
                            from_self: record.spends_own(),
                        },
                    );
                }
            }
        }
        Self { statuses, coins, spenders }
    }

    /// What has become of a transaction that the book knows.
    #[must_use]
    pub fn status(&self, txid: &Txid) -> Status {
        self.statuses.get(txid).copied().unwrap_or(Status::Gone)
    }

    /// Unspent own outputs, pending and immature ones included.
    pub fn coins(&self) -> impl Iterator<Item = &OwnCoin> {
        self.coins.values()
    }

    /// One of them.
    #[must_use]
    pub fn coin(&self, outpoint: &Outpoint) -> Option<&OwnCoin> {
        self.coins.get(outpoint)
    }

    /// The live transaction that spends an own output.
    #[must_use]
    pub fn spender(&self, outpoint: &Outpoint) -> Option<Txid> {
        self.spenders.get(outpoint).copied()
    }
}

/// Who spends which own output, of the transactions that `of` picks.
fn spenders(book: &Book, of: impl Fn(&Record) -> bool) -> BTreeMap<Outpoint, Txid> {
    let records = book.records().values().filter(|record| of(record));
    records.flat_map(|record| record.spends.iter().map(|outpoint| (*outpoint, record.txid))).collect()
}

/// No mempool holds a chain of transactions this long.
const DEEPEST: usize = 1_000;

struct Judge<'a> {
    book: &'a Book,
    confirmed: BTreeMap<Outpoint, Txid>,
    waiting: BTreeMap<Outpoint, Txid>,
    statuses: BTreeMap<Txid, Status>,
}

impl Judge<'_> {
    fn status(&mut self, txid: &Txid, depth: usize) -> Status {
        if let Some(status) = self.statuses.get(txid) {
            return *status;
        }
        let status = match self.book.record(txid) {
            Some(record) if depth < DEEPEST => self.judge(record, depth),
            _ => Status::Gone,
        };
        self.statuses.insert(*txid, status);
        status
    }

    fn judge(&mut self, record: &Record, depth: usize) -> Status {
        if let Some(block) = record.confirmed {
            return Status::Confirmed(block);
        }
        if record.is_withdrawn() && !record.waiting {
            return Status::Withdrawn;
        }
        if let Some(by) = self.other(&self.confirmed, record) {
            return Status::Conflicted { by };
        }
        for parent in record.spends.iter().map(|outpoint| outpoint.txid) {
            if !self.status(&parent, depth + 1).is_live() {
                return Status::Conflicted { by: parent };
            }
        }
        // Whoever was replaced is pending again if the other comes to nothing; not if that was replaced in its turn.
        if let Some(by) = record.replaced_by {
            let other = self.status(&by, depth + 1);
            if other.is_live() || matches!(other, Status::Replaced { .. }) {
                return Status::Replaced { by };
            }
        }
        if record.coinbase {
            return Status::Gone;
        }
        if record.waiting {
            return Status::Pending;
        }
        // What this one was made to replace waits until the node has taken this one.
        let older = |by: &Txid| self.book.replaced_up_to(&record.txid).contains(by);
        if let Some(by) = self.other(&self.waiting, record).filter(|by| !older(by)) {
            return Status::Replaced { by };
        }
        let is_kept = record.payment.is_some() || (record.is_own() && record.rescinded.is_some());
        if is_kept { Status::Recorded } else { Status::Gone }
    }

    /// Another transaction that spends one of the same outputs.
    fn other(&self, spenders: &BTreeMap<Outpoint, Txid>, record: &Record) -> Option<Txid> {
        let others = record.spends.iter().filter_map(|outpoint| spenders.get(outpoint));
        others.copied().find(|other| *other != record.txid)
    }
}

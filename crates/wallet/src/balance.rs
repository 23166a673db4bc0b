//! How much there is, told apart by what can be done with it.

use std::collections::BTreeMap;

use bloom_consensus::{Amount, Height};

use crate::book::{Book, Status, View};
use crate::build::{add, sum};

/// What a wallet owns at a tip. Every own output that is not spent is in exactly one of `spendable`, `immature`,
/// `incoming` and `change`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Confirmed, and the next block may spend it.
    pub spendable: Amount,
    /// Mined and too young to be spent: how much matures at which height.
    pub immature: BTreeMap<Height, Amount>,
    /// Sent by others and not confirmed yet.
    pub incoming: Amount,
    /// Of own payments that are not confirmed yet: what comes back.
    pub change: Amount,
    /// Of the same payments: what they take away, fees included. It is in none of the others any more.
    pub outgoing: Amount,
    /// Spent by payments that were recorded and that no node has yet; in none of the others either, unless as change.
    pub reserved: Amount,
    /// Of what is spendable or change: spoken for by payments that were written to files to be signed.
    pub prepared: Amount,
}

impl Balance {
    /// Adds up a book.
    #[must_use]
    pub fn new(book: &Book, view: &View, tip: Height) -> Self {
        let mut balance = Self::default();
        for coin in view.coins() {
            let part = match coin.matures_at() {
                Some(_) if coin.is_spendable(tip) => &mut balance.spendable,
                Some(height) => balance.immature.entry(height).or_default(),
                None if coin.from_self => &mut balance.change,
                None => &mut balance.incoming,
            };
            *part = add(*part, coin.amount);
        }
        for record in book.records().values().filter(|record| record.spends_own()) {
            let status = view.status(&record.txid);
            if !matches!(status, Status::Pending | Status::Recorded) {
                continue;
            }
            let spent = spent_amount(book, record);
            let net = spent.checked_sub(record.received_amount()).unwrap_or(Amount::ZERO);
            balance.outgoing = add(balance.outgoing, net);
            if status == Status::Recorded {
                balance.reserved = add(balance.reserved, spent);
            }
        }
        balance
    }

    /// Everything that is there, mature and confirmed or not.
    #[must_use]
    pub fn total(&self) -> Amount {
        sum([self.spendable, self.immature_total(), self.incoming, self.change])
    }

    /// All that is immature.
    #[must_use]
    pub fn immature_total(&self) -> Amount {
        sum(self.immature.values().copied())
    }
}

/// What a transaction spends of the wallet's.
pub(crate) fn spent_amount(book: &Book, record: &crate::book::Record) -> Amount {
    sum(record.spends.iter().filter_map(|outpoint| book.output(outpoint)).map(|output| output.amount))
}

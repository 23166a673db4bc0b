//! One transaction or coinbase that concerns the wallet, as its file keeps it: facts alone. What follows from them, whether
//! it counts, is for [`super::view`].

use bloom_consensus::{Amount, BlockHash, Height, Outpoint, Timestamp, Transaction, Txid};
use serde::{Deserialize, Serialize};

use super::as_text::{height, maybe_text, maybe_transaction, maybe_units, outpoints, seconds, text, units};
use crate::{KeyChain, KeyPath};

/// A block that holds a transaction, or once did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InBlock {
    /// The block's hash.
    #[serde(with = "text")]
    pub hash: BlockHash,
    /// Its height.
    #[serde(with = "height")]
    pub height: Height,
    /// Its time.
    #[serde(with = "seconds")]
    pub time: Timestamp,
}

/// An output of the wallet's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// Position among the outputs.
    pub index: u32,
    /// How much.
    #[serde(with = "units")]
    pub amount: Amount,
    /// Whose key.
    pub path: KeyPath,
}

impl Received {
    /// Whether it went to a change key, which is given to nobody else.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.path.chain == KeyChain::Change
    }
}

/// What is known of a payment that was made here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// The name that its maker gave it, so that it is made once.
    pub id: Option<String>,
    /// Whether a node has taken it.
    pub sent: bool,
    /// Whether its maker was told so. One that was not is told, and not made again, by the next command.
    pub told: bool,
    /// Refused by the node or taken back before it was sent: it counts for nothing.
    pub withdrawn: bool,
}

/// A transaction that pays the wallet or spends from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its id.
    #[serde(with = "text")]
    pub txid: Txid,
    /// Whether it made new coins.
    pub coinbase: bool,
    /// In the order in which they became known.
    pub number: u64,
    /// Own outputs.
    pub received: Vec<Received>,
    /// Own outputs of others that it spends.
    #[serde(with = "outpoints")]
    pub spends: Vec<Outpoint>,
    /// The whole of it, if it spends from the wallet or was made here.
    #[serde(with = "maybe_transaction")]
    pub transaction: Option<Transaction>,
    /// Bytes of the whole.
    pub bytes: u64,
    /// What it pays, if that is known.
    #[serde(with = "maybe_units")]
    pub fee: Option<Amount>,
    /// When it became known.
    #[serde(with = "seconds")]
    pub seen: Timestamp,
    /// The block of the chain that holds it.
    pub confirmed: Option<InBlock>,
    /// The block that held it until a reorganisation took that from the chain, while no other holds it.
    pub rescinded: Option<InBlock>,
    /// Whether it was in the mempool when that was last looked at.
    pub waiting: bool,
    /// Present if it was made here.
    pub payment: Option<Payment>,
    /// The transaction made here to take its place.
    #[serde(with = "maybe_text")]
    pub replaced_by: Option<Txid>,
}

impl Record {
    /// What it pays to the wallet's own keys.
    #[must_use]
    pub fn received_amount(&self) -> Amount {
        // Amounts of one transaction: their sum is below 2⁶⁴ by the law.
        self.received.iter().fold(Amount::ZERO, |sum, output| sum.checked_add(output.amount).unwrap_or(sum))
    }

    /// Whether all that it spends is the wallet's own, so that the wallet alone can replace it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.body().inputs().len() == self.spends.len())
    }

    /// Whether it spends from the wallet.
    #[must_use]
    pub fn spends_own(&self) -> bool {
        !self.spends.is_empty()
    }

    pub(crate) fn is_withdrawn(&self) -> bool {
        self.payment.as_ref().is_some_and(|payment| payment.withdrawn)
    }
}

//! Why a payment is not made.

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Height, ShapeError, TransactionViolation, Txid};

use crate::scan::ScanError;
use crate::size::DUST;
use crate::wallet_file::WalletFileError;

/// Why a payment is not made. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Nobody to pay.
    #[error("no recipient: expected at least one address with an amount")]
    NoRecipient,
    /// More than one recipient of the rest.
    #[error("only one recipient can get all that is left")]
    SeveralRests,
    /// More recipients than a mempool takes in a transaction.
    #[error("got {got} recipients, more than one transaction can pay: split them into several payments")]
    TooManyRecipients {
        /// How many.
        got: usize,
    },
    /// An output below the dust limit.
    #[error("got an amount of {got} BLOOM, which is dust: expected at least {least}", least = DUST)]
    Dust {
        /// The amount.
        got: Amount,
    },
    /// Sums of 2⁶⁴ units and more.
    #[error("the amounts together are more than there can be")]
    AmountSum,
    /// A rate that no mempool takes.
    #[error("got a fee rate of {}, expected at least {least}", got.a_byte())]
    RateTooLow {
        /// The rate.
        got: FeeRate,
        /// The least.
        least: FeeRate,
    },
    /// Not enough coins.
    #[error(
        "not enough: got {available} BLOOM to spend, expected {needed} with the fee; {missing} are missing{}",
        beside(*immature, *pending, *reserved)
    )]
    Insufficient {
        /// What can be spent.
        available: Amount,
        /// What is paid, and the fee.
        needed: Amount,
        /// The difference.
        missing: Amount,
        /// What is there and not mature.
        immature: Amount,
        /// What others sent and is not confirmed.
        pending: Amount,
        /// What payments on their way to be signed speak for, and the height at which all of it is free again.
        reserved: Option<(Amount, Height)>,
    },
    /// Enough, but in too many coins.
    #[error("this takes more than {most} coins, the most that one transaction can spend: `consolidate` them first")]
    TooManyInputs {
        /// The most.
        most: usize,
    },
    /// A fee that looks like a slip.
    #[error(
        "a fee of {fee} BLOOM is more than a tenth of the {paid} paid: say --allow-high-fee if it is meant, or a lower \
         --fee-rate"
    )]
    HighFee {
        /// The fee.
        fee: Amount,
        /// What is paid.
        paid: Amount,
    },
    /// Consolidation of less than two coins.
    #[error(
        "nothing to consolidate: expected at least two confirmed coins that are worth more than spending them costs"
    )]
    NothingToGather,
    /// A transaction that the wallet does not know.
    #[error("no transaction {txid} in this wallet: see `bloom wallet history`")]
    Unknown {
        /// The id.
        txid: Txid,
    },
    /// A transaction that cannot be replaced any more, or not like this.
    #[error("transaction {txid} {why}")]
    NotReplaceable {
        /// The id.
        txid: Txid,
        /// What it is, or what to do instead.
        why: String,
    },
    /// A replacement at no higher rate.
    #[error("got a fee rate of {}, expected more than the {present} that it pays now", got.a_byte())]
    RateNotHigher {
        /// The rate.
        got: FeeRate,
        /// The present one.
        present: FeeRate,
    },
    /// Neither inputs nor outputs: a bug of whoever built it, said rather than assumed away.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The law refuses the signed transaction. It was not sent.
    #[error("the transaction would break a rule: {0}; nothing was sent")]
    Rule(#[from] TransactionViolation),
    /// Nothing to sign with.
    #[error("this wallet only watches: `bloom wallet prepare` makes a file that the machine with the words can sign")]
    WatchOnly,
}

fn beside(immature: Amount, pending: Amount, reserved: Option<(Amount, Height)>) -> String {
    let mut text = String::new();
    if immature > Amount::ZERO {
        text.push_str(&format!("; {immature} more are mined and not mature yet"));
    }
    if pending > Amount::ZERO {
        text.push_str(&format!("; {pending} more wait to be confirmed"));
    }
    if let Some((amount, until)) = reserved {
        text.push_str(&format!(
            "; {amount} more are reserved until height {until} for payments written to files: `bloom wallet prepare \
             --instead-of FILE` gives one up"
        ));
    }
    text
}

/// Why a wallet's command was not done.
#[derive(Debug, thiserror::Error)]
pub enum WalletError<E: std::error::Error + 'static> {
    /// The wallet's file.
    #[error(transparent)]
    File(#[from] WalletFileError),
    /// The chain could not be read.
    #[error(transparent)]
    Scan(#[from] ScanError<E>),
    /// No such payment.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The node's, which may or may not have taken the transaction. It is recorded, and the next command sends it again.
    #[error(transparent)]
    Node(E),
    /// The node's judgement.
    #[error("the node does not take transaction {txid}, which is withdrawn: {source}")]
    Refused {
        /// The transaction.
        txid: Txid,
        /// Why.
        source: E,
    },
    /// As many addresses are unused as a search from words alone passes over.
    #[error(
        "the last {unused} addresses have received nothing yet, and a wallet restored from its words would look no \
         further: use one of those (`bloom wallet address --list`)"
    )]
    NoFreshAddress {
        /// How many.
        unused: u32,
    },
    /// A payment of this name that is another.
    #[error("payment {id:?} was made by transaction {txid} to other recipients or amounts: choose another --id")]
    IdTaken {
        /// The name.
        id: String,
        /// Its transaction.
        txid: Txid,
    },
}

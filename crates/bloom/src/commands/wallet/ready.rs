//! A wallet read up to the chain in the data directory, and what every command that does so must say.

use anyhow::Result;
use bloom_chain::FeeRate;
use bloom_consensus::Timestamp;
use bloom_miner::unix_time;
use bloom_wallet::book::Status;
use bloom_wallet::{
    BookFile, BuildError, DirectoryError, Keeper, Node, OnDirectory, Remark, Wallet, WalletError, scan,
};

use super::Session;
use crate::context::{backend, open_live, usage};
use crate::output::note;

/// How many blocks a payment may take to be confirmed, unless its fee rate is said.
const SOON_BLOCKS: u32 = 3;

/// A wallet and its node.
pub(super) struct Ready<K = BookFile> {
    pub(super) wallet: Wallet<K>,
    pub(super) node: OnDirectory,
    pub(super) now: Timestamp,
    remarks: Vec<Remark>,
}

impl Ready {
    /// Opens wallet and chain, and reads what is new.
    pub(super) fn open(session: &Session) -> Result<Self> {
        Self::over(session, Wallet::over(BookFile::new(session.open()?), &session.params))
    }

    /// As [`Ready::open`], and says what must be said.
    pub(super) fn open_and_tell(session: &Session) -> Result<Self> {
        let mut ready = Self::open(session)?;
        ready.tell()?;
        Ok(ready)
    }
}

impl<K: Keeper> Ready<K> {
    /// Opens the chain of a wallet that is open, and reads what is new.
    pub(super) fn over(session: &Session, mut wallet: Wallet<K>) -> Result<Self> {
        let now = unix_time();
        let live = open_live(&session.directory, &session.params, backend(None)?, false)?;
        let mut node = OnDirectory::new(live, now);
        let remarks = wallet.update(&mut node, now).map_err(failure)?;
        Ok(Self { wallet, node, now, remarks })
    }

    /// The same, and leaves everything as untold as it was.
    pub(super) fn say_all(&self) {
        self.remarks.iter().for_each(say);
    }

    /// Wallet, node and time, one by one.
    pub(super) fn into_parts(self) -> (Wallet<K>, OnDirectory, Timestamp) {
        (self.wallet, self.node, self.now)
    }

    /// Says what came up while the wallet was read, once.
    pub(super) fn tell(&mut self) -> Result<()> {
        self.say_all();
        let remarks = std::mem::take(&mut self.remarks);
        let of_payments = remarks.iter().filter_map(|remark| match remark {
            Remark::Sent { txid } | Remark::Held { txid, .. } | Remark::NotTaken { txid, .. } => Some(*txid),
            Remark::Rescinded { .. } | Remark::SweepNotTaken { .. } => None,
        });
        let untold: Vec<_> = of_payments.collect();
        if !untold.is_empty() {
            self.wallet.told(untold)?;
        }
        Ok(())
    }

    /// The rate that was asked for, or one that should do.
    pub(super) fn rate(&self, asked: Option<FeeRate>) -> Result<FeeRate> {
        match asked {
            Some(rate) => Ok(rate),
            None => Ok(self.node.fee_rate(SOON_BLOCKS)?),
        }
    }
}

pub(super) fn say(remark: &Remark) {
    match remark {
        Remark::Rescinded { txid, block, status } => {
            let now = what_became(status);
            note(format_args!(
                "rescinded: a reorganisation took block {} at height {} away, which",
                block.hash, block.height
            ));
            note(format_args!("  held transaction {txid}: it {now}"));
        }
        Remark::Sent { txid } => {
            note(format_args!("payment {txid} had been recorded when an earlier command ended early: it is sent"));
        }
        Remark::Held { txid, until } => note(format_args!("payment {txid} is kept until height {until}")),
        Remark::NotTaken { txid, reason } => {
            note(format_args!("payment {txid} is recorded, and not taken by the mempool: {reason}"));
            note("  `bloom wallet bump` offers more, `bloom wallet cancel` takes it back");
        }
        Remark::SweepNotTaken { txid, reason } => {
            note(format_args!("sweep {txid} is not taken by the mempool any more and is forgotten: {reason}"));
            note("  `bloom wallet sweep` makes another of what is left");
        }
    }
}

/// What has become of a transaction, as the end of a sentence about it.
pub(super) fn what_became(status: &Status) -> String {
    match status {
        Status::Confirmed(block) => format!("is confirmed at height {}", block.height),
        Status::Pending => "waits to be confirmed".to_owned(),
        Status::Recorded => "is recorded and not in the mempool".to_owned(),
        Status::Replaced { by } => format!("was replaced by {by}"),
        Status::Conflicted { by } => format!("cannot be confirmed any more: it conflicts with {by}"),
        Status::Withdrawn => "was taken back before it was sent".to_owned(),
        Status::Gone => "is neither on the chain nor in the mempool".to_owned(),
    }
}

/// A wallet's error as the program's: what is an argument's fault, what the files', what neither.
pub(super) fn failure(error: WalletError<DirectoryError>) -> anyhow::Error {
    match error {
        WalletError::File(error) => error.into(),
        WalletError::Build(error) => refused(error),
        WalletError::Scan(scan::ScanError::Node(DirectoryError::Store(error)))
        | WalletError::Node(DirectoryError::Store(error)) => error.into(),
        error @ WalletError::IdTaken { .. } => usage(error.to_string()),
        other => other.into(),
    }
}

/// A payment that is not made.
pub(super) fn refused(error: BuildError) -> anyhow::Error {
    match error {
        BuildError::NoRecipient
        | BuildError::SeveralRests
        | BuildError::TooManyRecipients { .. }
        | BuildError::Dust { .. }
        | BuildError::AmountSum
        | BuildError::RateTooLow { .. }
        | BuildError::RateNotHigher { .. } => usage(error.to_string()),
        other => other.into(),
    }
}

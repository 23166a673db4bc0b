//! A wallet in use: its file open, its book read up to the chain, payments recorded before they are sent.

mod journal;

use std::path::Path;

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Height, NetworkId, Outpoint, OutputKey, Params, Timestamp, Transaction, Txid};
use secp256k1::rand::{CryptoRng, Rng};

use crate::balance::Balance;
use crate::book::{Book, InBlock, OwnCoin, Status, View};
use crate::build::{Order, Purse, Unsigned};
use crate::error::{BuildError, WalletError};
use crate::history::{Entry, history};
use crate::keeper::{BookFile, Keeper};
use crate::node::Node;
use crate::replace::Raise;
use crate::scan::follow;
use crate::watch::{GAP_LIMIT, Watch};
use crate::{KeyChain, KeyPath, WalletFile, WalletFileError, WalletKeys};

/// What the owner must hear, whatever command it was that found it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A reorganisation took the block that held a transaction from the chain.
    Rescinded {
        /// The transaction.
        txid: Txid,
        /// The block that held it.
        block: InBlock,
        /// What has become of it.
        status: Status,
    },
    /// A payment that was recorded and whose maker was never told is with the node now.
    Sent {
        /// The transaction.
        txid: Txid,
    },
    /// A payment may not be in a block yet and is kept until it may.
    Held {
        /// The transaction.
        txid: Txid,
        /// The first height of a block that may hold it.
        until: Height,
    },
    /// The node does not take a payment that is recorded. Its coins stay reserved.
    NotTaken {
        /// The transaction.
        txid: Txid,
        /// The node's reason.
        reason: String,
    },
    /// The node does not take a sweep that is recorded. It is withdrawn, and what the swept key has left can be swept anew.
    SweepNotTaken {
        /// The transaction.
        txid: Txid,
        /// The node's reason.
        reason: String,
    },
}

/// How a transaction comes to be recorded.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// The name of the payment, so that it is made once.
    pub id: Option<String>,
    /// What it takes the place of.
    pub replaces: Option<Txid>,
}

/// What became of a transaction that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The node has it.
    ToNode,
    /// It is recorded, and sent once a block at this height is due.
    HeldUntil(Height),
}

/// An open wallet.
pub struct Wallet<K = BookFile> {
    file: K,
    network: NetworkId,
    watch: Watch,
    view: View,
    tip: Height,
}

impl Wallet {
    /// Opens a wallet's file.
    ///
    /// # Errors
    /// [`WalletFileError`].
    pub fn open(path: &Path, password: &[u8], params: &Params) -> Result<Self, WalletFileError> {
        Ok(Self::over(BookFile::new(WalletFile::open(path, password, &params.network_id)?), params))
    }
}

impl<K: Keeper> Wallet<K> {
    /// The wallet of an open book.
    #[must_use]
    pub fn over(file: K, params: &Params) -> Self {
        let watch = Watch::new(file.keys().account().clone());
        Self::watching(file, watch, params)
    }

    /// The wallet of an open book that looks for these keys.
    pub(crate) fn watching(file: K, mut watch: Watch, params: &Params) -> Self {
        file.book().watch_all(&mut watch);
        let view = View::new(file.book());
        let tip = file.book().scanned_to().map_or(Height::GENESIS, |place| place.height);
        Self { file, network: params.network_id, watch, view, tip }
    }

    /// Reads what is new on the chain and in the mempool, and sends what is recorded and not sent. What must be told comes
    /// back; [`Wallet::told`] says that it was.
    ///
    /// # Errors
    /// [`WalletError`].
    pub fn update<N: Node>(&mut self, node: &mut N, now: Timestamp) -> Result<Vec<Remark>, WalletError<N::Error>> {
        let before = self.book().clone();
        let birthday = self.file.keys().birthday();
        let book = self.file.book_mut();
        let read = follow(book, &mut self.watch, node, birthday, now);
        self.work_out();
        let rescinded = match read {
            Ok(rescinded) => rescinded,
            Err(error) => {
                self.file.save()?; // what was read need not be read again
                return Err(error.into());
            }
        };
        let mut remarks = self.resend(node)?;
        for txid in rescinded {
            if let Some(block) = self.book().record(&txid).and_then(|record| record.rescinded) {
                remarks.insert(0, Remark::Rescinded { txid, block, status: self.view.status(&txid) });
            }
        }
        if *self.book() != before {
            self.file.save()?;
        }
        Ok(remarks)
    }

    /// Where its book is kept.
    #[must_use]
    pub fn keeper(&self) -> &K {
        &self.file
    }

    /// The same, to be changed; [`Keeper::save`] keeps it.
    pub fn keeper_mut(&mut self) -> &mut K {
        &mut self.file
    }

    /// The same, at the wallet's end.
    #[must_use]
    pub fn into_keeper(self) -> K {
        self.file
    }

    /// What was seen.
    #[must_use]
    pub fn book(&self) -> &Book {
        self.file.book()
    }

    /// What follows from it.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &WalletKeys {
        self.file.keys()
    }

    /// The keys that it looks for.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The height up to which it has read.
    #[must_use]
    pub fn tip(&self) -> Height {
        self.tip
    }

    /// How much there is.
    #[must_use]
    pub fn balance(&self) -> Balance {
        let prepared = self.purse().reserved().map_or(Amount::ZERO, |(amount, _)| amount);
        Balance { prepared, ..Balance::new(self.book(), &self.view, self.tip) }
    }

    /// What happened.
    #[must_use]
    pub fn history(&self) -> Vec<Entry> {
        history(self.book(), &self.view)
    }

    /// What is unspent, pending and immature ones included.
    #[must_use]
    pub fn coins(&self) -> Vec<OwnCoin> {
        self.view.coins().copied().collect()
    }

    /// A receiving key that was given to nobody yet.
    ///
    /// # Errors
    /// [`WalletError::NoFreshAddress`] when twenty in a row are unused: a search from words alone would end there.
    pub fn fresh_key<E: std::error::Error>(&mut self) -> Result<(KeyPath, OutputKey), WalletError<E>> {
        let index = self.book().next_index(KeyChain::Receive);
        if index >= self.book().confirmed_index(KeyChain::Receive) + GAP_LIMIT {
            return Err(WalletError::NoFreshAddress { unused: GAP_LIMIT });
        }
        let path = self.watch.path_of(KeyChain::Receive, index);
        let book = self.file.book_mut();
        book.use_index(&mut self.watch, KeyChain::Receive, index);
        self.file.save()?;
        Ok((path, self.watch.key(&path)))
    }

    /// Change was promised to this key: the next goes to another.
    pub(crate) fn use_change(&mut self, index: u32) {
        self.file.book_mut().use_index(&mut self.watch, KeyChain::Change, index);
    }

    /// Labels an address, its own or another's; an empty label takes it away.
    ///
    /// # Errors
    /// [`WalletFileError`].
    pub fn set_label(&mut self, address: String, label: String) -> Result<(), WalletFileError> {
        self.file.book_mut().set_label(address, label);
        self.file.save()
    }

    /// Builds a payment without signing it: what it spends and with which keys, what it pays, what comes back. Nothing is
    /// reserved, and nothing is spent that is reserved for a payment on its way to be signed.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn prepare(&self, order: &Order, rng: &mut impl Rng) -> Result<Unsigned, BuildError> {
        self.purse().pay(order, rng)
    }

    /// As [`Wallet::prepare`], in place of a payment that spends these coins and was given up: it spends one of them too,
    /// so that only one of both is ever paid.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn prepare_instead(&self, order: &Order, old: &[Outpoint], rng: &mut impl Rng) -> Result<Unsigned, BuildError> {
        self.purse().pay_instead(order, old, rng)
    }

    /// Raises the fee of a transaction that waits.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn bump(&self, txid: &Txid, rate: Option<FeeRate>, suggested: FeeRate) -> Result<Raise, BuildError> {
        self.purse().bump(txid, rate, suggested)
    }

    /// Takes a payment back: by a transaction in its place, or, if nobody has it yet, at once and without any: then `None`.
    ///
    /// # Errors
    /// [`BuildError`], [`WalletError::File`].
    pub fn cancel<E: std::error::Error>(
        &mut self,
        txid: &Txid,
        rate: Option<FeeRate>,
        suggested: FeeRate,
    ) -> Result<Option<Raise>, WalletError<E>> {
        let raise = self.purse().cancel(txid, rate, suggested)?;
        if self.is_unsent(txid) {
            let all = self.book().replaced_up_to(txid);
            self.withdraw(&all)?;
            return Ok(None);
        }
        Ok(Some(raise))
    }

    /// Whether a payment was recorded here and no node has ever had it, nor anything that it takes the place of.
    #[must_use]
    pub fn is_unsent(&self, txid: &Txid) -> bool {
        let unsent = |txid: &Txid| {
            let payment = self.book().record(txid).and_then(|record| record.payment.as_ref());
            payment.is_some_and(|payment| !payment.sent)
        };
        self.view.status(txid) == Status::Recorded && self.book().replaced_up_to(txid).iter().all(unsent)
    }

    /// Gathers small coins.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn consolidate(&self, rate: FeeRate, below: Option<Amount>) -> Result<Vec<Unsigned>, BuildError> {
        self.purse().consolidate(rate, below)
    }

    /// Signs what was built.
    ///
    /// # Errors
    /// [`BuildError::WatchOnly`] without words, [`BuildError::Rule`] if the law would refuse it.
    pub fn sign(&self, unsigned: &Unsigned, rng: &mut (impl Rng + CryptoRng)) -> Result<Transaction, BuildError> {
        let seed = self.file.keys().seed().ok_or(BuildError::WatchOnly)?;
        unsigned.sign(&self.network, &seed, self.tip, rng)
    }

    fn purse(&self) -> Purse<'_> {
        let reserved = self.file.reserved(self.tip);
        Purse { book: self.book(), view: &self.view, watch: &self.watch, tip: self.tip, reserved }
    }

    fn work_out(&mut self) {
        let book = self.file.book();
        self.view = View::new(book);
        self.tip = book.scanned_to().map_or(Height::GENESIS, |place| place.height);
    }
}

//! A wallet in use: its file open, its book read up to the chain, payments recorded before they are sent.

use std::path::Path;

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Height, NetworkId, Outpoint, Output, OutputKey, Params, Timestamp, Transaction, Txid};
use secp256k1::rand::{CryptoRng, Rng};

use crate::balance::Balance;
use crate::book::{Book, InBlock, OwnCoin, Payment, Status, View};
use crate::build::{Order, Purse, Recipient, Share, Spent, Unsigned};
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
        Balance::new(self.book(), &self.view, self.tip)
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

    /// Labels an address, its own or another's; an empty label takes it away.
    ///
    /// # Errors
    /// [`WalletFileError`].
    pub fn set_label(&mut self, address: String, label: String) -> Result<(), WalletFileError> {
        self.file.book_mut().set_label(address, label);
        self.file.save()
    }

    /// Builds a payment without signing it: what it spends and with which keys, what it pays, what comes back. Nothing is
    /// reserved.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn prepare(&self, order: &Order, rng: &mut impl Rng) -> Result<Unsigned, BuildError> {
        self.purse().pay(order, rng)
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
    /// [`BuildError`], or what [`Wallet::withdraw`] says.
    pub fn cancel<E: std::error::Error>(
        &mut self,
        txid: &Txid,
        rate: Option<FeeRate>,
        suggested: FeeRate,
    ) -> Result<Option<Raise>, WalletError<E>> {
        let raise = self.purse().cancel(txid, rate, suggested)?;
        if self.is_unsent(txid) {
            self.withdraw(txid)?;
            return Ok(None);
        }
        Ok(Some(raise))
    }

    /// Whether a payment was recorded here and no node has ever had it.
    #[must_use]
    pub fn is_unsent(&self, txid: &Txid) -> bool {
        let payment = self.book().record(txid).and_then(|record| record.payment.as_ref());
        self.view.status(txid) == Status::Recorded && payment.is_some_and(|payment| !payment.sent)
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

    /// Records a signed transaction. When this returns it is on the disk: it will be sent, this very one and no other in
    /// its place, whatever happens to this process.
    ///
    /// # Errors
    /// [`BuildError::Rule`] if it spends the wallet's coins in a way that the law refuses, [`WalletFileError`].
    pub fn record<E: std::error::Error>(
        &mut self,
        transaction: &Transaction,
        note: Note,
        now: Timestamp,
    ) -> Result<(), WalletError<E>> {
        self.check(transaction)?;
        let txid = transaction.txid();
        let book = self.file.book_mut();
        book.see(&mut self.watch, transaction, now);
        if let Some(record) = book.record_mut(&txid) {
            record.payment = Some(Payment { id: note.id, sent: false, told: false, withdrawn: false });
        }
        if let Some(old) = note.replaces.and_then(|old| book.record_mut(&old)) {
            old.replaced_by = Some(txid);
        }
        self.work_out();
        Ok(self.file.save()?)
    }

    /// Hands a recorded transaction to the node, unless its time has not come.
    ///
    /// # Errors
    /// [`WalletError::Refused`] if the node won't have it: then it is withdrawn, and what it would have spent is free.
    /// After any other error the next [`Wallet::update`] tries again.
    pub fn send<N: Node>(&mut self, node: &mut N, txid: &Txid) -> Result<Sent, WalletError<N::Error>> {
        let transaction = self.book().record(txid).and_then(|record| record.transaction.clone());
        let transaction = transaction.ok_or(BuildError::Unknown { txid: *txid })?;
        let not_before = transaction.body().not_before();
        if not_before.0 > self.tip.0.saturating_add(1) {
            return Ok(Sent::HeldUntil(not_before));
        }
        match node.submit(&transaction) {
            Ok(_) => {
                self.mark_sent(txid);
                Ok(Sent::ToNode)
            }
            Err(source) if N::is_refusal(&source) => {
                self.withdraw(txid)?;
                Err(WalletError::Refused { txid: *txid, source })
            }
            Err(source) => Err(WalletError::Node(source)),
        }
    }

    /// The maker of these payments knows of them: from now on the same payment asked for again is another one.
    ///
    /// # Errors
    /// [`WalletFileError`].
    pub fn told(&mut self, txids: impl IntoIterator<Item = Txid>) -> Result<(), WalletFileError> {
        let book = self.file.book_mut();
        for txid in txids {
            if let Some(payment) = book.record_mut(&txid).and_then(|record| record.payment.as_mut()) {
                payment.told = true;
            }
        }
        self.file.save()
    }

    /// A payment to these recipients that was recorded and whose maker was never told of it: asked for again, it is the
    /// same.
    #[must_use]
    pub fn untold(&self, recipients: &[Recipient]) -> Option<Txid> {
        let untold = |record: &&crate::book::Record| record.payment.as_ref().is_some_and(|payment| !payment.told);
        let live = |record: &&crate::book::Record| self.view.status(&record.txid).is_live();
        let mut records = self.book().records().values().filter(untold).filter(live);
        records.find(|record| pays(record, recipients)).map(|record| record.txid)
    }

    /// The payment of this name.
    ///
    /// # Errors
    /// [`WalletError::IdTaken`] if it pays others, or other amounts.
    pub fn by_id<E: std::error::Error>(
        &self,
        id: &str,
        recipients: &[Recipient],
    ) -> Result<Option<Txid>, WalletError<E>> {
        let named = |record: &&crate::book::Record| {
            record.payment.as_ref().is_some_and(|payment| payment.id.as_deref() == Some(id) && !payment.withdrawn)
        };
        let Some(record) = self.book().records().values().find(named) else { return Ok(None) };
        if !pays(record, recipients) {
            return Err(WalletError::IdTaken { id: id.to_owned(), txid: record.txid });
        }
        Ok(Some(record.txid))
    }

    fn purse(&self) -> Purse<'_> {
        Purse { book: self.book(), view: &self.view, watch: &self.watch, tip: self.tip }
    }

    fn work_out(&mut self) {
        let book = self.file.book();
        self.view = View::new(book);
        self.tip = book.scanned_to().map_or(Height::GENESIS, |place| place.height);
    }

    /// What the law says of a transaction whose inputs are all the wallet's own; of others the node will judge.
    fn check(&self, transaction: &Transaction) -> Result<(), BuildError> {
        let coin = |outpoint: &Outpoint| {
            let own = self.book().output(outpoint)?;
            let maker = self.book().record(&outpoint.txid)?;
            let height = maker.confirmed.map_or(Height(self.tip.0.saturating_add(1)), |block| block.height);
            let output = Output { amount: own.amount, key: self.watch.key(&own.path) };
            let coin = bloom_consensus::Coin { output, height, is_coinbase: maker.coinbase };
            Some(Spent { outpoint: *outpoint, coin, path: own.path })
        };
        let Some(spent) = transaction.body().inputs().iter().map(coin).collect::<Option<Vec<Spent>>>() else {
            return Ok(());
        };
        let unsigned = Unsigned { body: transaction.body().clone(), spent, change: None, fee: Amount::ZERO };
        unsigned.check(&self.network, transaction, self.tip)
    }

    /// Sends what is recorded and that no node has, oldest first, for later ones may spend from it.
    fn resend<N: Node>(&mut self, node: &mut N) -> Result<Vec<Remark>, WalletError<N::Error>> {
        let mut remarks = Vec::new();
        self.mark_those_that_arrived();
        let mut recorded: Vec<_> = self.book().records().values().collect();
        recorded.retain(|record| self.view.status(&record.txid) == Status::Recorded);
        recorded.sort_by_key(|record| record.number);
        let recorded: Vec<Transaction> = recorded.into_iter().filter_map(|record| record.transaction.clone()).collect();
        for transaction in recorded {
            let (txid, until) = (transaction.txid(), transaction.body().not_before());
            if until.0 > self.tip.0.saturating_add(1) {
                remarks.push(Remark::Held { txid, until });
                continue;
            }
            match node.submit(&transaction) {
                Ok(_) => self.mark_sent(&txid),
                Err(error) if N::is_refusal(&error) => {
                    remarks.push(Remark::NotTaken { txid, reason: error.to_string() });
                }
                Err(error) => return Err(WalletError::Node(error)),
            }
        }
        for record in self.book().records().values() {
            let is_untold = record.payment.as_ref().is_some_and(|payment| payment.sent && !payment.told);
            if is_untold && self.view.status(&record.txid).is_live() {
                remarks.push(Remark::Sent { txid: record.txid });
            }
        }
        Ok(remarks)
    }

    /// A node that was handed a transaction just before this process ended has it.
    fn mark_those_that_arrived(&mut self) {
        for record in self.file.book_mut().records_mut() {
            if let Some(payment) = &mut record.payment {
                payment.sent |= record.waiting || record.confirmed.is_some();
            }
        }
    }

    fn mark_sent(&mut self, txid: &Txid) {
        if let Some(record) = self.file.book_mut().record_mut(txid) {
            record.waiting = record.confirmed.is_none();
            if let Some(payment) = &mut record.payment {
                payment.sent = true;
            }
        }
        self.work_out();
    }

    /// Nobody has it, and nobody will.
    fn withdraw(&mut self, txid: &Txid) -> Result<(), WalletFileError> {
        if let Some(record) = self.file.book_mut().record_mut(txid)
            && let Some(payment) = &mut record.payment
        {
            payment.withdrawn = true;
        }
        self.work_out();
        self.file.save()
    }
}

/// Whether a transaction pays exactly these recipients beside its change.
fn pays(record: &crate::book::Record, recipients: &[Recipient]) -> bool {
    let Some(transaction) = &record.transaction else { return false };
    let is_change = |at: u32| record.received.iter().any(|own| own.index == at && own.is_change());
    let mut outputs: Vec<&Output> =
        (0..).zip(transaction.body().outputs()).filter(|(at, _)| !is_change(*at)).map(|(_, output)| output).collect();
    // Those with an amount first: who gets the rest may take none of theirs.
    let (exact, rest): (Vec<&Recipient>, Vec<&Recipient>) =
        recipients.iter().partition(|recipient| recipient.share != Share::Rest);
    for recipient in exact.into_iter().chain(rest) {
        let fits = |output: &&Output| {
            output.key == recipient.key
                && (recipient.share == Share::Rest || recipient.share == Share::Exactly(output.amount))
        };
        match outputs.iter().position(fits) {
            Some(at) => outputs.swap_remove(at),
            None => return false,
        };
    }
    outputs.is_empty()
}

//! Payments recorded before they are sent, and sent until a node has them.

use bloom_consensus::{Amount, Height, Outpoint, Output, Timestamp, Transaction, Txid};

use super::{Note, Remark, Sent, Wallet};
use crate::WalletFileError;
use crate::book::{Payment, Record, Status};
use crate::build::{Recipient, Share, Spent, Unsigned};
use crate::error::{BuildError, WalletError};
use crate::keeper::Keeper;
use crate::node::Node;

impl<K: Keeper> Wallet<K> {
    /// Records a signed transaction. When this returns it is on the disk: it will be sent, this very one and no other in
    /// its place, whatever happens to this process. One that counts already stays the payment that it is.
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
        let is_live = self.view.status(&txid).is_live();
        let book = self.file.book_mut();
        book.see(&mut self.watch, transaction, now);
        if let Some(record) = book.record_mut(&txid) {
            let payment = record.payment.take().filter(|_| is_live);
            let new = Payment { id: note.id, sent: false, told: false, withdrawn: false };
            record.payment = Some(payment.unwrap_or(new));
            record.transaction = Some(transaction.clone());
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
    /// [`WalletError::Refused`] if the node won't have it: then it is withdrawn, and what it would have spent is free; what it
    /// was to replace stands as before, and it itself is forgotten.
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
                self.file.book_mut().forget_replacement(txid);
                self.withdraw(&[*txid])?;
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
        let untold = |record: &&Record| record.payment.as_ref().is_some_and(|payment| !payment.told);
        let live = |record: &&Record| self.view.status(&record.txid).is_live();
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
        let named = |record: &&Record| {
            record.payment.as_ref().is_some_and(|payment| payment.id.as_deref() == Some(id) && !payment.withdrawn)
        };
        let Some(record) = self.book().records().values().find(named) else { return Ok(None) };
        if !pays(record, recipients) {
            return Err(WalletError::IdTaken { id: id.to_owned(), txid: record.txid });
        }
        Ok(Some(record.txid))
    }

    /// Whether a payment, or what took its place, pays these recipients or still may.
    #[must_use]
    pub fn stands(&self, txid: &Txid, recipients: &[Recipient]) -> bool {
        let next = |txid: &Txid| self.book().record(txid)?.replaced_by;
        let versions = std::iter::successors(Some(*txid), next).take(self.book().records().len());
        let mut live = versions.filter(|txid| self.view.status(txid).is_live());
        live.any(|txid| self.book().record(&txid).is_some_and(|record| pays(record, recipients)))
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
    pub(super) fn resend<N: Node>(&mut self, node: &mut N) -> Result<Vec<Remark>, WalletError<N::Error>> {
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
                    let reason = error.to_string();
                    remarks.push(if self.reserves_nothing(&txid) {
                        self.withdraw(&[txid])?;
                        Remark::SweepNotTaken { txid, reason }
                    } else {
                        Remark::NotTaken { txid, reason }
                    });
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

    /// Whether a transaction spends no coin of the wallet's, as a sweep does: then nobody but whoever has the key that it
    /// empties knows what to put in its place, and another sweep can begin afresh.
    fn reserves_nothing(&self, txid: &Txid) -> bool {
        self.book().record(txid).is_some_and(|record| !record.spends_own())
    }

    /// A node that was handed a transaction just before this process ended has it. What somebody has is not withdrawn,
    /// whatever another node said of it.
    fn mark_those_that_arrived(&mut self) {
        for record in self.file.book_mut().records_mut() {
            let is_there = record.waiting || record.confirmed.is_some();
            if let Some(payment) = record.payment.as_mut().filter(|_| is_there) {
                payment.sent = true;
                payment.withdrawn = false;
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

    /// Nobody has them, and nobody will.
    pub(super) fn withdraw(&mut self, txids: &[Txid]) -> Result<(), WalletFileError> {
        for txid in txids {
            if let Some(payment) = self.file.book_mut().record_mut(txid).and_then(|record| record.payment.as_mut()) {
                payment.withdrawn = true;
            }
        }
        self.work_out();
        self.file.save()
    }
}

/// Whether a transaction pays exactly these recipients beside its change.
fn pays(record: &Record, recipients: &[Recipient]) -> bool {
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

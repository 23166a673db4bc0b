//! The rules on bodies in the law's order, with what was checked before left out and the rest on several threads.
//!
//! Neither changes a verdict: what is left out would pass ([`VerifiedTransactions`] says why), and of several
//! transactions that fail a rule the first in the block is reported, whichever thread was faster.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bloom_consensus::rules::isolation;
use bloom_consensus::rules::utxo::{self, Spending};
use bloom_consensus::signing::check_signatures;
use bloom_consensus::{
    Amount, Block, BlockEffect, CheckError, CoinView, Contents, NetworkId, Output, Rejection, RuleViolation,
    Transaction, TransactionViolation,
};

use crate::verified::VerifiedTransactions;

/// What judges bodies and transactions for one network.
pub(crate) struct Examiner {
    network: NetworkId,
    threads: usize,
    verified: VerifiedTransactions,
}

impl Examiner {
    /// An examiner that knows no transaction yet.
    pub(crate) fn new(network: NetworkId, threads: usize) -> Self {
        Self { network, threads: threads.max(1), verified: VerifiedTransactions::default() }
    }

    /// The rules of isolation and the signatures of one transaction. It is remembered if it passes.
    pub(crate) fn check_transaction(
        &mut self,
        transaction: &Transaction,
        spent: &[Output],
    ) -> Result<(), TransactionViolation> {
        let wtxid = transaction.wtxid();
        if self.verified.is_signed(&wtxid, spent) {
            return Ok(());
        }
        isolation::check_transaction(transaction)?;
        check_signatures(&self.network, transaction, spent)?;
        self.verified.remember(wtxid, spent);
        Ok(())
    }

    /// [`Examiner::check_transaction`] of many, on all threads: those that pass are remembered, of the others nothing is.
    pub(crate) fn check_ahead(&mut self, list: &[(&Transaction, Vec<Output>)]) {
        let list: Vec<_> =
            list.iter().map(|(transaction, spent)| (transaction, spent, AtomicBool::new(false))).collect();
        let all = self.first_failure(&list, |(transaction, spent, passes)| {
            let isolated = isolation::check_transaction(transaction);
            let signed = isolated.and_then(|()| check_signatures(&self.network, transaction, spent));
            passes.store(signed.is_ok(), Ordering::Relaxed);
            Ok(())
        });
        all.expect("one that fails is passed over");
        for (transaction, spent, passes) in list {
            if passes.into_inner() {
                self.verified.remember(transaction.wtxid(), spent);
            }
        }
    }

    /// [`isolation::check_body`].
    pub(crate) fn check_body(&self, block: &Block) -> Result<(), Rejection> {
        isolation::check_root(block)?;
        Ok(self.check_contents(block.contents())?)
    }

    /// [`isolation::check_body`] but for the root.
    pub(crate) fn check_contents(&self, contents: Contents<'_>) -> Result<(), RuleViolation> {
        self.check_each(contents)?;
        isolation::check_double_spends(contents.transactions)
    }

    /// [`Examiner::check_contents`] but for double spends, which [`utxo::spend`] finds too.
    fn check_each(&self, contents: Contents<'_>) -> Result<(), RuleViolation> {
        isolation::check_frame(contents)?;
        let height = contents.template.height;
        self.first_failure(contents.transactions, |transaction| {
            if !self.verified.is_sound(&transaction.wtxid()) {
                isolation::check_transaction(transaction)?;
            }
            isolation::check_not_before(transaction, height)
        })
        .map_err(|(position, violation)| RuleViolation::Transaction { position, violation })
    }

    /// [`utxo::connect`]. [`Examiner::check_contents`] must have passed: all of a block that connects is remembered.
    pub(crate) fn connect<V: CoinView>(
        &mut self,
        contents: Contents<'_>,
        coins: &V,
    ) -> Result<BlockEffect, CheckError<V::Error>> {
        let spending = utxo::spend(contents, coins)?;
        self.check_all_signatures(&spending)?;
        Ok(spending.into_effect())
    }

    /// All rules on bodies but that of the root, for a template: those of isolation beside those on what it spends. Yields
    /// the fees.
    pub(crate) fn check_draft<V: CoinView>(
        &mut self,
        contents: Contents<'_>,
        coins: &V,
    ) -> Result<Amount, CheckError<V::Error>> {
        let this = &*self;
        let isolated = || this.check_each(contents);
        let (isolated, spending) = side_by_side(contents.transactions, isolated, || utxo::spend(contents, coins));
        isolated?;
        let spending = spending?;
        self.check_all_signatures(&spending)?;
        Ok(spending.fees())
    }

    /// The signatures, dearest last. If all are good, all transactions are remembered.
    fn check_all_signatures(&mut self, spending: &Spending<'_>) -> Result<(), RuleViolation> {
        let all: Vec<_> = spending.transactions().collect();
        let unknown = AtomicBool::new(false);
        self.first_failure(&all, |(transaction, spent)| {
            if self.verified.is_signed(&transaction.wtxid(), spent) {
                return Ok(());
            }
            unknown.store(true, Ordering::Relaxed);
            check_signatures(&self.network, transaction, spent)
        })
        .map_err(|(position, violation)| RuleViolation::Transaction { position, violation })?;
        if unknown.into_inner() {
            all.iter().for_each(|(transaction, spent)| self.verified.remember(transaction.wtxid(), spent));
        }
        Ok(())
    }

    /// Checks a list on all threads. Fails with the lowest place that fails, and why it does.
    fn first_failure<T: Sync>(
        &self,
        list: &[T],
        check: impl Fn(&T) -> Result<(), TransactionViolation> + Sync,
    ) -> Result<(), (usize, TransactionViolation)> {
        // Items that a thread takes at a time: a thread's start costs less than checking as many.
        const SHARE: usize = 32;
        let next = AtomicUsize::new(0);
        let lowest = AtomicUsize::new(usize::MAX);
        // Shares are taken in ascending order, so whatever is below a failure is done or being done.
        let work = || {
            loop {
                let start = next.fetch_add(SHARE, Ordering::Relaxed);
                if start >= lowest.load(Ordering::Relaxed) {
                    return None;
                }
                let share = (start..).zip(list.get(start..).filter(|rest| !rest.is_empty())?.iter().take(SHARE));
                for (at, item) in share {
                    if let Err(violation) = check(item) {
                        lowest.fetch_min(at, Ordering::Relaxed);
                        return Some((at, violation));
                    }
                }
            }
        };
        let others = (self.threads - 1).min(list.len() / (2 * SHARE));
        let failures = thread::scope(|scope| {
            // Where the system has no more threads to give, those that there are do all of it.
            let others: Vec<_> =
                (0..others).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
            let own = work();
            let others = others.into_iter().map(|thread| thread.join().expect("a check does not panic"));
            std::iter::once(own).chain(others).flatten().collect::<Vec<_>>()
        });
        failures.into_iter().min_by_key(|(at, _)| *at).map_or(Ok(()), Err)
    }
}

/// Two kinds of work on a body, the first on a thread of its own if there is so much to do that its start is worth it.
pub(crate) fn side_by_side<A: Send, B>(
    transactions: &[Transaction],
    other: impl Fn() -> A + Sync,
    own: impl FnOnce() -> B,
) -> (A, B) {
    const WORTH_A_THREAD: usize = 256;
    if transactions.len() < WORTH_A_THREAD {
        return (other(), own());
    }
    thread::scope(|scope| {
        let started = thread::Builder::new().spawn_scoped(scope, &other);
        let own = own();
        // Where the system has no more threads to give, this one does it.
        let other = started.map_or_else(|_| other(), |thread| thread.join().expect("work on a body does not panic"));
        (other, own)
    })
}

#[cfg(test)]
mod tests;

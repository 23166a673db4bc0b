//! Transactions: announced by their wtxids, asked for, judged, announced further.

mod orphans;
mod outbox;
mod verdict;
mod wanted;

use std::collections::BTreeMap;
use std::time::Duration;

use bloom_chain::mempool::policy::{MAX_CHAIN, MAX_TRANSACTION_BYTES};
use bloom_chain::{AdmitError, StoreError};
use bloom_consensus::rules::isolation;
use bloom_consensus::{BlockHash, Outpoint, Transaction, Txid, Wtxid};

use crate::event::{AnswerId, ConnId, Failure, RequestId};
use crate::fault::Fault;
use crate::hub::{Happening, Hub, Purpose};
use crate::relay::fail_on;
use crate::relay::recent::Recent;
use crate::sync::CatchUp;
use crate::wire::{MAX_TRANSACTIONS_BYTES, Note, Request, Response};
use orphans::{Orphan, Orphans};
use outbox::{MOST_QUEUED, Outbox, is_relayed};
use verdict::Verdict;
use wanted::WantList;

/// How long an answer may take before the next announcer is asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Transactions remembered that were not taken at this tip.
const MOST_REJECTED: usize = 10_000;
/// Outputs of a transaction without its parents that are looked for on the chain, to see whether it is there itself.
const MOST_OUTPUTS_SOUGHT: usize = 16;
/// Blocks that left the chain whose transactions are announced again.
const MOST_BLOCKS_BACK: usize = 100;

#[derive(Debug)]
pub(crate) struct TransactionRelay {
    outbox: Outbox,
    wanted: WantList,
    rejected: Recent<Wtxid>,
    orphans: Orphans,
}

impl Default for TransactionRelay {
    fn default() -> Self {
        Self {
            outbox: Outbox::default(),
            wanted: WantList::default(),
            rejected: Recent::new(MOST_REJECTED),
            orphans: Orphans::default(),
        }
    }
}

impl TransactionRelay {
    pub(crate) fn announced(&mut self, hub: &mut Hub, peer: ConnId, wtxids: &[Wtxid]) {
        for wtxid in wtxids {
            self.outbox.has(peer, *wtxid);
            let is_here = hub.chain.mempool().get_by_witness(wtxid).is_some();
            let is_of_use = !is_here && !self.rejected.contains(wtxid) && !self.orphans.contains(wtxid);
            if is_of_use {
                self.wanted.announced(peer, *wtxid);
            }
        }
    }

    pub(crate) fn response(&mut self, hub: &mut Hub, peer: ConnId, id: RequestId, response: Response) {
        let Some(asked) = self.wanted.answered(id) else { return };
        let done = match response {
            Response::Transactions(transactions) => self.take_answer(hub, peer, asked, transactions),
            response => {
                if !matches!(response, Response::NotFound | Response::Busy) {
                    hub.blame(peer, Fault::WrongAnswer);
                }
                asked.into_iter().for_each(|wtxid| self.wanted.ask_another(wtxid));
                Ok(())
            }
        };
        fail_on(hub, done);
    }

    pub(crate) fn failed(&mut self, hub: &mut Hub, peer: ConnId, id: RequestId, failure: Failure) {
        let Some(asked) = self.wanted.answered(id) else { return };
        if failure == Failure::Timeout {
            hub.blame(peer, Fault::Stalled);
        }
        asked.into_iter().for_each(|wtxid| self.wanted.ask_another(wtxid));
    }

    pub(crate) fn happened(&mut self, hub: &mut Hub, happening: &Happening) {
        let done = match happening {
            Happening::Joined(peer) => {
                if let Some(direction) = hub.peers.get(*peer).map(|peer| peer.direction) {
                    self.outbox.joined(*peer, direction, hub.now.elapsed, &mut hub.random);
                    self.wanted.joined(*peer);
                }
                Ok(())
            }
            Happening::Left(peer) => {
                self.outbox.left(*peer);
                self.wanted.left(*peer);
                self.orphans.left(*peer);
                Ok(())
            }
            Happening::Transaction { transaction } => {
                self.wanted.settled(&transaction.wtxid());
                self.wanted.settled(&Wtxid(transaction.txid().0));
                self.outbox.announce(transaction.wtxid(), hub.now.elapsed, &mut hub.random);
                let children = self.orphans.children_of(&transaction.txid());
                self.retry(hub, children)
            }
            Happening::Tip { disconnected, .. } => self.new_tip(hub, disconnected),
        };
        fail_on(hub, done);
    }

    /// Answers with what waits, in the order asked for. An id may be a txid: who has a child does not know the wtxid of its
    /// parent.
    pub(crate) fn serve(&mut self, hub: &mut Hub, peer: ConnId, id: AnswerId, wtxids: &[Wtxid]) {
        if !hub.may_answer(peer) {
            hub.answer(peer, id, Response::Busy);
            return;
        }
        let mempool = hub.chain.mempool();
        let mut found = Vec::new();
        let mut bytes = 0;
        for wtxid in wtxids {
            let entry = mempool.get_by_witness(wtxid).or_else(|| mempool.get(&Txid(wtxid.0)));
            let Some(entry) = entry.filter(|entry| is_relayed(entry)) else { continue };
            if bytes + entry.bytes() > MAX_TRANSACTIONS_BYTES {
                break;
            }
            bytes += entry.bytes();
            found.push(entry.transaction().clone());
        }
        let response = if found.is_empty() {
            Response::NotFound
        } else if hub.charge_answer(peer, bytes) {
            found.iter().for_each(|transaction| self.outbox.has(peer, transaction.wtxid()));
            Response::Transactions(found)
        } else {
            Response::Busy
        };
        hub.answer(peer, id, response);
    }

    /// Asks for what may be asked for, after whatever happened. Far behind the tip nothing that waits could be judged: it is remembered.
    pub(crate) fn ask(&mut self, hub: &mut Hub, catch_up: &CatchUp) {
        while !catch_up.is_behind()
            && let Some((peer, wtxids)) = self.wanted.next()
        {
            if !hub.may_judge(peer) {
                wtxids.into_iter().for_each(|wtxid| self.wanted.ask_another(wtxid));
                continue;
            }
            let request = Request::Transactions { wtxids: wtxids.clone() };
            let id = hub.ask(peer, Purpose::Transactions, request, ANSWER_WITHIN);
            self.wanted.asked(id, peer, wtxids);
        }
    }

    pub(crate) fn wake(&mut self, hub: &mut Hub) {
        let due = self.outbox.due(hub.chain.mempool(), hub.now.elapsed, &mut hub.random);
        for (peer, wtxids) in due {
            hub.send([peer], Note::Transactions(wtxids));
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        self.outbox.next_wake()
    }

    /// Some of what was asked for, in that order. What is left out is not had, unless it would not have fitted.
    fn take_answer(
        &mut self,
        hub: &mut Hub,
        peer: ConnId,
        asked: Vec<Wtxid>,
        transactions: Vec<Transaction>,
    ) -> Result<(), StoreError> {
        let bytes: usize = transactions.iter().map(Transaction::encoded_len).sum();
        let may_be_cut = !transactions.is_empty() && bytes + MAX_TRANSACTION_BYTES > MAX_TRANSACTIONS_BYTES;
        let mut asked = asked.into_iter();
        for transaction in transactions {
            let (wtxid, txid) = (transaction.wtxid(), Wtxid(transaction.txid().0));
            loop {
                match asked.next() {
                    Some(one) if one == wtxid || one == txid => {
                        if hub.may_judge(peer) {
                            self.wanted.settled(&one);
                            self.take(hub, peer, transaction)?;
                        } else {
                            self.wanted.ask_another(one);
                        }
                        break;
                    }
                    Some(other) => self.wanted.ask_another(other),
                    None => {
                        hub.blame(peer, Fault::WrongAnswer);
                        return Ok(());
                    }
                }
            }
        }
        for rest in asked {
            if may_be_cut { self.wanted.ask_again(peer, rest) } else { self.wanted.ask_another(rest) }
        }
        Ok(())
    }

    /// Judges what a peer gave. Its length comes first, for all else takes longer the longer it is: nobody honest relays one
    /// above policy's maximum. Then what the law says of it alone: policy would only say that it is not wanted.
    fn take(&mut self, hub: &mut Hub, peer: ConnId, transaction: Transaction) -> Result<(), StoreError> {
        let (wtxid, bytes) = (transaction.wtxid(), transaction.encoded_len());
        self.outbox.has(peer, wtxid);
        if bytes > MAX_TRANSACTION_BYTES {
            self.rejected.insert(wtxid);
            hub.judged_in_vain(peer, bytes);
            hub.blame(peer, Fault::Flood("a transaction longer than any that is relayed"));
            return Ok(());
        }
        if let Err(violation) = isolation::check_transaction(&transaction) {
            hub.judged_in_vain(peer, bytes);
            self.refused(hub, peer, wtxid, &violation.into());
            return Ok(());
        }
        self.judge(hub, peer, transaction)
    }

    /// Judges one that is good in itself against the chain and what waits.
    fn judge(&mut self, hub: &mut Hub, peer: ConnId, transaction: Transaction) -> Result<(), StoreError> {
        let error = match hub.submit(transaction.clone()) {
            Ok(admitted) => {
                let now = hub.now.elapsed;
                if let Some(peer) = hub.peers.get_mut(peer).filter(|_| !admitted.known) {
                    peer.last_transaction = Some(now);
                }
                return Ok(());
            }
            Err(AdmitError::Store(error)) => return Err(error),
            Err(error) => error,
        };
        hub.judged_in_vain(peer, transaction.encoded_len());
        if verdict::of_error(&error) == Verdict::Orphan {
            return self.keep_orphan(hub, peer, transaction);
        }
        self.refused(hub, peer, transaction.wtxid(), &error);
        Ok(())
    }

    fn refused(&mut self, hub: &mut Hub, peer: ConnId, wtxid: Wtxid, error: &AdmitError) {
        self.rejected.insert(wtxid);
        if verdict::of_error(error) == Verdict::Invalid {
            hub.blame(peer, Fault::InvalidTransaction(error.to_string()));
        }
    }

    /// Keeps one whose parents are unknown, and asks who sent it for them. What was confirmed already spends what is gone.
    fn keep_orphan(&mut self, hub: &Hub, peer: ConnId, transaction: Transaction) -> Result<(), StoreError> {
        let txid = transaction.txid();
        for (index, _) in (0..).zip(transaction.body().outputs()).take(MOST_OUTPUTS_SOUGHT) {
            if hub.chain.chain().coin(&Outpoint { txid, index })?.is_some() {
                self.rejected.insert(transaction.wtxid());
                return Ok(());
            }
        }
        let mut parents = BTreeMap::new();
        for input in transaction.body().inputs() {
            let is_known = parents.contains_key(&input.txid) || hub.chain.mempool().contains(&input.txid);
            if !is_known && hub.chain.chain().coin(input)?.is_none() {
                parents.insert(input.txid, *input);
            }
            if parents.len() >= MAX_CHAIN as usize {
                break;
            }
        }
        if parents.is_empty() || parents.len() >= MAX_CHAIN as usize {
            self.rejected.insert(transaction.wtxid());
            return Ok(());
        }
        for parent in parents.keys() {
            self.wanted.announced(peer, Wtxid(parent.0));
        }
        self.orphans.keep(transaction, parents, peer);
        Ok(())
    }

    fn retry(&mut self, hub: &mut Hub, orphans: Vec<Orphan>) -> Result<(), StoreError> {
        orphans.into_iter().try_for_each(|orphan| self.judge(hub, orphan.from, orphan.transaction))
    }

    /// What was refused may be good now; parents may have been confirmed; what came back is announced again.
    fn new_tip(&mut self, hub: &mut Hub, disconnected: &[BlockHash]) -> Result<(), StoreError> {
        self.rejected.clear();
        let chain = hub.chain.chain();
        let ready = self.orphans.new_tip(|outpoint| Ok::<_, StoreError>(chain.coin(outpoint)?.is_some()))?;
        self.retry(hub, ready)?;
        let mut left = MOST_QUEUED;
        for hash in disconnected.iter().take(MOST_BLOCKS_BACK) {
            let Some(block) = hub.chain.chain().block(hash)? else { continue };
            for transaction in block.transactions {
                let wtxid = transaction.wtxid();
                if left > 0 && hub.chain.mempool().get_by_witness(&wtxid).is_some() {
                    left -= 1;
                    self.outbox.announce(wtxid, hub.now.elapsed, &mut hub.random);
                }
            }
        }
        Ok(())
    }
}

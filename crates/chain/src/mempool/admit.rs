//! The way in: every rule of the law against the tip and then every rule of policy, cheap before dear, signatures last.

use bloom_consensus::rules::{isolation, utxo};
use bloom_consensus::{Amount, Coin, Height, Outpoint, Output, Timestamp, Transaction, TransactionViolation, Txid};

use super::Mempool;
use super::entry::{Slot, Totals};
use super::error::AdmitError;
use super::graph::Candidate;
use super::policy::{DUST_UNITS, MAX_CHAIN, MAX_CHAIN_BYTES, MAX_TRANSACTION_BYTES};
use super::replace::Replacement;
use crate::{Chain, FeeRate};

/// What became of a transaction that was handed in and is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its id.
    pub txid: Txid,
    /// What it pays.
    pub fee: Amount,
    /// Whether the very same waited already.
    pub known: bool,
    /// What it replaced, with all that stood on that; parents before children.
    pub replaced: Vec<Txid>,
    /// What left to make room.
    pub evicted: Vec<Txid>,
}

/// Where a transaction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody hands it in.
    New,
    /// It had been here, or on a branch that lost, since this time: it need not pay again and may not replace.
    Back { added: Timestamp, height: Height },
}

/// What a transaction spends.
struct Spending {
    coins: Vec<Coin>,
    fee: Amount,
    newest_coin: Height,
    earliest: Height,
}

impl Mempool {
    /// Takes a transaction in if the next block may hold it and policy lets it.
    pub(crate) fn admit(
        &mut self,
        chain: &mut Chain,
        transaction: Transaction,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Admitted, AdmitError> {
        let txid = transaction.txid();
        if let Some(entry) = self.get(&txid) {
            let (got, expected) = (transaction.wtxid(), entry.transaction.wtxid());
            if got == expected {
                return Ok(Admitted { txid, fee: entry.fee, known: true, replaced: Vec::new(), evicted: Vec::new() });
            }
            return Err(AdmitError::OtherSignatures { txid, got, expected });
        }
        let next = next_height(chain);
        isolation::check_not_before(&transaction, next)?;
        if origin == Origin::New {
            check_size(&transaction)?;
            check_dust(&transaction)?;
        }
        let spending = self.spending(chain, &transaction, next)?;
        let own = Totals { count: 1, bytes: transaction.encoded_len() as u64, fees: spending.fee };
        let replacement = Replacement::of(self, &transaction);
        if origin == Origin::New {
            let expected = self.min_fee_rate();
            if spending.fee < expected.fee(transaction.encoded_len()) {
                return Err(AdmitError::FeeRate { got: own.rate(), expected });
            }
        } else if let Some((outpoint, by)) = replacement.first(self) {
            return Err(AdmitError::Conflict { outpoint, by });
        }
        let parents = self.graph.parents(transaction.body().inputs());
        let replaced = replacement.check(self, &transaction, own, &parents)?;
        self.check_chain(own, &parents, &replaced)?;
        let spent: Vec<Output> = spending.coins.iter().map(|coin| coin.output).collect();
        chain.verify_transaction(&transaction, &spent)?;

        let (added, height) = match origin {
            Origin::New => (now, chain.tip().height),
            Origin::Back { added, height } => (added, height),
        };
        let Spending { fee, newest_coin, earliest, .. } = spending;
        let candidate = Candidate { transaction, fee, added, height, newest_coin, earliest };
        self.put(candidate, &replaced)
    }

    /// Replaces, inserts and makes room; if there is none for it, all is as before but for what left.
    fn put(&mut self, candidate: Candidate, replaced: &[Slot]) -> Result<Admitted, AdmitError> {
        let (txid, fee) = (candidate.transaction.txid(), candidate.fee);
        let got = FeeRate::of(fee, candidate.transaction.encoded_len());
        let replaced = self.graph.remove_with_descendants(replaced);
        self.graph.insert(candidate);
        self.revision += 1;
        let mut evicted = self.make_room();
        if self.contains(&txid) {
            let replaced = replaced.iter().map(|entry| entry.transaction.txid()).collect();
            return Ok(Admitted { txid, fee, known: false, replaced, evicted });
        }
        for entry in replaced {
            // What made room may have been a parent of theirs.
            let inputs = entry.transaction.body().inputs();
            if !inputs.iter().any(|input| evicted.contains(&input.txid)) {
                self.graph.insert(entry.into());
            } else {
                evicted.push(entry.transaction.txid());
            }
        }
        self.make_room();
        Err(AdmitError::Full { got })
    }

    /// The coins that it spends, from the tip or from what waits; fee and the heights that it depends on.
    fn spending(&self, chain: &Chain, transaction: &Transaction, next: Height) -> Result<Spending, AdmitError> {
        let body = transaction.body();
        let mut newest_coin = Height::GENESIS;
        let mut earliest = body.not_before();
        let mut coins = Vec::with_capacity(body.inputs().len());
        for outpoint in body.inputs() {
            if let Some(output) = self.waiting_output(outpoint) {
                coins.push(Coin { output, height: next, is_coinbase: false });
                continue;
            }
            let coin = chain.coin(outpoint)?;
            let coin = coin.ok_or(TransactionViolation::MissingInput { outpoint: *outpoint })?;
            newest_coin = newest_coin.max(coin.height);
            if coin.is_coinbase {
                earliest = earliest.max(maturity(coin.height));
            }
            coins.push(coin);
        }
        let fee = utxo::check_spend(body, next, &coins)?;
        Ok(Spending { coins, fee, newest_coin, earliest })
    }

    fn waiting_output(&self, outpoint: &Outpoint) -> Option<Output> {
        let outputs = self.get(&outpoint.txid)?.transaction.body().outputs();
        outputs.get(usize::try_from(outpoint.index).ok()?).copied()
    }

    /// Chains are bounded, so that no transaction's coming or going is much work (attacks 31).
    fn check_chain(&self, own: Totals, parents: &[Slot], replaced: &[Slot]) -> Result<(), AdmitError> {
        let most = MAX_CHAIN as usize - 1;
        let ancestors = self.graph.with_ancestors(parents, most).ok_or(AdmitError::TooManyAncestors)?;
        let bytes: u64 = ancestors.iter().map(|slot| self.graph.at(*slot).bytes() as u64).sum();
        if !ancestors.is_empty() && bytes + own.bytes > MAX_CHAIN_BYTES {
            return Err(AdmitError::AncestorBytes { got: bytes + own.bytes });
        }
        for slot in ancestors {
            let entry = self.graph.at(slot);
            let ancestor = entry.transaction.txid();
            let mut carried = entry.descendants;
            carried.add(own);
            for gone in self.replaced_under(slot, replaced) {
                carried.remove(gone);
            }
            if carried.count > MAX_CHAIN {
                return Err(AdmitError::TooManyDescendants { ancestor, got: carried.count });
            }
            if carried.bytes > MAX_CHAIN_BYTES {
                return Err(AdmitError::DescendantBytes { ancestor, got: carried.bytes });
            }
        }
        Ok(())
    }

    /// What leaves of that which an entry carries.
    fn replaced_under(&self, slot: Slot, replaced: &[Slot]) -> Vec<Totals> {
        if replaced.is_empty() {
            return Vec::new();
        }
        let carried = self.graph.with_descendants(&[slot], usize::MAX).expect("no limit is given");
        carried.iter().filter(|slot| replaced.contains(slot)).map(|slot| self.graph.at(*slot).own()).collect()
    }
}

/// The height of the block that a transaction could be in at the earliest.
pub(crate) fn next_height(chain: &Chain) -> Height {
    Height(chain.tip().height.0.saturating_add(1))
}

/// The first height at which a coinbase of this height may be spent (law §7).
fn maturity(coinbase: Height) -> Height {
    Height(coinbase.0.saturating_add(bloom_consensus::constants::COINBASE_MATURITY))
}

fn check_size(transaction: &Transaction) -> Result<(), AdmitError> {
    let got = transaction.encoded_len();
    if got > MAX_TRANSACTION_BYTES { Err(AdmitError::TooLong { got }) } else { Ok(()) }
}

fn check_dust(transaction: &Transaction) -> Result<(), AdmitError> {
    let mut outputs = (0..).zip(transaction.body().outputs());
    match outputs.find(|(_, output)| output.amount.units() < DUST_UNITS) {
        Some((position, output)) => Err(AdmitError::Dust { position, got: output.amount }),
        None => Ok(()),
    }
}

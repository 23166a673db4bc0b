//! Raising the fee of what waits: by a transaction in its place, or by a child that pays for its parent.

use bloom_chain::FeeRate;
use bloom_chain::mempool::policy::MIN_RELAY_RATE;
use bloom_consensus::{Amount, Height, Outpoint, Output, Transaction, Txid};

use crate::KeyChain;
use crate::book::{OwnCoin, Record, Status};
use crate::build::{Purse, Spent, Unsigned, add, assemble, check_fee_for, check_rate, sum};
use crate::error::BuildError;
use crate::size::{DUST, most_inputs, transaction_bytes};

/// What raises a fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// The transaction to sign and send.
    pub unsigned: Unsigned,
    /// Which one it takes the place of; `None` for a child that pays for its parent.
    pub replaces: Option<Txid>,
    /// What all that is for: what the payment pays, or what comes in by it. Its fee is measured against this.
    pub sake: Amount,
}

impl Raise {
    /// Whether its fee looks meant, as [`crate::build::check_fee`].
    ///
    /// # Errors
    /// [`BuildError::HighFee`].
    pub fn check_fee(&self) -> Result<(), BuildError> {
        check_fee_for(self.unsigned.fee, self.sake)
    }
}

/// An own transaction that waits.
struct Old<'a> {
    record: &'a Record,
    transaction: &'a Transaction,
    fee: Amount,
    rate: FeeRate,
}

impl Old<'_> {
    fn is_change(&self, at: u32) -> bool {
        self.record.received.iter().any(|own| own.index == at && own.is_change())
    }

    /// What it pays; all of it, if that is the wallet itself.
    fn sake(&self) -> Amount {
        let outputs = self.transaction.body().outputs();
        let paid = sum((0..).zip(outputs).filter(|(at, _)| !self.is_change(*at)).map(|(_, output)| output.amount));
        if paid == Amount::ZERO { sum(outputs.iter().map(|output| output.amount)) } else { paid }
    }
}

impl Purse<'_> {
    /// Raises the fee of an own payment by replacing it, that of another's to this wallet by a child. Without a rate the
    /// one suggested is taken, or a quarter above the present one if that is more.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn bump(&self, txid: &Txid, rate: Option<FeeRate>, suggested: FeeRate) -> Result<Raise, BuildError> {
        let record = self.waiting(txid)?;
        if record.is_own() {
            let old = self.old(record)?;
            let rate = higher_rate(old.rate, rate, suggested)?;
            Ok(Raise { unsigned: self.replacement(&old, rate)?, replaces: Some(*txid), sake: old.sake() })
        } else {
            let unsigned = self.child(record, rate, suggested)?;
            let incoming = unsigned.spent.iter().filter(|spent| spent.outpoint.txid == *txid);
            let sake = sum(incoming.map(|spent| spent.coin.output.amount));
            Ok(Raise { unsigned, replaces: None, sake })
        }
    }

    /// Takes an own payment back: in its place everything goes to the wallet itself.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn cancel(&self, txid: &Txid, rate: Option<FeeRate>, suggested: FeeRate) -> Result<Raise, BuildError> {
        let record = self.waiting(txid)?;
        if !record.is_own() {
            return Err(not_replaceable(txid, "is not this wallet's to cancel"));
        }
        let old = self.old(record)?;
        let rate = higher_rate(old.rate, rate, suggested)?;
        let spent = self.spent_by(&old);
        let fee = self.replacing_fee(&old, rate, spent.len(), 1);
        let inputs = sum(spent.iter().map(|spent| spent.coin.output.amount));
        let rest = inputs.checked_sub(fee).filter(|rest| *rest >= DUST);
        let rest = rest.ok_or_else(|| self.insufficient(inputs, add(fee, DUST)))?;
        let unsigned = assemble(Height(0), spent, vec![self.change_of(&old, rest)], Some(0))?;
        Ok(Raise { unsigned, replaces: Some(*txid), sake: old.sake() })
    }

    fn waiting(&self, txid: &Txid) -> Result<&Record, BuildError> {
        let record = self.book.record(txid).ok_or(BuildError::Unknown { txid: *txid })?;
        match self.view.status(txid) {
            Status::Pending | Status::Recorded => Ok(record),
            Status::Confirmed(block) => Err(not_replaceable(txid, format!("is confirmed at height {}", block.height))),
            Status::Replaced { by } => Err(not_replaceable(txid, format!("was replaced by {by}"))),
            Status::Conflicted { by } => Err(not_replaceable(txid, format!("conflicts with {by}"))),
            Status::Withdrawn => Err(not_replaceable(txid, "was withdrawn")),
            Status::Gone => Err(not_replaceable(txid, "is neither in the mempool nor on the chain")),
        }
    }

    fn old<'a>(&self, record: &'a Record) -> Result<Old<'a>, BuildError> {
        for output in &record.received {
            let outpoint = Outpoint { txid: record.txid, index: output.index };
            if let Some(child) = self.view.spender(&outpoint) {
                let why = format!("has its change spent by {child}, which would go with it: bump that one instead");
                return Err(not_replaceable(&record.txid, why));
            }
        }
        let (transaction, fee) = record
            .transaction
            .as_ref()
            .zip(record.fee)
            .ok_or_else(|| not_replaceable(&record.txid, "is not known as a whole, so it cannot be made again"))?;
        Ok(Old { record, transaction, fee, rate: FeeRate::of(fee, transaction.encoded_len()) })
    }

    /// Same inputs and more if need be, same recipients, less change.
    fn replacement(&self, old: &Old<'_>, rate: FeeRate) -> Result<Unsigned, BuildError> {
        let outputs = (0..).zip(old.transaction.body().outputs());
        let fixed: Vec<Output> = outputs.filter(|(at, _)| !old.is_change(*at)).map(|(_, output)| *output).collect();
        let paid = sum(fixed.iter().map(|output| output.amount));
        let mut spent = self.spent_by(old);
        let mut more = self.confirmed_coins();
        more.sort_by_key(|coin| coin.amount); // the largest is added first
        loop {
            let inputs = sum(spent.iter().map(|spent| spent.coin.output.amount));
            let rest =
                |outputs| inputs.checked_sub(paid)?.checked_sub(self.replacing_fee(old, rate, spent.len(), outputs));
            if let Some(change) = rest(fixed.len() + 1).filter(|change| *change >= DUST) {
                let mut outputs = fixed;
                let at = outputs.len() as u32;
                outputs.push(self.change_of(old, change));
                return assemble(old.transaction.body().not_before(), spent, outputs, Some(at));
            }
            if !fixed.is_empty() && rest(fixed.len()).is_some() {
                return assemble(old.transaction.body().not_before(), spent, fixed, None);
            }
            let fee = self.replacing_fee(old, rate, spent.len(), fixed.len().max(1));
            let coin = if spent.len() < most_inputs(fixed.len() + 1) { more.pop() } else { None };
            let Some(coin) = coin else { return Err(self.insufficient(inputs, add(paid, fee))) };
            spent.push(self.spent(&coin));
        }
    }

    /// A child of another's payment that spends all that it pays here, with a fee for both.
    fn child(&self, parent: &Record, rate: Option<FeeRate>, suggested: FeeRate) -> Result<Unsigned, BuildError> {
        let unknown = || not_replaceable(&parent.txid, "has a fee that is not known, so what to add to it is neither");
        let parent_fee = parent.fee.ok_or_else(unknown)?;
        let parent_bytes = usize::try_from(parent.bytes).map_err(|_| unknown())?;
        let rate = higher_rate(FeeRate::of(parent_fee, parent_bytes), rate, suggested)?;
        let of_parent = |coin: &&OwnCoin| coin.outpoint.txid == parent.txid;
        let mut spent: Vec<Spent> = self.view.coins().filter(of_parent).map(|coin| self.spent(coin)).collect();
        if spent.is_empty() {
            return Err(not_replaceable(&parent.txid, "has no unspent output of this wallet to spend"));
        }
        let mut more = self.confirmed_coins();
        more.sort_by_key(|coin| coin.amount);
        loop {
            let bytes = transaction_bytes(spent.len(), 1);
            let for_both = rate.fee(parent_bytes + bytes).checked_sub(parent_fee).unwrap_or(Amount::ZERO);
            let fee = for_both.max(MIN_RELAY_RATE.fee(bytes));
            let inputs = sum(spent.iter().map(|spent| spent.coin.output.amount));
            if let Some(rest) = inputs.checked_sub(fee).filter(|rest| *rest >= DUST) {
                return assemble(Height(0), spent, vec![self.change_output(rest, 0)], Some(0));
            }
            let coin = if spent.len() < most_inputs(1) { more.pop() } else { None };
            let Some(coin) = coin else { return Err(self.insufficient(inputs, add(fee, DUST))) };
            spent.push(self.spent(&coin));
        }
    }

    /// What a replacement pays: its rate, and at least a unit a byte above what it replaces, more for each byte too.
    fn replacing_fee(&self, old: &Old<'_>, rate: FeeRate, inputs: usize, outputs: usize) -> Amount {
        let bytes = transaction_bytes(inputs, outputs);
        let above_old = add(old.fee, MIN_RELAY_RATE.fee(bytes));
        let above_rate = FeeRate::per_kilobyte(old.rate.units_per_kilobyte().saturating_add(1)).fee(bytes);
        rate.fee(bytes).max(above_old).max(above_rate)
    }

    fn spent_by(&self, old: &Old<'_>) -> Vec<Spent> {
        let coin = |outpoint: &Outpoint| {
            let output = self.book.output(outpoint)?;
            let maker = self.book.record(&outpoint.txid)?;
            Some(self.spent(&OwnCoin {
                outpoint: *outpoint,
                amount: output.amount,
                path: output.path,
                coinbase: maker.coinbase,
                height: maker.confirmed.map(|block| block.height),
                own_pending: maker.is_own(),
                from_self: maker.spends_own(),
            }))
        };
        old.record.spends.iter().filter_map(coin).collect()
    }

    /// Change stays where it was.
    fn change_of(&self, old: &Old<'_>, amount: Amount) -> Output {
        match old.record.received.iter().find(|own| own.path.chain == KeyChain::Change) {
            Some(own) => Output { amount, key: self.watch.key(&own.path) },
            None => self.change_output(amount, 0),
        }
    }
}

fn higher_rate(present: FeeRate, asked: Option<FeeRate>, suggested: FeeRate) -> Result<FeeRate, BuildError> {
    let quarter_above = FeeRate::per_kilobyte(present.units_per_kilobyte().saturating_mul(5).div_ceil(4));
    let rate = asked.unwrap_or_else(|| suggested.max(quarter_above).max(MIN_RELAY_RATE));
    check_rate(rate)?;
    if rate <= present {
        return Err(BuildError::RateNotHigher { got: rate, present });
    }
    Ok(rate)
}

fn not_replaceable(txid: &Txid, why: impl Into<String>) -> BuildError {
    BuildError::NotReplaceable { txid: *txid, why: why.into() }
}

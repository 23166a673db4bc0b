//! Blocks in the context of the unspent outputs of their branch (law §7).

use super::isolation::first_repeated;
use crate::constants::COINBASE_MATURITY;
use crate::reward::reward;
use crate::signing::check_signatures;
use crate::{
    Amount, Block, Body, CheckError, Coinbase, Contents, Height, NetworkId, Outpoint, Output, RuleViolation,
    Transaction, TransactionViolation, Txid,
};

/// An unspent output with what its spending depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coin {
    /// What can be spent, by whom.
    pub output: Output,
    /// The height of the block that created it.
    pub height: Height,
    /// Whether a coinbase created it, so that it must mature.
    pub is_coinbase: bool,
}

/// The unspent outputs of the branch that a block extends, as its parent left them.
pub trait CoinView {
    /// Why a coin could not be read; [`std::convert::Infallible`] in memory.
    type Error;

    /// The coin at an outpoint, `None` if there never was one or it is spent.
    ///
    /// # Errors
    /// The store's own.
    fn coin(&self, outpoint: &Outpoint) -> Result<Option<Coin>, Self::Error>;
}

/// What a block changes about the unspent outputs. Outputs that it both creates and spends appear in neither list, so
/// removing `spent` and adding `created` applies it, in any order, and the reverse undoes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockEffect {
    /// Coins of earlier blocks that are gone, in ascending order.
    pub spent: Vec<(Outpoint, Coin)>,
    /// Coins that are new, in ascending order.
    pub created: Vec<(Outpoint, Coin)>,
    /// Inputs less outputs over all transactions.
    pub fees: Amount,
}

/// What [`spend`] found: what the block changes, and what its signatures must be checked against.
pub struct Spending<'a> {
    changes: Changes<'a>,
    fees: Amount,
    /// The output that each input spends, over all transactions in their order.
    outputs: Vec<Output>,
}

impl<'a> Spending<'a> {
    /// Each transaction of the block with the outputs that it spends, one for each input, in their order.
    pub fn transactions(&self) -> impl Iterator<Item = (&'a Transaction, &[Output])> {
        let mut rest = self.outputs.as_slice();
        self.changes.contents.transactions.iter().map(move |transaction| {
            let (own, others) = rest.split_at_checked(transaction.body().inputs().len()).unwrap_or((rest, &[]));
            rest = others;
            (transaction, own)
        })
    }

    /// Inputs less outputs over all transactions.
    #[must_use]
    pub fn fees(&self) -> Amount {
        self.fees
    }

    /// What the block changes, if its signatures are good.
    #[must_use]
    pub fn into_effect(self) -> BlockEffect {
        self.changes.into_effect(self.fees)
    }
}

/// Connects a block to its branch: every input exists, is unspent and mature, sums hold, the coinbase takes no more than
/// it may, and, dearest last, every signature is good. [`super::isolation::check_body`] must have passed.
///
/// # Errors
/// [`CheckError::Rule`] for the first rule violated, [`CheckError::Store`] for a coin that could not be read.
pub fn connect<V: CoinView>(
    network: &NetworkId,
    block: &Block,
    coins: &V,
) -> Result<BlockEffect, CheckError<V::Error>> {
    let spending = spend(block.contents(), coins)?;
    for (position, (transaction, spent)) in spending.transactions().enumerate() {
        check_signatures(network, transaction, spent)
            .map_err(|violation| RuleViolation::Transaction { position, violation })?;
    }
    Ok(spending.into_effect())
}

/// What of [`connect`] comes before the signatures. They are all that is left then, and may be checked in any order as
/// long as the lowest position that fails is the one reported.
///
/// # Errors
/// As [`connect`].
pub fn spend<'a, V: CoinView>(contents: Contents<'a>, coins: &V) -> Result<Spending<'a>, CheckError<V::Error>> {
    let height = contents.template.height;
    let mut ledger = Ledger::new(contents, coins);
    let mut fees = Amount::ZERO;
    let mut outputs = Vec::with_capacity(contents.transactions.len());
    let mut taken = Vec::new();
    for (position, transaction) in contents.transactions.iter().enumerate() {
        let at = |violation| RuleViolation::Transaction { position, violation };
        taken.clear();
        ledger.take(position, transaction.body(), &mut taken)?;
        let fee = check_spend(transaction.body(), height, &taken).map_err(at)?;
        fees = fees.checked_add(fee).ok_or(RuleViolation::FeeSum)?;
        outputs.extend(taken.iter().map(|coin| coin.output));
    }
    coinbase_amount(contents.coinbase, height, fees)?;
    Ok(Spending { changes: ledger.changes, fees, outputs })
}

/// A transaction against the coins that it spends, one for each input in their order, but for its signatures: maturity
/// and sums. Yields the fee.
///
/// # Errors
/// The first rule violated.
pub fn check_spend(body: &Body, height: Height, spent: &[Coin]) -> Result<Amount, TransactionViolation> {
    let (got, expected) = (spent.len(), body.inputs().len());
    if got != expected {
        return Err(TransactionViolation::SpentCount { got, expected });
    }
    for (outpoint, coin) in body.inputs().iter().zip(spent) {
        mature(outpoint, coin, height)?;
    }
    let inputs = Amount::checked_sum(spent.iter().map(|coin| coin.output.amount));
    let inputs = inputs.ok_or(TransactionViolation::InputSum)?;
    let outputs = Amount::checked_sum(body.outputs().iter().map(|output| output.amount));
    let outputs = outputs.ok_or(TransactionViolation::OutputSum)?;
    // "Inputs ≥ outputs; the difference is the fee."
    inputs.checked_sub(outputs).ok_or(TransactionViolation::Overspend { got: outputs, expected: inputs })
}

/// "a coinbase's from height c may be spent in a block of height ≥ c + 123"
fn mature(outpoint: &Outpoint, coin: &Coin, height: Height) -> Result<(), TransactionViolation> {
    let age = height.0.saturating_sub(coin.height.0);
    if coin.is_coinbase && age < COINBASE_MATURITY {
        let expected = Height(coin.height.0.saturating_add(COINBASE_MATURITY));
        return Err(TransactionViolation::Immature { outpoint: *outpoint, got: height, expected });
    }
    Ok(())
}

/// "Coinbase outputs ≤ reward + fees"
fn coinbase_amount(coinbase: &Coinbase, height: Height, fees: Amount) -> Result<(), RuleViolation> {
    let expected = reward(height).checked_add(fees).ok_or(RuleViolation::FeeSum)?;
    let got = Amount::checked_sum(coinbase.outputs().iter().map(|output| output.amount));
    let got = got.ok_or(RuleViolation::CoinbaseSum)?;
    if got > expected {
        return Err(RuleViolation::CoinbaseAmount { got, expected });
    }
    Ok(())
}

/// What a block spends and makes.
struct Changes<'a> {
    contents: Contents<'a>,
    /// Every id of the block and its position, ascending: the coinbase comes last, so that nothing is after it.
    ids: Vec<(Txid, usize)>,
    /// How many outputs the transactions before each position make.
    before: Vec<usize>,
    /// For every output of the transactions, whether the block itself has spent it.
    passed_on: Vec<bool>,
    /// Coins of earlier blocks.
    spent: Vec<(Outpoint, Coin)>,
}

/// The branch's coins with a block's changes so far on top.
struct Ledger<'a, 'v, V> {
    coins: &'v V,
    changes: Changes<'a>,
    /// The first input that spends what one before it spends, counted over the block.
    repeated: Option<usize>,
    /// Inputs met so far.
    met: usize,
}

impl<'a> Changes<'a> {
    fn none(contents: Contents<'a>) -> Self {
        let transactions = contents.transactions;
        let own = (contents.coinbase.id(), transactions.len());
        let mut ids: Vec<_> = transactions.iter().map(Transaction::txid).zip(0..).chain([own]).collect();
        ids.sort_unstable();
        let mut outputs = 0_usize;
        let before = transactions.iter().map(|transaction| {
            let before = outputs;
            outputs = outputs.saturating_add(transaction.body().outputs().len());
            before
        });
        let before = before.collect();
        let passed_on = vec![false; outputs];
        Self { contents, ids, before, passed_on, spent: Vec::with_capacity(transactions.len()) }
    }

    /// The output at an outpoint, if a transaction before this position made it; it is spent now.
    fn pass_on(&mut self, position: usize, outpoint: &Outpoint) -> Option<Coin> {
        let first = self.ids.partition_point(|(id, _)| *id < outpoint.txid);
        let (_, maker) = *self.ids.get(first).filter(|(id, at)| *id == outpoint.txid && *at < position)?;
        let index = usize::try_from(outpoint.index).ok()?;
        let output = *self.contents.transactions.get(maker)?.body().outputs().get(index)?;
        *self.passed_on.get_mut(self.before.get(maker)?.saturating_add(index))? = true;
        Some(Coin { output, height: self.contents.template.height, is_coinbase: false })
    }

    /// What is left of the block's own outputs, and what it took from others; the ids give the order.
    fn into_effect(self, fees: Amount) -> BlockEffect {
        let Contents { template, coinbase, transactions } = self.contents;
        let mut created = Vec::with_capacity(self.passed_on.len().saturating_add(coinbase.outputs().len()));
        for (txid, position) in self.ids {
            let transaction = transactions.get(position);
            let outputs = transaction.map_or(coinbase.outputs(), |transaction| transaction.body().outputs());
            let passed_on = self.before.get(position).and_then(|first| self.passed_on.get(*first..)).unwrap_or(&[]);
            // The list goes on beyond this transaction's, and has nothing for the coinbase.
            let passed_on = passed_on.iter().copied().chain(std::iter::repeat(false));
            let is_coinbase = transaction.is_none();
            let left = (0..).zip(outputs).zip(passed_on).filter(|(_, passed_on)| !passed_on);
            created.extend(left.map(|((index, output), _)| {
                let coin = Coin { output: *output, height: template.height, is_coinbase };
                (Outpoint { txid, index }, coin)
            }));
        }
        let mut spent = self.spent;
        spent.sort_unstable_by_key(|(outpoint, _)| *outpoint);
        BlockEffect { spent, created, fees }
    }
}

impl<'a, 'v, V: CoinView> Ledger<'a, 'v, V> {
    fn new(contents: Contents<'a>, coins: &'v V) -> Self {
        let repeated = first_repeated(contents.transactions);
        Self { coins, changes: Changes::none(contents), repeated, met: 0 }
    }

    /// Spends a transaction's inputs: "a transaction may spend only outputs of earlier blocks or of transactions before
    /// it", and each once.
    fn take(&mut self, position: usize, body: &Body, taken: &mut Vec<Coin>) -> Result<(), CheckError<V::Error>> {
        for outpoint in body.inputs() {
            let violation = TransactionViolation::MissingInput { outpoint: *outpoint };
            let missing = RuleViolation::Transaction { position, violation };
            if self.repeated == Some(self.met) {
                return Err(missing.into());
            }
            self.met = self.met.saturating_add(1);
            if let Some(coin) = self.changes.pass_on(position, outpoint) {
                taken.push(coin);
                continue;
            }
            let coin = self.coins.coin(outpoint).map_err(CheckError::Store)?.ok_or(missing)?;
            self.changes.spent.push((*outpoint, coin));
            taken.push(coin);
        }
        Ok(())
    }
}

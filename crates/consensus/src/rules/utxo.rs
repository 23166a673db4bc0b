//! Blocks in the context of the unspent outputs of their branch (law §7).

use std::collections::BTreeMap;

use crate::constants::COINBASE_MATURITY;
use crate::reward::reward;
use crate::signing::check_signatures;
use crate::{
    Amount, Block, Body, CheckError, Coinbase, Height, NetworkId, Outpoint, Output, RuleViolation,
    TransactionViolation, Txid,
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
    let height = block.header.template.height;
    let mut ledger = Ledger { coins, spent: BTreeMap::new(), created: BTreeMap::new() };
    let mut fees = Amount::ZERO;
    let mut spent = Vec::with_capacity(block.transactions.len());
    for (position, transaction) in block.transactions.iter().enumerate() {
        let at = |violation| RuleViolation::Transaction { position, violation };
        let body = transaction.body();
        let inputs = ledger.take(body, at)?;
        let fee = check_spend(body, height, &inputs).map_err(at)?;
        fees = fees.checked_add(fee).ok_or(RuleViolation::FeeSum)?;
        ledger.create(transaction.txid(), body.outputs(), height, false);
        spent.push(inputs.iter().map(|coin| coin.output).collect::<Vec<_>>());
    }
    coinbase_amount(&block.coinbase, height, fees)?;
    for (position, (transaction, spent)) in block.transactions.iter().zip(&spent).enumerate() {
        check_signatures(network, transaction, spent)
            .map_err(|violation| RuleViolation::Transaction { position, violation })?;
    }
    ledger.create(block.coinbase.id(), block.coinbase.outputs(), height, true);
    let Ledger { spent, created, .. } = ledger;
    Ok(BlockEffect { spent: spent.into_iter().collect(), created: created.into_iter().collect(), fees })
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

/// The branch's coins with a block's changes so far on top.
struct Ledger<'a, V> {
    coins: &'a V,
    spent: BTreeMap<Outpoint, Coin>,
    created: BTreeMap<Outpoint, Coin>,
}

impl<V: CoinView> Ledger<'_, V> {
    /// Spends a transaction's inputs: "a transaction may spend only outputs of earlier blocks or of transactions before
    /// it", and each once.
    fn take(
        &mut self,
        body: &Body,
        at: impl Fn(TransactionViolation) -> RuleViolation,
    ) -> Result<Vec<Coin>, CheckError<V::Error>> {
        let mut taken = Vec::with_capacity(body.inputs().len());
        for outpoint in body.inputs() {
            let missing = || at(TransactionViolation::MissingInput { outpoint: *outpoint });
            if let Some(coin) = self.created.remove(outpoint) {
                taken.push(coin);
                continue;
            }
            if self.spent.contains_key(outpoint) {
                return Err(missing().into());
            }
            let coin = self.coins.coin(outpoint).map_err(CheckError::Store)?.ok_or_else(missing)?;
            self.spent.insert(*outpoint, coin);
            taken.push(coin);
        }
        Ok(taken)
    }

    fn create(&mut self, txid: Txid, outputs: &[Output], height: Height, is_coinbase: bool) {
        for (index, output) in (0..).zip(outputs) {
            self.created.insert(Outpoint { txid, index }, Coin { output: *output, height, is_coinbase });
        }
    }
}

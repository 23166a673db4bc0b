//! Bodies and transactions by themselves: what needs neither ancestors nor unspent outputs (law §7).

use std::collections::BTreeSet;

use crate::constants::MAX_BLOCK_BYTES;
use crate::{
    Amount, Block, Body, CopyFault, Height, Output, Rejection, RuleViolation, Transaction, TransactionViolation,
};

/// Everything about a block's body that the block alone tells. The root comes first: a body of another root says nothing
/// about the header, and one with the header's root is the only one there can be.
///
/// # Errors
/// [`CopyFault::MerkleRoot`] for a body that is not the header's, [`RuleViolation`] for one that is and breaks a rule.
pub fn check_body(block: &Block) -> Result<(), Rejection> {
    merkle_root(block)?;
    block_size(block)?;
    coinbase_height(block)?;
    coinbase_outputs(block)?;
    let height = block.header.template.height;
    for (position, transaction) in block.transactions.iter().enumerate() {
        let at = |violation| RuleViolation::Transaction { position, violation };
        check_transaction(transaction).map_err(at)?;
        check_not_before(transaction, height).map_err(at)?;
    }
    double_spends(block)?;
    Ok(())
}

/// Everything about a transaction that it alone tells.
///
/// # Errors
/// The first rule violated.
pub fn check_transaction(transaction: &Transaction) -> Result<(), TransactionViolation> {
    let body = transaction.body();
    inputs_ascend(body)?;
    outputs_are_positive(body)?;
    output_sum(body)?;
    output_keys(body)
}

/// "A block at height h may not hold a transaction with not_before > h."
///
/// # Errors
/// [`TransactionViolation::NotBefore`].
pub fn check_not_before(transaction: &Transaction, height: Height) -> Result<(), TransactionViolation> {
    let expected = transaction.body().not_before();
    if expected > height {
        return Err(TransactionViolation::NotBefore { got: height, expected });
    }
    Ok(())
}

/// "A body whose root differs from the header's condemns that copy and its sender only."
fn merkle_root(block: &Block) -> Result<(), CopyFault> {
    let (got, expected) = (block.merkle_root(), block.header.template.merkle_root);
    if got != expected {
        return Err(CopyFault::MerkleRoot { got, expected });
    }
    Ok(())
}

/// "block ≤ 1 048 576 bytes"
fn block_size(block: &Block) -> Result<(), RuleViolation> {
    let got = block.encoded_len();
    if got > MAX_BLOCK_BYTES {
        return Err(RuleViolation::BlockTooLong { got, most: MAX_BLOCK_BYTES });
    }
    Ok(())
}

/// "the height in it is the block's"
fn coinbase_height(block: &Block) -> Result<(), RuleViolation> {
    let (got, expected) = (block.coinbase.height(), block.header.template.height);
    if got != expected {
        return Err(RuleViolation::CoinbaseHeight { got, expected });
    }
    Ok(())
}

/// "every output's key, a coinbase's too, is checked when it is created"; amounts are above 0.
fn coinbase_outputs(block: &Block) -> Result<(), RuleViolation> {
    let outputs = block.coinbase.outputs();
    if let Some(position) = first_zero(outputs) {
        return Err(RuleViolation::CoinbaseZeroOutput { position });
    }
    if let Some((position, output)) = first_bad_key(outputs) {
        return Err(RuleViolation::CoinbaseKeyNotOnCurve { position, got: output.key });
    }
    Ok(())
}

/// Every output is spent at most once in a block (CVE-2018-17144).
fn double_spends(block: &Block) -> Result<(), RuleViolation> {
    let mut spent = BTreeSet::new();
    for (position, transaction) in block.transactions.iter().enumerate() {
        for outpoint in transaction.body().inputs() {
            if !spent.insert(*outpoint) {
                return Err(RuleViolation::DoubleSpend { position, outpoint: *outpoint });
            }
        }
    }
    Ok(())
}

/// "Inputs stand in strictly ascending order, first by the 32 bytes of txid, then by index as a number."
fn inputs_ascend(body: &Body) -> Result<(), TransactionViolation> {
    let inputs = body.inputs();
    for (position, (previous, got)) in (1..).zip(inputs.iter().zip(inputs.iter().skip(1))) {
        if got == previous {
            return Err(TransactionViolation::DuplicateInput { position, got: *got });
        }
        if got < previous {
            return Err(TransactionViolation::InputsOutOfOrder { position, got: *got, previous: *previous });
        }
    }
    Ok(())
}

/// "amount (u64 units, > 0)"
fn outputs_are_positive(body: &Body) -> Result<(), TransactionViolation> {
    match first_zero(body.outputs()) {
        Some(position) => Err(TransactionViolation::ZeroOutput { position }),
        None => Ok(()),
    }
}

/// "All sums are exact and below 2⁶⁴." (CVE-2010-5139)
fn output_sum(body: &Body) -> Result<(), TransactionViolation> {
    match Amount::checked_sum(body.outputs().iter().map(|output| output.amount)) {
        Some(_) => Ok(()),
        None => Err(TransactionViolation::OutputSum),
    }
}

/// "x below the field's prime and on the curve"
fn output_keys(body: &Body) -> Result<(), TransactionViolation> {
    match first_bad_key(body.outputs()) {
        Some((position, output)) => Err(TransactionViolation::KeyNotOnCurve { position, got: output.key }),
        None => Ok(()),
    }
}

fn first_zero(outputs: &[Output]) -> Option<u32> {
    (0..).zip(outputs).find(|(_, output)| output.amount == Amount::ZERO).map(|(position, _)| position)
}

fn first_bad_key(outputs: &[Output]) -> Option<(u32, &Output)> {
    (0..).zip(outputs).find(|(_, output)| output.key.point().is_none())
}

//! Bodies and transactions by themselves: what needs neither ancestors nor unspent outputs (law §7).

use crate::constants::MAX_BLOCK_BYTES;
use crate::{
    Amount, Block, Body, Coinbase, Contents, CopyFault, Height, Outpoint, Output, Rejection, RuleViolation,
    Transaction, TransactionViolation,
};

/// Everything about a block's body that the block alone tells. The root comes first: a body of another root says nothing
/// about the header, and one with the header's root is the only one there can be. Whoever makes the checks of single
/// transactions in another way does so between [`check_frame`] and [`check_double_spends`], lowest position first.
///
/// # Errors
/// [`CopyFault::MerkleRoot`] for a body that is not the header's, [`RuleViolation`] for one that is and breaks a rule.
pub fn check_body(block: &Block) -> Result<(), Rejection> {
    let contents = block.contents();
    check_root(block)?;
    check_frame(contents)?;
    for (position, transaction) in contents.transactions.iter().enumerate() {
        let at = |violation| RuleViolation::Transaction { position, violation };
        check_transaction(transaction).map_err(at)?;
        check_not_before(transaction, contents.template.height).map_err(at)?;
    }
    check_double_spends(contents.transactions)?;
    Ok(())
}

/// "A body whose root differs from the header's condemns that copy and its sender only."
///
/// # Errors
/// [`CopyFault::MerkleRoot`].
pub fn check_root(block: &Block) -> Result<(), CopyFault> {
    let (got, expected) = (block.merkle_root(), block.header.template.merkle_root);
    if got != expected {
        return Err(CopyFault::MerkleRoot { got, expected });
    }
    Ok(())
}

/// What of [`check_body`] is about the block as a whole: its size and its coinbase.
///
/// # Errors
/// The first rule violated.
pub fn check_frame(contents: Contents<'_>) -> Result<(), RuleViolation> {
    block_size(contents)?;
    coinbase_height(contents)?;
    coinbase_outputs(contents.coinbase)
}

/// Every output is spent at most once in a block (CVE-2018-17144).
///
/// # Errors
/// [`RuleViolation::DoubleSpend`] for the first input that was there before.
pub fn check_double_spends(transactions: &[Transaction]) -> Result<(), RuleViolation> {
    let Some(repeated) = first_repeated(transactions) else {
        return Ok(());
    };
    let inputs = (0..).zip(transactions).flat_map(|(at, one)| one.body().inputs().iter().map(move |input| (at, input)));
    let (position, outpoint) = inputs.into_iter().nth(repeated).expect("it counts these inputs");
    Err(RuleViolation::DoubleSpend { position, outpoint: *outpoint })
}

/// The first input, counted over all transactions in their order, that spends what one before it spends.
pub(super) fn first_repeated(transactions: &[Transaction]) -> Option<usize> {
    let inputs = transactions.iter().flat_map(|transaction| transaction.body().inputs());
    let mut inputs: Vec<(Outpoint, usize)> = inputs.copied().zip(0..).collect();
    inputs.sort_unstable();
    let pairs = inputs.iter().zip(inputs.iter().skip(1));
    pairs.filter(|((one, _), (next, _))| one == next).map(|(_, (_, second))| *second).min()
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

/// "block ≤ 1 048 576 bytes"
fn block_size(contents: Contents<'_>) -> Result<(), RuleViolation> {
    let got = contents.encoded_len();
    if got > MAX_BLOCK_BYTES {
        return Err(RuleViolation::BlockTooLong { got, most: MAX_BLOCK_BYTES });
    }
    Ok(())
}

/// "the height in it is the block's"
fn coinbase_height(contents: Contents<'_>) -> Result<(), RuleViolation> {
    let (got, expected) = (contents.coinbase.height(), contents.template.height);
    if got != expected {
        return Err(RuleViolation::CoinbaseHeight { got, expected });
    }
    Ok(())
}

/// "every output's key, a coinbase's too, is checked when it is created"; amounts are above 0.
fn coinbase_outputs(coinbase: &Coinbase) -> Result<(), RuleViolation> {
    let outputs = coinbase.outputs();
    if let Some(position) = first_zero(outputs) {
        return Err(RuleViolation::CoinbaseZeroOutput { position });
    }
    if let Some((position, output)) = first_bad_key(outputs) {
        return Err(RuleViolation::CoinbaseKeyNotOnCurve { position, got: output.key });
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

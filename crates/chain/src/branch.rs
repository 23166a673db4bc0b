//! Blocks put on and taken off the active branch, with what they do to the unspent outputs.

use std::collections::BTreeSet;

use bloom_consensus::{Block, BlockEffect, BlockHash, CheckError, Height, Outpoint, RuleViolation};

use crate::error::StoreError;
use crate::examiner::Examiner;
use crate::failpoints::kill_point;
use crate::ledger::Ledger;
use crate::store::{Entry, Undo};

/// Why the heavier branch did not become the chain.
pub(crate) enum SwitchError {
    /// A block of it is invalid.
    Invalid { hash: BlockHash, violation: Box<RuleViolation> },
    /// The files fail.
    Store(StoreError),
}

impl From<StoreError> for SwitchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a reorganisation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// What is no longer on the chain, the old tip first.
    pub disconnected: Vec<BlockHash>,
    /// What is now on the chain, the new tip last.
    pub connected: Vec<BlockHash>,
}

/// What a block does to the unspent outputs, if every rule that depends on them holds (law §7).
pub(crate) fn judge(
    ledger: &Ledger,
    examiner: &mut Examiner,
    block: &Block,
) -> Result<Result<BlockEffect, RuleViolation>, StoreError> {
    match examiner.connect(block.contents(), ledger) {
        Ok(effect) => Ok(Ok(effect)),
        Err(CheckError::Rule(violation)) => Ok(Err(violation)),
        Err(CheckError::Store(error)) => Err(error),
    }
}

/// Puts a judged block on top of the active branch.
pub(crate) fn apply(
    ledger: &mut Ledger,
    hash: &BlockHash,
    height: Height,
    effect: BlockEffect,
) -> Result<(), StoreError> {
    for (outpoint, _) in &effect.spent {
        ledger.remove_coin(outpoint)?;
    }
    kill_point!("connect.between-tables");
    for (outpoint, coin) in &effect.created {
        ledger.add_coin(outpoint, coin)?;
    }
    ledger.activate(height, &Undo { block: *hash, spent: effect.spent })?;
    ledger.set_tip(hash)?;
    kill_point!("connect.after-tables");
    Ok(())
}

/// Takes the top block off the active branch by its undo record. Yields its parent.
pub(crate) fn revert(ledger: &mut Ledger, hash: &BlockHash) -> Result<BlockHash, StoreError> {
    let entry = ledger.known_entry(hash)?;
    let block = ledger.known_block(hash, &entry)?;
    let undo = ledger.undo(entry.height())?;
    if undo.block != *hash {
        return Err(ledger.corrupted(format!("the undo record of block {hash} is that of {}", undo.block)));
    }
    for outpoint in created(&block) {
        ledger.remove_coin(&outpoint)?;
    }
    kill_point!("disconnect.between-tables");
    for (outpoint, coin) in &undo.spent {
        ledger.add_coin(outpoint, coin)?;
    }
    ledger.deactivate(entry.height())?;
    let parent = entry.header.template.prev_hash;
    ledger.set_tip(&parent)?;
    Ok(parent)
}

/// Makes the branch that ends in `target`, all of it filed, the active one. Nothing is committed: whoever called commits
/// all of it or, after an error, rolls all of it back.
pub(crate) fn switch(
    ledger: &mut Ledger,
    examiner: &mut Examiner,
    mut tip: BlockHash,
    target: &BlockHash,
) -> Result<Switch, SwitchError> {
    let (fork, path) = path_from_active(ledger, target)?;
    let mut switch = Switch::default();
    while tip != fork {
        switch.disconnected.push(tip);
        tip = revert(ledger, &tip)?;
    }
    kill_point!("reorganise.between-branches");
    for (hash, entry) in path.into_iter().rev() {
        let block = ledger.known_block(&hash, &entry)?;
        match judge(ledger, examiner, &block)? {
            Ok(effect) => apply(ledger, &hash, entry.height(), effect)?,
            Err(violation) => {
                let violation = Box::new(violation);
                return Err(SwitchError::Invalid { hash, violation });
            }
        }
        switch.connected.push(hash);
    }
    Ok(switch)
}

/// The last active ancestor of a block, and the blocks from it on, `target` first.
pub(crate) fn path_from_active(
    ledger: &Ledger,
    target: &BlockHash,
) -> Result<(BlockHash, Vec<(BlockHash, Entry)>), StoreError> {
    let mut path = Vec::new();
    let mut hash = *target;
    loop {
        let entry = ledger.known_entry(&hash)?;
        if ledger.is_active(&hash, entry.height())? {
            return Ok((hash, path));
        }
        path.push((hash, entry));
        hash = entry.header.template.prev_hash;
    }
}

/// The outputs that a block left unspent when it was connected: those it made, less those it spent itself.
fn created(block: &Block) -> BTreeSet<Outpoint> {
    let of = |txid, count: usize| (0..).take(count).map(move |index| Outpoint { txid, index });
    let mut made: BTreeSet<_> = of(block.coinbase.id(), block.coinbase.outputs().len()).collect();
    for transaction in &block.transactions {
        let body = transaction.body();
        for input in body.inputs() {
            made.remove(input);
        }
        made.extend(of(transaction.txid(), body.outputs().len()));
    }
    made
}

//! From a payment that a wallet has built to a proposal: the origins of its coins are fetched, its owners named.

use bloom_consensus::{Outpoint, Txid};

use super::{Change, Owner, Proposal, ProposalError, Source};
use crate::book::Book;
use crate::build::Unsigned;
use crate::node::Node;
use crate::shared::Cosigners;
use crate::watch::Watch;

/// Why a payment is not prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError<E: std::error::Error + 'static> {
    /// The node's.
    #[error(transparent)]
    Node(E),
    /// What made a coin is not there any more: its block was pruned.
    #[error(
        "the origin of coin {outpoint} was pruned from this node: prepare the payment on a node that keeps all blocks"
    )]
    OriginPruned {
        /// The coin.
        outpoint: Outpoint,
    },
    /// What was built does not fit together.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
}

/// Makes a proposal of what a wallet built; `cosigners` if it spends from a key that they share.
///
/// # Errors
/// [`PrepareError`].
pub fn propose<N: Node>(
    node: &N,
    book: &Book,
    watch: &Watch,
    unsigned: &Unsigned,
    cosigners: Option<&Cosigners>,
) -> Result<Proposal, PrepareError<N::Error>> {
    let mut sources: Vec<Source> = Vec::new();
    let mut last = None;
    for outpoint in unsigned.body.inputs() {
        // Inputs of one origin stand together.
        if last != Some(outpoint.txid) {
            last = Some(outpoint.txid);
            let source = source(node, book, &outpoint.txid).map_err(PrepareError::Node)?;
            sources.push(source.ok_or(PrepareError::OriginPruned { outpoint: *outpoint })?);
        }
    }
    let owner = |path| cosigners.map_or(Owner::Path(path), |cosigners| Owner::Shared(cosigners.clone()));
    let owners = unsigned.spent.iter().map(|spent| owner(spent.path)).collect();
    let change = unsigned.change.into_iter().filter_map(|output| {
        let key = unsigned.body.outputs().get(output as usize)?.key;
        // The path of change that was never given away is the next one's.
        let path = watch.path(&key)?;
        Some(Change { output, owner: owner(path) })
    });
    Ok(Proposal::new(node.params(), unsigned.body.clone(), sources, owners, change.collect())?)
}

/// The transaction or coinbase of this id: the wallet's own that waits, or from the block that holds it.
fn source<N: Node>(node: &N, book: &Book, txid: &Txid) -> Result<Option<Source>, N::Error> {
    let Some(record) = book.record(txid) else { return Ok(None) };
    if let Some(transaction) = &record.transaction {
        return Ok(Some(Source::Transaction(transaction.body().clone())));
    }
    let Some(block) = record.confirmed else { return Ok(None) };
    let Some(block) = node.block(&block.hash)? else { return Ok(None) };
    if block.coinbase.id() == *txid {
        return Ok(Some(Source::Coinbase(block.coinbase)));
    }
    let mut bodies = block.transactions.iter().filter(|transaction| transaction.txid() == *txid);
    Ok(bodies.next().map(|transaction| Source::Transaction(transaction.body().clone())))
}

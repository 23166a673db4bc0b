//! Reading the chain: from the wallet's birthday on, then only what is new, and back to the fork when the chain has
//! changed.

use bloom_consensus::{Block, BlockHash, Height, Timestamp, Txid};

use crate::book::{Book, InBlock};
use crate::node::{Node, Place};
use crate::watch::Watch;

/// How often a chain may change while it is being read, before that is said.
const PATIENCE: u32 = 100;

/// Why a wallet does not know what it owns.
#[derive(Debug, thiserror::Error)]
pub enum ScanError<E: std::error::Error + 'static> {
    /// The node's.
    #[error(transparent)]
    Node(E),
    /// A block that should be read was pruned. Part of a balance would be a wrong one: nothing is shown instead.
    #[error(
        "block {hash} at height {height} was pruned from this data directory, so coins that it or an older block paid \
         cannot be seen here; none is lost: copy the wallet's file to a data directory that keeps all blocks, or restore \
         its words there, and use it with --data-dir (`bloom chain import` makes such a directory from an archive); once \
         it was read there, the file can come back here"
    )]
    Pruned {
        /// Its height.
        height: Height,
        /// Its hash.
        hash: BlockHash,
    },
    /// The chain never stood still.
    #[error("the chain changed {PATIENCE} times while it was being read: try again")]
    Restless,
}

/// Brings a book up to the node's tip and mempool. Yields the transactions that were confirmed before and are no longer.
///
/// # Errors
/// [`ScanError`]. What was read until then is kept: the next call goes on from there.
pub fn follow<N: Node>(
    book: &mut Book,
    watch: &mut Watch,
    node: &N,
    birthday: Height,
    now: Timestamp,
) -> Result<Vec<Txid>, ScanError<N::Error>> {
    book.watch_all(watch);
    let confirmed_before = confirmed(book);
    for _ in 0..PATIENCE {
        let fork = last_common(book, node)?;
        let birthday = if fork.is_none() && book.scanned_to().is_some() { Height::GENESIS } else { birthday };
        book.undo_above(fork);
        if fork.is_none() {
            remember_below(book, node, birthday)?;
        }
        if read(book, watch, node, birthday, now)? {
            book.thin_scanned();
            let is_rescinded = |txid: &Txid| book.record(txid).is_some_and(|record| record.confirmed.is_none());
            return Ok(confirmed_before.into_iter().filter(is_rescinded).collect());
        }
    }
    Err(ScanError::Restless)
}

fn confirmed(book: &Book) -> Vec<Txid> {
    let confirmed = book.records().values().filter(|record| record.confirmed.is_some());
    confirmed.map(|record| record.txid).collect()
}

/// The last block read that is on the chain still.
fn last_common<N: Node>(book: &Book, node: &N) -> Result<Option<Place>, ScanError<N::Error>> {
    for place in book.scanned() {
        if node.hash_at(place.height).map_err(ScanError::Node)? == Some(place.hash) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Begins a book: with blocks below the birthday, which need not be read. Should a reorganisation fork off below it, they
/// tell from where on the chain must be read all the same.
fn remember_below<N: Node>(book: &mut Book, node: &N, birthday: Height) -> Result<(), ScanError<N::Error>> {
    let tip = node.tip().map_err(ScanError::Node)?;
    let end = Height(birthday.0.min(tip.height.0 + 1));
    for height in (0..end.0).map(Height).filter(|height| Book::is_remembered(*height, end)) {
        let Some(hash) = node.hash_at(height).map_err(ScanError::Node)? else { return Ok(()) };
        book.push_scanned(Place { hash, height });
    }
    Ok(())
}

/// Reads all blocks above the last one read, and the mempool; false if the chain changed meanwhile.
///
/// A key found in use moves the end of the search. What lies there may have been paid, or spent, in any block read before:
/// all of them are read again, by the next call if this one does not get to the end.
fn read<N: Node>(
    book: &mut Book,
    watch: &mut Watch,
    node: &N,
    birthday: Height,
    now: Timestamp,
) -> Result<bool, ScanError<N::Error>> {
    let start = book.scanned_to();
    loop {
        let watched = watch.len();
        let done = match read_blocks(book, watch, node, birthday, now) {
            Ok(true) => look_at_waiting(book, watch, node, now).map(|()| true),
            other => other,
        };
        if watch.len() == watched {
            return done;
        }
        book.read_again_above(start);
        if !matches!(done, Ok(true)) {
            return done;
        }
    }
}

fn read_blocks<N: Node>(
    book: &mut Book,
    watch: &mut Watch,
    node: &N,
    birthday: Height,
    now: Timestamp,
) -> Result<bool, ScanError<N::Error>> {
    let tip = node.tip().map_err(ScanError::Node)?;
    let first = book.scanned_to().map_or(birthday, |place| Height(place.height.0 + 1));
    for height in first.0..=tip.height.0 {
        let Some((place, block)) = block_at(node, Height(height))? else { return Ok(false) };
        if book.scanned_to().is_some_and(|parent| block.header.template.prev_hash != parent.hash) {
            return Ok(false);
        }
        note_block(book, watch, &place, &block, now);
        book.push_scanned(place);
    }
    Ok(true)
}

fn block_at<N: Node>(node: &N, height: Height) -> Result<Option<(Place, Block)>, ScanError<N::Error>> {
    let Some(hash) = node.hash_at(height).map_err(ScanError::Node)? else { return Ok(None) };
    match node.block(&hash).map_err(ScanError::Node)? {
        Some(block) => Ok(Some((Place { hash, height }, block))),
        None => Err(ScanError::Pruned { height, hash }),
    }
}

/// Notes what of a block concerns the wallet.
fn note_block(book: &mut Book, watch: &mut Watch, place: &Place, block: &Block, now: Timestamp) {
    let in_block = InBlock { hash: place.hash, height: place.height, time: block.header.template.timestamp };
    if let Some(txid) = book.see_coinbase(watch, &block.coinbase, now) {
        book.confirm(&txid, in_block);
    }
    for transaction in &block.transactions {
        if book.see(watch, transaction, now) {
            book.confirm(&transaction.txid(), in_block);
        }
    }
}

fn look_at_waiting<N: Node>(
    book: &mut Book,
    watch: &mut Watch,
    node: &N,
    now: Timestamp,
) -> Result<(), ScanError<N::Error>> {
    let waiting = node.waiting().map_err(ScanError::Node)?;
    book.forget_waiting();
    loop {
        let watched = watch.len();
        for entry in &waiting {
            let txid = entry.transaction.txid();
            if book.see(watch, &entry.transaction, now)
                && let Some(record) = book.record_mut(&txid)
            {
                record.waiting = record.confirmed.is_none();
                record.fee = Some(entry.fee);
            }
        }
        if watch.len() == watched {
            return Ok(());
        }
    }
}

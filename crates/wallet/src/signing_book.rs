//! What a wallet's file keeps beside its own book for signing between machines: shared addresses with a book each, sessions
//! between their two rounds, and coins that are spoken for by payments on their way to be signed.

use std::collections::BTreeMap;
use std::error::Error;

use bloom_consensus::{Height, Outpoint, OutputKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::book::as_text::{height, outpoints};
use crate::proposal::Proposal;
use crate::session::{SessionBook, SessionKeeper};
use crate::shared::Cosigners;
use crate::{WalletFile, WalletFileError};

/// Blocks for which a prepared payment's coins are not offered to another: a week.
pub const RESERVED_BLOCKS: u64 = 1_440;

/// Part of a wallet's file; empty in most.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningBook {
    shared: Vec<SharedAddress>,
    sessions: SessionBook,
    reserved: Vec<Reservation>,
}

/// An address whose key is shared, and what was seen of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedAddress {
    /// Who shares it.
    pub cosigners: Cosigners,
    /// What was seen.
    pub book: Book,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reservation {
    #[serde(with = "outpoints")]
    coins: Vec<Outpoint>,
    #[serde(with = "height")]
    until: Height,
}

impl SigningBook {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let sessions = self.sessions == SessionBook::default();
        self.shared.is_empty() && sessions && self.reserved.is_empty()
    }

    /// Shared addresses in the order in which they were made here.
    #[must_use]
    pub fn shared(&self) -> &[SharedAddress] {
        &self.shared
    }

    /// Where the shared address of a key is.
    #[must_use]
    pub fn position(&self, key: &OutputKey) -> Option<usize> {
        self.shared.iter().position(|shared| shared.cosigners.output_key() == *key)
    }

    /// Remembers a shared address; whether it is new.
    pub fn share(&mut self, cosigners: Cosigners) -> bool {
        let is_new = !self.shared.iter().any(|shared| shared.cosigners == cosigners);
        if is_new {
            self.shared.push(SharedAddress { cosigners, book: Book::default() });
        }
        is_new
    }

    pub(crate) fn book(&self, at: usize) -> &Book {
        &self.shared[at].book
    }

    pub(crate) fn book_mut(&mut self, at: usize) -> &mut Book {
        &mut self.shared[at].book
    }

    /// Speaks for the coins of a proposal, and forgets what has lapsed.
    pub fn reserve(&mut self, proposal: &Proposal, tip: Height) {
        self.reserved.retain(|reservation| reservation.until > tip);
        let until = Height(tip.0.saturating_add(RESERVED_BLOCKS));
        self.reserved.push(Reservation { coins: proposal.body().inputs().to_vec(), until });
    }

    /// Frees the coins of a proposal; whether they were reserved.
    pub fn release(&mut self, proposal: &Proposal) -> bool {
        let before = self.reserved.len();
        self.reserved.retain(|reservation| reservation.coins != proposal.body().inputs());
        self.reserved.len() < before
    }

    /// Coins that are spoken for at this height, and the height at which each is free again.
    #[must_use]
    pub fn reserved(&self, tip: Height) -> BTreeMap<Outpoint, Height> {
        let valid = self.reserved.iter().filter(|reservation| reservation.until > tip);
        valid.flat_map(|reservation| reservation.coins.iter().map(|coin| (*coin, reservation.until))).collect()
    }
}

impl<S: Serialize + DeserializeOwned> SessionKeeper for WalletFile<S> {
    fn sessions(&self) -> &SessionBook {
        &self.signing().sessions
    }

    fn keep(&mut self, book: SessionBook) -> Result<(), Box<dyn Error + Send + Sync>> {
        let before = std::mem::replace(&mut self.signing_mut().sessions, book);
        let saved: Result<(), WalletFileError> = self.save();
        if saved.is_err() {
            self.signing_mut().sessions = before;
        }
        Ok(saved?)
    }
}

//! A shared address as a wallet of its own: its book is kept in the same file, its one key is watched.

use std::collections::BTreeMap;

use bloom_consensus::{Height, Outpoint, OutputKey, Params};

use crate::book::Book;
use crate::keeper::{BookFile, Keeper};
use crate::proposal::{Owner, Proposal};
use crate::shared::Cosigners;
use crate::watch::Watch;
use crate::{KeyChain, KeyPath, Wallet, WalletFile, WalletFileError, WalletKeys};

/// A keeper whose book is part of a wallet's file.
pub trait InFile: Keeper {
    /// The file.
    fn file(&self) -> &WalletFile<Book>;

    /// The file, to be changed; [`Keeper::save`] keeps it.
    fn file_mut(&mut self) -> &mut WalletFile<Book>;
}

impl<K: InFile> Wallet<K> {
    /// Speaks for the coins of a proposal and for the key that its change goes to. When this returns it is on the disk.
    ///
    /// # Errors
    /// [`WalletFileError`].
    pub fn speak_for(&mut self, proposal: &Proposal) -> Result<(), WalletFileError> {
        let tip = self.tip();
        for change in proposal.change() {
            if let Owner::Path(KeyPath { chain: KeyChain::Change, index, .. }) = change.owner {
                self.use_change(index);
            }
        }
        let keeper = self.keeper_mut();
        keeper.file_mut().signing_mut().reserve(proposal, tip);
        keeper.save()
    }
}

/// A wallet's file, and the book of one of its shared addresses.
pub struct SharedFile {
    file: WalletFile<Book>,
    at: usize,
}

impl SharedFile {
    /// The shared address of a key, or the file back if it has none of it.
    ///
    /// # Errors
    /// The file.
    pub fn find(file: WalletFile<Book>, key: &OutputKey) -> Result<Self, Box<WalletFile<Book>>> {
        match file.signing().position(key) {
            Some(at) => Ok(Self { file, at }),
            None => Err(Box::new(file)),
        }
    }

    /// Who shares it.
    #[must_use]
    pub fn cosigners(&self) -> &Cosigners {
        &self.file.signing().shared()[self.at].cosigners
    }

    /// The whole file again.
    #[must_use]
    pub fn into_file(self) -> WalletFile<Book> {
        self.file
    }

    /// A wallet that sees this address alone. It can prepare, record and send, and sign nothing.
    #[must_use]
    pub fn wallet(self, params: &Params) -> Wallet<Self> {
        let watch = Watch::only(self.file.keys().account().clone(), self.cosigners().output_key());
        Wallet::watching(self, watch, params)
    }
}

impl Keeper for SharedFile {
    fn keys(&self) -> &WalletKeys {
        self.file.keys()
    }

    fn book(&self) -> &Book {
        self.file.signing().book(self.at)
    }

    fn book_mut(&mut self) -> &mut Book {
        self.file.signing_mut().book_mut(self.at)
    }

    fn reserved(&self, tip: Height) -> BTreeMap<Outpoint, Height> {
        self.file.signing().reserved(tip)
    }

    fn save(&mut self) -> Result<(), WalletFileError> {
        self.file.save()
    }
}

impl InFile for SharedFile {
    fn file(&self) -> &WalletFile<Book> {
        &self.file
    }

    fn file_mut(&mut self) -> &mut WalletFile<Book> {
        &mut self.file
    }
}

impl InFile for BookFile {
    fn file(&self) -> &WalletFile<Book> {
        self.inner()
    }

    fn file_mut(&mut self) -> &mut WalletFile<Book> {
        self.inner_mut()
    }
}

//! Where a wallet's book is kept: its encrypted file, or in tests a memory that can forget what was not saved.

use std::collections::BTreeMap;

use bloom_consensus::{Height, Outpoint};

use crate::book::Book;
use crate::{WalletFile, WalletFileError, WalletKeys};

/// Keys, and a book that is durable once it is saved.
pub trait Keeper {
    /// The keys.
    fn keys(&self) -> &WalletKeys;

    /// The book.
    fn book(&self) -> &Book;

    /// The book, to be changed; [`Keeper::save`] keeps it.
    fn book_mut(&mut self) -> &mut Book;

    /// Coins that are spoken for at a tip by payments on their way to be signed, and the height at which each is free again.
    fn reserved(&self, tip: Height) -> BTreeMap<Outpoint, Height>;

    /// Makes the book durable.
    ///
    /// # Errors
    /// [`WalletFileError`]; what was saved before is still there.
    fn save(&mut self) -> Result<(), WalletFileError>;
}

/// A wallet's file, and a book in it. A new wallet's is empty.
pub struct BookFile(WalletFile<Book>);

impl BookFile {
    /// Over an open file.
    #[must_use]
    pub fn new(mut file: WalletFile<Book>) -> Self {
        file.state_mut().get_or_insert_default();
        Self(file)
    }

    /// The whole file again.
    #[must_use]
    pub fn into_file(self) -> WalletFile<Book> {
        self.0
    }

    pub(crate) fn inner(&self) -> &WalletFile<Book> {
        &self.0
    }

    pub(crate) fn inner_mut(&mut self) -> &mut WalletFile<Book> {
        &mut self.0
    }
}

impl Keeper for BookFile {
    fn keys(&self) -> &WalletKeys {
        self.0.keys()
    }

    fn book(&self) -> &Book {
        self.0.state().expect("there is a book from the start")
    }

    fn book_mut(&mut self) -> &mut Book {
        self.0.state_mut().get_or_insert_default()
    }

    fn reserved(&self, tip: Height) -> BTreeMap<Outpoint, Height> {
        self.0.signing().reserved(tip)
    }

    fn save(&mut self) -> Result<(), WalletFileError> {
        self.0.save()
    }
}

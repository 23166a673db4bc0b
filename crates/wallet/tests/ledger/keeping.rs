//! Wallets of known words whose file is a memory: what was not saved is forgotten with the wallet.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Height, Outpoint, OutputKey, Timestamp, Txid};
use bloom_wallet::book::Book;
use bloom_wallet::build::{Order, Recipient, Share};
use bloom_wallet::{Keeper, Note, Wallet, WalletError, WalletFileError, WalletKeys, Words};
use secp256k1::rand::SeedableRng;
use secp256k1::rand::rngs::StdRng;

use crate::memory_node::{DEV, MemoryError, MemoryNode, stranger_key};

pub(crate) const NOW: Timestamp = Timestamp(2_000_000);

/// Words of two wallets, the first of BIP-39's own vectors.
pub(crate) const ALICE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
pub(crate) const BOB: &str = "letter advice cage absurd amount doctor acoustic avoid letter advice cage above";

static KEYS: LazyLock<[String; 2]> =
    LazyLock::new(|| [ALICE, BOB].map(|words| serde_json::to_string(&keys_of(words)).unwrap()));

pub(crate) fn keys_of(words: &str) -> WalletKeys {
    WalletKeys::from_words(Words::parse(words).unwrap(), String::new().into(), 0, Height(0))
}

/// A book in memory beside what was saved of it.
pub(crate) struct Memory {
    keys: Rc<WalletKeys>,
    book: Book,
    pub(crate) saved: Rc<RefCell<String>>,
    pub(crate) reserved: BTreeMap<Outpoint, Height>,
}

impl Keeper for Memory {
    fn keys(&self) -> &WalletKeys {
        &self.keys
    }

    fn book(&self) -> &Book {
        &self.book
    }

    fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }

    fn reserved(&self, tip: Height) -> BTreeMap<Outpoint, Height> {
        self.reserved.iter().filter(|(_, until)| **until > tip).map(|(coin, until)| (*coin, *until)).collect()
    }

    fn save(&mut self) -> Result<(), WalletFileError> {
        *self.saved.borrow_mut() = serde_json::to_string(&self.book).unwrap();
        Ok(())
    }
}

/// What outlives a wallet's process.
#[derive(Clone)]
pub(crate) struct Disk {
    keys: Rc<WalletKeys>,
    saved: Rc<RefCell<String>>,
}

impl Disk {
    /// A new wallet, or one restored from its words alone.
    pub(crate) fn of(words: &str) -> Self {
        let known = [ALICE, BOB].iter().position(|known| *known == words);
        let keys = known.map_or_else(|| keys_of(words), |at| serde_json::from_str(&KEYS[at]).unwrap());
        Self::with(Rc::new(keys))
    }

    pub(crate) fn with(keys: Rc<WalletKeys>) -> Self {
        let saved = serde_json::to_string(&Book::default()).unwrap();
        Self { keys, saved: Rc::new(RefCell::new(saved)) }
    }

    /// The same keys and nothing else.
    pub(crate) fn restored(&self) -> Self {
        Self::with(self.keys.clone())
    }

    pub(crate) fn open(&self) -> Wallet<Memory> {
        let book = serde_json::from_str(&self.saved.borrow()).unwrap();
        Wallet::over(
            Memory { keys: self.keys.clone(), book, saved: self.saved.clone(), reserved: BTreeMap::new() },
            &DEV,
        )
    }
}

pub(crate) fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub(crate) fn rate(units_per_byte: u64) -> FeeRate {
    FeeRate::per_kilobyte(units_per_byte * 1_000)
}

pub(crate) fn exactly(key: OutputKey, units: u64) -> Recipient {
    Recipient { key, share: Share::Exactly(Amount::from_units(units)) }
}

pub(crate) fn order(recipients: &[Recipient], units_per_byte: u64) -> Order {
    Order { recipients: recipients.to_vec(), rate: rate(units_per_byte), not_before: Height(0), allow_high_fee: true }
}

/// Builds, signs, records and sends.
pub(crate) fn pay(
    wallet: &mut Wallet<Memory>,
    node: &mut MemoryNode,
    order: &Order,
    seed: u64,
) -> Result<Txid, WalletError<MemoryError>> {
    let unsigned = wallet.prepare(order, &mut rng(seed))?;
    let transaction = wallet.sign(&unsigned, &mut rng(seed))?;
    wallet.record::<MemoryError>(&transaction, Note::default(), NOW)?;
    wallet.send(node, &transaction.txid())?;
    wallet.told([transaction.txid()])?;
    Ok(transaction.txid())
}

pub(crate) fn update(wallet: &mut Wallet<Memory>, node: &mut MemoryNode) -> Vec<bloom_wallet::Remark> {
    wallet.update(node, NOW).unwrap()
}

pub(crate) fn fresh(wallet: &mut Wallet<Memory>) -> OutputKey {
    wallet.fresh_key::<MemoryError>().unwrap().1
}

/// A wallet with confirmed coins of these amounts.
pub(crate) fn funded(units: &[u64]) -> (Disk, Wallet<Memory>, MemoryNode) {
    let disk = Disk::of(ALICE);
    let mut node = MemoryNode::new();
    let mut wallet = disk.open();
    update(&mut wallet, &mut node);
    let key = fresh(&mut wallet);
    if !units.is_empty() {
        let outputs: Vec<_> = units.iter().map(|units| (key, *units)).collect();
        let coin = node.stranger_coin(0).unwrap();
        node.mine(stranger_key(), &[MemoryNode::stranger_pays(coin, &outputs, 2_000)]);
    }
    update(&mut wallet, &mut node);
    (disk, wallet, node)
}

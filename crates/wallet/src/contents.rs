//! What a wallet's encrypted file holds.

use bloom_consensus::NetworkId;
use serde::{Deserialize, Serialize};

use crate::WalletKeys;
use crate::book::{Book, as_text};

/// Keys, the network that they are used on, and the book of what was seen there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// What spends, or watches.
    pub keys: WalletKeys,
    /// The network.
    #[serde(with = "as_text::text")]
    pub network: NetworkId,
    /// What was seen; empty in a new wallet.
    #[serde(default)]
    pub book: Book,
}

impl Contents {
    /// A new wallet.
    #[must_use]
    pub fn new(keys: WalletKeys, network: NetworkId) -> Self {
        Self { keys, network, book: Book::default() }
    }
}

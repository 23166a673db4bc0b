//! The keys that a wallet looks for: both chains of its account, each up to twenty beyond the last that is known.

use std::collections::HashMap;

use bloom_consensus::OutputKey;

use crate::keys::INDEX_END;
use crate::{AccountPublic, KeyChain, KeyPath};

/// Unused keys in a row after which the search for coins ends (BIP-44).
pub const GAP_LIMIT: u32 = 20;

/// Output keys by path and paths by output key.
#[derive(Clone, Debug)]
pub struct Watch {
    account: AccountPublic,
    paths: HashMap<OutputKey, KeyPath>,
    /// As many keys as were derived, receiving and change.
    keys: [Vec<OutputKey>; 2],
    /// All that there is, of a key that is shared.
    only: Option<OutputKey>,
}

impl Watch {
    /// Watches the first twenty of each chain.
    #[must_use]
    pub fn new(account: AccountPublic) -> Self {
        let mut watch = Self { account, paths: HashMap::new(), keys: [Vec::new(), Vec::new()], only: None };
        KeyChain::ALL.into_iter().for_each(|chain| watch.reach(chain, 0));
        watch
    }

    /// Watches one key that is no account's, which stands at every path: payments to it and change come back to it.
    #[must_use]
    pub fn only(account: AccountPublic, key: OutputKey) -> Self {
        let path = KeyPath { account: account.account(), chain: KeyChain::Receive, index: 0 };
        Self { account, paths: HashMap::from([(key, path)]), keys: [Vec::new(), Vec::new()], only: Some(key) }
    }

    /// Where a key is, if it is the wallet's.
    #[must_use]
    pub fn path(&self, key: &OutputKey) -> Option<KeyPath> {
        self.paths.get(key).copied()
    }

    /// The key at a path of this account.
    #[must_use]
    pub fn key(&self, path: &KeyPath) -> OutputKey {
        let known = self.only.or_else(|| self.keys[slot(path.chain)].get(path.index as usize).copied());
        known.unwrap_or_else(|| self.account.key(path.chain, path.index))
    }

    /// The path of this account's key.
    #[must_use]
    pub fn path_of(&self, chain: KeyChain, index: u32) -> KeyPath {
        KeyPath { account: self.account.account(), chain, index }
    }

    /// How many keys are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Never: there are always twenty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Watches twenty keys from this index on, and all below.
    pub(crate) fn reach(&mut self, chain: KeyChain, next: u32) {
        if self.only.is_some() {
            return;
        }
        let end = next.saturating_add(GAP_LIMIT).min(INDEX_END);
        let account = self.account.account();
        let keys = &mut self.keys[slot(chain)];
        for index in keys.len() as u32..end {
            let key = self.account.key(chain, index);
            keys.push(key);
            self.paths.insert(key, KeyPath { account, chain, index });
        }
    }
}

pub(crate) const fn slot(chain: KeyChain) -> usize {
    match chain {
        KeyChain::Receive => 0,
        KeyChain::Change => 1,
    }
}

//! A wallet's file: which network it is of, its keys, and what it remembers of its coins, which is another module's.

use std::path::{Path, PathBuf};

use bloom_consensus::NetworkId;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secrets::WalletKeys;
use crate::signing_book::SigningBook;
use crate::vault::{Cost, Vault, VaultError};

/// An open wallet file. `S` is what a wallet remembers; none until the first time that it is saved.
pub struct WalletFile<S> {
    vault: Vault,
    contents: Contents<S>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents<S> {
    #[serde(serialize_with = "write_network", deserialize_with = "read_network")]
    network: NetworkId,
    keys: WalletKeys,
    state: Option<S>,
    #[serde(default, skip_serializing_if = "SigningBook::is_empty")]
    signing: SigningBook,
}

/// A wallet file that cannot be made, opened or saved.
#[derive(Debug, thiserror::Error)]
pub enum WalletFileError {
    /// The file itself.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It is a wallet of another network.
    #[error("{}: a wallet of network {got}, expected {expected}; say --network and --data-dir as when it was made", path.display())]
    OtherNetwork {
        /// Its file.
        path: PathBuf,
        /// Its network.
        got: NetworkId,
        /// The one asked for.
        expected: NetworkId,
    },
}

impl<S: Serialize + DeserializeOwned> WalletFile<S> {
    /// Makes the file of a new wallet.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn create(
        path: &Path,
        password: &[u8],
        cost: Cost,
        network: NetworkId,
        keys: WalletKeys,
    ) -> Result<Self, WalletFileError> {
        let contents = Contents { network, keys, state: None, signing: SigningBook::default() };
        Ok(Self { vault: Vault::create(path, password, cost, &contents)?, contents })
    }

    /// Opens a wallet of this network.
    ///
    /// # Errors
    /// [`WalletFileError`].
    pub fn open(path: &Path, password: &[u8], network: &NetworkId) -> Result<Self, WalletFileError> {
        let (vault, contents): (Vault, Contents<S>) = Vault::open(path, password)?;
        if contents.network != *network {
            let (path, got) = (path.to_owned(), contents.network);
            return Err(WalletFileError::OtherNetwork { path, got, expected: *network });
        }
        Ok(Self { vault, contents })
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &WalletKeys {
        &self.contents.keys
    }

    /// What it remembers.
    #[must_use]
    pub fn state(&self) -> Option<&S> {
        self.contents.state.as_ref()
    }

    /// What it remembers, to be changed; [`WalletFile::save`] keeps it.
    pub fn state_mut(&mut self) -> &mut Option<S> {
        &mut self.contents.state
    }

    /// What it keeps for signing between machines.
    #[must_use]
    pub fn signing(&self) -> &SigningBook {
        &self.contents.signing
    }

    /// The same, to be changed; [`WalletFile::save`] keeps it.
    pub fn signing_mut(&mut self) -> &mut SigningBook {
        &mut self.contents.signing
    }

    /// Writes it. When this returns, it is on the disk.
    ///
    /// # Errors
    /// [`VaultError`]; the file is then as it was.
    pub fn save(&mut self) -> Result<(), WalletFileError> {
        Ok(self.vault.replace(&self.contents)?)
    }

    /// Encrypts it under another password.
    ///
    /// # Errors
    /// [`VaultError`]; the old password is then good still.
    pub fn change_password(&mut self, password: &[u8], cost: Cost) -> Result<(), WalletFileError> {
        Ok(self.vault.change_password(password, cost, &self.contents)?)
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.vault.path()
    }
}

fn write_network<S: Serializer>(network: &NetworkId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(network)
}

fn read_network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NetworkId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use bloom_consensus::{Height, Params};
    use zeroize::Zeroizing;

    use super::*;
    use crate::mnemonic::{WordCount, Words};

    #[test]
    fn a_wallet_keeps_its_keys_and_what_it_remembers() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("w.wallet");
        let (dev, test) = (Params::dev().network_id, Params::test().network_id);
        let words = Words::generate(WordCount::TwentyFour).unwrap();
        let keys = WalletKeys::from_words(words, Zeroizing::default(), 0, Height(3));
        let account = keys.account().clone();
        let mut file = WalletFile::<Vec<u64>>::create(&path, b"password", Cost::LEAST, dev, keys).unwrap();
        assert_eq!(file.state(), None);
        *file.state_mut() = Some(vec![1, 2]);
        file.save().unwrap();
        file.change_password(b"another", Cost::LEAST).unwrap();
        drop(file);
        let other = WalletFile::<Vec<u64>>::open(&path, b"another", &test).map(|_| ());
        assert!(
            matches!(other, Err(WalletFileError::OtherNetwork { got, expected, .. }) if (got, expected) == (dev, test))
        );
        let file = WalletFile::<Vec<u64>>::open(&path, b"another", &dev).unwrap();
        assert_eq!((file.keys().account(), file.state()), (&account, Some(&vec![1, 2])));
    }
}

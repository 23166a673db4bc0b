//! What a wallet knows of keys: its words and passphrase, or for a wallet that only watches none, and its account's
//! public key. Everything else in a wallet file is no secret that spends.

use bloom_consensus::Height;
use secp256k1::Keypair;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::keys::{AccountPublic, KeyPath, Seed};
use crate::mnemonic::Words;

/// The keys of a wallet. Zeroed when dropped; it has no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "StoredKeys")]
pub struct WalletKeys {
    account: AccountPublic,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
    birthday: u64,
}

/// What spends.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    #[serde(serialize_with = "write_words", deserialize_with = "read_words")]
    words: Words,
    passphrase: Zeroizing<String>,
}

impl WalletKeys {
    /// Keys that spend.
    ///
    /// # Panics
    /// If the account is not below [`INDEX_END`](crate::keys::INDEX_END).
    #[must_use]
    pub fn from_words(words: Words, passphrase: Zeroizing<String>, account: u32, birthday: Height) -> Self {
        let account = Seed::from_words(&words, &passphrase).account(account);
        Self { account, secret: Some(Secret { words, passphrase }), birthday: birthday.0 }
    }

    /// Keys that watch.
    #[must_use]
    pub fn watching(account: AccountPublic, birthday: Height) -> Self {
        Self { account, secret: None, birthday: birthday.0 }
    }

    /// The account's public key.
    #[must_use]
    pub fn account(&self) -> &AccountPublic {
        &self.account
    }

    /// No block below this height pays the wallet.
    #[must_use]
    pub fn birthday(&self) -> Height {
        Height(self.birthday)
    }

    /// Whether there is nothing here to sign with.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.secret.is_none()
    }

    /// The words, unless this wallet only watches.
    #[must_use]
    pub fn words(&self) -> Option<&Words> {
        self.secret.as_ref().map(|secret| &secret.words)
    }

    /// Whether the words alone do not make these keys.
    #[must_use]
    pub fn has_passphrase(&self) -> bool {
        self.secret.as_ref().is_some_and(|secret| !secret.passphrase.is_empty())
    }

    /// What all keys come from, unless this wallet only watches. Deriving it takes milliseconds: keep it while signing.
    #[must_use]
    pub fn seed(&self) -> Option<Seed> {
        self.secret.as_ref().map(|secret| Seed::from_words(&secret.words, &secret.passphrase))
    }

    /// The key that signs at this path, unless this wallet only watches. The caller erases it.
    #[must_use]
    pub fn keypair(&self, path: &KeyPath) -> Option<Keypair> {
        self.seed().map(|seed| seed.keypair(path))
    }
}

/// Keys as they were read: the public side is not believed to be the words'.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKeys {
    account: AccountPublic,
    secret: Option<Secret>,
    birthday: u64,
}

/// An account key that the words beside it do not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account's public key is not that of the words beside it")]
struct OtherWords;

impl TryFrom<StoredKeys> for WalletKeys {
    type Error = OtherWords;

    fn try_from(StoredKeys { account, secret, birthday }: StoredKeys) -> Result<Self, OtherWords> {
        if let Some(secret) = &secret
            && Seed::from_words(&secret.words, &secret.passphrase).account(account.account()) != account
        {
            return Err(OtherWords);
        }
        Ok(Self { account, secret, birthday })
    }
}

fn write_words<S: Serializer>(words: &Words, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Zeroizing::new(hex::encode(words.entropy())))
}

fn read_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Words, D::Error> {
    let text = Zeroizing::<String>::deserialize(deserializer)?;
    let not_entropy = || serde::de::Error::custom("expected the words' entropy, 32 or 64 digits 0-9 a-f");
    let bytes = Zeroizing::new(hex::decode(text.as_bytes()).map_err(|_| not_entropy())?);
    Words::from_entropy(&bytes).map_err(|_| not_entropy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyChain;
    use crate::mnemonic::WordCount;

    fn keys(passphrase: &str) -> WalletKeys {
        let words = Words::generate(WordCount::Twelve).unwrap();
        WalletKeys::from_words(words, Zeroizing::new(passphrase.to_owned()), 2, Height(77))
    }

    #[test]
    fn keys_read_back() {
        for passphrase in ["", "a \"passphrase\" \u{1f33a}"] {
            let keys = keys(passphrase);
            let back: WalletKeys = serde_json::from_str(&serde_json::to_string(&keys).unwrap()).unwrap();
            assert_eq!(back.account(), keys.account());
            assert_eq!(back.birthday(), Height(77));
            assert_eq!(*back.words().unwrap().phrase(), *keys.words().unwrap().phrase());
            assert_eq!((back.has_passphrase(), back.is_watching()), (!passphrase.is_empty(), false));
            let path = KeyPath { account: 2, chain: KeyChain::Change, index: 9 };
            assert_eq!(back.keypair(&path).unwrap().public_key(), keys.account().public_key(KeyChain::Change, 9));
        }
    }

    #[test]
    fn watching_keys_hold_nothing_that_signs() {
        let watching = WalletKeys::watching(keys("").account().clone(), Height(5));
        let text = serde_json::to_string(&watching).unwrap();
        assert!(!text.contains("secret"));
        let back: WalletKeys = serde_json::from_str(&text).unwrap();
        assert!(back.is_watching() && back.words().is_none() && back.seed().is_none());
        assert_eq!(back.account(), watching.account());
    }

    #[test]
    fn an_account_key_of_other_words_is_refused() {
        let (one, other) = (keys(""), keys(""));
        let text = serde_json::to_string(&one).unwrap();
        let mixed = text.replace(&one.account().to_string(), &other.account().to_string());
        assert!(serde_json::from_str::<WalletKeys>(&text).is_ok());
        let error = serde_json::from_str::<WalletKeys>(&mixed).err().unwrap().to_string();
        assert!(error.contains("not that of the words"), "{error}");
    }
}

//! Keys by BIP-32 at m/86'/7618'/account'/chain/index. The x-only public key is itself the output's key: nothing is
//! added to it, unlike in BIP-86.
//!
//! Secret keys are derived by k256, whose keys are zeroed when dropped; public ones by libsecp256k1, which is faster. So
//! each checks the other: an address always comes from one and its signature from both.

use std::fmt;
use std::str::FromStr;

use bip32::{ChildNumber, ExtendedKey, ExtendedPublicKey, Prefix, XPrv};
use bloom_consensus::OutputKey;
use secp256k1::{Keypair, PublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

use crate::mnemonic::Words;

/// Keys that stand as output keys without a script (BIP-86).
const PURPOSE: u32 = 86;
/// This coin's number in place of BIP-44's, the peer port of its main network too.
const COIN_TYPE: u32 = 7618;
/// Accounts and indexes are below 2³¹: the bit above them says "hardened".
pub const INDEX_END: u32 = 1 << 31;
/// m / purpose / coin / account.
const ACCOUNT_DEPTH: u8 = 3;

/// What a key is for: the last but one step of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyChain {
    /// Addresses given to others: 0.
    Receive,
    /// Change of one's own payments: 1.
    Change,
}

impl KeyChain {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Receive, Self::Change];

    const fn number(self) -> u32 {
        match self {
            Self::Receive => 0,
            Self::Change => 1,
        }
    }
}

/// Where a key is: m/86'/7618'/account'/chain/index. One that was read from elsewhere is within [`INDEX_END`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "AnyPath")]
pub struct KeyPath {
    /// Below [`INDEX_END`].
    pub account: u32,
    /// Receiving or change.
    pub chain: KeyChain,
    /// Below [`INDEX_END`].
    pub index: u32,
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m/{PURPOSE}'/{COIN_TYPE}'/{}'/{}/{}", self.account, self.chain.number(), self.index)
    }
}

/// A path as it was read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyPath {
    account: u32,
    chain: KeyChain,
    index: u32,
}

/// A number that no step of a path can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key path: got {got}, expected a number below {INDEX_END}")]
pub struct IndexOutOfRange {
    /// The number given.
    pub got: u32,
}

impl TryFrom<AnyPath> for KeyPath {
    type Error = IndexOutOfRange;

    fn try_from(AnyPath { account, chain, index }: AnyPath) -> Result<Self, IndexOutOfRange> {
        match [account, index].into_iter().find(|&number| number >= INDEX_END) {
            Some(got) => Err(IndexOutOfRange { got }),
            None => Ok(Self { account, chain, index }),
        }
    }
}

/// The extended public key of an account: all its addresses, and no way to spend from them. As text an `xpub…`.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountPublic {
    account: ExtendedPublicKey<PublicKey>,
    chains: [ExtendedPublicKey<PublicKey>; 2],
}

/// Text that is no account's public key. It is not repeated here: it may have been a private one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountKeyError {
    /// Mistyped, cut, or something else altogether.
    #[error(
        "not an extended public key: expected text that begins with xpub, as `bloom wallet backup --xpub` shows it"
    )]
    NotXpub,
    /// A private key.
    #[error("this is an extended PRIVATE key, which must be shown to nobody; expected the public one, xpub")]
    Private,
    /// A key of another level.
    #[error("extended public key at depth {got}, expected an account's at depth 3 (m/86'/7618'/account')")]
    Depth {
        /// Its depth.
        got: u8,
    },
    /// An account whose step is not hardened.
    #[error("extended public key number {got} of its parent, expected an account's, which is hardened")]
    NotHardened {
        /// Its number.
        got: u32,
    },
}

impl AccountPublic {
    /// Which account it is, by its own word.
    #[must_use]
    pub fn account(&self) -> u32 {
        self.account.attrs().child_number.index()
    }

    /// The key of an output to this path.
    ///
    /// # Panics
    /// If the index is not below [`INDEX_END`], which no [`KeyPath`] that was read has.
    #[must_use]
    pub fn key(&self, chain: KeyChain, index: u32) -> OutputKey {
        OutputKey(self.public_key(chain, index).x_only_public_key().0.to_byte_array())
    }

    /// The whole key, with the sign of y.
    ///
    /// # Panics
    /// As [`AccountPublic::key`].
    #[must_use]
    pub fn public_key(&self, chain: KeyChain, index: u32) -> PublicKey {
        let [receive, change] = &self.chains;
        let parent = match chain {
            KeyChain::Receive => receive,
            KeyChain::Change => change,
        };
        *parent.derive_child(step(index, false)).expect(SUM_IS_A_KEY).public_key()
    }

    /// Where a key is among the first `end` of each chain.
    #[must_use]
    pub fn find(&self, key: &OutputKey, end: u32) -> Option<KeyPath> {
        let mut paths = (0..end).flat_map(|index| KeyChain::ALL.map(|chain| (chain, index)));
        let (chain, index) = paths.find(|&(chain, index)| self.key(chain, index) == *key)?;
        Some(KeyPath { account: self.account(), chain, index })
    }

    fn new(account: ExtendedPublicKey<PublicKey>) -> Self {
        let chains = KeyChain::ALL.map(|chain| account.derive_child(step(chain.number(), false)).expect(SUM_IS_A_KEY));
        Self { account, chains }
    }
}

impl fmt::Display for AccountPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.account.to_extended_key(Prefix::XPUB).fmt(f)
    }
}

/// Without the key: it is no secret, but whoever has it knows every address.
impl fmt::Debug for AccountPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountPublic({}, {})", self.account(), hex::encode(self.account.fingerprint()))
    }
}

impl FromStr for AccountPublic {
    type Err = AccountKeyError;

    fn from_str(text: &str) -> Result<Self, AccountKeyError> {
        let key: ExtendedKey = text.parse().map_err(|_| AccountKeyError::NotXpub)?;
        if key.prefix.is_private() {
            return Err(AccountKeyError::Private);
        }
        if key.prefix != Prefix::XPUB {
            return Err(AccountKeyError::NotXpub);
        }
        if key.attrs.depth != ACCOUNT_DEPTH {
            return Err(AccountKeyError::Depth { got: key.attrs.depth });
        }
        if !key.attrs.child_number.is_hardened() {
            return Err(AccountKeyError::NotHardened { got: key.attrs.child_number.index() });
        }
        Ok(Self::new(key.try_into().map_err(|_| AccountKeyError::NotXpub)?))
    }
}

impl Serialize for AccountPublic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountPublic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What all keys of a wallet come from: BIP-39's 64 bytes. Zeroed when dropped; it has no `Debug`.
pub struct Seed(Zeroizing<[u8; 64]>);

impl Seed {
    /// From words and a passphrase, empty if there is none. Any passphrase gives a wallet: a wrong one an empty one.
    #[must_use]
    pub fn from_words(words: &Words, passphrase: &str) -> Self {
        Self(words.seed_bytes(passphrase))
    }

    /// The public side of an account.
    ///
    /// # Panics
    /// If the number is not below [`INDEX_END`], which no [`KeyPath`] that was read has.
    #[must_use]
    pub fn account(&self, account: u32) -> AccountPublic {
        let key = self.account_key(account).public_key();
        let public = PublicKey::from_byte_array_compressed(key.to_bytes()).expect("one curve, one encoding");
        AccountPublic::new(ExtendedPublicKey::new(public, key.attrs().clone()))
    }

    /// The key that signs for an output to this path; by BIP-340 it signs for the even one of the two points of its x.
    /// The caller erases it.
    ///
    /// # Panics
    /// If a number of the path is not below [`INDEX_END`], which no [`KeyPath`] that was read has.
    #[must_use]
    pub fn keypair(&self, path: &KeyPath) -> Keypair {
        let account = self.account_key(path.account);
        let key = child(&child(&account, path.chain.number(), false), path.index, false);
        let mut bytes = key.to_bytes();
        let pair = Keypair::from_secret_bytes(bytes).expect("one curve, one range of secret keys");
        bytes.zeroize();
        pair
    }

    fn account_key(&self, account: u32) -> XPrv {
        let root = XPrv::new(&self.0[..]).expect("a seed without a key is rarer than 1 in 2^127");
        child(&child(&child(&root, PURPOSE, true), COIN_TYPE, true), account, true)
    }
}

/// BIP-32 leaves out the indexes for which there is no key; nobody has ever met one.
const SUM_IS_A_KEY: &str = "an index without a key is rarer than 1 in 2^127";

fn child(parent: &XPrv, number: u32, hardened: bool) -> XPrv {
    parent.derive_child(step(number, hardened)).expect(SUM_IS_A_KEY)
}

fn step(number: u32, hardened: bool) -> ChildNumber {
    ChildNumber::new(number, hardened).expect("paths that are read are checked")
}

#[cfg(test)]
mod tests {
    use bip32::{DerivationPath, XPub};
    use proptest::prelude::*;
    use secp256k1::schnorr;

    use super::*;

    fn seed() -> Seed {
        let words = Words::parse("legal winner thank year wave sausage worth useful legal winner thank yellow");
        Seed::from_words(&words.unwrap(), "TREZOR")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_the_public_side_derives_the_secret_side_signs_for(account in 0..INDEX_END, change: bool, index in 0..INDEX_END) {
            let chain = if change { KeyChain::Change } else { KeyChain::Receive };
            let path = KeyPath { account, chain, index };
            let public = seed().account(account);
            let pair = seed().keypair(&path);
            prop_assert_eq!(public.public_key(chain, index), pair.public_key());
            let key = public.key(chain, index).point().unwrap();
            prop_assert!(schnorr::verify(&schnorr::sign_no_aux_rand(b"message", &pair), b"message", &key).is_ok());
        }
    }

    #[test]
    fn paths_are_those_of_bip_32() {
        let path = KeyPath { account: 3, chain: KeyChain::Change, index: 7 };
        assert_eq!(path.to_string(), "m/86'/7618'/3'/1/7");
        let derivation: DerivationPath = path.to_string().parse().unwrap();
        let key = XPrv::derive_from_path(&seed().0[..], &derivation).unwrap();
        assert_eq!(key.to_bytes(), seed().keypair(&path).to_secret_bytes());
    }

    #[test]
    fn account_keys_read_back() {
        let account = seed().account(5);
        let text = account.to_string();
        assert!(text.starts_with("xpub"));
        let back: AccountPublic = text.parse().unwrap();
        assert_eq!((back.account(), back.to_string()), (5, text.clone()));
        assert_eq!(back, account);
        let json = serde_json::to_string(&account).unwrap();
        assert_eq!(serde_json::from_str::<AccountPublic>(&json).unwrap(), account);
        assert!(!format!("{account:?}").contains(&text[10..30]));
    }

    #[test]
    fn what_is_no_account_key_is_refused_for_its_own_reason() {
        let good = seed().account(0).to_string();
        let parse = |text: &str| text.parse::<AccountPublic>().err();
        for position in 0..good.len() {
            let other = if &good[position..=position] == "7" { "8" } else { "7" };
            let text = format!("{}{other}{}", &good[..position], &good[position + 1..]);
            assert_eq!(parse(&text), Some(AccountKeyError::NotXpub), "{position}");
        }
        for text in
            ["", "xpub", &good[1..], &good[..110], &format!("{good}1"), &format!(" {good}"), &"x".repeat(10_000)]
        {
            assert_eq!(parse(text), Some(AccountKeyError::NotXpub), "{text}");
        }
        let secret = seed().account_key(0);
        assert_eq!(parse(&secret.to_string(Prefix::XPRV)), Some(AccountKeyError::Private));
        assert_eq!(parse(&secret.public_key().to_string(Prefix::TPUB)), Some(AccountKeyError::NotXpub));
        let root: XPub = XPrv::new(&seed().0[..]).unwrap().public_key();
        assert_eq!(parse(&root.to_string(Prefix::XPUB)), Some(AccountKeyError::Depth { got: 0 }));
        let deeper = child(&secret, 0, false).public_key();
        assert_eq!(parse(&deeper.to_string(Prefix::XPUB)), Some(AccountKeyError::Depth { got: 4 }));
        let soft = child(&child(&child(&XPrv::new(&seed().0[..]).unwrap(), 86, true), 7618, true), 4, false);
        let soft = soft.public_key().to_string(Prefix::XPUB);
        assert_eq!(parse(&soft), Some(AccountKeyError::NotHardened { got: 4 }));
    }

    #[test]
    fn paths_from_elsewhere_are_in_range() {
        let json = |account: u32, index: u32| format!(r#"{{"account":{account},"chain":"change","index":{index}}}"#);
        let read = |text: &str| serde_json::from_str::<KeyPath>(text);
        let path = KeyPath { account: 1, chain: KeyChain::Change, index: INDEX_END - 1 };
        assert_eq!(read(&json(1, INDEX_END - 1)).unwrap(), path);
        assert_eq!(serde_json::to_string(&path).unwrap(), json(1, INDEX_END - 1));
        for bad in [json(INDEX_END, 0), json(0, INDEX_END), json(0, u32::MAX), "{}".to_owned()] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}

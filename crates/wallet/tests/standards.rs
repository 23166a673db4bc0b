//! The published vectors of BIP-39, BIP-32 and BIP-340, on what this wallet derives and signs with.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::fs;
use std::path::Path;

use bip32::{DerivationPath, ExtendedPublicKey, Prefix, XPrv};
use bloom_wallet::{AccountPublic, KeyChain, KeyPath, Seed, Words, WordsError};
use secp256k1::schnorr::{self, Signature};
use secp256k1::{Keypair, PublicKey, XOnlyPublicKey};
use serde_json::Value;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&read(name)).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// Words, entropy and the seed under the passphrase TREZOR. This wallet has 12 or 24 words: 18 are refused as such.
#[test]
fn bip_39_words_and_seeds() {
    let (mut passed, mut refused) = (0, 0);
    for vector in list(&json("bip39.json"), "vectors") {
        let (words, entropy) = (text(vector, "words"), hex::decode(text(vector, "entropy")).unwrap());
        if entropy.len() == 24 {
            assert_eq!(Words::parse(words).err(), Some(WordsError::Count { got: 18 }));
            assert_eq!(Words::from_entropy(&entropy).err(), Some(WordsError::Entropy { got: 24 }));
            refused += 1;
            continue;
        }
        assert_eq!(*Words::from_entropy(&entropy).unwrap().phrase(), words);
        let words = Words::parse(words).unwrap();
        assert_eq!(*words.entropy(), entropy);
        // The seed is nobody's to see; the account that it makes is.
        let seed = hex::decode(text(vector, "seed")).unwrap();
        let path: DerivationPath = "m/86'/7618'/0'".parse().unwrap();
        let expected = XPrv::derive_from_path(&seed, &path).unwrap().public_key().to_string(Prefix::XPUB);
        assert_eq!(Seed::from_words(&words, "TREZOR").account(0).to_string(), expected, "{}", *words.phrase());
        passed += 1;
    }
    assert_eq!((passed, refused), (16, 8));
}

/// Accented letters of a passphrase may be typed in two ways; BIP-39 normalises them (NFKD).
#[test]
fn bip_39_passphrases_are_normalised() {
    let words = Words::from_entropy(&[7; 16]).unwrap();
    let account = |passphrase: &str| Seed::from_words(&words, passphrase).account(0);
    assert_eq!(account("caf\u{e9} \u{fb01}n"), account("cafe\u{301} fin"));
    assert_ne!(account("café"), account("cafe"));
    assert_ne!(account(""), account(" "));
}

/// Both sides of every chain, and by libsecp256k1 the last step where it can be taken without secrets.
#[test]
fn bip_32_chains() {
    let mut steps = 0;
    for vector in list(&json("bip32.json"), "vectors") {
        let seed = hex::decode(text(vector, "seed")).unwrap();
        let mut parent: Option<XPrv> = None;
        for chain in list(vector, "chains") {
            let path: DerivationPath = text(chain, "path").parse().unwrap();
            let key = XPrv::derive_from_path(&seed, &path).unwrap();
            assert_eq!(*key.to_string(Prefix::XPRV), text(chain, "xprv"));
            assert_eq!(key.public_key().to_string(Prefix::XPUB), text(chain, "xpub"));
            let step = key.attrs().child_number;
            if let Some(parent) = parent.filter(|_| !step.is_hardened()) {
                let public: ExtendedPublicKey<PublicKey> = parent.public_key().to_string(Prefix::XPUB).parse().unwrap();
                assert_eq!(public.derive_child(step).unwrap().to_string(Prefix::XPUB), text(chain, "xpub"));
                steps += 1;
            }
            parent = Some(key);
        }
    }
    assert_eq!(steps, 6);
}

#[test]
fn bip_32_invalid_keys_are_refused() {
    let vectors = json("bip32.json");
    let invalid = list(&vectors, "invalid");
    for vector in invalid {
        assert!(text(vector, "key").parse::<AccountPublic>().is_err(), "{}", text(vector, "why"));
    }
    assert_eq!(invalid.len(), 16);
}

#[test]
fn bip_340_signatures() {
    let (mut signed, mut good, mut bad) = (0, 0, 0);
    for line in read("bip340.csv").lines().skip(1) {
        let [index, secret, public, aux, message, signature, result] =
            line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let (public, message) = (bytes::<32>(public), hex::decode(message).unwrap());
        let signature = Signature::from_byte_array(bytes(signature));
        if !secret.is_empty() {
            let pair = Keypair::from_secret_bytes(bytes(secret)).unwrap();
            assert_eq!(pair.x_only_public_key().0.to_byte_array(), public, "{index}");
            assert_eq!(schnorr::sign_with_aux_rand(&message, &pair, &bytes(aux)), signature, "{index}");
            signed += 1;
        }
        let key = XOnlyPublicKey::from_byte_array(public);
        let verified = key.is_ok_and(|key| schnorr::verify(&signature, &message, &key).is_ok());
        assert_eq!(verified, result == "TRUE", "{index}");
        if verified { good += 1 } else { bad += 1 }
    }
    assert_eq!((signed, good, bad), (8, 9, 10));
}

/// A key whose point has an odd y signs for the even one of its x, which is all that an output says of it.
#[test]
fn keys_of_either_sign_sign_for_their_output() {
    let seed = Seed::from_words(&Words::from_entropy(&[1; 16]).unwrap(), "");
    let account = seed.account(0);
    let mut odd = 0;
    for index in 0..32 {
        let path = KeyPath { account: 0, chain: KeyChain::Receive, index };
        let pair = seed.keypair(&path);
        odd += u32::from(account.public_key(KeyChain::Receive, index).serialize()[0] == 3);
        let key = account.key(KeyChain::Receive, index).point().unwrap();
        assert!(schnorr::verify(&schnorr::sign(b"either", &pair), b"either", &key).is_ok(), "{path}");
    }
    assert!((1..32).contains(&odd), "{odd} of 32 are odd");
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let mut bytes = [0; N];
    hex::decode_to_slice(hex, &mut bytes).unwrap();
    bytes
}

//! Prints docs/wallet-vectors.md: `cargo run -p bloom-wallet --example wallet_vectors > docs/wallet-vectors.md`. A test
//! compares that page with what this makes.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]
#![allow(dead_code, reason = "as a module of the test it is not run")]

use std::fmt::Write;

use bloom_consensus::{Params, address};
use bloom_wallet::{KeyChain, KeyPath, MessageSignature, Seed, Words};

fn main() {
    print!("{}", page());
}

const HEAD: &str = "\
# Known answers for wallets

What any wallet for BloomCoin must make of the same words. `cargo run -p bloom-wallet --example wallet_vectors` makes
this page, and a test (`crates/wallet/tests/own_vectors.rs`) holds it to the code; the published vectors of BIP-39, BIP-32
and BIP-340 are in `crates/wallet/tests/vectors/`, with tests of their own.

- Words and passphrase make 64 bytes by BIP-39 (English, PBKDF2 with 2048 rounds of HMAC-SHA512).
- Those make keys by BIP-32 at m/86'/7618'/account'/chain/index: chain 0 for receiving, 1 for change.
- The x coordinate of the public key is the output's key as it is. Nothing is added to it, unlike in BIP-86.
- The address is bech32m with the network's prefix: version `q`, then the 32 bytes of the key.
- The account's public key is shown as an `xpub` of BIP-32, the same on every network.
- A text is signed by BIP-340 over derive_key(\"bloomcoin v1 message\", network id ‖ length in 8 bytes, little-endian ‖
  text), derive_key being BLAKE3's. The signatures below are made without auxiliary randomness; a wallet adds some.

The words below are published: never pay to them.
";

/// Entropy, passphrase, account.
const WALLETS: [(&[u8], &str, u32); 4] = [
    (&[0; 16], "", 0),
    (&[0x7f; 16], "TREZOR", 0),
    (&[0x80; 32], "", 0),
    (b"\x68\xa7\x9e\xac\xa2\x32\x48\x73\xea\xcc\x50\xcb\x9c\x6e\xca\x8c\xc6\x8e\xa5\xd9\x36\xf9\x87\x87\xc6\x0c\x7e\xbc\x74\xe6\xce\x7c", "gr\u{fc}n", 5),
];
const INDEXES: [(KeyChain, u32); 5] = [
    (KeyChain::Receive, 0),
    (KeyChain::Receive, 1),
    (KeyChain::Receive, 2_147_483_647),
    (KeyChain::Change, 0),
    (KeyChain::Change, 1),
];
const MESSAGE: &str = "a text, signed";

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    for (entropy, passphrase, account) in WALLETS {
        wallet(&mut page, entropy, passphrase, account).expect("a string takes all that is written to it");
    }
    page
}

fn wallet(page: &mut String, entropy: &[u8], passphrase: &str, account: u32) -> std::fmt::Result {
    let words = Words::from_entropy(entropy).expect("16 or 32 bytes");
    let seed = Seed::from_words(&words, passphrase);
    let public = seed.account(account);
    writeln!(page, "\n## `{}`\n", *words.phrase())?;
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(page, "| entropy | `{}` |", hex::encode(entropy))?;
    let shown = if passphrase.is_empty() { "none".to_owned() } else { format!("`{passphrase}`") };
    writeln!(page, "| passphrase | {shown} |")?;
    writeln!(page, "| account | {account} |")?;
    writeln!(page, "| m/86'/7618'/{account}' | `{public}` |\n")?;
    writeln!(page, "| path | key | on | address |\n|---|---|---|---|")?;
    for (chain, index) in INDEXES {
        let (path, key) = (KeyPath { account, chain, index }, public.key(chain, index));
        for params in Params::well_known() {
            let address = address::encode(&params.address_prefix, &key).expect("a network's prefix is bech32's");
            writeln!(page, "| {path} | `{key}` | {} | `{address}` |", params.name)?;
        }
    }
    writeln!(page, "\n“{MESSAGE}”, signed with the first key:\n")?;
    writeln!(page, "| on | signature |\n|---|---|")?;
    let path = KeyPath { account, chain: KeyChain::Receive, index: 0 };
    for params in Params::well_known() {
        let pair = seed.keypair(&path);
        let signature = MessageSignature::sign_without_randomness(&params.network_id, MESSAGE.as_bytes(), &pair);
        assert!(signature.is_of(&params.network_id, MESSAGE.as_bytes(), &public.key(KeyChain::Receive, 0)));
        writeln!(page, "| {} | `{signature}` |", params.name)?;
    }
    Ok(())
}

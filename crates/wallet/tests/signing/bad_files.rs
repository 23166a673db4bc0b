//! Known-bad proposals: a file each under `tests/bad`, in hex, whole but for one thing and with a checksum that is right.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use bloom_wallet::proposal::Proposal;
use bloom_wallet::sign::review;

use super::support::{Machine, dev};

const GOOD: [&str; 2] = ["good-shared", "good-single"];

/// The file, and what is said of it by whoever reads it, or derives its own keys to check it.
const BAD: [(&str, &str); 19] = [
    ("amount-of-origin", "origin of coins"),
    ("change-elsewhere", "output 1 is claimed to be change to this wallet's key at m/86'/7618'/0'/1/2"),
    ("change-of-nothing", "change is claimed of output 9"),
    ("cosigner-twice", "is given twice"),
    ("cosigners-of-another-key", "input 0: the cosigners' key is"),
    ("cosigners-out-of-order", "order of cosigners' keys"),
    ("damaged", "checksum does not match"),
    ("hardened-index", "index in a proposal"),
    ("key-off-the-curve", "not on the curve"),
    ("newer-version", "version 2, expected 1"),
    ("no-fee", "no fee"),
    ("no-nonce", "public nonce in a proposal that is none"),
    ("other-network", "another network"),
    ("output-replaced-after-signing", "input 0: its signature is not"),
    ("partial-before-nonces", "has signed before all nonces were there"),
    ("third-round", "rounds of a cosigner in a proposal: got 3"),
    ("too-many-cosigners", "keys to share: got 17"),
    ("trailing-byte", "at its end"),
    ("wrong-partial", "input 0: the partial signature of cosigner"),
];

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn bytes(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(directory().join(name).with_extension("hex")).unwrap();
    hex::decode(text.replace('\n', "")).unwrap()
}

fn judged(name: &str) -> Result<(), String> {
    let proposal = Proposal::decode(&dev(), &bytes(name)).map_err(|error| error.to_string())?;
    review(&proposal, &Machine::new(1).keys).map_err(|error| error.to_string())
}

#[test]
fn each_bad_file_is_refused_for_its_own_reason() {
    for (name, expected) in BAD {
        let said = judged(name).unwrap_err();
        assert!(said.contains(expected), "{name}: {said}");
    }
    for name in GOOD {
        assert_eq!(judged(name), Ok(()), "{name}: what the others were made of");
    }
}

#[test]
fn every_file_is_read() {
    let listed: BTreeSet<_> = BAD.iter().map(|(name, _)| *name).chain(GOOD).map(|name| format!("{name}.hex")).collect();
    let there = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.collect::<BTreeSet<_>>(), listed);
}

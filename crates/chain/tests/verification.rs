//! What `verify` is for: rows that are whole as far as redb can tell, and wrong.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::path::Path;

use bloom_chain::VerifyError;
use bloom_consensus::{Block, FalseProof, Header, Rejection, Work, ticket};
use common::*;
use redb::{Database, ReadableTable, TableDefinition};

/// 130 blocks, the last with a payment, and a lighter branch.
fn story() -> Line {
    let trunk = Line::dev().grow(129, 1);
    let mut line = trunk.clone();
    line.mine(1, vec![pay(&DEV, trunk.reward_at(2), 1, &[2, 3])]);
    line
}

fn directory(line: &Line) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = bloom_chain::Chain::open(dir.path(), &DEV, bulk()).unwrap();
    feed(&mut chain, &line.blocks);
    chain.flush().unwrap();
    dir
}

/// Changes a row behind the chain's back; `None` removes it.
fn tamper(dir: &Path, table: &str, key: &[u8], change: impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>>) {
    let database = Database::open(dir.join("chain.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(TableDefinition::<&[u8], &[u8]>::new(table)).unwrap();
        let old = table.get(key).unwrap().map(|value| value.value().to_vec());
        match change(old) {
            Some(value) => drop(table.insert(key, &value[..]).unwrap()),
            None => drop(table.remove(key).unwrap()),
        }
    }
    transaction.commit().unwrap();
}

fn flip(at: usize) -> impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>> {
    move |row| {
        let mut row = row.expect("the row is there");
        row[at] ^= 1;
        Some(row)
    }
}

fn fault(dir: &Path) -> VerifyError {
    verify(&mut open(dir), 0).unwrap_err()
}

#[test]
fn notices_every_kind_of_wrong_row() {
    let line = story();
    let coin = |height| {
        let (outpoint, _) = line.reward_at(height);
        [&outpoint.txid.0[..], &outpoint.index.to_be_bytes()].concat()
    };
    let height = |height: u64| height.to_be_bytes().to_vec();
    let hash = |height| line.hash_at(height).0.to_vec();
    // Table, key, byte of the row to change, what the error speaks of.
    let cases: [(&str, Vec<u8>, usize, &str); 10] = [
        ("coins", coin(7), 0, "not those of a replay"),
        ("coins", coin(130), 47, "not those of a replay"),
        ("undo", height(130), 0, "undo record"),
        ("undo", height(130), 40, "is not there"),
        ("undo", height(130), 70, "not those of a replay"),
        ("heights", height(100), 0, "named"),
        ("index", hash(50), 0, "another hash"),
        ("index", hash(50), 187, "work"),
        ("index", hash(50), 188, "contradicts its parent"),
        ("bodies", height(50), 200, "the body of block"),
    ];
    for (table, key, at, expected) in cases {
        let dir = directory(&line);
        tamper(dir.path(), table, &key, flip(at));
        let error = fault(dir.path()).to_string();
        assert!(error.contains(expected) && error.contains("reindex"), "{table} byte {at}: {error}");
    }
}

#[test]
fn notices_coins_from_nowhere_and_coins_gone() {
    let line = story();
    let dir = directory(&line);
    let stray = [[9; 36].as_slice()].concat();
    tamper(dir.path(), "coins", &stray, |_| Some(vec![0; 49]));
    assert!(fault(dir.path()).to_string().contains("no block made"));
    tamper(dir.path(), "coins", &stray, |_| None);
    verify(&mut open(dir.path()), 0).unwrap();
    let (outpoint, _) = line.reward_at(9);
    let key = [&outpoint.txid.0[..], &outpoint.index.to_be_bytes()].concat();
    tamper(dir.path(), "coins", &key, |_| None);
    assert!(fault(dir.path()).to_string().contains("is not there"));
    tamper(dir.path(), "heights", &131u64.to_be_bytes(), |_| Some(vec![1; 32]));
    assert!(fault(dir.path()).to_string().contains("above the tip"));
}

/// The last block with a seal that is a lie and passes the ticket.
fn forged(line: &Line) -> Header {
    let Block { mut header, .. } = line.tip().clone();
    loop {
        let seal = &mut header.seal;
        let counter = u64::from_le_bytes(*seal.certificate_hash.first_chunk().unwrap()).wrapping_add(1);
        seal.certificate_hash[..8].copy_from_slice(&counter.to_le_bytes());
        if ticket::meets(&header.block_hash(), header.seal.bloom_end + 1, header.template.difficulty) {
            return header;
        }
    }
}

#[test]
fn notices_a_false_proof_on_any_branch() {
    let line = story();
    let dir = directory(&line);
    let header = forged(&line);
    let hash = header.block_hash();
    let work = (0..=line.height()).fold(Work::ZERO, |work, _| work.plus(header.template.difficulty));
    let entry = [&header.to_bytes()[..], &work.to_be_bytes(), &131u64.to_le_bytes(), &[0]].concat();
    tamper(dir.path(), "index", &hash.0, |_| Some(entry));
    tamper(dir.path(), "arrivals", &131u64.to_be_bytes(), |_| Some(hash.0.to_vec()));
    match fault(dir.path()) {
        VerifyError::Invalid { hash: got, height, rejection } => {
            assert_eq!((got, height), (hash, header.template.height));
            assert!(matches!(*rejection, Rejection::Proof(FalseProof::CertificateHash { .. })));
        }
        other => panic!("{other}"),
    }
}

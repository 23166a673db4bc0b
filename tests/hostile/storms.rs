//! Notes without end, from one key after the other (attacks 26 and 29).
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bloom_consensus::Wtxid;
use bloom_net::PeerAddr;
use bloom_net::transport::Keypair;
use bloom_net::wire::{CompactBlock, KnownAddress, MAX_ADDRESSES_TOLD, Note};

use super::attacker::{connect, is_banned, now, storm};
use super::forge::Line;
use super::honest::{Honest, size};
use super::support::{Home, Random, number};

/// Attackers at a time.
const AT_ONCE: usize = 3;

/// So many notes at least, each attacker under a new key as soon as the last is banned; how many keys that took.
fn storms(address: PeerAddr, notes: usize, note: impl Fn(usize, &mut Random) -> Note + Sync) -> usize {
    let (said, keys) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (said, keys, note) = (&said, &keys, &note);
            scope.spawn(move || {
                let mut random = Random(number as u64);
                while said.load(Ordering::Relaxed) < notes {
                    let key = Keypair::generate_ed25519();
                    let raw = connect(address, &key, true).unwrap();
                    said.fetch_add(storm(&raw, || note(number, &mut random)), Ordering::Relaxed);
                    assert!(is_banned(address, &key));
                    keys.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    keys.into_inner()
}

#[test]
fn the_same_notes_over_and_over_ban_who_says_them() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let block = Line::mine(1, 6).blocks.swap_remove(1);
    let compact = CompactBlock { header: block.header, salt: 1, coinbase: block.coinbase, short_ids: Vec::new() };
    let notes =
        [Note::Transactions(vec![Wtxid([1; 32])]), Note::Blocks(vec![block.header]), Note::Compact(Box::new(compact))];
    let banned =
        honest.under("the same notes", |address| storms(address, size(30_000, 1_000_000), |of, _| notes[of].clone()));
    assert_eq!(number(&honest.node.status()["bans"]), banned as u64);
    honest.stop();
}

#[test]
fn addresses_without_number_ban_who_tells_them() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let notes = size(20_000, 1_000_000) / MAX_ADDRESSES_TOLD;
    let banned = honest.under("addresses", |address| {
        storms(address, notes, |_, random| {
            let one = |_| {
                let ip = Ipv4Addr::new(20 + random.below(100) as u8, random.next() as u8, random.next() as u8, 1);
                KnownAddress { address: PeerAddr::new(IpAddr::V4(ip), 27_617), seen: now() }
            };
            Note::Addresses((0..MAX_ADDRESSES_TOLD).map(one).collect())
        })
    });
    assert_eq!(number(&honest.node.status()["bans"]), banned as u64);
    honest.stop();
}

/// Announcements that are new each time: what is asked for and kept is bounded.
#[test]
fn announcements_without_number_ban_who_makes_them() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let banned = honest.under("announcements", |address| {
        storms(address, size(5_000, 100_000), |_, random| {
            let one = |_| {
                let mut hash = [0; 32];
                hash[..8].copy_from_slice(&random.next().to_le_bytes());
                Wtxid(hash)
            };
            Note::Transactions((0..100).map(one).collect())
        })
    });
    assert_eq!(number(&honest.node.status()["bans"]), banned as u64);
    honest.stop();
}

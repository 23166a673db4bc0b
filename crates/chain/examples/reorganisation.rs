//! How long a reorganisation of 1 100 blocks takes, with conflicting, resurrected and now-immature transactions.
//!
//! `cargo run --release -p bloom-chain --example reorganisation [DIR]`: there and back between two branches in DIR (a new
//! temporary directory by default), each reorganisation one durable commit.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "an example's figures")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::time::Instant;

use bloom_chain::{Chain, Outcome};
use common::{DEV, bulk, contended_branches, feed, replayed, state};

const LENGTH: u64 = 1_100;

fn main() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let (one, other) = contended_branches(LENGTH);
    let mut chain = Chain::open(&dir, &DEV, bulk()).unwrap();
    feed(&mut chain, &one.blocks);
    let (last, rest) = other.blocks[151..].split_last().unwrap();
    feed(&mut chain, rest);
    chain.flush().unwrap();
    drop(chain);

    // From cold: nothing of either branch is remembered.
    let mut chain = Chain::open(&dir, &DEV, bulk()).unwrap();
    let mut reorganise = |block| {
        let began = Instant::now();
        let Outcome::Reorganised { disconnected, connected } = feed(&mut chain, [block]) else {
            panic!("it is heavier")
        };
        println!(
            "{} blocks off and {} on in {:.3} s",
            disconnected.len(),
            connected.len(),
            began.elapsed().as_secs_f64()
        );
    };
    reorganise(last);
    let longer = one.clone().grow(2, 8);
    let (last, before) = longer.blocks[1251..].split_last().unwrap();
    feed(&mut chain, before);
    let began = Instant::now();
    feed(&mut chain, [last]);
    println!("and back in {:.3} s", began.elapsed().as_secs_f64());
    assert_eq!(state(&chain), replayed(&longer));
}

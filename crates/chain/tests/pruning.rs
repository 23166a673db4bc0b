//! Old bodies go, and with them only what the directory says it can no longer do.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use bloom_chain::{AcceptError, Chain, ExportError, Keep, MarkError, Options, Outcome, Pruning, StoreError};
use bloom_consensus::Height;
use common::*;

static NEVER: AtomicBool = AtomicBool::new(false);

/// 2 300 blocks, with payments all the way: 1 000 are kept from 1301 on.
static LINE: LazyLock<Line> = LazyLock::new(|| {
    let mut line = Line::dev().grow(130, 1);
    while line.height() < 2300 {
        let coin = line.reward_at(line.height() - 125);
        line.mine(1, vec![pay(&DEV, coin, 1, &[2])]);
    }
    line
});
const HORIZON: u64 = 1301;

fn prune(chain: &mut Chain) -> Pruning {
    chain.prune(Keep::LEAST, &mut |_| {}, &NEVER).unwrap()
}

fn stored(dir: &std::path::Path) -> Chain {
    let mut chain = Chain::open(dir, &DEV, bulk()).unwrap();
    feed(&mut chain, &LINE.blocks);
    chain.flush().unwrap();
    chain
}

fn has_body(chain: &Chain, line: &Line, height: u64) -> bool {
    chain.block(&line.hash_at(height)).unwrap().is_some()
}

#[test]
fn headers_coins_and_the_last_thousand_blocks_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = stored(dir.path());
    let side = LINE.cut(600).grow(3, 7);
    feed(&mut chain, &side.blocks[601..]);
    let before = (state(&chain), fs::metadata(dir.path().join("chain.redb")).unwrap().len());
    let mut last = None;
    let pruning = chain.prune(Keep::LEAST, &mut |progress| last = Some(progress), &NEVER).unwrap();
    assert_eq!((pruning.keep, pruning.horizon), (Keep::LEAST, Height(HORIZON)));
    assert_eq!(last.map(|progress| (progress.done, progress.total)), Some((HORIZON - 1, HORIZON - 1)));
    let after = fs::metadata(dir.path().join("chain.redb")).unwrap().len();
    assert!(after * 4 < before.1 * 3, "from {} to {after} bytes", before.1);
    drop(chain);

    let mut chain = open(dir.path());
    assert_eq!(chain.pruning(), Some(pruning), "it is remembered");
    assert_eq!(state(&chain), before.0);
    for height in [1, 600, HORIZON - 1] {
        assert!(!has_body(&chain, &LINE, height), "height {height}");
        assert!(chain.header(&LINE.hash_at(height)).unwrap().is_some(), "height {height}");
    }
    assert!(!has_body(&chain, &side, 602), "side branches go too");
    assert!((HORIZON..=2300).all(|height| has_body(&chain, &LINE, height)));
    let verified = verify(&mut chain, 0).unwrap();
    assert_eq!((verified.proofs, verified.replayed), (2304, 1000));
    assert_eq!(verified.bodies, 1001, "genesis and what is kept");

    // What comes pushes the oldest out, in its own commit.
    let longer = LINE.clone().grow(5, 1);
    feed(&mut chain, &longer.blocks[2301..]);
    assert_eq!(chain.pruning().map(|pruning| pruning.horizon), Some(Height(HORIZON + 5)));
    assert!(!has_body(&chain, &LINE, HORIZON + 4) && has_body(&chain, &LINE, HORIZON + 5));
    drop(chain);
    let mut chain = open(dir.path());
    assert_eq!(chain.pruning().map(|pruning| pruning.horizon), Some(Height(HORIZON + 5)));
    assert_eq!(state(&chain), replayed(&longer));
    // To keep more from now on brings nothing back.
    let more = chain.prune(Keep::new(1500).unwrap(), &mut |_| {}, &NEVER).unwrap();
    assert_eq!((more.keep.blocks(), more.horizon), (1500, Height(HORIZON + 5)));
    verify(&mut chain, 0).unwrap();
}

#[test]
fn a_reorganisation_of_all_that_is_kept_is_followed_and_a_deeper_one_is_refused() {
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &LINE.blocks);
    prune(&mut chain);
    // From the last block without a body on: its children are the first that can be taken off.
    let deepest = LINE.cut(HORIZON - 1).grow(1001, 8);
    let fork = usize::try_from(HORIZON).unwrap();
    assert_eq!(feed(&mut chain, &deepest.blocks[fork..2301]), Outcome::SideBranch);
    let Outcome::Reorganised { disconnected, .. } = feed(&mut chain, &deepest.blocks[2301..]) else {
        panic!("it is heavier")
    };
    assert_eq!(disconnected.len(), 1000);
    assert_eq!(state(&chain), replayed(&deepest));
    verify(&mut chain, 0).unwrap();

    let mut chain = in_memory(&DEV);
    feed(&mut chain, &LINE.cut(2299).blocks);
    let too_deep = LINE.cut(HORIZON - 2).grow(1003, 9);
    assert_eq!(feed(&mut chain, &too_deep.blocks[fork - 1..2300]), Outcome::SideBranch, "known before it is pruned");
    feed(&mut chain, [LINE.tip()]);
    prune(&mut chain);
    let before = state(&chain);
    feed(&mut chain, [&too_deep.blocks[2300]]);
    let error = chain.accept(&too_deep.blocks[2301], 0, NOW).unwrap_err();
    assert!(matches!(error, AcceptError::Pruned { horizon: Height(HORIZON), .. }), "{error}");
    assert_eq!(state(&chain), before, "the tip stays");
    let late = LINE.cut(400).grow(1, 9);
    let error = chain.accept(late.tip(), 0, NOW).unwrap_err();
    assert!(matches!(error, AcceptError::Pruned { .. }), "it could never be followed: {error}");
    feed(&mut chain, [LINE.clone().grow(1, 1).tip()]);
    verify(&mut chain, 0).unwrap();
}

#[test]
fn what_a_pruned_directory_cannot_do_is_said_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = stored(dir.path());
    prune(&mut chain);
    let before = state(&chain);
    let export = |chain: &Chain, from| chain.export(Height(from), Vec::new(), &mut |_| {}, &NEVER);
    assert!(matches!(export(&chain, 1), Err(ExportError::Pruned { horizon: Height(HORIZON) })));
    assert!(export(&chain, HORIZON).is_ok());
    let error = chain.invalidate(&LINE.hash_at(HORIZON - 1)).unwrap_err();
    assert!(matches!(error, MarkError::Pruned { .. }), "{error}");
    // As far down as can be, and back.
    chain.invalidate(&LINE.hash_at(HORIZON)).unwrap();
    assert_eq!(chain.tip().height, Height(HORIZON - 1));
    assert_eq!(chain.state_digest().unwrap(), replayed(&LINE.cut(HORIZON - 1)).1);
    chain.reconsider(&LINE.hash_at(HORIZON)).unwrap();
    assert_eq!(state(&chain), before);
    drop(chain);

    let file = fs::read(dir.path().join("chain.redb")).unwrap();
    let reindex = || match Chain::reindex(dir.path(), &DEV, Options::default(), &mut |_| {}) {
        Ok(_) => panic!("it would lose what is unspent"),
        Err(error) => error,
    };
    let error = reindex();
    assert!(matches!(error, StoreError::Pruned { .. }), "{error}");
    // Without the word beside it the blocks themselves tell, and opening leaves word again.
    fs::remove_file(dir.path().join("chain.pruned")).unwrap();
    assert!(matches!(reindex(), StoreError::Hopeless { .. }));
    assert_eq!(fs::read(dir.path().join("chain.redb")).unwrap(), file, "it was left as it was");
    assert_eq!(state(&open(dir.path())), before);
    assert!(dir.path().join("chain.pruned").exists());
    // A chain begun anew is whole.
    for name in ["chain.redb", "chain.mark"] {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    drop(open(dir.path()));
    assert!(!dir.path().join("chain.pruned").exists());
}

/// The word that is left before anything is dropped, of a process that died before it dropped anything.
#[test]
fn a_directory_that_was_to_be_pruned_and_was_not_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = open(dir.path());
    feed(&mut chain, &LINE.cut(20).blocks);
    let before = state(&chain);
    drop(chain);
    let mark = dir.path().join("chain.pruned");
    fs::write(&mark, "Old blocks were dropped from chain.redb.\n").unwrap();
    drop(open(dir.path()));
    assert!(!mark.exists());
    Chain::reindex(dir.path(), &DEV, Options::default(), &mut |_| {}).unwrap();
    assert_eq!(state(&open(dir.path())), before);
}

#[test]
fn fewer_blocks_than_must_be_kept_are_refused_and_a_short_chain_keeps_all() {
    assert!(Keep::new(999).is_err() && Keep::new(1000).is_ok());
    let line = LINE.cut(150);
    let options = Options { prune: Some(Keep::LEAST), ..Options::default() };
    let mut chain = Chain::in_memory(&DEV, options).unwrap();
    feed(&mut chain, &line.blocks);
    assert_eq!(chain.pruning().map(|pruning| pruning.horizon), Some(Height(1)));
    assert!((0..=150).all(|height| has_body(&chain, &line, height)));
    verify(&mut chain, 0).unwrap();
}

#[test]
fn pruning_can_be_stopped_and_goes_on_with_the_blocks_that_come() {
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &LINE.blocks);
    let stopped = chain.prune(Keep::LEAST, &mut |_| {}, &AtomicBool::new(true)).unwrap();
    assert!(stopped.horizon > Height(1) && stopped.horizon < Height(HORIZON));
    verify(&mut chain, 0).unwrap();
    let longer = LINE.clone().grow(100, 1);
    feed(&mut chain, &longer.blocks[2301..]);
    assert_eq!(chain.pruning().map(|pruning| pruning.horizon), Some(Height(HORIZON + 100)), "16 at a time");
    verify(&mut chain, 0).unwrap();
}

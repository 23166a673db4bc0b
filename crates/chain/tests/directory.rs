//! Attack 23 and the bad data directories of bar 7: a clear error, and nothing lost.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bloom_chain::{Chain, Options, StoreError};
use bloom_consensus::{Height, Params};
use common::*;
use redb::{Database, TableDefinition};

fn refused(dir: &Path, params: &Params) -> StoreError {
    Chain::open(dir, params, Options::default()).err().expect("the directory cannot be used")
}

/// Runs the test of that name alone in a process of its own, with a directory for it to work on.
fn in_another_process(test: &str, dir: &Path, user: Option<u32>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("BLOOM_TEST_DIR", dir);
    #[cfg(unix)]
    if let Some(user) = user {
        std::os::unix::process::CommandExt::uid(&mut command, user);
    }
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// What [`in_another_process`] runs: says how the opening of its directory ends. By itself it opens a fresh one.
#[test]
fn the_other_process() {
    let own = tempfile::tempdir().unwrap();
    let dir = std::env::var_os("BLOOM_TEST_DIR").map(PathBuf::from);
    let result = Chain::open(dir.as_deref().unwrap_or(own.path()), &DEV, Options::default());
    match &result {
        Ok(chain) => println!("OPENED at {}", chain.tip().height),
        Err(error) => println!("REFUSED {error}"),
    }
    assert!(dir.is_some() || result.is_ok());
}

#[test]
fn a_chain_continues_where_it_was_left() {
    let line = Line::dev().grow(10, 1);
    let dir = tempfile::tempdir().unwrap();
    let nested = dir.path().join("a").join("b");
    for height in 1..=10 {
        let mut chain = open(&nested);
        assert_eq!(chain.tip().height, Height(height - 1));
        feed(&mut chain, [&line.blocks[usize::try_from(height).unwrap()]]);
    }
    let chain = open(&nested);
    assert_eq!(state(&chain), replayed(&line));
    assert_eq!(chain.hash_at(Height(7)).unwrap(), Some(line.hash_at(7)));
    assert_eq!(chain.hash_at(Height(11)).unwrap(), None);
    assert_eq!(chain.block(&line.hash_at(7)).unwrap().as_ref(), Some(&line.blocks[7]));
    assert!(chain.is_active(&line.hash_at(7)).unwrap());
    let (outpoint, output) = line.reward_at(3);
    assert_eq!(chain.coin(&outpoint).unwrap().unwrap().output, output);
    let facts = chain.template_facts().unwrap();
    assert_eq!((facts.parent, facts.height), (line.tip().hash(), Height(11)));
    assert_eq!(facts.min_timestamp.0, line.tip().header.template.timestamp.0 + 1);
    assert_eq!(facts.difficulty, DEV.genesis_difficulty());
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let chain = open(dir.path());
    let own = std::process::id().to_string();
    assert!(matches!(refused(dir.path(), &DEV), StoreError::Locked { holder, .. } if holder.contains(&own)));
    let said = in_another_process("the_other_process", dir.path(), None);
    assert!(said.contains("REFUSED") && said.contains("in use") && said.contains(&own), "{said}");
    drop(chain);
    let said = in_another_process("the_other_process", dir.path(), None);
    assert!(said.contains("OPENED at 0"), "{said}");
    open(dir.path());
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_refused() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let parent = tempfile::tempdir().unwrap();
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    chmod(parent.path(), 0o755);
    let dir = parent.path().join("data");
    drop(open(&dir));
    chmod(&dir, 0o555);
    for name in ["chain.redb", "chain.lock", "chain.mark"] {
        chmod(&dir.join(name), 0o444);
    }
    // Root may write anywhere, so root tries as nobody.
    let user = (fs::metadata(&dir).unwrap().uid() == 0).then_some(65_534);
    let said = in_another_process("the_other_process", &dir, user);
    assert!(said.contains("REFUSED") && said.contains("not writable") && said.contains("data"), "{said}");
    chmod(&dir, 0o755);
    let said = in_another_process("the_other_process", &dir.join("chain.redb").join("below"), None);
    assert!(said.contains("REFUSED") && said.contains("not writable"), "{said}");
}

#[test]
fn the_chain_of_another_network_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let test = Params::test();
    let error = refused(dir.path(), &test);
    let message = error.to_string();
    assert!(matches!(error, StoreError::OtherNetwork { got, expected, .. }
        if got == DEV.network_id && expected == test.network_id));
    assert!(message.contains(&DEV.network_id.to_string()) && message.contains("choose another"), "{message}");
    let error = Chain::reindex(dir.path(), &test, Options::default(), &mut |_| {}).err().unwrap();
    assert!(matches!(error, StoreError::OtherNetwork { got, .. } if got == DEV.network_id));
    open(dir.path());
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let database = Database::open(dir.path().join("chain.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = TableDefinition::<&[u8], &[u8]>::new("meta");
    transaction.open_table(meta).unwrap().insert(&b"format"[..], &3u32.to_le_bytes()[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = refused(dir.path(), &DEV);
    assert!(error.to_string().contains("update"), "{error}");
    assert!(matches!(error, StoreError::NewerFormat { got: 3, expected: 2, .. }));
}

#[test]
fn a_file_that_vanished_is_missed() {
    let line = Line::dev().grow(2, 1);
    let dir = tempfile::tempdir().unwrap();
    feed(&mut open(dir.path()), &line.blocks);
    fs::remove_file(dir.path().join("chain.redb")).unwrap();
    let seen_last = line.tip().hash();
    assert!(matches!(refused(dir.path(), &DEV), StoreError::Missing { seen, .. } if seen == seen_last));
    fs::remove_file(dir.path().join("chain.mark")).unwrap();
    assert_eq!(open(dir.path()).tip().height, Height(0));
}

#[test]
fn an_older_copy_of_the_file_is_noticed() {
    let line = Line::dev().grow(3, 1);
    let dir = tempfile::tempdir().unwrap();
    let (file, copy) = (dir.path().join("chain.redb"), dir.path().join("copy"));
    feed(&mut open(dir.path()), &line.blocks[..3]);
    fs::copy(&file, &copy).unwrap();
    feed(&mut open(dir.path()), &line.blocks[3..]);
    fs::copy(&copy, &file).unwrap();
    let error = refused(dir.path(), &DEV);
    assert!(matches!(&error, StoreError::Corrupted { .. }), "{error}");
    assert!(error.to_string().contains(&line.tip().hash().to_string()), "{error}");
    let (chain, reindexed) = Chain::reindex(dir.path(), &DEV, Options::default(), &mut |_| {}).unwrap();
    assert_eq!(reindexed.lost, Some(line.tip().hash()), "it says what it could not find");
    assert_eq!(chain.tip().height, Height(2));
    drop(chain);
    assert_eq!(open(dir.path()).tip().height, Height(2));
}

#[test]
fn leftovers_of_a_killed_creation_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("chain.redb.new"), b"half a file").unwrap();
    fs::write(dir.path().join("chain.lock"), b"process 1").unwrap();
    drop(open(dir.path()));
    fs::write(dir.path().join("chain.redb.new"), b"half a file").unwrap();
    fs::write(dir.path().join("chain.mark"), b"half a mark").unwrap();
    drop(open(dir.path()));
    assert!(!dir.path().join("chain.redb.new").exists());
}

#[test]
fn a_reindex_comes_to_the_same_chain() {
    let trunk = Line::dev().grow(140, 1);
    let mut line = trunk.clone();
    for n in 1..=10 {
        let payment = pay(&DEV, trunk.reward_at(n), 1, &[2, 3]);
        line.mine(1, vec![payment]);
    }
    let side = trunk.clone().grow(8, 4);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(dir.path(), &DEV, bulk()).unwrap();
    feed(&mut chain, &trunk.blocks);
    feed(&mut chain, &side.blocks);
    feed(&mut chain, &line.blocks);
    chain.flush().unwrap();
    let before = (state(&chain), chain.leaves().unwrap());
    drop(chain);
    let mut last = None;
    let (mut chain, reindexed) =
        Chain::reindex(dir.path(), &DEV, Options::default(), &mut |progress| last = Some(progress)).unwrap();
    assert_eq!((state(&chain), chain.leaves().unwrap()), before);
    assert_eq!((reindexed.found, reindexed.left_out, reindexed.lost), (159, 0, None));
    assert_eq!(last.map(|progress| (progress.done, progress.total)), Some((reindexed.found, reindexed.found)));
    assert!(reindexed.kept.exists());
    let verified = verify(&mut chain, 0).unwrap();
    assert_eq!((verified.proofs, verified.bodies, verified.replayed), (159, 159, 150));
    assert_eq!(verify(&mut chain, 145).unwrap().replayed, 6);
    assert_eq!(verify(&mut chain, 1000).unwrap().replayed, 0);
    drop(chain);
    assert_eq!(state(&open(dir.path())), before.0);
    let (_, again) = Chain::reindex(dir.path(), &DEV, Options::default(), &mut |_| {}).unwrap();
    assert_ne!(again.kept, reindexed.kept, "what was kept once is not overwritten");
    assert!(reindexed.kept.exists() && again.kept.exists());
}

#[test]
fn verification_can_be_stopped() {
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &Line::dev().grow(3, 1).blocks);
    let before = state(&chain);
    let stop = std::sync::atomic::AtomicBool::new(true);
    let error = chain.verify(Height(0), 2, &mut |_| {}, &stop).unwrap_err();
    assert!(matches!(error, bloom_chain::VerifyError::Cancelled));
    assert_eq!(state(&chain), before);
}

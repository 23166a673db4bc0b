//! A chain's file that is not what was written: either nothing is different, or it is refused, and then reindexed.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use support::{Home, Random, number};

const BLOCKS: u64 = 30;

/// A directory's chain and mark as bytes, and what `bloom chain` says of them.
struct Image {
    file: Vec<u8>,
    mark: Vec<u8>,
    tip: Value,
}

impl Image {
    fn take() -> Self {
        let home = Home::new();
        home.run(&format!("mine --pace 0 --blocks {BLOCKS} --data-dir d")).ok();
        let tip = home.run("chain --json --data-dir d").ok().json();
        let read = |name: &str| fs::read(home.path(name)).unwrap();
        Self { file: read("d/chain.redb"), mark: read("d/chain.mark"), tip }
    }

    fn put(&self, home: &Home, file: &[u8]) {
        let _ = fs::remove_file(home.path("d/chain.redb.old")); // of the file before, if that was rebuilt
        home.write("d/chain.redb", file);
        home.write("d/chain.mark", &self.mark);
    }

    fn is_tip(&self, said: &Value) -> bool {
        ["height", "state"].iter().all(|key| said[key] == self.tip[key])
    }

    /// Verifies an altered file; whether it is taken for whole, and then it is.
    fn judge(&self, home: &Home, file: &[u8], what: &str) -> bool {
        self.put(home, file);
        let verified = home.run("verify --json --data-dir d");
        verified.did_not_panic();
        if verified.status.success() {
            let said = verified.json();
            assert!(self.is_tip(&said) && said["tip"] == self.tip["hash"], "{what}: {said}");
            return true;
        }
        assert!(matches!(verified.status.code(), Some(1 | 3)), "{what}: {}", verified.status);
        assert!(verified.stderr.contains("reindex"), "{what}: {}", verified.stderr);
        assert!(fs::read(home.path("d/chain.redb")).unwrap() == file, "{what}: refused, but not left as it was");
        false
    }

    /// Rebuilds the chain from an altered file; whether nothing was lost. What is lost is said.
    fn rescue(&self, home: &Home, file: &[u8], what: &str) -> bool {
        self.put(home, file);
        let rebuilt = home.run("verify --reindex --json --data-dir d");
        if !rebuilt.status.success() {
            let rebuilt = rebuilt.refused(3, &["none that stands on this network's genesis", "left as it is: restore"]);
            assert!(!rebuilt.stderr.contains("reindex"), "there is no sense in trying again: {}", rebuilt.stderr);
            assert!(fs::read(home.path("d/chain.redb")).unwrap() == file, "{what}: given up, but not left as it was");
            return false;
        }
        rebuilt.did_not_panic();
        assert!(fs::read(home.path("d/chain.redb.old")).unwrap() == file, "{what}: the old file is kept");
        let said = rebuilt.json();
        let whole = self.is_tip(&said);
        assert!(whole || number(&said["height"]) < BLOCKS, "{what}: {said}");
        assert_eq!(whole, !rebuilt.stderr.contains("was not found"), "{what}: {}", rebuilt.stderr);
        home.run("mine --pace 0 --blocks 1 --data-dir d").ok();
        whole
    }
}

/// The first page in steps of 16, and bytes all over the rest, half of them where something is written; each with what is
/// flipped in it.
fn flips(file: &[u8]) -> Vec<(usize, u8)> {
    let mut random = Random(23);
    let mut flips: Vec<_> = (0..4096).step_by(16).map(|offset| (offset, 1 << (offset / 16 % 8))).collect();
    let written: Vec<usize> = (4096..file.len()).filter(|offset| file[*offset] != 0).collect();
    for _ in 0..80 {
        flips.push((random.below(file.len() as u64) as usize, random.below(255) as u8 + 1));
        flips.push((written[random.below(written.len() as u64) as usize], random.below(255) as u8 + 1));
    }
    flips
}

#[test]
fn any_flipped_byte_is_harmless_or_noticed() {
    let image = Image::take();
    let flips = flips(&image.file);
    let [next, harmless, rescued] = [const { AtomicUsize::new(0) }; 3];
    let judge = || {
        let home = Home::new();
        while let Some((offset, mask)) = flips.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut file = image.file.clone();
            file[*offset] ^= mask;
            let what = format!("byte {offset} ^ {mask:#x}");
            if image.judge(&home, &file, &what) {
                harmless.fetch_add(1, Ordering::Relaxed);
            } else if image.rescue(&home, &file, &what) {
                rescued.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(2, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(judge)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let (harmless, rescued) = (harmless.into_inner(), rescued.into_inner());
    let noticed = flips.len() - harmless;
    assert!(harmless > 20 && noticed > 20 && rescued > 10, "{harmless} harmless, {noticed} noticed, {rescued} rescued");
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let image = Image::take();
    let home = Home::new();
    let whole = image.file.len();
    for len in [0, 1, 64, 320, 4096, 5000, whole / 2, whole - 4096, whole - 1] {
        assert!(!image.judge(&home, &image.file[..len], &format!("cut at {len}")));
    }
    home.run("verify --reindex --data-dir d").ok();
    image.put(&home, b"");
    home.run("verify --reindex --data-dir d").refused(3, &["0 blocks were found in it"]);
    assert_eq!(fs::read(home.path("d/chain.redb")).unwrap(), b"", "it is still there");
}

#[test]
fn the_mark_is_a_second_witness_and_never_the_only_one() {
    let image = Image::take();
    let home = Home::new();
    for offset in (0..image.mark.len()).step_by(7) {
        image.put(&home, &image.file);
        let mut mark = image.mark.clone();
        mark[offset] ^= 0x10;
        home.write("d/chain.mark", mark);
        assert!(image.is_tip(&home.run("verify --json --data-dir d").ok().json()), "byte {offset}");
    }
    image.put(&home, &image.file);
    fs::remove_file(home.path("d/chain.mark")).unwrap();
    assert!(image.is_tip(&home.run("verify --json --data-dir d").ok().json()));
}

#[test]
fn an_older_file_is_not_taken_for_the_chain() {
    let home = Home::new();
    home.run("mine --pace 0 --blocks 3 --data-dir d").ok();
    let older = fs::read(home.path("d/chain.redb")).unwrap();
    home.run("mine --pace 0 --blocks 1 --data-dir d").ok();
    let hash = home.run("chain --json --data-dir d").ok().json()["hash"].as_str().unwrap().to_owned();
    home.write("d/chain.redb", older);
    for command in ["mine --blocks 1", "chain", "verify"] {
        home.run(&format!("{command} --data-dir d"))
            .refused(3, &["is damaged", &hash, "which was stored, is not in it"]);
    }
    let rebuilt = home.run("verify --reindex --data-dir d").ok();
    assert!(rebuilt.stderr.contains(&hash) && rebuilt.stderr.contains("was not found"), "{}", rebuilt.stderr);
}

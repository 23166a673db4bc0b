//! Attack 23: a file with any byte flipped, torn or cut works in full or is refused, and is not touched if refused.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::fs;
use std::path::Path;

use bloom_chain::{Chain, Options, StoreError, Tip};
use common::*;

/// A data directory as bytes.
struct Image {
    file: Vec<u8>,
    mark: Vec<u8>,
    expected: (Tip, [u8; 32]),
}

impl Image {
    /// A chain with a reorganisation behind it, as it is when closed, or as a kill leaves it.
    fn take(closed: bool) -> Self {
        let trunk = Line::dev().grow(20, 1);
        let (one, other) = (trunk.clone().grow(2, 2), trunk.clone().grow(4, 3));
        let dir = tempfile::tempdir().unwrap();
        let mut chain = open(dir.path());
        feed(&mut chain, &one.blocks);
        feed(&mut chain, &other.blocks);
        let expected = state(&chain);
        if closed {
            drop(chain);
        }
        let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
        Self { file: read("chain.redb"), mark: read("chain.mark"), expected }
    }

    fn write(&self, dir: &Path, file: &[u8]) {
        fs::write(dir.join("chain.redb"), file).unwrap();
        fs::write(dir.join("chain.mark"), &self.mark).unwrap();
    }

    /// Opens the chain from an altered file; whether it opened.
    fn judge(&self, dir: &Path, file: &[u8], what: &str) -> bool {
        self.write(dir, file);
        match Chain::open(dir, &DEV, Options::default()) {
            Ok(mut chain) => {
                assert_eq!(state(&chain), self.expected, "{what}: opened, but not as it was left");
                if file.len() % 8 == what.len() % 8 {
                    verify(&mut chain, 0).unwrap_or_else(|error| panic!("{what}: {error}"));
                }
                true
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupted { .. }), "{what}: {error}");
                assert!(error.to_string().contains("reindex"), "{what}: {error}");
                assert!(fs::read(dir.join("chain.redb")).unwrap() == file, "{what}: refused, but not left as it was");
                false
            }
        }
    }

    /// Reindexes an altered file; whether nothing was lost.
    fn rescue(&self, dir: &Path, file: &[u8], what: &str) -> bool {
        self.write(dir, file);
        let (mut chain, reindexed) = Chain::reindex(dir, &DEV, Options::default(), &mut |_| {}).unwrap();
        verify(&mut chain, 0).unwrap();
        assert!(fs::read(reindexed.kept).unwrap() == file, "{what}: the old file is kept as it was");
        let whole = state(&chain) == self.expected;
        assert!(whole || chain.tip().work < self.expected.0.work, "{what}");
        whole
    }

    /// Every bit of redb's header, every byte of the rest of its page, and bytes all over the rest.
    fn flips(&self) -> impl Iterator<Item = (usize, u8)> {
        let header = (0..320).flat_map(|offset| (0..8).map(move |bit| (offset, 1 << bit)));
        let page = (320..4096).step_by(16).map(|offset| (offset, 0xff));
        let rest = (4096..self.file.len()).step_by(389).map(|offset| (offset, 0x55));
        header.chain(page).chain(rest)
    }
}

/// A directory in memory where there is one: thousands of openings need not reach a disk.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn flip_bytes(closed: bool) {
    let image = Image::take(closed);
    let dir = scratch();
    let (mut opened, mut refused, mut rescued) = (0, 0, 0);
    for (number, (offset, mask)) in image.flips().enumerate() {
        let mut file = image.file.clone();
        file[offset] ^= mask;
        let what = format!("byte {offset} ^ {mask:#x}");
        if image.judge(dir.path(), &file, &what) {
            opened += 1;
        } else {
            refused += 1;
            if number % 8 == 0 {
                rescued += u32::from(image.rescue(dir.path(), &file, &what));
            }
        }
    }
    assert!(opened > 100 && refused > 100 && rescued > 20, "{opened} opened, {refused} refused, {rescued} rescued");
}

#[test]
fn any_flipped_byte_of_a_closed_file_is_harmless_or_noticed() {
    flip_bytes(true);
}

#[test]
fn any_flipped_byte_of_a_file_whose_process_was_killed_is_harmless_or_noticed() {
    flip_bytes(false);
}

#[test]
fn a_killed_process_leaves_a_file_that_opens() {
    let image = Image::take(false);
    let dir = scratch();
    assert!(image.judge(dir.path(), &image.file, "as it was left"));
}

#[test]
fn a_flipped_block_is_lost_alone() {
    let image = Image::take(true);
    let dir = scratch();
    image.write(dir.path(), &image.file);
    let chain = open(dir.path());
    let last = chain.block(&chain.tip().hash).unwrap().unwrap().encode();
    drop(chain);
    let places: Vec<usize> =
        image.file.windows(last.len()).enumerate().filter(|(_, bytes)| *bytes == last).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    let mut file = image.file.clone();
    for at in places {
        file[at + last.len() / 2] ^= 4;
    }
    assert!(!image.judge(dir.path(), &file, "the tip's body"));
    image.write(dir.path(), &file);
    let (chain, reindexed) = Chain::reindex(dir.path(), &DEV, Options::default(), &mut |_| {}).unwrap();
    assert_eq!(reindexed.lost, Some(image.expected.0.hash));
    assert_eq!(chain.tip().height.0 + 1, image.expected.0.height.0);
}

#[test]
fn a_file_cut_or_padded_anywhere_is_noticed() {
    let image = Image::take(true);
    let dir = scratch();
    let whole = image.file.len();
    for len in (0..whole).step_by(1531).chain([1, 320, 4095, 4096, 8192, whole - 1]) {
        let mut file = image.file.clone();
        file.truncate(len);
        assert!(!image.judge(dir.path(), &file, &format!("cut at {len}")));
    }
    for more in [1, 4096, 1 << 20] {
        let mut file = image.file.clone();
        file.resize(whole + more, 0);
        image.judge(dir.path(), &file, &format!("{more} bytes more"));
    }
    assert!(!image.judge(dir.path(), b"not a database at all", "text"));
}

#[test]
fn a_torn_page_is_noticed_or_unused() {
    let image = Image::take(false);
    let dir = scratch();
    let mut refused = 0;
    for page in 0..image.file.len() / 4096 {
        let mut file = image.file.clone();
        file[page * 4096 + 2048..][..2048].fill(0);
        refused += u32::from(!image.judge(dir.path(), &file, &format!("page {page}")));
    }
    assert!(refused > 3, "{refused}");
}

//! Every file that fuzzing begins with, and every one that it once tripped over, on this toolchain: no panic, no more
//! memory than the bound, and what is accepted encodes to what was read (attacks 3, 25).

#[expect(unreachable_pub, dead_code, reason = "it is a library of its own, which this test reads as a part")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// One test, for the memory is the process's.
#[test]
fn what_is_kept_of_the_corpora_is_read_within_its_bounds() {
    // Of each target the kinds that must be among what is accepted.
    replay("note", targets::note, &[0x40, 0x41, 0x42, 0x43, 0x44]);
    replay("request", targets::request, &[0x10, 0x11, 0x12, 0x13, 0x14, 0x15]);
    replay("response", targets::response, &[0x90, 0x91, 0x92, 0x93, 0x95, 0xf0, 0xf1]);
    replay("hello", targets::hello, &[0x00, 0x01]);
    replay("book", targets::book, b"b");

    let grown = files("engine").iter().filter(|bytes| targets::engine::play(bytes)).count();
    assert!(grown > 1, "{grown} sequences end with a longer chain");
}

fn replay(target: &str, read: fn(&[u8]) -> bool, kinds: &[u8]) {
    let files = files(target);
    let mut accepted = BTreeSet::new();
    for bytes in &files {
        if read(bytes) {
            accepted.insert(bytes[0]);
        }
        // Cut short anywhere near its end, or with a byte more, it is read or refused, never more than that.
        for end in bytes.len().saturating_sub(40)..bytes.len() {
            read(&bytes[..end]);
        }
        read(&[&bytes[..], &[0]].concat());
        // Any four bytes may be a count: as many as there can be, or as there may be.
        for at in 0..bytes.len().min(400).saturating_sub(4) {
            for claimed in [u32::MAX, 1_000, 64] {
                let mut lying = bytes.clone();
                lying[at..at + 4].copy_from_slice(&claimed.to_le_bytes());
                read(&lying);
            }
        }
    }
    assert!(accepted.is_superset(&kinds.iter().copied().collect()), "{target}: {accepted:x?} of {}", files.len());
}

fn files(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder).expect("a corpus").map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

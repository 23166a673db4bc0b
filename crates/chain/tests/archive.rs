//! The chain out to an archive and back in: what comes in is judged like any block, and damage takes nothing good along.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use bloom_chain::{
    AcceptError, ArchiveError, ArchiveReader, ArchiveWriter, Chain, ExportError, Heading, ImportError, Imported,
    Options,
};
use bloom_consensus::network::Params;
use bloom_consensus::{Height, Rejection, Timestamp};
use common::*;

/// Magic, version, network, first height, count, checksum.
const HEADING_BYTES: usize = 16 + 4 + 32 + 8 + 8 + 32;
static NEVER: AtomicBool = AtomicBool::new(false);
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// A chain with a payment in it.
fn line() -> Line {
    let mut line = Line::dev().grow(130, 1);
    line.mine(2, vec![pay(&DEV, line.reward_at(3), 1, &[9, 8])]);
    line.grow(4, 2)
}

fn chain_of(line: &Line) -> Chain {
    let mut chain = in_memory(&DEV);
    feed(&mut chain, &line.blocks);
    chain
}

fn export(line: &Line, from: u64) -> Vec<u8> {
    chain_of(line).export(Height(from), Vec::new(), &mut |_| {}, &NEVER).unwrap()
}

fn import(chain: &mut Chain, archive: impl Read) -> Result<Imported, ImportError> {
    let mut archive = ArchiveReader::new(archive, &DEV.network_id)?;
    chain.import(&mut archive, TWO, NOW, &mut |_| {}, &NEVER)
}

#[test]
fn a_chain_comes_back_as_it_was_and_a_second_time_changes_nothing() {
    let line = line();
    let archive = export(&line, 1);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(dir.path(), &DEV, bulk()).unwrap();
    let mut last = None;
    let mut reader = ArchiveReader::new(&archive[..], &DEV.network_id).unwrap();
    let imported = chain.import(&mut reader, TWO, NOW, &mut |progress| last = Some(progress), &NEVER).unwrap();
    assert_eq!(imported, Imported { taken: 135, known: 0 });
    assert_eq!(last.map(|progress| (progress.done, progress.total)), Some((135, 135)));
    assert_eq!(state(&chain), replayed(&line));
    assert_eq!(import(&mut chain, &archive[..]).unwrap(), Imported { taken: 0, known: 135 });
    drop(chain);
    let mut chain = open(dir.path());
    assert_eq!(state(&chain), replayed(&line), "all of it is durable");
    let longer = line.clone().grow(3, 5);
    assert_eq!(import(&mut chain, &export(&longer, 1)[..]).unwrap(), Imported { taken: 3, known: 135 });
    let tail = longer.clone().grow(2, 5);
    assert_eq!(import(&mut chain, &export(&tail, 139)[..]).unwrap(), Imported { taken: 2, known: 0 });
    assert_eq!(state(&chain), replayed(&tail));
}

#[test]
fn a_heavier_branch_comes_in_as_a_reorganisation_and_a_lighter_one_stays_aside() {
    let trunk = Line::dev().grow(20, 1);
    let (short, long) = (trunk.clone().grow(3, 2), trunk.clone().grow(5, 3));
    let mut chain = chain_of(&short);
    import(&mut chain, &export(&long, 1)[..]).unwrap();
    assert_eq!(state(&chain), replayed(&long));
    let mut chain = chain_of(&long);
    import(&mut chain, &export(&short, 21)[..]).unwrap();
    assert_eq!(state(&chain), replayed(&long));
    assert_eq!(chain.leaves().unwrap().len(), 2);
}

#[test]
fn an_archive_cut_anywhere_brings_what_is_whole() {
    let line = Line::dev().grow(6, 1);
    let archive = export(&line, 1);
    let record = (archive.len() - HEADING_BYTES) / 6;
    assert_eq!(archive.len(), HEADING_BYTES + 6 * record, "empty blocks are of one length");
    for length in 0..archive.len() {
        let mut chain = in_memory(&DEV);
        let error = import(&mut chain, &archive[..length]).unwrap_err();
        let whole = (length.saturating_sub(HEADING_BYTES) / record) as u64;
        match error {
            ImportError::Archive(ArchiveError::NotAnArchive) => assert!(length < HEADING_BYTES),
            ImportError::Archive(ArchiveError::Truncated { height, expected }) => {
                assert_eq!((height, expected), (Height(whole + 1), 6 - whole), "cut at {length}");
            }
            other => panic!("cut at {length}: {other}"),
        }
        assert_eq!(state(&chain), replayed(&line.cut(whole)));
        import(&mut chain, &archive[..]).unwrap();
        assert_eq!(chain.tip().height, Height(6), "and the whole one goes on from there");
    }
    let padded = [&archive[..], &[0]].concat();
    let mut chain = in_memory(&DEV);
    assert!(matches!(import(&mut chain, &padded[..]), Err(ImportError::Archive(ArchiveError::Trailing))));
    assert_eq!(state(&chain), replayed(&line));
}

#[test]
fn any_flipped_byte_is_noticed_and_what_came_before_it_stays() {
    let line = Line::dev().grow(3, 1);
    let archive = export(&line, 1);
    let record = (archive.len() - HEADING_BYTES) / 3;
    for at in 0..archive.len() {
        let mut spoiled = archive.clone();
        spoiled[at] ^= 1 << (at % 8);
        let mut chain = in_memory(&DEV);
        let error = import(&mut chain, &spoiled[..]).unwrap_err();
        let fits = match &error {
            ImportError::Archive(ArchiveError::NotAnArchive) => at < 16,
            ImportError::Archive(ArchiveError::NewerVersion { .. }) => (16..20).contains(&at),
            ImportError::Archive(ArchiveError::HeadingDamaged) => (20..HEADING_BYTES).contains(&at),
            ImportError::Archive(ArchiveError::Damaged { .. } | ArchiveError::Length { .. }) => at >= HEADING_BYTES,
            // A length that grew and reaches beyond the end.
            ImportError::Archive(ArchiveError::Truncated { .. }) => (at - HEADING_BYTES) % record < 4,
            _ => false,
        };
        assert!(fits, "byte {at}: {error}");
        let whole = at.saturating_sub(HEADING_BYTES) / record;
        assert_eq!(chain.tip().height, Height(whole as u64), "byte {at}");
    }
}

#[test]
fn a_length_that_no_block_has_is_refused_before_it_is_allocated() {
    let archive = export(&Line::dev().grow(1, 1), 1);
    for length in [0, 155, 1_048_577, u32::MAX] {
        let mut spoiled = archive.clone();
        spoiled[HEADING_BYTES..HEADING_BYTES + 4].copy_from_slice(&length.to_le_bytes());
        let error = import(&mut in_memory(&DEV), &spoiled[..]).unwrap_err();
        assert!(
            matches!(error, ImportError::Archive(ArchiveError::Length { height: Height(1), got }) if got == length)
        );
    }
}

#[test]
fn the_archive_of_another_network_is_refused() {
    let test = Params::test();
    let heading = Heading { network_id: test.network_id, first: Height(1), count: 0 };
    let archive = ArchiveWriter::new(Vec::new(), &heading).unwrap().finish().unwrap();
    assert!(ArchiveReader::new(&archive[..], &test.network_id).unwrap().next_block().unwrap().is_none());
    let Err(error) = ArchiveReader::new(&archive[..], &DEV.network_id) else { panic!("it is another's") };
    assert!(matches!(error, ArchiveError::OtherNetwork { got, .. } if got == test.network_id));
}

/// An archive of these blocks, whatever the rules say to them.
fn archive_of(blocks: &[bloom_consensus::Block], first: u64) -> Vec<u8> {
    let heading = Heading { network_id: DEV.network_id, first: Height(first), count: blocks.len() as u64 };
    let mut archive = ArchiveWriter::new(Vec::new(), &heading).unwrap();
    blocks.iter().for_each(|block| archive.write(&block.encode()).unwrap());
    archive.finish().unwrap()
}

#[test]
fn blocks_of_an_archive_are_judged_like_any() {
    let good = Line::dev().grow(4, 1);
    let mut immature = good.clone();
    immature.mine(1, vec![pay(&DEV, good.reward_at(2), 1, &[9])]);
    let mut unproven = good.clone().grow(1, 1);
    unproven.blocks[5].header.seal.certificate_hash[0] ^= 1;
    let mut other_body = good.clone().grow(1, 1);
    other_body.blocks[5].coinbase = good.blocks[4].coinbase.clone();
    // A false proof needs a ticket of its own: some hash of it meets dev's difficulty.
    for n in 1..=u8::MAX {
        unproven.blocks[5].header.seal.certificate_hash[1] = n;
        let Rejection::Proof(_) = refused(&unproven, &good) else { continue };
        break;
    }
    assert!(matches!(refused(&immature, &good), Rejection::Rule(_)));
    assert!(matches!(refused(&unproven, &good), Rejection::Proof(_)));
    assert!(matches!(refused(&other_body, &good), Rejection::Copy(_)));
}

/// Why the last block of a line is refused when an archive brings it; the others are taken.
fn refused(line: &Line, good: &Line) -> Rejection {
    let mut chain = in_memory(&DEV);
    let error = import(&mut chain, &archive_of(&line.blocks[1..], 1)[..]).unwrap_err();
    assert_eq!(state(&chain), replayed(good));
    match error {
        ImportError::Refused { height: Height(5), source: AcceptError::Refused { rejection, .. } } => *rejection,
        other => panic!("{other}"),
    }
}

#[test]
fn what_stands_on_nothing_here_or_is_ahead_of_the_clock_is_said() {
    let line = Line::dev().grow(9, 1);
    let mut chain = chain_of(&line.cut(4));
    let error = import(&mut chain, &export(&line, 6)[..]).unwrap_err();
    assert!(matches!(error, ImportError::Unconnected { height: Height(6), parent } if parent == line.hash_at(5)));
    assert_eq!(chain.waiting(), (0, 0));

    let mut early = line.cut(4);
    early.mine_at(Timestamp(NOW.0 + 900), 1, Vec::new());
    let error = import(&mut chain, &archive_of(&early.blocks[1..], 1)[..]).unwrap_err();
    assert!(matches!(error, ImportError::Ahead { height: Height(5), until: Timestamp(until) } if until == NOW.0 + 60));
}

#[test]
fn it_can_be_stopped_and_goes_on_where_it_was() {
    let line = line();
    let archive = export(&line, 1);
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(dir.path(), &DEV, bulk()).unwrap();
    let stop = AtomicBool::new(false);
    let mut reader = ArchiveReader::new(&archive[..], &DEV.network_id).unwrap();
    let mut progress = |progress: bloom_chain::TransferProgress| stop.store(progress.done == 77, Ordering::Relaxed);
    let error = chain.import(&mut reader, TWO, NOW, &mut progress, &stop).unwrap_err();
    assert!(matches!(error, ImportError::Cancelled { imported: Imported { taken: 77, known: 0 } }));
    drop(chain);
    let mut chain = Chain::open(dir.path(), &DEV, Options::default()).unwrap();
    assert_eq!(chain.tip().height, Height(77));
    assert_eq!(import(&mut chain, &archive[..]).unwrap(), Imported { taken: 58, known: 77 });
    assert_eq!(state(&chain), replayed(&line));

    let error = chain.export(Height(1), Vec::new(), &mut |_| {}, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(error, ExportError::Cancelled));
    for from in [0, 136] {
        let error = chain.export(Height(from), Vec::new(), &mut |_| {}, &NEVER).unwrap_err();
        assert!(matches!(error, ExportError::From { tip: Height(135), .. }));
    }
}

//! What the tree keeps, and what it lets go.

use bloom_consensus::{Params, Seal};

use super::*;

const ALICE: ConnId = ConnId(1);
const BOB: ConnId = ConnId(2);

/// The hash that stands for the `number`th header of a branch.
fn hash(branch: u8, number: u64) -> BlockHash {
    let mut bytes = [branch; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    BlockHash(bytes)
}

fn grow(tree: &mut Tree, owner: ConnId, branch: u8, numbers: std::ops::Range<u64>, from: BlockHash) -> usize {
    let genesis = Params::dev().genesis.header;
    let mut parent = from;
    let mut kept = 0;
    for number in numbers {
        let mut header = genesis;
        header.template.height = Height(number);
        header.template.prev_hash = parent;
        header.seal = Seal { extra_nonce: number, ..header.seal };
        parent = hash(branch, number);
        kept += usize::from(tree.insert(parent, Node { header, work: Work::ZERO, owner }));
    }
    kept
}

#[test]
fn no_peer_and_not_all_together_have_more_than_their_share_kept() {
    let mut tree = Tree { bounds: Bounds { of_peer: 30, in_all: 50, ..Bounds::default() }, ..Tree::default() };
    assert_eq!(grow(&mut tree, ALICE, 1, 1..1_000, BlockHash::ZERO), 30);
    assert_eq!((tree.room(ALICE), tree.room(BOB)), (0, 20));
    assert_eq!(grow(&mut tree, BOB, 2, 1..1_000, BlockHash::ZERO), 20);
    assert_eq!(tree.len(), 50);
    assert_eq!(tree.room_of(BOB), 10);
    tree.remove(&hash(1, 1));
    assert_eq!((tree.room(ALICE), tree.room(BOB)), (1, 1), "a place is free");
}

#[test]
fn a_cut_takes_what_stands_on_it_and_nothing_else() {
    let mut tree = Tree::default();
    grow(&mut tree, ALICE, 1, 1..11, BlockHash::ZERO);
    grow(&mut tree, BOB, 2, 6..9, hash(1, 5));
    grow(&mut tree, BOB, 3, 9..12, hash(1, 8));
    assert_eq!(tree.cut(&hash(1, 7)).len(), 7, "7 to 10, and three on 8");
    assert_eq!(tree.len(), 9);
    assert!(tree.contains(&hash(1, 6)) && tree.contains(&hash(2, 8)) && !tree.contains(&hash(3, 9)));
}

#[test]
fn only_what_leads_to_an_end_is_kept() {
    let mut tree = Tree::default();
    grow(&mut tree, ALICE, 1, 1..11, BlockHash::ZERO);
    grow(&mut tree, BOB, 2, 6..9, hash(1, 5));
    tree.keep_only([hash(2, 8)]);
    assert_eq!(tree.len(), 8);
    assert!(tree.contains(&hash(1, 5)) && !tree.contains(&hash(1, 6)));
}

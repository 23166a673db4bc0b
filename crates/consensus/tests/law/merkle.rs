//! The Merkle tree against its known weaknesses (attacks 16).

use bloom_consensus::merkle::{leaf, node, root};
use bloom_consensus::{MerkleRoot, Txid, Wtxid};
use proptest::prelude::*;

fn wtxids(count: u8) -> Vec<Wtxid> {
    (0..count).map(|n| Wtxid([n; 32])).collect()
}

#[test]
fn repeated_tail_has_another_root() {
    // Under CVE-2012-2459 a tree that doubles its odd last node could not tell these apart.
    let coinbase = Txid([99; 32]);
    for count in 0..40 {
        let list = wtxids(count);
        let honest = root(&coinbase, list.iter().copied());
        for tail in 1..=list.len() {
            let repeated = list.iter().chain(&list[list.len() - tail..]).copied();
            assert_ne!(root(&coinbase, repeated), honest, "{count} with the last {tail} again");
        }
    }
    assert_ne!(root(&coinbase, [Wtxid(coinbase.0)]), root(&coinbase, []));
}

#[test]
fn node_does_not_pass_for_a_leaf() {
    let [a, b, c, d] = [1, 2, 3, 4].map(|n| [n; 32]);
    let left = node(&leaf(&a), &leaf(&b));
    let right = node(&leaf(&c), &leaf(&d));
    let honest = root(&Txid(a), [b, c, d].map(Wtxid));
    assert_eq!(honest, MerkleRoot(node(&left, &right)));
    assert_ne!(root(&Txid(left), [Wtxid(right)]), honest);
    assert_ne!(root(&Txid(honest.0), []), honest);
    assert_ne!(leaf(&a), node(&a, &[0; 32]));
}

#[test]
fn odd_one_is_carried_up_as_it_is_and_a_single_leaf_is_the_root() {
    let [a, b, c] = [1, 2, 3].map(|n| [n; 32]);
    assert_eq!(root(&Txid(a), []), MerkleRoot(leaf(&a)));
    let pair = node(&leaf(&a), &leaf(&b));
    assert_eq!(root(&Txid(a), [b, c].map(Wtxid)), MerkleRoot(node(&pair, &leaf(&c))));
}

proptest! {
    #[test]
    fn another_list_has_another_root(
        one in prop::collection::vec(0_u8..4, 0..20), other in prop::collection::vec(0_u8..4, 0..20),
    ) {
        let of = |list: &[u8]| root(&Txid([9; 32]), list.iter().map(|n| Wtxid([*n; 32])));
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }
}

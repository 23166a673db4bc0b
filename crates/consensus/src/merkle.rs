//! The Merkle tree over a block's coinbase id and wtxids (law §7).
//!
//! Leaves and nodes are hashed under different contexts, so that no node passes for a leaf (BIP 54), and an odd one is
//! carried up as it is, so that no list with a repeated tail has the root of another (CVE-2012-2459).

use crate::hash::Context;
use crate::{MerkleRoot, Txid, Wtxid};

static LEAF: Context = Context::new("bloomcoin v1 merkle leaf");
static NODE: Context = Context::new("bloomcoin v1 merkle node");

/// derive_key("bloomcoin v1 merkle leaf", id).
#[must_use]
pub fn leaf(id: &[u8; 32]) -> [u8; 32] {
    LEAF.derive_key(&[id])
}

/// derive_key("bloomcoin v1 merkle node", left ‖ right).
#[must_use]
pub fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    NODE.derive_key(&[left, right])
}

/// The root over the coinbase's id and the transactions' wtxids in order.
#[must_use]
pub fn root(coinbase: &Txid, transactions: impl IntoIterator<Item = Wtxid>) -> MerkleRoot {
    let others = transactions.into_iter().map(|wtxid| leaf(&wtxid.0));
    let mut level: Vec<[u8; 32]> = std::iter::once(leaf(&coinbase.0)).chain(others).collect();
    loop {
        if let [root] = level.as_slice() {
            return MerkleRoot(*root);
        }
        level = level.chunks(2).map(parent).collect();
    }
}

/// The node over two, or the odd one as it is.
pub(crate) fn parent(pair: &[[u8; 32]]) -> [u8; 32] {
    match pair {
        [left, right] => node(left, right),
        odd => *odd.first().expect("chunks are not empty"),
    }
}

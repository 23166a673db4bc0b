//! Who gives way when there is no room for one more that came: never who is best at what an attacker cannot fake.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Peer, Peers, Role};
use crate::address::NetGroup;
use crate::event::ConnId;

/// How many are protected by the keyed hash of their group, which nobody outside can aim at.
const BY_GROUP: usize = 4;
/// By the shortest round trip: one has to be near.
const BY_ROUND_TRIP: usize = 8;
/// By the last new transaction they brought.
const BY_TRANSACTION: usize = 4;
/// By the last new block.
const BY_BLOCK: usize = 4;

/// The connection that gives way to one more, if any may.
pub(super) fn victim(peers: &Peers, key: &[u8; 32]) -> Option<ConnId> {
    let mut left: Vec<(ConnId, &Peer)> = peers.joined().filter(|(_, peer)| peer.role == Role::Inbound).collect();
    protect(&mut left, BY_GROUP, |peer| Some(keyed(key, &peer.group)));
    protect(&mut left, BY_ROUND_TRIP, |peer| peer.round_trip);
    protect(&mut left, BY_TRANSACTION, |peer| peer.last_transaction.map(Reverse));
    protect(&mut left, BY_BLOCK, |peer| peer.last_block.map(Reverse));
    let half = left.len() / 2;
    protect(&mut left, half, |peer| Some(peer.since));
    most_of_one_group(left.into_iter()).last().copied()
}

/// Of connections that have not said hello the one that gives way to one more: the oldest of the group with most of them.
pub(super) fn stranger(peers: &Peers) -> Option<ConnId> {
    let strangers = peers.all().filter(|(_, peer)| peer.role == Role::Inbound && peer.hello.is_none());
    most_of_one_group(strangers).first().copied()
}

/// The connections of the group that has most of them, the youngest last; of two such groups that with the youngest.
fn most_of_one_group<'a>(peers: impl Iterator<Item = (ConnId, &'a Peer)>) -> Vec<ConnId> {
    let mut groups: BTreeMap<NetGroup, Vec<(std::time::Duration, ConnId)>> = BTreeMap::new();
    for (id, peer) in peers {
        groups.entry(peer.group).or_default().push((peer.since, id));
    }
    groups.values_mut().for_each(|members| members.sort_unstable());
    let most = groups.into_values().max_by_key(|members| (members.len(), members.last().copied()));
    most.unwrap_or_default().into_iter().map(|(_, id)| id).collect()
}

/// Takes those out of the list that have the least of something; who has none of it is not protected.
fn protect<T: Ord>(left: &mut Vec<(ConnId, &Peer)>, most: usize, merit: impl Fn(&Peer) -> Option<T>) {
    let mut best: Vec<(T, ConnId)> = left.iter().filter_map(|(id, peer)| Some((merit(peer)?, *id))).collect();
    best.sort_unstable();
    best.truncate(most);
    left.retain(|(id, _)| !best.iter().any(|(_, protected)| protected == id));
}

fn keyed(key: &[u8; 32], group: &NetGroup) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    match group {
        NetGroup::V4(bytes) => hasher.update(&[4]).update(bytes),
        NetGroup::V6(bytes) => hasher.update(&[6]).update(bytes),
        NetGroup::Local(address) => hasher.update(&[0]).update(address.to_string().as_bytes()),
    };
    hasher.finalize().into()
}

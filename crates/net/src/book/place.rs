//! Which place an address may have: a keyed hash of groups says which bucket, so that whoever sends addresses chooses
//! neither which nor how many.

use std::net::IpAddr;

use crate::address::{NetGroup, PeerAddr};

/// Buckets of addresses that were only heard of.
pub const NEW_BUCKETS: u32 = 1_024;
/// Buckets of addresses that said hello.
pub const TRIED_BUCKETS: u32 = 256;
/// Places in a bucket.
pub const BUCKET_PLACES: u32 = 64;
/// How many of the new buckets what one group sends can get into.
pub const NEW_BUCKETS_OF_SOURCE: u32 = 64;
/// How many of the tried buckets addresses of one group can get into.
pub const TRIED_BUCKETS_OF_GROUP: u32 = 8;
/// Places in all.
pub(super) const PLACES: u32 = (NEW_BUCKETS + TRIED_BUCKETS) * BUCKET_PLACES;

const TRIED_BEGINS: u32 = NEW_BUCKETS * BUCKET_PLACES;

/// A place in a bucket: the new ones first, then the tried ones, bucket by bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

impl Place {
    /// The first place of a bucket.
    pub(super) fn first_of(bucket: u32) -> Self {
        Self(bucket.saturating_mul(BUCKET_PLACES))
    }

    /// Counted over both tables.
    pub(super) fn bucket(self) -> u32 {
        self.0 / BUCKET_PLACES
    }

    pub(super) fn is_tried(self) -> bool {
        self.0 >= TRIED_BEGINS
    }
}

/// What the places are drawn by: whoever does not know it cannot aim.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(pub(super) [u8; 32]);

impl Key {
    /// Where what this source says of this address goes.
    pub(super) fn new_place(&self, address: &PeerAddr, source: NetGroup) -> Place {
        let (group, source) = (group_bytes(NetGroup::of(address)), group_bytes(source));
        let turn = self.draw(Draw::NewTurn, &[&group, &source], NEW_BUCKETS_OF_SOURCE);
        let bucket = self.draw(Draw::NewBucket, &[&source, &turn.to_le_bytes()], NEW_BUCKETS);
        self.place(bucket, address)
    }

    /// Where this address goes once it has said hello.
    pub(super) fn tried_place(&self, address: &PeerAddr) -> Place {
        let group = group_bytes(NetGroup::of(address));
        let turn = self.draw(Draw::TriedTurn, &[&address_bytes(address)], TRIED_BUCKETS_OF_GROUP);
        let bucket = self.draw(Draw::TriedBucket, &[&group, &turn.to_le_bytes()], TRIED_BUCKETS);
        self.place(NEW_BUCKETS + bucket, address)
    }

    fn place(&self, bucket: u32, address: &PeerAddr) -> Place {
        let within = self.draw(Draw::Place, &[&bucket.to_le_bytes(), &address_bytes(address)], BUCKET_PLACES);
        Place(bucket * BUCKET_PLACES + within)
    }

    /// A number below `most`, a power of two, of these parts: each part has one length in a draw.
    fn draw(&self, draw: Draw, parts: &[&[u8]], most: u32) -> u32 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[draw as u8]);
        for part in parts {
            hasher.update(part);
        }
        let head = *hasher.finalize().as_bytes().first_chunk().expect("4 of 32 bytes");
        u32::from_le_bytes(head) % most
    }
}

#[derive(Clone, Copy)]
enum Draw {
    NewTurn,
    NewBucket,
    TriedTurn,
    TriedBucket,
    Place,
}

/// Bytes of an address: IPv6 or IPv4-mapped ‖ port.
pub(super) const ADDRESS_BYTES: usize = 16 + 2;
/// Bytes of a group: what kind ‖ its bytes, zeros after them.
pub(super) const GROUP_BYTES: usize = 1 + ADDRESS_BYTES;

pub(super) fn address_bytes(address: &PeerAddr) -> [u8; ADDRESS_BYTES] {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    filled(&[&ip.octets(), &address.port().to_le_bytes()])
}

pub(super) fn group_bytes(group: NetGroup) -> [u8; GROUP_BYTES] {
    match group {
        NetGroup::V4(group) => filled(&[&[4], &group]),
        NetGroup::V6(group) => filled(&[&[6], &group]),
        NetGroup::Local(address) => filled(&[&[0], &address_bytes(&address)]),
    }
}

fn filled<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
    bytes
}

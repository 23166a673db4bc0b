//! The addresses that a node knows, kept so that no flood of them leaves it with one hand's alone (attacks 26).
//!
//! What is only heard of is *new*, what said hello is *tried*. An address has one place, drawn by a secret key: among the
//! new by its group and the group of who told it first, among the tried by its group. A place that is taken stays taken
//! unless who has it is as good as gone; among the tried, unless it was asked and did not answer. So a source can fill 64
//! of the 1 024 new buckets and a group 8 of the 256 tried ones, and picks go by bucket, whatever is in it.

mod entry;
mod file;
mod pick;
mod place;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use bloom_consensus::Timestamp;

use crate::address::{NetGroup, PeerAddr};
use entry::Entry;
use place::{Key, Place};

pub use file::{BookError, MAX_BOOK_BYTES};
pub use pick::Shelf;
pub use place::{BUCKET_PLACES, NEW_BUCKETS, NEW_BUCKETS_OF_SOURCE, TRIED_BUCKETS, TRIED_BUCKETS_OF_GROUP};

/// Most peers that are sought first after a restart.
pub const MAX_ANCHORS: usize = 2;
/// Most addresses that wait for a tried place until who has it was asked.
pub const MAX_COLLISIONS: usize = 16;

/// The addresses that a node knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Book {
    key: Key,
    entries: BTreeMap<Place, Entry>,
    places: BTreeMap<PeerAddr, Place>,
    /// Buckets with an address in them, of both tables.
    buckets: BTreeSet<u32>,
    tried: usize,
    /// New addresses that said hello and whose tried place is taken, the longest wait first.
    collisions: VecDeque<PeerAddr>,
    anchors: Vec<PeerAddr>,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (new, tried) = self.counts();
        f.debug_struct("Book").field("new", &new).field("tried", &tried).field("anchors", &self.anchors).finish()
    }
}

impl Book {
    /// An empty book. The key is drawn once and kept with it.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key: Key(key),
            entries: BTreeMap::new(),
            places: BTreeMap::new(),
            buckets: BTreeSet::new(),
            tried: 0,
            collisions: VecDeque::new(),
            anchors: Vec::new(),
        }
    }

    /// Hears of an address; whether it is in the book now and was not before. `seen` is what the source says.
    pub fn add(&mut self, address: PeerAddr, seen: Timestamp, source: NetGroup, now: Timestamp) -> bool {
        if let Some(place) = self.places.get(&address) {
            // The tried are known better than by hearsay.
            if !place.is_tried() {
                let seen = entry::believable(seen, now);
                self.change(&address, |entry| entry.seen = entry.seen.max(seen));
            }
            return false;
        }
        let entry = Entry::told(address, seen, source, now);
        let place = self.key.new_place(&address, source);
        if entry.is_terrible(now) || self.entries.get(&place).is_some_and(|holder| !holder.is_terrible(now)) {
            return false;
        }
        self.put(place, entry);
        true
    }

    /// It said hello. A new address gets its tried place, or waits until who has that was asked.
    pub fn connected(&mut self, address: &PeerAddr, now: Timestamp) {
        self.change(address, |entry| {
            entry.seen = now;
            entry.tried = now;
            entry.answered = now;
            entry.attempts = 0;
        });
        let Some(place) = self.places.get(address).copied() else { return };
        if place.is_tried() {
            // Who waited for its place has none there: it stays new.
            self.collisions.retain(|waiting| self.key.tried_place(waiting) != place);
            return;
        }
        let wanted = self.key.tried_place(address);
        match self.entries.get(&wanted) {
            None => self.promote(address, wanted),
            Some(holder) if holder.is_present(now) => {}
            Some(_) if self.collisions.len() < MAX_COLLISIONS && !self.collisions.contains(address) => {
                self.collisions.push_back(*address);
            }
            Some(_) => {}
        }
    }

    /// It did not answer. If another waits for its tried place, it is the other's.
    pub fn attempted(&mut self, address: &PeerAddr, now: Timestamp) {
        self.change(address, |entry| {
            entry.tried = now;
            entry.attempts = entry.attempts.saturating_add(1);
        });
        let Some(place) = self.places.get(address).copied().filter(|place| place.is_tried()) else { return };
        let Some(next) = self.collisions.iter().position(|waiting| self.key.tried_place(waiting) == place) else {
            return;
        };
        // Taken out before the other is put among the new, where they may have one place.
        let newcomer = self.collisions.remove(next).and_then(|waiting| self.take(*self.places.get(&waiting)?));
        if let Some(newcomer) = newcomer {
            self.collisions.retain(|waiting| self.key.tried_place(waiting) != place);
            self.demote(place);
            self.put(place, newcomer);
        }
    }

    /// A tried address whose place another waits for: try it, and say whether it [`connected`](Self::connected) or was
    /// [`attempted`](Self::attempted) in vain. Asked again it names the next.
    pub fn collision(&mut self, now: Timestamp) -> Option<PeerAddr> {
        for _ in 0..self.collisions.len() {
            let waiting = self.collisions.pop_front()?;
            if self.places.get(&waiting).is_none_or(|place| place.is_tried()) {
                continue; // gone since, or there already
            }
            let wanted = self.key.tried_place(&waiting);
            match self.entries.get(&wanted) {
                None => self.promote(&waiting, wanted),
                Some(holder) if holder.is_present(now) => {}
                Some(holder) => {
                    let address = holder.address;
                    self.collisions.push_back(waiting);
                    return Some(address);
                }
            }
        }
        None
    }

    /// Whether it is in the book, and if so whether among the tried.
    #[must_use]
    pub fn shelf(&self, address: &PeerAddr) -> Option<Shelf> {
        self.places.get(address).map(|place| if place.is_tried() { Shelf::Tried } else { Shelf::New })
    }

    /// How many are new, and how many tried.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.entries.len().saturating_sub(self.tried), self.tried)
    }

    /// The peers that are sought first after a restart.
    #[must_use]
    pub fn anchors(&self) -> &[PeerAddr] {
        &self.anchors
    }

    /// Keeps the first [`MAX_ANCHORS`] of these for the next start.
    pub fn set_anchors(&mut self, anchors: &[PeerAddr]) {
        self.anchors = anchors.iter().copied().take(MAX_ANCHORS).collect();
    }

    fn change(&mut self, address: &PeerAddr, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.places.get(address).and_then(|place| self.entries.get_mut(place)) {
            change(entry);
        }
    }

    /// Puts an address where it belongs, in the place of who is there.
    fn put(&mut self, place: Place, entry: Entry) {
        self.take(place);
        self.buckets.insert(place.bucket());
        self.tried += usize::from(place.is_tried());
        self.places.insert(entry.address, place);
        self.entries.insert(place, entry);
    }

    fn take(&mut self, place: Place) -> Option<Entry> {
        let entry = self.entries.remove(&place)?;
        self.places.remove(&entry.address);
        self.tried -= usize::from(place.is_tried());
        if self.bucket(place.bucket()).next().is_none() {
            self.buckets.remove(&place.bucket());
        }
        Some(entry)
    }

    /// The addresses in a bucket.
    fn bucket(&self, bucket: u32) -> impl Iterator<Item = &Entry> {
        let range = Place::first_of(bucket)..Place::first_of(bucket.saturating_add(1));
        self.entries.range(range).map(|(_, entry)| entry)
    }

    /// From new to tried, where there is room now.
    fn promote(&mut self, address: &PeerAddr, wanted: Place) {
        if let Some(entry) = self.places.get(address).copied().and_then(|place| self.take(place)) {
            self.put(wanted, entry);
        }
    }

    /// From tried to new: it did answer once, which is more than can be said of whoever has its place there.
    fn demote(&mut self, place: Place) {
        if let Some(entry) = self.take(place) {
            self.put(self.key.new_place(&entry.address, entry.source), entry);
        }
    }
}

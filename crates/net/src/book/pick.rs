//! Picking: a bucket first, then an address in it, so that what fills few buckets is picked seldom, however much it is.

use bloom_consensus::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::Book;
use super::entry::{CERTAIN, Entry};
use super::place::{NEW_BUCKETS, TRIED_BUCKETS};
use crate::address::PeerAddr;
use crate::wire::KnownAddress;

/// How many addresses are looked at for one that fits.
const MOST_DRAWS: usize = 512;

/// Which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Those only heard of.
    New,
    /// Those that said hello.
    Tried,
    /// The one or the other, each as likely if there are any.
    Either,
}

impl Book {
    /// An address to try, one that failed of late less likely. None if there is none, or none was found that fits.
    pub fn pick(
        &self,
        random: &mut ChaCha8Rng,
        from: Shelf,
        now: Timestamp,
        fits: &mut dyn FnMut(&PeerAddr) -> bool,
    ) -> Option<PeerAddr> {
        let buckets = self.filled();
        let mut certain = CERTAIN;
        for _ in 0..MOST_DRAWS {
            let entry = self.draw(random, &buckets, from)?;
            if !fits(&entry.address) {
                continue;
            }
            if below(random, certain) < entry.chance(now) {
                return Some(entry.address);
            }
            // The longer it takes the less it matters what failed: after 43 that were passed over any is taken.
            certain = (certain * 5 / 6).max(1);
        }
        None
    }

    /// At most `most` addresses to tell a peer, none that is as good as gone.
    #[must_use]
    pub fn sample(&self, random: &mut ChaCha8Rng, most: usize, now: Timestamp) -> Vec<KnownAddress> {
        let good = |entry: &&Entry| !entry.is_terrible(now);
        let known = |entry: &Entry| KnownAddress { address: entry.address, seen: entry.seen };
        if self.entries.len() <= most {
            return self.entries.values().filter(good).map(known).collect();
        }
        let buckets = self.filled();
        let mut sample: Vec<KnownAddress> = Vec::with_capacity(most);
        for _ in 0..most.saturating_mul(8) {
            if sample.len() == most {
                break;
            }
            let Some(entry) = self.draw(random, &buckets, Shelf::Either).filter(good) else { continue };
            if !sample.iter().any(|other| other.address == entry.address) {
                sample.push(known(entry));
            }
        }
        sample
    }

    /// The buckets with an address in them.
    fn filled(&self) -> Filled {
        let tried = NEW_BUCKETS..NEW_BUCKETS + TRIED_BUCKETS;
        Filled {
            new: self.buckets.range(..NEW_BUCKETS).copied().collect(),
            tried: self.buckets.range(tried).copied().collect(),
        }
    }

    fn draw(&self, random: &mut ChaCha8Rng, filled: &Filled, from: Shelf) -> Option<&Entry> {
        let buckets = match from {
            Shelf::New => &filled.new,
            Shelf::Tried => &filled.tried,
            Shelf::Either if filled.tried.is_empty() => &filled.new,
            Shelf::Either if filled.new.is_empty() => &filled.tried,
            Shelf::Either => [&filled.new, &filled.tried][index(random, 2)],
        };
        let bucket = *buckets.get(index(random, buckets.len()))?;
        let within = index(random, self.bucket(bucket).count());
        self.bucket(bucket).nth(within)
    }
}

struct Filled {
    new: Vec<u32>,
    tried: Vec<u32>,
}

/// Below `most`, each as likely but for one in 2³² or less; 0 below 0.
fn below(random: &mut ChaCha8Rng, most: u64) -> u64 {
    let wide = u128::from(random.next_u64()) * u128::from(most);
    u64::try_from(wide >> 64).expect("a product's upper half")
}

fn index(random: &mut ChaCha8Rng, length: usize) -> usize {
    let length = u64::try_from(length).expect("a length is below 2⁶⁴");
    usize::try_from(below(random, length)).expect("it is below a length")
}

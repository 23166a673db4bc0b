//! The edge of a filled block, searched: what went in last against what just did not, by branch and bound.
//!
//! What went in first is good whatever follows; at the edge a greedy filling may have left a gap that other packages
//! would fill better. The window holds the last that went in and the next that did not, with all that these stand on.
//! Every choice of them that fits and leaves nobody without parents is considered, but for those that cannot be better
//! than the best so far: a bound is what would be earned if transactions could be cut.

use super::Pool;
use crate::mempool::entry::Slot;

/// Most transactions of either side of the edge; both together fit a mask of 64.
pub(super) const SIDE: usize = 24;
/// Most choices that are looked at: about a millisecond.
const MOST_NODES: u32 = 20_000;
/// What can be gained must be at least this part of the block's fees, or it is not worth the time.
const LEAST_GAIN: u64 = 1_000;

/// The better of a filling, which leaves `room` and pays `all`, and what the search finds. `taken` and `contenders` have
/// parents before children; the latter stand on nothing that is in neither.
pub(super) fn improve<P: Pool>(pool: &P, room: u64, all: u64, mut taken: Vec<Slot>, contenders: &[Slot]) -> Vec<Slot> {
    if contenders.is_empty() {
        return taken;
    }
    let window = taken.split_off(taken.len().saturating_sub(SIDE));
    let inside = window.len();
    let room = room + window.iter().map(|slot| pool.own(*slot).bytes).sum::<u64>();
    let mut edge = Edge::new(pool, &[&window[..], contenders].concat(), inside);
    let most = edge.bound(edge.everything(), room);
    if most.saturating_sub(edge.best_fees) >= (all / LEAST_GAIN).max(1) {
        edge.search(edge.everything(), room, 0, 0);
    }
    taken.extend(edge.chosen());
    taken
}

struct Item {
    slot: Slot,
    size: u64,
    fee: u64,
    /// It and all of the window that stands on it.
    with_descendants: u64,
}

struct Edge {
    /// Parents before children, at most 64.
    items: Vec<Item>,
    /// Their places, best rate first.
    by_rate: Vec<u32>,
    best: u64,
    best_fees: u64,
    nodes: u32,
}

impl Edge {
    fn new<P: Pool>(pool: &P, slots: &[Slot], inside: usize) -> Self {
        let mut below: Vec<u64> = (0..slots.len()).map(|place| 1 << place).collect();
        // From the last to the first, so that a child's mask is complete when its parents take it over.
        for place in (0..slots.len()).rev() {
            let mask = below[place];
            for parent in pool.parents(slots[place]) {
                if let Some(above) = slots.iter().position(|slot| slot == parent) {
                    below[above] |= mask;
                }
            }
        }
        let item = |(slot, with_descendants)| {
            let own = pool.own(slot);
            Item { slot, size: own.bytes, fee: own.fees.units(), with_descendants }
        };
        let mut by_rate: Vec<u32> = (0..).take(slots.len()).collect();
        by_rate.sort_by_key(|place| std::cmp::Reverse(pool.own(slots[*place as usize]).score()));
        let items: Vec<Item> = slots.iter().copied().zip(below).map(item).collect();
        let best = (1_u64 << inside) - 1;
        let best_fees = items[..inside].iter().map(|item| item.fee).fold(0, u64::saturating_add);
        Self { items, by_rate, best, best_fees, nodes: 0 }
    }

    fn everything(&self) -> u64 {
        u64::MAX >> (64 - self.items.len())
    }

    /// At most what the open ones can earn in this room: filled up by rate, the last one cut.
    fn bound(&self, open: u64, mut room: u64) -> u64 {
        let mut fees = 0_u64;
        for place in &self.by_rate {
            if open >> place & 1 == 0 {
                continue;
            }
            let item = &self.items[*place as usize];
            if item.size > room {
                let part = u128::from(item.fee) * u128::from(room) / u128::from(item.size);
                return fees.saturating_add(u64::try_from(part).unwrap_or(u64::MAX));
            }
            room -= item.size;
            fees = fees.saturating_add(item.fee);
        }
        fees
    }

    /// Every choice of the open ones, each of which has all its parents chosen or open.
    fn search(&mut self, open: u64, room: u64, chosen: u64, fees: u64) {
        if fees > self.best_fees {
            (self.best, self.best_fees) = (chosen, fees);
        }
        self.nodes += 1;
        if open == 0 || self.nodes > MOST_NODES || fees.saturating_add(self.bound(open, room)) <= self.best_fees {
            return;
        }
        let place = open.trailing_zeros();
        let Item { size, fee, with_descendants, .. } = self.items[place as usize];
        let here = 1 << place;
        if size <= room {
            self.search(open & !here, room - size, chosen | here, fees.saturating_add(fee));
        }
        self.search(open & !with_descendants, room, chosen, fees);
    }

    fn chosen(&self) -> impl Iterator<Item = Slot> {
        let is_chosen = |place: usize| self.best >> place & 1 == 1;
        self.items.iter().enumerate().filter(move |(place, _)| is_chosen(*place)).map(|(_, item)| item.slot)
    }
}

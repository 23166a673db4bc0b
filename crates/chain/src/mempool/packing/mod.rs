//! Which transactions a block holds: the best ancestor packages first.
//!
//! A package is a transaction with all that it stands on and that is not in the block yet, so that a child pays for its
//! parents. Packages go in by what they pay for their bytes; one that does not fit is passed over until less of it is
//! left to put in. Then the edge of the block is searched for something better.

mod improve;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use bloom_consensus::constants::MIN_TRANSACTION_BYTES;

use super::entry::{Slot, Totals};
use super::graph::Rank;
use improve::{SIDE, improve};

/// Transactions with their sizes, fees and dependencies. Their numbers are below [`Pool::capacity`], and parents have
/// lower sequences than their children.
pub(crate) trait Pool {
    fn capacity(&self) -> usize;
    fn own(&self, item: Slot) -> Totals;
    /// It and all that it stands on.
    fn package(&self, item: Slot) -> Totals;
    fn parents(&self, item: Slot) -> &[Slot];
    fn children(&self, item: Slot) -> &[Slot];
    fn sequence(&self, item: Slot) -> u64;
    /// All of them by their packages' score, best first.
    fn best_first(&self) -> impl Iterator<Item = Rank>;
}

/// So many packages in a row that do not fit end the filling, and the search for what could stand at its edge.
const MOST_FAILURES: usize = 1_000;

/// Transactions of at most `cap` bytes in all, each after those that it stands on.
pub(crate) fn pack<P: Pool>(pool: &P, cap: u64) -> Vec<Slot> {
    let mut filling = Filling::new(pool, cap);
    let mut untouched = pool.best_first().peekable();
    filling.fill(&mut untouched);
    let contenders = filling.contenders(untouched);
    improve(pool, filling.room, filling.fees, filling.taken, &contenders)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// As the pool has it.
    Untouched,
    /// Some of its package is in the block: what is left of it is in `changed`.
    Changed,
    /// What is left of its package did not fit.
    PassedOver,
    Taken,
}

/// What the pool has, best first.
type Untouched<I> = std::iter::Peekable<I>;

/// A block while it is filled.
struct Filling<'a, P> {
    pool: &'a P,
    state: Vec<State>,
    /// What is left of packages that are in the block in part.
    changed: HashMap<Slot, Totals>,
    changed_order: BTreeSet<Rank>,
    taken: Vec<Slot>,
    /// What did not fit, best first, and may have gone in since.
    passed_over: Vec<Slot>,
    room: u64,
    fees: u64,
}

impl<'a, P: Pool> Filling<'a, P> {
    fn new(pool: &'a P, cap: u64) -> Self {
        let state = vec![State::Untouched; pool.capacity()];
        Self {
            pool,
            state,
            changed: HashMap::new(),
            changed_order: BTreeSet::new(),
            taken: Vec::new(),
            passed_over: Vec::new(),
            room: cap,
            fees: 0,
        }
    }

    fn fill(&mut self, untouched: &mut Untouched<impl Iterator<Item = Rank>>) {
        let mut failures = 0;
        while failures < MOST_FAILURES && self.room >= MIN_TRANSACTION_BYTES as u64 {
            let Some(next) = self.next(untouched) else { return };
            if self.left(next).bytes <= self.room {
                failures = 0;
                self.take(next);
            } else {
                failures += 1;
                self.leave_order(next);
                self.set(next, State::PassedOver);
                self.passed_over.push(next);
            }
        }
    }

    /// The best that is neither in nor passed over.
    fn next(&self, untouched: &mut Untouched<impl Iterator<Item = Rank>>) -> Option<Slot> {
        while untouched.next_if(|rank| self.state_of(rank.slot) != State::Untouched).is_some() {}
        let best = untouched.peek().max(self.changed_order.last());
        best.map(|rank| rank.slot)
    }

    /// The best that did not go in, with what they stand on, parents first: at most [`SIDE`] of them.
    fn contenders(&mut self, mut untouched: Untouched<impl Iterator<Item = Rank>>) -> Vec<Slot> {
        let mut contenders = Vec::new();
        for slot in std::mem::take(&mut self.passed_over) {
            self.contend(slot, &mut contenders);
        }
        let mut failures = 0;
        while contenders.len() < SIDE
            && failures < MOST_FAILURES
            && let Some(next) = self.next(&mut untouched)
        {
            self.leave_order(next);
            self.set(next, State::PassedOver);
            let before = contenders.len();
            self.contend(next, &mut contenders);
            failures = if contenders.len() > before { 0 } else { failures + 1 };
        }
        contenders
    }

    fn contend(&self, slot: Slot, contenders: &mut Vec<Slot>) {
        let mut package = self.package_left(slot);
        package.retain(|slot| !contenders.contains(slot));
        if contenders.len() + package.len() <= SIDE {
            contenders.extend(package);
        }
    }

    /// What of a package is not in the block, parents first; nothing if all of it is.
    fn package_left(&self, item: Slot) -> Vec<Slot> {
        let mut package: Vec<Slot> = Vec::new();
        let mut open = vec![item];
        while let Some(slot) = open.pop() {
            if self.state_of(slot) != State::Taken && !package.contains(&slot) {
                package.push(slot);
                open.extend(self.pool.parents(slot));
            }
        }
        package.sort_unstable_by_key(|slot| self.pool.sequence(*slot));
        package
    }

    /// Puts a transaction and what is left of its package into the block.
    fn take(&mut self, item: Slot) {
        if self.pool.parents(item).is_empty() {
            return self.put_in(item); // as most are
        }
        self.package_left(item).into_iter().for_each(|slot| self.put_in(slot));
    }

    fn put_in(&mut self, slot: Slot) {
        self.leave_order(slot);
        self.set(slot, State::Taken);
        self.taken.push(slot);
        let own = self.pool.own(slot);
        self.room -= own.bytes;
        self.fees = self.fees.saturating_add(own.fees.units());
        self.shrink_descendants(slot, own);
    }

    /// What stands on it has less of its package left to put in.
    fn shrink_descendants(&mut self, slot: Slot, own: Totals) {
        let mut open: Vec<Slot> = self.pool.children(slot).to_vec();
        let mut seen: Vec<Slot> = Vec::new();
        while let Some(slot) = open.pop() {
            if seen.contains(&slot) {
                continue;
            }
            seen.push(slot);
            open.extend(self.pool.children(slot));
            let mut left = self.left(slot);
            self.leave_order(slot);
            left.remove(own);
            self.changed.insert(slot, left);
            self.changed_order.insert(Rank::new(left.score(), self.pool.sequence(slot), slot));
            self.set(slot, State::Changed);
        }
    }

    /// A package less what of it is in the block.
    fn left(&self, slot: Slot) -> Totals {
        match self.state_of(slot) {
            State::Untouched => self.pool.package(slot),
            _ => self.changed.get(&slot).copied().unwrap_or_else(|| self.pool.package(slot)),
        }
    }

    fn leave_order(&mut self, slot: Slot) {
        if self.state_of(slot) == State::Changed
            && let Some(left) = self.changed.get(&slot)
        {
            self.changed_order.remove(&Rank::new(left.score(), self.pool.sequence(slot), slot));
        }
    }

    fn state_of(&self, slot: Slot) -> State {
        *self.state.get(slot as usize).expect("numbers are below the capacity")
    }

    fn set(&mut self, slot: Slot, state: State) {
        *self.state.get_mut(slot as usize).expect("numbers are below the capacity") = state;
    }
}

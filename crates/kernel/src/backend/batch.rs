//! Many attempts at once, refilled as they end: for mining, and for verifying many headers of whatever difficulties.

use super::Backend;
use super::field::{Field, LANES as FIELD_LANES, evolve};
use super::portable::Portable;
use crate::bloom::{Bloom, Order};
use crate::coupling::CouplingTable;
use crate::difficulty::Difficulty;
use crate::params::{OSCILLATORS, ROUNDS_MAX};

/// Attempts that a [`Batch`] evolves side by side.
pub const LANES: usize = FIELD_LANES;

/// An attempt that is to enter a batch.
#[derive(Clone, Debug)]
pub struct Start {
    /// Initial phases, see [`crate::initial_phases`].
    pub phases: [u32; OSCILLATORS],
    /// The difficulty that sets the coupling.
    pub difficulty: Difficulty,
    /// The last round that may be simulated, at most 5777; a verifier stops at the claimed bloom_end.
    pub last_round: u32,
    /// Given back with the outcome.
    pub tag: u64,
}

/// Where a batch takes attempts from and what it gives outcomes to.
pub trait Feed {
    /// The next attempt, or `None` when there is none now; it is asked again at the next [`Batch::run`].
    fn next(&mut self) -> Option<Start>;
    /// An attempt has ended: with its bloom, or `None` where it had not bloomed by its last round.
    fn finish(&mut self, tag: u64, bloom: Option<Bloom>);
}

/// What a call of [`Batch::run`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchStatus {
    /// Rounds simulated, summed over the attempts.
    pub rounds: u64,
    /// Attempts still under way.
    pub live: usize,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    tag: u64,
    /// The field's round at which this attempt entered.
    entered: u64,
    /// The field's round count by which it must have bloomed.
    deadline: u64,
    /// Its coupling table.
    table: usize,
}

/// 32 attempts side by side on one backend. It allocates nothing and is large (160 KiB): put it in a box.
#[derive(Clone, Debug)]
pub struct Batch {
    backend: Backend,
    field: Field,
    lanes: [Option<Lane>; LANES],
    /// Coupling tables by difficulty; there are as many as lanes, so that one is always free.
    difficulties: [Option<Difficulty>; LANES],
    tables: [CouplingTable; LANES],
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            field: Field::EMPTY,
            lanes: [None; LANES],
            difficulties: [None; LANES],
            tables: [const { CouplingTable::UNCOUPLED }; LANES],
        }
    }

    /// Evolves for about `rounds` rounds of every lane, refilling lanes from `feed` as attempts end; less when the feed
    /// runs dry. Attempts under way stay for the next call.
    pub fn run(&mut self, rounds: u64, feed: &mut impl Feed) -> BatchStatus {
        let end = self.field.round.saturating_add(rounds);
        let mut simulated = 0_u64;
        let mut dry = false;
        loop {
            for lane in 0..LANES {
                if !dry && self.is_free(lane) {
                    match feed.next() {
                        Some(start) => self.enter(lane, &start),
                        None => dry = true,
                    }
                }
            }
            let live = self.lanes.iter().flatten().count();
            let deadline = self.lanes.iter().flatten().map(|lane| lane.deadline).min();
            let Some(deadline) = deadline.filter(|_| self.field.round < end) else {
                return BatchStatus { rounds: simulated, live };
            };
            let before = self.field.round;
            self.evolve(deadline.min(end).saturating_sub(before));
            let passed = self.field.round.saturating_sub(before);
            simulated = simulated.saturating_add(passed.saturating_mul(live as u64));
            self.harvest(feed);
        }
    }

    /// Forgets the attempts under way.
    pub fn clear(&mut self) {
        self.lanes = [None; LANES];
    }

    /// Round and mean field of an attempt under way, for display: the first there is.
    #[must_use]
    pub fn peek(&self) -> Option<(u32, Order)> {
        let (at, lane) = self.lanes.iter().enumerate().find_map(|(at, lane)| Some((at, lane.as_ref()?)))?;
        let round = self.field.round.checked_sub(lane.entered)?.checked_sub(1)?;
        Some((u32::try_from(round).ok()?, self.field.order_before(at, 1)))
    }

    fn is_free(&self, lane: usize) -> bool {
        matches!(self.lanes.get(lane), Some(None))
    }

    fn enter(&mut self, lane: usize, start: &Start) {
        let table = self.table_for(start.difficulty);
        self.field.enter(lane, &start.phases);
        let entered = self.field.round;
        let rounds = u64::from(start.last_round.min(ROUNDS_MAX.wrapping_sub(1))).wrapping_add(1);
        let deadline = entered.saturating_add(rounds);
        if let Some(free) = self.lanes.get_mut(lane) {
            *free = Some(Lane { tag: start.tag, entered, deadline, table });
        }
    }

    /// The index of this difficulty's coupling table, made where it is not there yet.
    fn table_for(&mut self, difficulty: Difficulty) -> usize {
        if let Some(cached) = self.difficulties.iter().position(|d| *d == Some(difficulty)) {
            return cached;
        }
        let in_use = |table: usize| self.lanes.iter().flatten().any(|lane| lane.table == table);
        let free = (0..LANES).find(|table| !in_use(*table)).expect("the lane to fill uses no table");
        if let (Some(known), Some(table)) = (self.difficulties.get_mut(free), self.tables.get_mut(free)) {
            *known = Some(difficulty);
            *table = CouplingTable::new(difficulty);
        }
        free
    }

    fn evolve(&mut self, rounds: u64) {
        let idle = &CouplingTable::UNCOUPLED;
        let of_lane = |lane: &Option<Lane>| lane.as_ref().and_then(|lane| self.tables.get(lane.table)).unwrap_or(idle);
        let tables = self.lanes.each_ref().map(of_lane);
        let field = &mut self.field;
        match self.backend {
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Backend::Avx2 => super::avx2::Avx2::required().evolve_field(field, &tables, rounds),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Backend::Avx512 => super::avx512::Avx512::required().evolve_field(field, &tables, rounds),
            _ => evolve(Portable, field, &tables, rounds),
        }
    }

    /// Hands out every attempt that has ended and frees its lane.
    fn harvest(&mut self, feed: &mut impl Feed) {
        for (at, slot) in self.lanes.iter_mut().enumerate() {
            let Some(lane) = slot else { continue };
            let bloom = self.field.has_bloomed(at).then(|| Bloom {
                end: self.field.round.wrapping_sub(lane.entered).wrapping_sub(1) as u32, // below ROUNDS_MAX
                order: self.field.orders(at),
                phases: self.field.phases(at),
            });
            if bloom.is_some() || self.field.round >= lane.deadline {
                feed.finish(lane.tag, bloom);
                *slot = None;
            }
        }
    }
}

//! The packing against an exhaustive search and against a plain greedy one, on seeded pools.

use std::cell::Cell;

use bloom_consensus::Amount;

use super::{MOST_FAILURES, Pool, SIDE, Slot, pack};
use crate::mempool::entry::Totals;
use crate::mempool::graph::Rank;

/// Transactions by number; parents have lower numbers.
struct Given {
    own: Vec<Totals>,
    parents: Vec<Vec<Slot>>,
    children: Vec<Vec<Slot>>,
    package: Vec<Totals>,
    order: Vec<Rank>,
    /// How many of the order were looked at.
    drawn: Cell<usize>,
}

impl Given {
    fn new(rows: &[(u64, u64, Vec<Slot>)]) -> Self {
        let own: Vec<_> = rows
            .iter()
            .map(|(bytes, fee, _)| Totals { count: 1, bytes: *bytes, fees: Amount::from_units(*fee) })
            .collect();
        let parents: Vec<_> = rows.iter().map(|(.., parents)| parents.clone()).collect();
        let mut children = vec![Vec::new(); rows.len()];
        let mut given =
            Self { own, parents, children: Vec::new(), package: Vec::new(), order: Vec::new(), drawn: Cell::new(0) };
        for (item, parents) in given.parents.iter().enumerate() {
            for parent in parents {
                children[*parent as usize].push(item as Slot);
            }
        }
        given.children = children;
        given.package =
            (0..rows.len()).map(|item| given.totals(&given.missing(item, &vec![false; rows.len()]))).collect();
        given.order =
            (0..rows.len()).map(|item| Rank::new(given.package[item].score(), item as u64, item as Slot)).collect();
        given.order.sort_unstable_by(|a, b| b.cmp(a));
        given
    }

    fn random(random: &mut Random) -> Self {
        let count = 1 + random.below(16);
        let density = random.below(4);
        let longest = [400, 2_000, 20_000][random.below(3) as usize];
        let rows: Vec<_> = (0..count)
            .map(|item| {
                let bytes = 160 + 20 * random.below(longest / 20);
                let rate = 1 + random.below(50);
                let fee = if random.below(8) == 0 { 0 } else { bytes * rate + random.below(1_000) };
                let parents = (0..item).filter(|_| random.below(8) < density).map(|parent| parent as Slot).collect();
                (bytes, fee, parents)
            })
            .collect();
        Self::new(&rows)
    }

    fn len(&self) -> usize {
        self.own.len()
    }

    fn bytes(&self) -> u64 {
        self.own.iter().map(|own| own.bytes).sum()
    }

    fn totals(&self, items: &[usize]) -> Totals {
        let mut totals = Totals::default();
        items.iter().for_each(|item| totals.add(self.own[*item]));
        totals
    }

    /// An item and its ancestors that are not in yet, lowest first.
    fn missing(&self, item: usize, taken: &[bool]) -> Vec<usize> {
        let mut wanted = vec![false; self.len()];
        wanted[item] = true;
        for at in (0..=item).rev() {
            if wanted[at] && !taken[at] {
                self.parents[at].iter().for_each(|parent| wanted[*parent as usize] = true);
            }
        }
        (0..=item).filter(|at| wanted[*at] && !taken[*at]).collect()
    }

    /// What is packed, checked: it fits, nothing is there twice, and parents come first.
    fn packed(&self, cap: u64) -> u64 {
        let mut taken = vec![false; self.len()];
        let mut totals = Totals::default();
        for item in pack(self, cap) {
            assert!(!taken[item as usize], "{item} twice");
            assert!(self.parents(item).iter().all(|parent| taken[*parent as usize]), "{item} before its parents");
            taken[item as usize] = true;
            totals.add(self.own(item));
        }
        assert!(totals.bytes <= cap, "{} bytes of {cap}", totals.bytes);
        totals.fees.units()
    }

    /// The best package that fits, again and again.
    fn plain_greedy(&self, cap: u64) -> u64 {
        let mut taken = vec![false; self.len()];
        let (mut room, mut fees) = (cap, 0);
        loop {
            let left = (0..self.len()).filter(|item| !taken[*item]).map(|item| (item, self.missing(item, &taken)));
            let fitting = left.map(|(item, package)| (self.totals(&package), item, package));
            let fitting = fitting.filter(|(totals, ..)| totals.bytes <= room);
            let rank = |(totals, item, _): &(Totals, usize, Vec<usize>)| Rank::new(totals.score(), *item as u64, 0);
            let Some((totals, _, package)) = fitting.max_by_key(rank) else { return fees };
            package.iter().for_each(|item| taken[*item] = true);
            room -= totals.bytes;
            fees += totals.fees.units();
        }
    }

    /// Every choice that fits and has all parents.
    fn exhaustive(&self, cap: u64) -> u64 {
        let parents: Vec<u32> =
            self.parents.iter().map(|parents| parents.iter().fold(0, |mask, parent| mask | 1 << parent)).collect();
        self.choose(0, 0, cap, &parents)
    }

    fn choose(&self, item: usize, chosen: u32, room: u64, parents: &[u32]) -> u64 {
        let Some(own) = self.own.get(item) else { return 0 };
        let without = self.choose(item + 1, chosen, room, parents);
        if own.bytes > room || parents[item] & !chosen != 0 {
            return without;
        }
        without.max(own.fees.units() + self.choose(item + 1, chosen | 1 << item, room - own.bytes, parents))
    }
}

impl Pool for Given {
    fn capacity(&self) -> usize {
        self.len()
    }

    fn own(&self, item: Slot) -> Totals {
        self.own[item as usize]
    }

    fn package(&self, item: Slot) -> Totals {
        self.package[item as usize]
    }

    fn parents(&self, item: Slot) -> &[Slot] {
        &self.parents[item as usize]
    }

    fn children(&self, item: Slot) -> &[Slot] {
        &self.children[item as usize]
    }

    fn sequence(&self, item: Slot) -> u64 {
        item.into()
    }

    fn best_first(&self) -> impl Iterator<Item = Rank> {
        self.order.iter().copied().inspect(|_| self.drawn.set(self.drawn.get() + 1))
    }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}

#[test]
fn a_thousand_small_pools_are_packed_nearly_as_well_as_can_be_and_never_worse_than_greedily() {
    let mut random = Random(7);
    let mut shortfalls = Vec::new();
    for number in 0..1_000 {
        let pool = Given::random(&mut random);
        let cap = pool.bytes() / 2;
        let (packed, greedy, most) = (pool.packed(cap), pool.plain_greedy(cap), pool.exhaustive(cap));
        assert!(greedy <= packed && packed <= most, "pool {number}: {greedy} ≤ {packed} ≤ {most}");
        shortfalls.push(if most == 0 { 0.0 } else { (most - packed) as f64 / most as f64 });
    }
    shortfalls.sort_by(f64::total_cmp);
    let average = shortfalls.iter().sum::<f64>() / 1_000.0;
    println!("shortfall: average {average:.5}, p95 {:.5}, worst {:.5}", shortfalls[950], shortfalls[999]);
    assert!(average <= 0.02, "{average}");
    assert!(shortfalls[950] <= 0.10, "{}", shortfalls[950]);
}

#[test]
fn pools_beyond_the_window_are_packed_at_least_as_well_as_greedily() {
    let mut random = Random(11);
    let mut better = 0;
    for number in 0..15 {
        let rows: Vec<_> = (0..100)
            .map(|item: u64| {
                let bytes = 160 + 20 * random.below(200);
                let parents =
                    if item > 0 && random.below(3) == 0 { vec![random.below(item) as Slot] } else { Vec::new() };
                (bytes, bytes * (1 + random.below(50)), parents)
            })
            .collect();
        let pool = Given::new(&rows);
        let cap = pool.bytes() / (2 + random.below(8));
        let (packed, greedy) = (pool.packed(cap), pool.plain_greedy(cap));
        assert!(greedy <= packed, "pool {number}: {greedy} > {packed}");
        better += usize::from(greedy < packed);
    }
    assert!(better > 0, "the search at the edge never finds anything");
}

#[test]
fn a_child_pays_for_its_parents_and_a_large_one_makes_room_for_two() {
    // A free parent whose child pays well goes before a middling one.
    let pool = Given::new(&[(200, 0, vec![]), (200, 4_000, vec![0]), (200, 1_000, vec![])]);
    assert_eq!(pack(&pool, 400), [0, 1]);
    // The best rate leaves a gap that nothing fills: the other two together pay more.
    let pool = Given::new(&[(600, 660, vec![]), (500, 500, vec![]), (500, 500, vec![])]);
    assert_eq!(pool.plain_greedy(1_000), 660);
    assert_eq!(pool.packed(1_000), 1_000);
    // Two children of one parent share it.
    let pool = Given::new(&[(200, 0, vec![]), (200, 500, vec![0]), (200, 500, vec![0]), (300, 600, vec![])]);
    assert_eq!(pool.packed(600), 1_000);
    assert_eq!(pool.packed(100), 0);
}

/// A full block, twenty that contend for its edge, and chains that are too long to do so behind them.
#[test]
fn what_cannot_contend_is_not_looked_through_to_its_end() {
    let mut rows: Vec<(u64, u64, Vec<Slot>)> = (0..30).map(|at| (200, 40_000 - 1_000 * at, Vec::new())).collect();
    for _ in 0..120 {
        for depth in 0..25 {
            let parents = if depth == 0 { Vec::new() } else { vec![rows.len() as Slot - 1] };
            rows.push((200, 200 * (1 + depth), parents));
        }
    }
    let pool = Given::new(&rows);
    assert_eq!(pack(&pool, 10 * 200).len(), 10);
    assert!(pool.drawn.get() <= 10 + SIDE + MOST_FAILURES + 2, "{} of {}", pool.drawn.get(), rows.len());
}

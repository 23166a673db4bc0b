//! Which coins to spend: branch and bound for a sum that needs no change, else a single random draw. Both as Murch and
//! Bitcoin Core describe them; all in whole units.

use secp256k1::rand::Rng;
use secp256k1::rand::seq::SliceRandom;

/// How many steps the search for a sum without change may take.
const TRIES: usize = 100_000;

/// A coin, as far as choosing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its amount less what its input costs, in units, more than 0.
    pub effective: u64,
}

/// What a payment needs of its coins, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// What is paid, and the fee of all bytes but the inputs.
    pub needed: u64,
    /// What change costs, now and when it is spent: as much may go to the fee instead.
    pub cost_of_change: u64,
    /// The fee of the change's own bytes and the least change worth making.
    pub least_change: u64,
    /// The most coins that one transaction can spend.
    pub most_inputs: usize,
}

/// Coins that were chosen, by their positions, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Positions among the candidates.
    pub chosen: Vec<usize>,
    /// Whether what is left over goes to the fee, for change would cost more.
    pub changeless: bool,
}

/// Chooses coins of at least the sum needed; `None` if all together are worth less, or too many would be spent.
pub fn select(candidates: &[Candidate], target: &Target, rng: &mut impl Rng) -> Option<Selection> {
    if let Some(chosen) = branch_and_bound(candidates, target) {
        return Some(Selection { chosen, changeless: true });
    }
    let with_change = target.needed.checked_add(target.least_change)?;
    let chosen = single_random_draw(candidates, with_change, target.most_inputs, rng)
        .or_else(|| largest_first(candidates, with_change, target.most_inputs))
        .or_else(|| largest_first(candidates, target.needed, target.most_inputs))?;
    Some(Selection { chosen, changeless: false })
}

/// The subset whose sum exceeds what is needed by the least, and by no more than change would cost.
///
/// Depth first over the coins by size, the largest included first. A branch ends where it has enough, or where all that
/// is left does not make enough any more.
fn branch_and_bound(candidates: &[Candidate], target: &Target) -> Option<Vec<usize>> {
    let order = by_size(candidates);
    let values: Vec<u128> = order.iter().map(|&at| u128::from(candidates[at].effective)).collect();
    let (least, most) = (u128::from(target.needed), u128::from(target.needed) + u128::from(target.cost_of_change));
    let mut rest: u128 = values.iter().sum();
    let (mut chosen, mut sum, mut next) = (Vec::new(), 0_u128, 0);
    let mut best: Option<(u128, Vec<usize>)> = None;
    for _ in 0..TRIES {
        let is_better = best.as_ref().is_none_or(|(excess, _)| sum.saturating_sub(least) < *excess);
        if sum >= least && sum <= most && !chosen.is_empty() && is_better {
            best = Some((sum - least, chosen.clone()));
            if sum == least {
                break;
            }
        }
        let is_over = sum >= least || sum + rest < least || next == values.len() || chosen.len() == target.most_inputs;
        if !is_over {
            chosen.push(next);
            sum += values[next];
            rest -= values[next];
            next += 1;
            continue;
        }
        // Back to the last coin included, and on without it and without those of the same size.
        let Some(dropped) = chosen.pop() else { break };
        rest += values[dropped + 1..next].iter().sum::<u128>();
        sum -= values[dropped];
        next = dropped + 1;
        while next < values.len() && values[next] == values[dropped] {
            rest -= values[next];
            next += 1;
        }
    }
    best.map(|(_, chosen)| ascending(chosen.into_iter().map(|at| order[at])))
}

/// Coins in random order until there is enough.
fn single_random_draw(
    candidates: &[Candidate],
    needed: u64,
    most_inputs: usize,
    rng: &mut impl Rng,
) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.shuffle(rng);
    until_enough(candidates, &order, needed, most_inputs)
}

/// The fewest coins that are enough.
fn largest_first(candidates: &[Candidate], needed: u64, most_inputs: usize) -> Option<Vec<usize>> {
    until_enough(candidates, &by_size(candidates), needed, most_inputs)
}

fn until_enough(candidates: &[Candidate], order: &[usize], needed: u64, most: usize) -> Option<Vec<usize>> {
    let mut sum = 0_u128;
    for (count, &at) in order.iter().enumerate().take(most) {
        sum += u128::from(candidates[at].effective);
        if sum >= u128::from(needed) {
            return Some(ascending(order[..=count].iter().copied()));
        }
    }
    None
}

fn by_size(candidates: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(candidates[at].effective));
    order
}

fn ascending(positions: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut positions: Vec<usize> = positions.collect();
    positions.sort_unstable();
    positions
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secp256k1::rand::SeedableRng;
    use secp256k1::rand::rngs::StdRng;

    use super::*;

    fn coins(values: &[u64]) -> Vec<Candidate> {
        values.iter().map(|&effective| Candidate { effective }).collect()
    }

    fn target(needed: u64, cost_of_change: u64, least_change: u64) -> Target {
        Target { needed, cost_of_change, least_change, most_inputs: 999 }
    }

    fn sum(coins: &[Candidate], chosen: &[usize]) -> u128 {
        chosen.iter().map(|&at| u128::from(coins[at].effective)).sum()
    }

    #[test]
    fn an_exact_sum_is_found_and_needs_no_change() {
        let coins = coins(&[50, 10, 7, 13, 200, 29]);
        let selection = select(&coins, &target(99, 0, 1_000), &mut StdRng::seed_from_u64(1));
        assert_eq!(selection, Some(Selection { chosen: vec![0, 2, 3, 5], changeless: true }));
    }

    #[test]
    fn too_little_is_not_enough() {
        assert_eq!(select(&coins(&[1, 2, 3]), &target(7, 0, 0), &mut StdRng::seed_from_u64(1)), None);
        assert_eq!(select(&[], &target(1, 0, 0), &mut StdRng::seed_from_u64(1)), None);
        let many = Target { most_inputs: 2, ..target(6, 0, 0) };
        assert_eq!(select(&coins(&[3, 2, 2]), &many, &mut StdRng::seed_from_u64(1)), None);
    }

    #[test]
    fn all_that_there_is_may_be_taken_without_change() {
        let selection = select(&coins(&[u64::MAX, 5]), &target(u64::MAX, 0, 420), &mut StdRng::seed_from_u64(1));
        assert!(selection.is_some_and(|selection| selection.changeless && selection.chosen == [0]));
    }

    proptest! {
        #[test]
        fn never_less_than_needed(
            values in proptest::collection::vec(1..2_000_u64, 0..40),
            needed in 1..20_000_u64,
            cost_of_change in 0..500_u64,
            least_change in 0..600_u64,
            seed: u64,
        ) {
            let coins = coins(&values);
            let target = target(needed, cost_of_change, least_change);
            let selection = select(&coins, &target, &mut StdRng::seed_from_u64(seed));
            let total: u64 = values.iter().sum();
            prop_assert_eq!(selection.is_some(), total >= needed);
            if let Some(selection) = selection {
                let got = sum(&coins, &selection.chosen);
                prop_assert!(got >= u128::from(needed));
                prop_assert!(!selection.changeless || got <= u128::from(needed + cost_of_change));
                prop_assert!(selection.chosen.is_sorted_by(|a, b| a < b));
            }
        }

        #[test]
        fn the_search_finds_what_trying_all_subsets_finds(
            values in proptest::collection::vec(1..60_u64, 1..10),
            needed in 1..200_u64,
            cost_of_change in 0..6_u64,
        ) {
            let coins = coins(&values);
            let subsets = (1..1_usize << values.len()).map(|subset| {
                values.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1).map(|(_, value)| value).sum::<u64>()
            });
            let best = subsets.filter(|sum| (needed..=needed + cost_of_change).contains(sum)).min();
            let found = branch_and_bound(&coins, &target(needed, cost_of_change, 0));
            prop_assert_eq!(found.map(|chosen| sum(&coins, &chosen)), best.map(u128::from));
        }
    }
}

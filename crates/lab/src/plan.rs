//! What a simulated network is to be, within bounds.

use std::time::Duration;

use bloom_kernel::Backend;
use thiserror::Error;

use crate::dice::MILLION;

/// Nodes that everybody is told of, that run all the time, and are honest.
pub const SEEDS: usize = 4;
/// Most nodes.
pub const MOST_NODES: usize = 1_000;
/// Most hours.
pub const MOST_HOURS: u32 = 24 * 31;

/// A break of the network into two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// When it begins.
    pub start: Duration,
    /// How long it lasts.
    pub length: Duration,
    /// How many nodes of a million are cut off from the rest.
    pub share: u64,
}

/// A network and what befalls it. Shares are in millionths.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes in all.
    pub nodes: usize,
    /// Hours of virtual time.
    pub hours: u32,
    /// Of all chance.
    pub seed: u64,
    /// Honest nodes that mine, with equal shares of the hash rate.
    pub miners: usize,
    /// The mean time from a block to the next.
    pub interval: Duration,
    /// Nodes that lie.
    pub liars: u64,
    /// Nodes that stall.
    pub stallers: u64,
    /// Honest nodes that leave and come back again and again.
    pub churn: u64,
    /// A break.
    pub partition: Option<Partition>,
    /// The mean time from a node to another, one way.
    pub latency: Duration,
    /// Bits a second of every node's line, each way.
    pub bandwidth: u64,
    /// Payments an hour.
    pub transactions: u32,
    /// What proofs are made and checked on.
    pub backend: Backend,
}

/// A network that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A number out of its range.
    #[error("{what}: got {got}, expected {expected}")]
    Range {
        /// Which.
        what: &'static str,
        /// As given.
        got: String,
        /// What can be.
        expected: String,
    },
    /// A partition that does not end within what is simulated.
    #[error(
        "--partition START,LENGTH,SHARE: it ends after {got} hours, expected more than 0 and at most --hours, {expected}"
    )]
    PartitionEnd {
        /// Start and length together, in hours.
        got: String,
        /// Of the simulation.
        expected: u32,
    },
    /// More miners, liars and stallers than there are nodes for.
    #[error(
        "of {nodes} nodes {honest} are needed as seeds and miners, and {others} lie or stall: ask for more nodes or fewer of the others"
    )]
    TooFew {
        /// Nodes in all.
        nodes: usize,
        /// Those that must be honest.
        honest: usize,
        /// Those that are not.
        others: usize,
    },
}

impl Plan {
    /// A quiet network.
    #[must_use]
    pub fn new(nodes: usize, hours: u32, seed: u64, backend: Backend) -> Self {
        Self {
            nodes,
            hours,
            seed,
            miners: (nodes / 5).max(1),
            interval: Duration::from_secs(420),
            liars: 0,
            stallers: 0,
            churn: 0,
            partition: None,
            latency: Duration::from_millis(50),
            bandwidth: 20_000_000,
            transactions: 0,
            backend,
        }
    }

    /// Nodes that lie.
    #[must_use]
    pub fn liar_count(&self) -> usize {
        share(self.nodes, self.liars)
    }

    /// Nodes that stall.
    #[must_use]
    pub fn staller_count(&self) -> usize {
        share(self.nodes, self.stallers)
    }

    /// Nodes that must be honest: seeds and miners, which may be the same.
    #[must_use]
    pub fn honest_count(&self) -> usize {
        self.miners.max(SEEDS)
    }

    /// Holds all of it against its bounds.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn check(&self) -> Result<(), PlanError> {
        range("--nodes", self.nodes as u64, SEEDS as u64, MOST_NODES as u64)?;
        range("--hours", self.hours.into(), 1, MOST_HOURS.into())?;
        range("--miners", self.miners as u64, 1, self.nodes as u64)?;
        range("--interval", self.interval.as_secs(), 1, 86_400)?;
        range("--latency", u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX), 1, 10_000)?;
        range("--bandwidth", self.bandwidth / 1_000, 10, 100_000_000)?;
        range("--transactions", self.transactions.into(), 0, 100_000)?;
        for (what, share) in [("--liars", self.liars), ("--stallers", self.stallers), ("--churn", self.churn)] {
            range(what, share, 0, MILLION)?;
        }
        if let Some(partition) = self.partition {
            range("--partition SHARE", partition.share, 1, MILLION - 1)?;
            let end = partition.start.as_secs().saturating_add(partition.length.as_secs());
            if end == 0 || end > u64::from(self.hours) * 3_600 {
                let got = format!("{:.2}", end as f64 / 3_600.0);
                return Err(PlanError::PartitionEnd { got, expected: self.hours });
            }
        }
        let (honest, others) = (self.honest_count(), self.liar_count() + self.staller_count());
        if honest + others > self.nodes {
            return Err(PlanError::TooFew { nodes: self.nodes, honest, others });
        }
        Ok(())
    }
}

/// So many of a million, rounded to the nearest.
fn share(of: usize, millionths: u64) -> usize {
    let product = (of as u64).saturating_mul(millionths).saturating_add(MILLION / 2);
    usize::try_from(product / MILLION).unwrap_or(usize::MAX)
}

fn range(what: &'static str, got: u64, least: u64, most: u64) -> Result<(), PlanError> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(PlanError::Range { what, got: got.to_string(), expected: format!("a number from {least} to {most}") })
}

//! The command line of `bloom lab`.

use std::path::PathBuf;
use std::time::Duration;

use bloom_lab::{MILLION, MOST_HOURS, MOST_NODES, Partition};
use clap::{Args, Subcommand, value_parser};

/// Seeds of an eclipse at most.
const MOST_SEEDS: u32 = 10_000;

#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    pub(crate) experiment: Experiment,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Experiment {
    /// Run a network of real nodes in virtual time, among liars, stallers and breaks
    Network(LabNetworkArgs),
    /// Try to surround a node with an attacker's addresses
    Eclipse(LabEclipseArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LabNetworkArgs {
    /// Nodes in all
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(4..=MOST_NODES as i64))]
    pub(crate) nodes: u32,
    /// Hours of virtual time
    #[arg(long, value_name = "H", default_value_t = 24, value_parser = value_parser!(u32).range(1..=i64::from(MOST_HOURS)))]
    pub(crate) hours: u32,
    /// Of all chance: the same seed gives the same log to the byte
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Nodes that mine, each with the same hash rate [default: a fifth]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MOST_NODES as i64))]
    pub(crate) miners: Option<u32>,
    /// Mean seconds from a block to the next
    #[arg(long, value_name = "SECS", default_value_t = 420, value_parser = value_parser!(u32).range(1..=86_400))]
    pub(crate) interval: u32,
    /// Share of nodes that lie: false proofs, wrong bodies, fake heights, addresses of nobody
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) liars: u64,
    /// Share of nodes that announce and never deliver
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) stallers: u64,
    /// Share of honest nodes that leave and come back again and again
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) churn: u64,
    /// Cut a share of the nodes off: from this hour, for so many hours, such as 6,1.5,0.4
    #[arg(long, value_name = "START,LENGTH,SHARE", value_parser = partition)]
    pub(crate) partition: Option<Partition>,
    /// Mean milliseconds from a node to another, one way
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) latency: u32,
    /// Megabits a second of each node's line, each way
    #[arg(long, value_name = "MBIT", default_value_t = 20, value_parser = value_parser!(u32).range(1..=100_000))]
    pub(crate) bandwidth: u32,
    /// Payments an hour
    #[arg(long, value_name = "PER_HOUR", default_value_t = 0, value_parser = value_parser!(u32).range(0..=100_000))]
    pub(crate) transactions: u32,
    /// Write down all that happens
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LabEclipseArgs {
    /// Times it is tried, each with another seed
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u32).range(1..=i64::from(MOST_SEEDS)))]
    pub(crate) seeds: u32,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Addresses that the attacker has
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=10_000))]
    pub(crate) addresses: u32,
    /// Network groups that they are in
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(1..=1_000))]
    pub(crate) groups: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A share from 0 to 1, in millionths.
fn share(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((share * MILLION as f64).round() as u64),
        _ => Err(format!("got {text}, expected a share from 0 to 1, such as 0.1")),
    }
}

fn partition(text: &str) -> Result<Partition, String> {
    let wrong =
        || format!("got {text}, expected START,LENGTH,SHARE: two numbers of hours and a share, such as 6,1.5,0.4");
    let parts: Vec<&str> = text.split(',').collect();
    let [start, length, part] = parts.as_slice() else { return Err(wrong()) };
    let hours = |text: &str| match text.parse::<f64>() {
        Ok(hours) if (0.0..=f64::from(MOST_HOURS)).contains(&hours) => Ok(Duration::from_secs_f64(hours * 3_600.0)),
        _ => Err(wrong()),
    };
    Ok(Partition { start: hours(start)?, length: hours(length)?, share: share(part).map_err(|_| wrong())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_breaks_are_read_and_bounded() {
        assert_eq!(share("0.1"), Ok(100_000));
        assert_eq!(share("1"), Ok(MILLION));
        for text in ["", "-0.1", "1.01", "NaN", "inf", "a"] {
            assert!(share(text).is_err(), "{text}");
        }
        let length = Duration::from_secs(5_400);
        let read = Partition { start: Duration::from_secs(6 * 3_600), length, share: 400_000 };
        assert_eq!(partition("6,1.5,0.4"), Ok(read));
        for text in ["", "6", "6,1", "6,1,2", "6,-1,0.5", "6,1,0.5,1", "1e9,1,0.5", "NaN,1,0.5"] {
            assert!(partition(text).is_err(), "{text}");
        }
    }
}

//! Where nodes are: their addresses, how far apart they live, and how wide their lines are.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bloom_net::PeerAddr;

use crate::dice::Dice;
use crate::time::nanos;

/// The port that every node listens at.
pub const PORT: u16 = 27_617;
/// Parts of the world, in a ring: from one to the next it is farther than within one, and farthest to the two opposite.
const REGIONS: usize = 5;
/// Percent of the mean latency between regions that are so many steps apart; over all pairs they average about 100.
const BY_STEPS: [u64; 3] = [25, 90, 155];
/// A pair's own latency is this many percent of its regions', plus up to as many again.
const PAIR_PERCENT: u64 = 70;
const PAIR_SPREAD: u64 = 60;
/// No line is shorter than this.
const LEAST: Duration = Duration::from_micros(100);
/// First octets of addresses start here; all that follow are routable, as far as [`address`] goes.
const FIRST_OCTET: usize = 11;
const OCTETS: usize = 80;

/// Lines between nodes.
#[derive(Clone, Copy, Debug)]
pub struct Terrain {
    /// The mean time from one node to another, one way.
    pub latency: Duration,
    /// What a node can send, and what it can receive, in bits a second each.
    pub bandwidth: u64,
    /// Of the pairs' own latencies.
    pub seed: u64,
}

impl Terrain {
    /// The time from one node to another, one way, the same in both directions.
    #[must_use]
    pub fn latency(&self, a: usize, b: usize) -> Duration {
        let (low, high) = (a.min(b) as u64, a.max(b) as u64);
        let apart = (a % REGIONS).abs_diff(b % REGIONS);
        let steps = apart.min(REGIONS - apart);
        let percent = BY_STEPS.get(steps).copied().unwrap_or(100);
        let own = PAIR_PERCENT + Dice::new(self.seed, (low << 32) | high).below(PAIR_SPREAD + 1);
        let nanos = u128::from(nanos(self.latency)) * u128::from(percent * own) / 10_000;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).max(LEAST)
    }

    /// The time that so many bytes take on a line.
    #[must_use]
    pub fn transfer(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 8_000_000_000 / u128::from(self.bandwidth.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The address of the host of that number in a network group of that number.
#[must_use]
pub fn address(group: usize, host: usize) -> PeerAddr {
    let octet = |number: usize| u8::try_from(number % 256).unwrap_or(0);
    let ip = Ipv4Addr::new(
        octet(FIRST_OCTET + group % OCTETS),
        octet(group / OCTETS),
        octet(host / 250),
        octet(1 + host % 250),
    );
    PeerAddr::new(IpAddr::V4(ip), PORT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bloom_net::NetGroup;

    use super::*;

    #[test]
    fn addresses_are_routable_and_groups_are_groups() {
        let all: BTreeSet<PeerAddr> = (0..2_000).flat_map(|group| [address(group, 0), address(group, 999)]).collect();
        assert_eq!(all.len(), 4_000);
        assert!(all.iter().all(PeerAddr::is_routable));
        assert_eq!(all.iter().map(NetGroup::of).collect::<BTreeSet<_>>().len(), 2_000);
    }

    #[test]
    fn latencies_are_symmetric_and_average_what_was_asked_for() {
        let terrain = Terrain { latency: Duration::from_millis(50), bandwidth: 8_000_000, seed: 3 };
        let mut sum = Duration::ZERO;
        for a in 0..60 {
            for b in 60..120 {
                assert_eq!(terrain.latency(a, b), terrain.latency(b, a));
                sum += terrain.latency(a, b);
            }
        }
        let mean = sum / 3_600;
        assert!(mean.abs_diff(terrain.latency) < Duration::from_millis(3), "{mean:?}");
        assert_eq!(terrain.transfer(1_000_000), Duration::from_secs(1));
    }
}

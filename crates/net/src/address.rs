//! Where a peer is, and which addresses are likely to be one hand's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address and a TCP port. An IPv4 address written as an IPv6 one (`::ffff:a.b.c.d`) is that IPv4 address: nobody has
/// two of them (attacks 30).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddr {
    ip: IpAddr,
    port: u16,
}

impl PeerAddr {
    /// The address in its one form.
    #[must_use]
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip: ip.to_canonical(), port }
    }

    /// The IP address, never an IPv4-mapped one.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same host at another port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Whether it is of this machine or its own link: whoever speaks from there is many or one, no network tells.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self.ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
        }
    }

    /// Whether it could be reached from anywhere: all else is neither kept nor told to others on a public network.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        self.port != 0
            && match self.ip {
                IpAddr::V4(ip) => is_routable_v4(ip),
                IpAddr::V6(ip) => is_routable_v6(ip),
            }
    }
}

/// What one hand has for nothing: an IPv4 address, mapped into IPv6 or not, or the /64 of an IPv6 address. The loopback is
/// a host by itself.
pub(crate) fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip => ip,
    }
}

fn is_routable_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_shared = a == 100 && b & 0xc0 == 64; // RFC 6598
    let is_benchmark = a == 198 && b & 0xfe == 18; // RFC 2544
    let is_protocol = (a, b, c) == (192, 0, 0); // RFC 6890
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || is_shared
        || is_benchmark
        || is_protocol
        || a == 0
        || a >= 224)
}

fn is_routable_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    a & 0xe000 == 0x2000 && (a, b) != (0x2001, 0x0db8) // 2000::/3 is what is given out, less the documentation's
}

impl From<SocketAddr> for PeerAddr {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), address.port())
    }
}

impl From<PeerAddr> for SocketAddr {
    fn from(address: PeerAddr) -> Self {
        Self::new(address.ip, address.port)
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

/// A string that is no address with a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a peer's address: got {got:?}, expected an IP address with a port, such as 203.0.113.7:7617 or [2001:db8::7]:7617"
)]
pub struct PeerAddrError {
    /// As given.
    pub got: String,
}

impl FromStr for PeerAddr {
    type Err = PeerAddrError;

    fn from_str(text: &str) -> Result<Self, PeerAddrError> {
        text.parse::<SocketAddr>().map(Self::from).map_err(|_| PeerAddrError { got: text.chars().take(64).collect() })
    }
}

/// Addresses that one hand gets cheaply: a /16 of IPv4, a /32 of IPv6. Peer ids cost nothing, so budgets, buckets and
/// slots go by these. An address of this machine is a group of its own, port included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetGroup {
    /// The first two bytes of an IPv4 address.
    V4([u8; 2]),
    /// The first four bytes of an IPv6 address.
    V6([u8; 4]),
    /// This machine or its link.
    Local(PeerAddr),
}

impl NetGroup {
    /// The group of an address.
    #[must_use]
    pub fn of(address: &PeerAddr) -> Self {
        if address.is_local() {
            return Self::Local(*address);
        }
        match address.ip {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                Self::V4([a, b])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.octets();
                Self::V6([a, b, c, d])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let mapped: PeerAddr = "[::ffff:203.0.114.7]:7617".parse().unwrap();
        assert_eq!(mapped, "203.0.114.7:7617".parse().unwrap());
        assert_eq!(NetGroup::of(&mapped), NetGroup::V4([203, 0]));
        assert_eq!(mapped.to_string(), "203.0.114.7:7617");
    }

    #[test]
    fn only_what_anybody_can_reach_is_routable() {
        for text in ["8.8.8.8:1", "[2a00:1450::1]:7617", "100.63.255.255:1", "198.17.0.1:9"] {
            assert!(text.parse::<PeerAddr>().unwrap().is_routable(), "{text}");
        }
        for text in [
            "8.8.8.8:0",
            "10.0.0.1:1",
            "127.0.0.1:1",
            "169.254.1.1:1",
            "192.168.0.1:1",
            "100.64.0.1:1",
            "198.18.0.1:1",
            "192.0.0.8:1",
            "203.0.113.5:1",
            "0.1.2.3:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "[::]:1",
            "[::1]:1",
            "[fe80::1]:1",
            "[fc00::1]:1",
            "[ff02::1]:1",
            "[2001:db8::1]:1",
            "[::ffff:10.0.0.1]:1",
        ] {
            assert!(!text.parse::<PeerAddr>().unwrap().is_routable(), "{text}");
        }
    }
}

//! What libp2p calls things, and what this node calls them.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol as Part;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use crate::address::PeerAddr;
use crate::event::Identity;
use crate::wire::Protocol;

/// The names of a network's protocols.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The same on all networks, so that a peer of another one can be told so.
    pub(super) hello: StreamProtocol,
    pub(super) ask: StreamProtocol,
    pub(super) note: StreamProtocol,
    pub(super) identify: String,
    pub(super) kademlia: StreamProtocol,
}

impl Names {
    pub(super) fn of(magic: [u8; 4]) -> Self {
        let name = |what: &str| format!("/bloom/{}/{what}/1", hex::encode(magic));
        let protocol = |what| StreamProtocol::try_from_owned(name(what)).expect("it begins with a slash");
        Self {
            hello: StreamProtocol::new("/bloom/hello/1"),
            ask: protocol("ask"),
            note: protocol("note"),
            identify: name("id"),
            kademlia: protocol("kad"),
        }
    }

    /// What a stream of this name brings first.
    pub(super) fn protocol(&self, name: &StreamProtocol) -> Protocol {
        if *name == self.hello {
            Protocol::Hello
        } else if *name == self.ask {
            Protocol::Ask
        } else {
            Protocol::Note
        }
    }
}

/// The address and TCP port at the head of a libp2p address; none if it is of another kind.
pub(super) fn peer_addr(address: &Multiaddr) -> Option<PeerAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Part::Ip4(ip) => IpAddr::V4(ip),
        Part::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Part::Tcp(port) => Some(PeerAddr::new(ip, port)),
        _ => None,
    }
}

/// The same for libp2p.
pub(super) fn multiaddr(address: PeerAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Part::Tcp(address.port()))
}

pub(super) fn identity(peer: &PeerId) -> Identity {
    Identity(*blake3::hash(&peer.to_bytes()).as_bytes())
}

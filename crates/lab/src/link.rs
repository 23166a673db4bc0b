//! A connection between two nodes.

use bloom_net::PeerAddr;
use bloom_net::event::ConnId;

use crate::time::Moment;

/// Which end of a link: 0 made it, 1 took it.
pub(crate) type Side = usize;

/// Its two ends. Each closes by itself; the other learns of it later.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) ends: [End; 2],
    pub(crate) since: Moment,
}

#[derive(Debug)]
pub(crate) struct End {
    /// Whose.
    pub(crate) node: usize,
    /// What the node calls it.
    pub(crate) peer: ConnId,
    pub(crate) is_open: bool,
    /// When the last thing that was sent here arrives: the close does not overtake it.
    pub(crate) last: Moment,
}

impl Link {
    pub(crate) fn new(from: (usize, ConnId), to: (usize, ConnId), since: Moment) -> Self {
        let end = |(node, peer)| End { node, peer, is_open: true, last: since };
        Self { ends: [end(from), end(to)], since }
    }

    pub(crate) fn end(&self, side: Side) -> &End {
        let [maker, taker] = &self.ends;
        if side == 0 { maker } else { taker }
    }

    pub(crate) fn end_mut(&mut self, side: Side) -> &mut End {
        let [maker, taker] = &mut self.ends;
        if side == 0 { maker } else { taker }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.ends.iter().all(|end| !end.is_open)
    }
}

/// The other end.
pub(crate) fn other(side: Side) -> Side {
    1 - side
}

/// An address as the end that took a connection sees it: the port is one that nobody listens at.
pub(crate) fn seen_inbound(address: PeerAddr, link: u64) -> PeerAddr {
    address.with_port(u16::try_from(32_768 + link % 28_000).unwrap_or(u16::MAX))
}

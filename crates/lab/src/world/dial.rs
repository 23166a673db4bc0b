//! How connections come to be, or not.

use bloom_net::event::Direction;
use bloom_net::{Event, PeerAddr};

use super::carry::connected;
use super::{DIAL_PATIENCE, Due, HANDSHAKE_TRIPS, Link, World, seen_inbound};

impl World {
    /// Finds out who is there; what comes of it is known when a node could know it.
    pub(super) fn dial(&mut self, from: usize, address: PeerAddr) {
        let Some(life) = self.life(from) else { return };
        let from = (from, life);
        let found = self.by_address.get(&address).copied().filter(|to| !self.are_apart(from.0, *to));
        let Some(to) = found else {
            self.agenda.plan(self.now.plus(DIAL_PATIENCE), Due::Dialled { from, address, to: None });
            return;
        };
        let round_trip = self.terrain.latency(from.0, to) * 2;
        match self.life(to) {
            Some(there) if self.is_let(from.0, to) => {
                let at = self.now.plus(round_trip * HANDSHAKE_TRIPS);
                self.agenda.plan(at, Due::Dialled { from, address, to: Some((to, there)) });
            }
            // Refused: by the system, where nothing listens, or by who is there.
            _ => self.agenda.plan(self.now.plus(round_trip), Due::Dialled { from, address, to: None }),
        }
    }

    pub(super) fn dialled(&mut self, from: (usize, u32), address: PeerAddr, to: Option<(usize, u32)>) {
        if self.life(from.0) != Some(from.1) {
            return;
        }
        let there = to.filter(|(to, life)| {
            self.life(*to) == Some(*life) && !self.are_apart(from.0, *to) && self.is_let(from.0, *to)
        });
        match there {
            Some((to, _)) => self.connect(from.0, to),
            None => self.tell(from.0, Event::DialFailed { address }),
        }
    }

    /// Neither keeps the other out.
    fn is_let(&self, a: usize, b: usize) -> bool {
        let keeps_out = |who: usize, whom: usize| {
            let (Some(now), Some(who), Some(whom)) = (self.time_of(who), self.nodes.get(who), self.nodes.get(whom))
            else {
                return false;
            };
            who.bars(whom.address, whom.identity, now.unix)
        };
        !keeps_out(a, b) && !keeps_out(b, a)
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.links_made += 1;
        let id = self.links_made;
        let (mut ends, mut peers) = (Vec::new(), Vec::new());
        for (side, number) in [from, to].into_iter().enumerate() {
            let Some(node) = self.nodes.get_mut(number) else { return };
            let peer = node.next_connection();
            node.plugs.insert(peer, (id, side));
            ends.push((node.address, node.identity));
            peers.push(peer);
        }
        let ([maker, taker], [outbound, inbound]) = (ends.as_slice(), peers.as_slice()) else { return };
        let (maker, taker, outbound, inbound) = (*maker, *taker, *outbound, *inbound);
        self.links.insert(id, Link::new((from, outbound), (to, inbound), self.now));
        self.record.links += 1;
        let time = self.terrain.latency(from, to) * 2;
        self.agenda.plan(self.now.plus(time), Due::Measured { link: id, time });
        self.tell(to, connected(inbound, (seen_inbound(maker.0, id), maker.1), Direction::Inbound));
        let is_open = self.links.get(&id).is_some_and(|link| link.end(0).is_open);
        if is_open {
            self.tell(from, connected(outbound, taker, Direction::Outbound));
        }
    }
}

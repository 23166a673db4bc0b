//! Hello, both ways: who dialled asks with it, the other answers with its own or says goodbye and why.

use std::time::Duration;

use super::{Manager, Peer, Role, eviction};
use crate::event::{Action, AnswerId, ConnId, Direction, Event, Failure, Report};
use crate::fault::Fault;
use crate::hub::{Happening, Hub, Purpose};
use crate::wire::{Goodbye, Hello, MAX_AGENT_BYTES, Request, Response, WIRE_VERSION};

/// How long hellos may take to be exchanged.
pub(super) const HELLO_TIME: Duration = Duration::from_secs(10);
/// How long who was told goodbye is given to hear it and leave.
const GOODBYE_TIME: Duration = Duration::from_secs(2);
/// Most messages that are kept of who was asked for hello and whose answer they overtook.
const MAX_EARLY: usize = 16;
/// Most connections that linger for that.
pub(crate) const MAX_DISMISSED: usize = 64;
/// Peers beyond the outbound slots, tried for another reason, that stay because they claim more work than this node's chain.
const MOST_EXTRA: usize = 2;

impl Manager {
    pub(super) fn greet(&self, hub: &mut Hub, id: ConnId) {
        let hello = self.own_hello(hub);
        if let Some(peer) = hub.peers.get_mut(id) {
            peer.told = Some(hello.tip);
        }
        hub.ask(id, Purpose::Hello, Request::Hello(hello), HELLO_TIME);
    }

    /// A hello of who dialled.
    pub(crate) fn hello(&mut self, hub: &mut Hub, id: ConnId, answer: AnswerId, hello: Hello) {
        let Some(peer) = hub.peers.get(id) else { return };
        if peer.hello.is_some() || peer.direction == Direction::Outbound {
            hub.answer(id, answer, Response::Busy);
            return hub.blame(id, Fault::OutOfTurn);
        }
        if let Some(goodbye) = self.refusal(hub, &hello).or_else(|| self.crowd_out(hub, id, &hello)) {
            hub.answer(id, answer, Response::Goodbye(goodbye));
            return self.dismiss(hub, id);
        }
        let own = self.own_hello(hub);
        hub.answer(id, answer, Response::Hello(own));
        hub.join(id, hello);
    }

    /// An answer to what [`Manager`] asked: hello, or addresses.
    pub(crate) fn response(&mut self, hub: &mut Hub, id: ConnId, response: Response) {
        let Some(peer) = hub.peers.get(id) else { return };
        if peer.hello.is_some() {
            return self.addresses(hub, id, response);
        }
        match response {
            Response::Hello(hello) => self.greeted(hub, id, hello),
            Response::Goodbye(goodbye) => self.refused(hub, id, goodbye),
            _ => {
                hub.blame(id, Fault::WrongAnswer);
                hub.part(id, "it answered hello with something else");
            }
        }
    }

    pub(crate) fn failed(&mut self, hub: &mut Hub, id: ConnId, failure: Failure) {
        if hub.peers.get(id).is_some_and(|peer| peer.hello.is_none()) {
            let why = match failure {
                Failure::Timeout => "it did not return hello in time",
                Failure::Closed => "it closed the connection before hello",
            };
            hub.part(id, why);
        }
    }

    /// Ends what was told goodbye and did not leave.
    pub(super) fn end_dismissed(&mut self, hub: &mut Hub) {
        while let Some((id, until)) = self.dismissed.front().copied() {
            if until > hub.now.elapsed && self.dismissed.len() <= MAX_DISMISSED {
                break;
            }
            self.dismissed.pop_front();
            hub.act(Action::Disconnect { peer: id });
        }
    }

    fn own_hello(&self, hub: &Hub) -> Hello {
        let chain = hub.chain.chain();
        let tip = chain.tip();
        let is_plain = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
        Hello {
            version: WIRE_VERSION,
            network_id: chain.params().network_id,
            tip: tip.hash,
            height: tip.height,
            work: tip.work,
            time: hub.now.unix,
            nonce: self.nonce,
            listen_port: hub.config.listen_port.unwrap_or(0),
            is_archive: chain.pruning().is_none(),
            agent: hub.config.agent.chars().filter(is_plain).take(MAX_AGENT_BYTES).collect(),
        }
    }

    /// Why a hello is not one that this node returns.
    fn refusal(&self, hub: &Hub, hello: &Hello) -> Option<Goodbye> {
        let network_id = hub.chain.chain().params().network_id;
        if hello.network_id != network_id {
            Some(Goodbye::OtherNetwork(network_id))
        } else if hello.version < WIRE_VERSION {
            Some(Goodbye::Version(WIRE_VERSION))
        } else if hello.nonce == self.nonce {
            Some(Goodbye::Myself)
        } else {
            None
        }
    }

    /// Makes room for who dialled and said this, or says why there is none.
    fn crowd_out(&mut self, hub: &mut Hub, id: ConnId, hello: &Hello) -> Option<Goodbye> {
        let others = self.others_of(hub, id);
        if others.iter().any(|other| !self.yields(hub, *other, Direction::Inbound, hello)) {
            return Some(Goodbye::Full);
        }
        let is_inbound = |(other, peer): &(ConnId, &Peer)| peer.role == Role::Inbound && !others.contains(other);
        if hub.peers.joined().filter(is_inbound).count() >= hub.config.max_inbound {
            match eviction::victim(&hub.peers, &self.key) {
                Some(victim) => hub.part(victim, "it gave way to another"),
                None => return Some(Goodbye::Full),
            }
        }
        for other in others {
            hub.part(other, "it is connected another way");
        }
        None
    }

    /// The other connections with whom a connection is to.
    fn others_of(&self, hub: &Hub, id: ConnId) -> Vec<ConnId> {
        let Some(identity) = hub.peers.get(id).map(|peer| peer.identity) else { return Vec::new() };
        hub.peers
            .all()
            .filter(|(other, peer)| *other != id && peer.identity == identity)
            .map(|(other, _)| other)
            .collect()
    }

    /// Whether an older connection to somebody gives way to a newer one over which it said this hello. Both ends come to
    /// the same: of two that were dialled from both sides that one stays which who drew the smaller nonce has dialled.
    fn yields(&self, hub: &Hub, other: ConnId, direction: Direction, hello: &Hello) -> bool {
        let Some(older) = hub.peers.get(other) else { return true };
        match &older.hello {
            // It was begun anew since, and has not noticed that the older connection is dead.
            Some(said) if said.nonce != hello.nonce => true,
            // Whether this one may come in is decided by who takes it, in the order of the hellos.
            _ if older.direction == direction => older.hello.is_none(),
            _ => (direction == Direction::Outbound) == (self.nonce < hello.nonce),
        }
    }

    /// Who was dialled returned hello.
    fn greeted(&mut self, hub: &mut Hub, id: ConnId, hello: Hello) {
        if let Some(goodbye) = self.refusal(hub, &hello) {
            return self.refused(hub, id, goodbye);
        }
        let leads = self.has_better_chain(hub, &hello);
        if let Some(peer) = hub.peers.get_mut(id) {
            peer.has_answered = true;
            self.slots.answered(&peer.address);
            if peer.role == Role::Feeler {
                self.book.connected(&peer.address, hub.now.unix);
                if !leads {
                    return hub.part(id, "somebody is there");
                }
                // It may be of a part of the network that this node was cut off from: it stays.
                peer.role = Role::Slot;
            }
        }
        let others = self.others_of(hub, id);
        if others.iter().any(|other| !self.yields(hub, *other, Direction::Outbound, &hello)) {
            return hub.part(id, "it is connected another way");
        }
        for other in others {
            hub.part(other, "it is connected another way");
        }
        hub.join(id, hello);
    }

    /// Whether somebody claims a chain that this node has never heard of and that has more work than its own, and there is
    /// room for one more that does.
    fn has_better_chain(&self, hub: &Hub, hello: &Hello) -> bool {
        let slots = hub.peers.all().filter(|(_, peer)| peer.role == Role::Slot).count();
        hello.work > hub.chain.chain().tip().work && slots < hub.config.outbound + MOST_EXTRA
    }

    fn refused(&mut self, hub: &mut Hub, id: ConnId, goodbye: Goodbye) {
        let Some(peer) = hub.peers.get_mut(id) else { return };
        peer.has_answered = goodbye == Goodbye::Full;
        let (address, role) = (peer.address, peer.role);
        let why = match goodbye {
            Goodbye::OtherNetwork(network_id) => format!("it is of another network, {network_id}"),
            Goodbye::Full => "it has no room, or is connected already".to_owned(),
            Goodbye::Banned => "it keeps this node out".to_owned(),
            Goodbye::Myself => "it is this node itself".to_owned(),
            Goodbye::Version(version) => format!("it speaks version {version}, not {WIRE_VERSION}"),
        };
        if role == Role::Given {
            hub.tell(Report::Left { peer: id, address, why: why.clone() });
        }
        hub.part(id, &why);
        match goodbye {
            // None of it is proven, `Myself` neither: an address that was given is sought again later.
            Goodbye::Myself | Goodbye::OtherNetwork(_) | Goodbye::Version(_) | Goodbye::Banned => {
                self.dialler.put_off(&address, hub.now.elapsed);
            }
            Goodbye::Full => {}
        }
    }

    /// Has told goodbye: hears nothing more, and ends the connection if the other does not.
    fn dismiss(&mut self, hub: &mut Hub, id: ConnId) {
        if hub.forget(id).is_some() {
            self.dismissed.push_back((id, hub.now.elapsed + GOODBYE_TIME));
        }
    }
}

impl Hub {
    /// What is to be heard now of a peer. Of who was not let in that is nothing: it spoke out of turn, unless it was let in
    /// on its own side, for messages overtake each other: then a few are kept until its hello comes.
    pub(crate) fn in_turn(&mut self, id: ConnId, event: Event) -> Option<Event> {
        let peer = self.peers.get_mut(id)?;
        if peer.hello.is_some() {
            return Some(event);
        }
        if peer.direction == Direction::Outbound && peer.early.len() < MAX_EARLY {
            peer.early.push(event);
        } else {
            self.blame(id, Fault::OutOfTurn);
        }
        None
    }

    /// What a peer that has just been let in said before.
    pub(crate) fn take_early(&mut self, id: ConnId) -> Vec<Event> {
        self.peers.get_mut(id).map(|peer| std::mem::take(&mut peer.early)).unwrap_or_default()
    }

    /// Ends a connection; if it had been let in, all parts hear of it as `Left`.
    pub(crate) fn part(&mut self, id: ConnId, why: &str) {
        if self.left(id, why) {
            self.act(Action::Disconnect { peer: id });
        }
    }

    /// A connection is at its end. What it was asked is forgotten: `Left` is all that parts hear.
    pub(super) fn left(&mut self, id: ConnId, why: &str) -> bool {
        let Some(peer) = self.forget(id) else { return false };
        if peer.hello.is_some() {
            self.tell(Report::Left { peer: id, address: peer.address, why: why.to_owned() });
            self.happened.push_back(Happening::Left(id));
        }
        true
    }

    fn forget(&mut self, id: ConnId) -> Option<Peer> {
        self.asked.retain(|_, asked| asked.peer != id);
        self.peers.remove(id)
    }

    fn join(&mut self, id: ConnId, hello: Hello) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let (address, direction) = (peer.address, peer.direction);
        self.tell(Report::Joined { peer: id, address, direction, agent: hello.agent.clone(), height: hello.height });
        let now = i128::from(self.now.unix.0);
        if let Some(peer) = self.peers.get_mut(id) {
            let ahead = now - i128::from(hello.time.0);
            peer.ahead_secs = i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX });
            peer.hello = Some(hello);
        }
        self.peers.is_changed = true;
        self.happened.push_back(Happening::Joined(id));
    }
}

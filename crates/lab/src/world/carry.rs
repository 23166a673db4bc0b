//! What the world does for a node: events are brought to it, its actions done, its messages carried.

use bloom_consensus::Header;
use bloom_net::event::{AnswerId, BanKey, ConnId, Direction, Failure, JobId, RequestId};
use bloom_net::wire::Response;
use bloom_net::{Action, Event};
use std::time::Duration;

use super::{Due, JITTER_PERCENT, PROVING_CORES, ROUND, WAKE_LEAST, World, proof};
use crate::link::{Link, Side, other};
use crate::node::Plug;
use crate::record::NewTip;
use crate::time::{Moment, nanos};
use crate::traffic::Parcel;

impl World {
    /// Brings an event to a node and does what it then wants done.
    pub(super) fn tell(&mut self, number: usize, event: Event) {
        let Some(now) = self.time_of(number) else { return };
        let Some(node) = self.nodes.get_mut(number) else { return };
        let is_wake = matches!(event, Event::Wake);
        let actions = node.actor.handle(event, now);
        self.perform(number, actions);
        self.schedule(number, is_wake);
    }

    pub(super) fn perform(&mut self, number: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Dial { address } => self.dial(number, address),
                Action::Disconnect { peer } => {
                    if let Some((link, side)) = self.plug(number, peer) {
                        self.send((link, side), Parcel::Close);
                        self.end(link, side);
                    }
                }
                Action::Send { peer, note } => {
                    if let Some(plug) = self.plug(number, peer) {
                        self.send(plug, Parcel::Note(note));
                    }
                }
                Action::Ask { peer, id, request, timeout } => {
                    let Some(plug) = self.plug(number, peer) else {
                        self.own(number, Event::Failed { peer, id, failure: Failure::Closed });
                        continue;
                    };
                    let Some(node) = self.nodes.get_mut(number) else { continue };
                    node.asked.insert(id, plug);
                    let life = node.life;
                    self.agenda.plan(self.now.plus(timeout), Due::TimedOut { node: number, life, id });
                    self.send(plug, Parcel::Request(id, request));
                }
                Action::Answer { id, response, .. } => self.answer(number, id, response),
                Action::Prove { job, headers } => self.prove(number, job, &headers),
                Action::Bar { key, until } => self.bar(number, key, until),
                Action::Tell(report) => {
                    let is_honest = self.is_honest(number);
                    self.record.told(self.now, number, &report, is_honest);
                }
            }
        }
    }

    /// Looks at a node after it did something: whether it has a new tip, and when it wants to be woken.
    pub(super) fn schedule(&mut self, number: usize, was_woken: bool) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return };
        if node.is_honest
            && let Some(hash) = node.new_tip()
        {
            self.record.tips.push_back(NewTip { at: now, node: number, hash });
        }
        let (Some(since), Some(elapsed)) = (node.since, node.actor.next_wake()) else {
            node.wake = None;
            return;
        };
        let soonest = if was_woken { now.plus(WAKE_LEAST) } else { now };
        let at = since.plus(elapsed);
        if was_woken && at <= now {
            self.record.eager_wakes += 1;
        }
        let at = at.max(soonest);
        // A wake that is planned for sooner finds out by itself that it came too soon.
        if node.wake.is_none_or(|planned| at < planned) {
            node.wake = Some(at);
            self.agenda.plan(at, Due::Wake(number));
        }
    }

    pub(super) fn wake(&mut self, number: usize, at: Moment) {
        let Some(node) = self.nodes.get_mut(number).filter(|node| node.wake == Some(at)) else { return };
        node.wake = None;
        let Some(since) = node.since else { return };
        if node.actor.next_wake().is_some_and(|elapsed| since.plus(elapsed) <= at) {
            if node.is_honest {
                self.record.wakes += 1;
            }
            self.tell(number, Event::Wake);
        } else {
            self.schedule(number, false);
        }
    }

    /// Puts something on the line towards the other end.
    pub(super) fn send(&mut self, (id, side): Plug, parcel: Parcel) {
        let bytes = parcel.bytes();
        let Some(link) = self.links.get(&id) else { return };
        let (from, to) = (link.end(side).node, link.end(other(side)).node);
        let is_broken = self.is_broken(link);
        let Some(sender) = self.nodes.get_mut(from) else { return };
        sender.up_free = sender.up_free.max(self.now).plus(self.terrain.transfer(bytes));
        self.record.sent(sender.is_honest, &parcel, bytes);
        let line = self.terrain.latency(from, to);
        let jitter = Duration::from_nanos(self.dice.below(nanos(line) * JITTER_PERCENT / 100 + 1));
        let mut at = sender.up_free.plus(line + jitter);
        if is_broken {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        let end = link.end_mut(other(side));
        if matches!(parcel, Parcel::Close) {
            at = at.max(end.last);
        }
        end.last = end.last.max(at);
        self.agenda.plan(at, Due::Arrives { link: id, side: other(side), parcel });
    }

    pub(super) fn arrives(&mut self, id: u64, side: Side, parcel: Parcel) {
        let Some(link) = self.links.get(&id).filter(|link| link.end(side).is_open) else { return };
        if self.is_broken(link) {
            return;
        }
        let bytes = parcel.bytes();
        let Some(node) = self.nodes.get_mut(link.end(side).node) else { return };
        self.record.received(node.is_honest, bytes);
        // What waited for nothing is through as it comes; else it waits for what came before.
        node.down_free = node.down_free.plus(self.terrain.transfer(bytes)).max(self.now);
        if node.down_free > self.now {
            self.agenda.plan(node.down_free, Due::Delivered { link: id, side, parcel });
        } else {
            self.delivered(id, side, parcel);
        }
    }

    pub(super) fn delivered(&mut self, id: u64, side: Side, parcel: Parcel) {
        let Some(link) = self.links.get(&id).filter(|link| link.end(side).is_open) else { return };
        let (number, peer) = (link.end(side).node, link.end(side).peer);
        let Some(node) = self.nodes.get_mut(number) else { return };
        match parcel {
            Parcel::Note(note) => {
                let note = std::sync::Arc::unwrap_or_clone(note);
                self.tell(number, Event::Note { peer, note });
            }
            Parcel::Request(asked, request) => {
                let answer = node.next_answer();
                node.to_answer.insert(answer, ((id, side), asked));
                self.tell(number, Event::Request { peer, id: answer, request });
            }
            Parcel::Response(asked, response) => {
                if node.asked.get(&asked) == Some(&(id, side)) {
                    node.asked.remove(&asked);
                    self.tell(number, Event::Response { peer, id: asked, response });
                }
            }
            Parcel::Close => self.end(id, side),
        }
    }

    fn answer(&mut self, number: usize, id: AnswerId, response: Response) {
        let Some((plug, asked)) = self.nodes.get_mut(number).and_then(|node| node.to_answer.remove(&id)) else {
            return;
        };
        if self.links.get(&plug.0).is_some_and(|link| link.end(plug.1).is_open) {
            self.send(plug, Parcel::Response(asked, response));
        }
    }

    /// An answer will not come.
    pub(super) fn fail(&mut self, number: usize, id: RequestId, failure: Failure) {
        let Some((link, side)) = self.nodes.get_mut(number).and_then(|node| node.asked.remove(&id)) else { return };
        let Some(peer) = self.links.get(&link).map(|link| link.end(side).peer) else { return };
        self.tell(number, Event::Failed { peer, id, failure });
    }

    /// Closes one end, and tells its node.
    pub(super) fn end(&mut self, id: u64, side: Side) {
        let Some(end) = self.links.get(&id).map(|link| link.end(side)).filter(|end| end.is_open) else { return };
        let (number, peer) = (end.node, end.peer);
        let Some(node) = self.nodes.get_mut(number) else { return };
        node.plugs.remove(&peer);
        node.to_answer.retain(|_, (plug, _)| *plug != (id, side));
        let lost: Vec<RequestId> =
            node.asked.iter().filter(|(_, plug)| **plug == (id, side)).map(|(id, _)| *id).collect();
        node.asked.retain(|_, plug| *plug != (id, side));
        self.unplug(id, side);
        for id in lost {
            self.own(number, Event::Failed { peer, id, failure: Failure::Closed });
        }
        self.own(number, Event::Disconnected { peer });
    }

    /// Closes one end, whose node knows.
    pub(super) fn unplug(&mut self, id: u64, side: Side) {
        self.count_hours(id, side);
        let Some(link) = self.links.get_mut(&id) else { return };
        link.end_mut(side).is_open = false;
        if link.is_gone() {
            self.links.remove(&id);
        }
    }

    pub(super) fn count_hours(&mut self, id: u64, side: Side) {
        let Some(link) = self.links.get(&id) else { return };
        if self.is_honest(link.end(side).node) {
            self.record.peer_time += self.now.since(link.since);
        }
    }

    /// Something of a node's own, at once, but after what is being done.
    pub(super) fn own(&mut self, number: usize, event: Event) {
        if let Some(life) = self.life(number) {
            self.agenda.plan(self.now, Due::Own { node: number, life, event });
        }
    }

    /// Re-runs attempts as a node would, and takes the time that a node would take.
    fn prove(&mut self, number: usize, job: JobId, headers: &[Header]) {
        let first_false = headers.iter().position(|header| !self.is_proven(header));
        let checked = first_false.map_or(headers.len(), |first| first + 1);
        let rounds: u64 = headers.iter().take(checked).map(|header| u64::from(header.seal.bloom_end) + 1).sum();
        let cost = ROUND.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX)) / PROVING_CORES;
        let Some(life) = self.life(number) else { return };
        let event = Event::Proven { job, first_false };
        self.agenda.plan(self.now.plus(cost), Due::Own { node: number, life, event });
    }

    fn is_proven(&mut self, header: &Header) -> bool {
        let hash = header.block_hash();
        if self.proven.contains(&hash) {
            return true;
        }
        let is_true = proof::verify(header, &mut self.solo).is_ok();
        if is_true {
            self.proven.insert(hash);
        }
        is_true
    }

    fn bar(&mut self, number: usize, key: BanKey, until: bloom_consensus::Timestamp) {
        let Some(now) = self.time_of(number) else { return };
        let Some(node) = self.nodes.get_mut(number) else { return };
        if until > now.unix {
            node.bars.insert(key, until);
        } else {
            node.bars.remove(&key);
        }
    }

    fn plug(&self, number: usize, peer: ConnId) -> Option<Plug> {
        self.nodes.get(number)?.plugs.get(&peer).copied()
    }

    pub(super) fn is_broken(&self, link: &Link) -> bool {
        self.are_apart(link.end(0).node, link.end(1).node)
    }

    pub(super) fn are_apart(&self, a: usize, b: usize) -> bool {
        let side = |number: usize| self.nodes.get(number).is_some_and(|node| node.is_cut_off);
        self.is_split && side(a) != side(b)
    }

    pub(super) fn measured(&mut self, id: u64, time: Duration) {
        for side in [0, 1] {
            let Some(end) = self.links.get(&id).map(|link| link.end(side)).filter(|end| end.is_open) else { continue };
            let (number, peer) = (end.node, end.peer);
            self.tell(number, Event::RoundTrip { peer, time });
        }
    }
}

/// How a connection came to be, as each end is told.
pub(super) fn connected(
    peer: ConnId,
    end: (bloom_net::PeerAddr, bloom_net::event::Identity),
    direction: Direction,
) -> Event {
    let (address, identity) = end;
    Event::Connected { peer, address, identity, direction }
}

//! Whom this node dials, and when again: the peers given by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Role;
use crate::address::PeerAddr;
use crate::event::{Action, ConnId, Identity};
use crate::hub::Hub;

/// Most dials under way.
const MAX_DIALS: usize = 16;
/// After which a dial that nothing was heard of has come to nothing.
const DIAL_TIME: Duration = Duration::from_secs(60);
/// What an address given by hand is left alone for after a failure: at first, and at most. So short that two halves of a
/// network that was cut are one again soon after it is healed.
const LEAST_DELAY: Duration = Duration::from_secs(1);
const MOST_DELAY: Duration = Duration::from_secs(8);
/// What it is left alone for when who is there is not one to speak with.
const REFUSED_DELAY: Duration = Duration::from_secs(600);
/// A connection that held so long was no failure.
pub(super) const STEADY: Duration = Duration::from_secs(30);
/// Most addresses given by hand.
pub(super) const MAX_GIVEN: usize = 256;

/// An address given by hand.
#[derive(Debug)]
struct Target {
    /// Not before.
    next: Duration,
    /// What it is left alone for after the next failure.
    delay: Duration,
    /// Who was found there: it may be connected the other way.
    identity: Option<Identity>,
    /// Not before, for it said goodbye.
    refused: Option<Duration>,
    connection: Option<ConnId>,
}

/// The dials under way and those to come.
#[derive(Debug, Default)]
pub(super) struct Dialler {
    given: BTreeMap<PeerAddr, Target>,
    under_way: BTreeMap<PeerAddr, (Role, Duration)>,
}

impl Dialler {
    /// Seeks an address from now on.
    pub(super) fn give(&mut self, address: PeerAddr, now: Duration) -> bool {
        if self.given.len() >= MAX_GIVEN && !self.given.contains_key(&address) {
            return false;
        }
        let target = Target { next: now, delay: LEAST_DELAY, identity: None, refused: None, connection: None };
        self.given.entry(address).or_insert(target).next = now;
        true
    }

    /// Seeks it no more.
    pub(super) fn take(&mut self, address: &PeerAddr) -> bool {
        self.given.remove(address).is_some()
    }

    pub(super) fn given(&self) -> impl Iterator<Item = &PeerAddr> {
        self.given.keys()
    }

    /// A dial came to a connection: what it was for.
    pub(super) fn connected(&mut self, address: &PeerAddr, id: ConnId, identity: Identity) -> Option<Role> {
        let (role, _) = self.under_way.remove(address)?;
        if let Some(target) = self.given.get_mut(address) {
            target.identity = Some(identity);
            target.connection = Some(id);
        }
        Some(role)
    }

    /// A dial came to nothing: what it was for.
    pub(super) fn failed(&mut self, address: &PeerAddr, now: Duration) -> Option<Role> {
        let (role, _) = self.under_way.remove(address)?;
        if let Some(target) = self.given.get_mut(address) {
            target.postpone(now);
        }
        Some(role)
    }

    /// A connection that was dialled ended.
    pub(super) fn ended(&mut self, address: &PeerAddr, held: Duration, now: Duration) {
        if let Some(target) = self.given.get_mut(address) {
            if held >= STEADY {
                target.delay = LEAST_DELAY;
            }
            target.postpone(now);
        }
    }

    /// Whoever is there will not be another soon: nothing is lost by waiting.
    pub(super) fn put_off(&mut self, address: &PeerAddr, now: Duration) {
        if let Some(target) = self.given.get_mut(address) {
            target.connection = None;
            target.refused = Some(now + REFUSED_DELAY);
        }
    }

    /// Addresses that were dialled for something and of which nothing was heard yet.
    pub(super) fn under_way(&self, role: Role) -> impl Iterator<Item = &PeerAddr> {
        self.under_way.iter().filter(move |(_, (of, _))| *of == role).map(|(address, _)| address)
    }

    /// Whether an address is sought already.
    pub(super) fn knows(&self, address: &PeerAddr) -> bool {
        self.under_way.contains_key(address) || self.given.contains_key(address)
    }

    /// Dials what is due of what was given; names the dials that nothing was heard of in time, which count as failed.
    pub(super) fn tend(&mut self, hub: &mut Hub) -> Vec<PeerAddr> {
        let now = hub.now.elapsed;
        let lost: Vec<PeerAddr> = self
            .under_way
            .iter()
            .filter(|(_, (_, since))| now >= *since + DIAL_TIME)
            .map(|(address, _)| *address)
            .collect();
        for address in &lost {
            self.failed(address, now);
        }
        let mut due = Vec::new();
        for (address, target) in &mut self.given {
            if target.connection.is_some_and(|id| hub.peers.get(id).is_none()) {
                target.connection = None;
            }
            if target.next <= now
                && !is_there(hub, target)
                && hub.peers.bans().of_address(address, hub.now.unix).is_none()
            {
                due.push(*address);
            }
        }
        for address in due {
            self.dial(hub, address, Role::Given);
        }
        lost
    }

    /// When there is something to do next.
    pub(super) fn next(&self, hub: &Hub) -> Option<Duration> {
        let is_sought =
            |(address, target): &(&PeerAddr, &Target)| !self.under_way.contains_key(address) && !is_there(hub, target);
        let barred = |address: &PeerAddr| {
            let until = hub.peers.bans().of_address(address, hub.now.unix)?;
            Some(hub.now.elapsed + Duration::from_secs(until.0.saturating_sub(hub.now.unix.0)))
        };
        let given = self.given.iter().filter(is_sought).map(|(address, target)| barred(address).unwrap_or(target.next));
        let lost = self.under_way.values().map(|(_, since)| *since + DIAL_TIME);
        let is_full = self.under_way.len() >= MAX_DIALS;
        given.filter(|_| !is_full).chain(lost).min()
    }

    pub(super) fn dial(&mut self, hub: &mut Hub, address: PeerAddr, role: Role) {
        if self.under_way.len() < MAX_DIALS && !self.under_way.contains_key(&address) {
            self.under_way.insert(address, (role, hub.now.elapsed));
            hub.act(Action::Dial { address });
        }
    }
}

impl Target {
    fn postpone(&mut self, now: Duration) {
        self.connection = None;
        self.next = (now + self.delay).max(self.refused.take().unwrap_or(now));
        self.delay = (self.delay * 2).min(MOST_DELAY);
    }
}

/// Whether who was found at an address is connected, either way.
fn is_there(hub: &Hub, target: &Target) -> bool {
    target.connection.is_some()
        || target.identity.is_some_and(|identity| hub.peers.joined().any(|(_, peer)| peer.identity == identity))
}

//! Who is let in, who is sought, who is thrown out.

use std::time::Duration;

use crate::event::{AnswerId, ConnId, Direction, Failure, Finder, Identity};
use crate::hub::{Happening, Hub};
use crate::wire::{Hello, KnownAddress, Response};
use crate::{Fault, PeerAddr};

#[derive(Debug, Default)]
pub(crate) struct Manager {}

impl Manager {
    pub(crate) fn connected(
        &mut self,
        _hub: &mut Hub,
        _peer: ConnId,
        _address: PeerAddr,
        _identity: Identity,
        _direction: Direction,
    ) {
    }

    pub(crate) fn disconnected(&mut self, _hub: &mut Hub, _peer: ConnId) {}

    pub(crate) fn dial_failed(&mut self, _hub: &mut Hub, _address: PeerAddr) {}

    pub(crate) fn found(&mut self, _hub: &mut Hub, _addresses: &[PeerAddr], _finder: Finder) {}

    pub(crate) fn hello(&mut self, _hub: &mut Hub, _peer: ConnId, _id: AnswerId, _hello: Hello) {}

    pub(crate) fn response(&mut self, _hub: &mut Hub, _peer: ConnId, _response: Response) {}

    pub(crate) fn failed(&mut self, _hub: &mut Hub, _peer: ConnId, _failure: Failure) {}

    pub(crate) fn addresses_asked(&mut self, _hub: &mut Hub, _peer: ConnId, _id: AnswerId) {}

    pub(crate) fn addresses_told(&mut self, _hub: &mut Hub, _peer: ConnId, _addresses: &[KnownAddress]) {}

    pub(crate) fn happened(&mut self, _hub: &mut Hub, _happening: &Happening) {}

    pub(crate) fn wake(&mut self, _hub: &mut Hub) {}

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        None
    }
}

impl Hub {
    /// Whether a message of this peer is within what it may cost; charged if so. Blamed if not.
    pub(crate) fn charge(&mut self, _peer: ConnId, _bytes: usize) -> bool {
        true
    }

    /// Whether re-running attempts of so many rounds in all is within what this peer, and its group, may cost; charged if
    /// so.
    pub(crate) fn charge_rounds(&mut self, _peer: ConnId, _rounds: u64) -> bool {
        true
    }

    /// Whether so many bytes of answers may be given to a peer; charged if so.
    pub(crate) fn charge_answer(&mut self, _peer: ConnId, _bytes: usize) -> bool {
        true
    }

    /// Holds a fault against a peer: at 100 points it is disconnected and banned.
    pub(crate) fn blame(&mut self, _peer: ConnId, _fault: Fault) {}
}

//! Catching up: headers first, their proofs in batches, bodies in a moving window.

use std::time::Duration;

use bloom_consensus::Header;

use crate::event::{AnswerId, ConnId, Failure, JobId, RequestId};
use crate::hub::{Happening, Hub};
use crate::wire::{Request, Response};

#[derive(Debug, Default)]
pub(crate) struct CatchUp {}

impl CatchUp {
    /// Headers that a peer announced and that do not stand on the chain, or are too many to be new.
    pub(crate) fn announced(&mut self, _hub: &mut Hub, _peer: ConnId, _headers: &[Header]) {}

    pub(crate) fn response(&mut self, _hub: &mut Hub, _peer: ConnId, _id: RequestId, _response: Response) {}

    pub(crate) fn failed(&mut self, _hub: &mut Hub, _peer: ConnId, _id: RequestId, _failure: Failure) {}

    pub(crate) fn proven(&mut self, _hub: &mut Hub, _job: JobId, _first_false: Option<usize>) {}

    pub(crate) fn happened(&mut self, _hub: &mut Hub, _happening: &Happening) {}

    /// Whether so much is missing that new blocks and transactions at the tip are of no use yet.
    pub(crate) fn is_behind(&self) -> bool {
        false
    }

    pub(crate) fn wake(&mut self, _hub: &mut Hub) {}

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        None
    }

    /// Answers requests for headers and blocks.
    pub(crate) fn serve(&mut self, _hub: &mut Hub, _peer: ConnId, _id: AnswerId, _request: Request) {}
}

//! Transactions: announced by their wtxids, asked for, judged, announced further.

use std::time::Duration;

use bloom_consensus::Wtxid;

use crate::event::{AnswerId, ConnId, Failure, RequestId};
use crate::hub::{Happening, Hub};
use crate::sync::CatchUp;
use crate::wire::Response;

#[derive(Debug, Default)]
pub(crate) struct TransactionRelay {}

impl TransactionRelay {
    pub(crate) fn announced(&mut self, _hub: &mut Hub, _catch_up: &CatchUp, _peer: ConnId, _wtxids: &[Wtxid]) {}

    pub(crate) fn response(&mut self, _hub: &mut Hub, _peer: ConnId, _id: RequestId, _response: Response) {}

    pub(crate) fn failed(&mut self, _hub: &mut Hub, _peer: ConnId, _id: RequestId, _failure: Failure) {}

    pub(crate) fn happened(&mut self, _hub: &mut Hub, _happening: &Happening) {}

    pub(crate) fn serve(&mut self, _hub: &mut Hub, _peer: ConnId, _id: AnswerId, _wtxids: &[Wtxid]) {}

    pub(crate) fn wake(&mut self, _hub: &mut Hub) {}

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        None
    }
}

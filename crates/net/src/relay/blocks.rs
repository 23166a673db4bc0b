//! New blocks: their proof checked, then sent on compact; their bodies put together from what waits.

use std::time::Duration;

use crate::event::{AnswerId, ConnId, Failure, RequestId};
use crate::hub::{Happening, Hub};
use crate::sync::CatchUp;
use crate::wire::{Note, Request, Response};

#[derive(Debug, Default)]
pub(crate) struct BlockRelay {}

impl BlockRelay {
    /// [`Note::Blocks`], [`Note::Compact`] or [`Note::PushBlocks`].
    pub(crate) fn note(&mut self, _hub: &mut Hub, _catch_up: &mut CatchUp, _peer: ConnId, _note: Note) {}

    pub(crate) fn response(&mut self, _hub: &mut Hub, _peer: ConnId, _id: RequestId, _response: Response) {}

    pub(crate) fn failed(&mut self, _hub: &mut Hub, _peer: ConnId, _id: RequestId, _failure: Failure) {}

    pub(crate) fn happened(&mut self, _hub: &mut Hub, _catch_up: &CatchUp, _happening: &Happening) {}

    /// Answers [`Request::Compact`] and [`Request::BlockTransactions`].
    pub(crate) fn serve(&mut self, _hub: &mut Hub, _peer: ConnId, _id: AnswerId, _request: Request) {}

    pub(crate) fn wake(&mut self, _hub: &mut Hub) {}

    pub(crate) fn next_wake(&self) -> Option<Duration> {
        None
    }
}

//! One message over one stream, from either end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::Stream;
use tokio::time::{timeout, timeout_at};

use super::budget::Purse;
use super::frame::{self, FrameError, Terms};
use super::post::{Asking, Post};
use super::traffic::Meter;
use crate::event::{ConnId, Event, Failure};
use crate::wire::{Note, Protocol, Request, Response, WireError};

/// For a note or request to arrive whole, and for a note to have been taken.
pub(super) const ARRIVAL: Duration = Duration::from_secs(10);
/// For the engine to answer.
const THOUGHT: Duration = Duration::from_secs(10);
/// For an answer to be sent, to its last byte.
const SENDING: Duration = Duration::from_secs(60);

/// What came of a stream that a peer opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// It brought a message.
    Whole,
    /// It broke off before that.
    Broken,
    /// It broke off while this node made it wait, or brought bytes that are no message, which was told.
    Told,
}

/// Who is served, and from what.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) peer: ConnId,
    pub(super) post: Arc<Post>,
    pub(super) unasked: Purse,
    pub(super) answers: Purse,
    pub(super) meter: Arc<Meter>,
}

impl Desk {
    /// Takes a note or a request from a stream that the peer opened, and answers.
    pub(super) async fn serve(self, mut stream: Stream, protocol: Protocol) -> Served {
        let frame = match self.read(&mut stream, protocol).await {
            Ok(frame) => frame,
            Err(served) => return served,
        };
        let outcome = match protocol {
            Protocol::Note => Note::decode(frame.kind, &frame.body).map(|note| {
                self.post.deliver(Event::Note { peer: self.peer, note }, frame.held);
                None
            }),
            Protocol::Hello | Protocol::Ask | Protocol::Answer => Request::decode(frame.kind, &frame.body)
                .map(|request| Some(self.post.request(self.peer, request, frame.held))),
        };
        let done = match outcome {
            Ok(Some(mut awaiting)) => match timeout(THOUGHT, awaiting.answer()).await {
                Ok(Some(given)) => {
                    let bytes = given.response.encode();
                    within(SENDING, frame::write(&mut stream, &bytes)).await
                }
                Ok(None) | Err(_) => Ok(()),
            },
            Ok(None) => within(ARRIVAL, frame::write(&mut stream, &[])).await,
            Err(error) => return self.malformed(error),
        };
        if let Err(error) = done {
            tracing::debug!(peer = %self.peer, %error, "an answer was not taken");
        }
        Served::Whole
    }

    /// Reads a frame, whose room may take any time and whose bytes may not.
    async fn read(&self, stream: &mut Stream, protocol: Protocol) -> Result<frame::Frame, Served> {
        let terms = Terms { purse: &self.unasked, time: ARRIVAL, meter: &self.meter };
        match frame::read(stream, protocol, terms).await {
            Ok(frame) => Ok(frame),
            Err((FrameError::Malformed(error), _)) => Err(self.malformed(error)),
            Err((FrameError::Broken(_), true)) => Err(Served::Told),
            Err((FrameError::Broken(error), false)) => {
                tracing::debug!(peer = %self.peer, %error, "a stream broke off");
                Err(Served::Broken)
            }
        }
    }

    fn malformed(&self, error: WireError) -> Served {
        self.post.deliver(Event::Malformed { peer: self.peer, error }, super::budget::Held::default());
        Served::Told
    }

    /// Sends a note.
    pub(super) async fn tell(self, mut stream: Stream, note: Arc<Note>) {
        let bytes = note.encode();
        let told = within(ARRIVAL, async {
            frame::write(&mut stream, &bytes).await?;
            frame::end(&mut stream).await.map_err(io::Error::other)
        });
        if let Err(error) = told.await {
            tracing::debug!(peer = %self.peer, %error, "a note was not taken");
        }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(self, mut stream: Stream, asking: Asking) {
        let protocol = match asking.request {
            Request::Hello(_) => Protocol::Hello,
            _ => Protocol::Answer,
        };
        let terms = Terms { purse: &self.answers, time: SENDING, meter: &self.meter };
        let bytes = asking.request.encode();
        let answer = timeout_at(asking.deadline, async {
            frame::write(&mut stream, &bytes).await?;
            let frame = frame::read(&mut stream, protocol, terms).await.map_err(|(error, _)| error)?;
            Ok::<_, FrameError>((Response::decode(frame.kind, &frame.body)?, frame.held))
        });
        match answer.await {
            Ok(Ok((response, held))) => asking.answered(response, held),
            Ok(Err(FrameError::Malformed(error))) => {
                self.malformed(error);
                asking.failed(Failure::Closed);
            }
            Ok(Err(FrameError::Broken(error))) => {
                tracing::debug!(peer = %self.peer, %error, "an answer broke off");
                asking.failed(Failure::Closed);
            }
            Err(_) => asking.failed(Failure::Timeout),
        }
    }
}

async fn within<T>(time: Duration, done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, done).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

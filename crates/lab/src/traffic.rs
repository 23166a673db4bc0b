//! What crosses a line, how long it is, and what it is called.

use std::sync::Arc;

use bloom_net::event::RequestId;
use bloom_net::wire::{Note, Request, Response};

/// What a message costs beside its frame: its substream's name, Yamux, Noise, TCP and IP.
pub(crate) const OVERHEAD_BYTES: usize = 100;

/// Something on its way.
#[derive(Clone, Debug)]
pub(crate) enum Parcel {
    Note(Arc<Note>),
    /// With the asker's number.
    Request(RequestId, Request),
    /// With the asker's number.
    Response(RequestId, Response),
    /// The connection ends.
    Close,
}

impl Parcel {
    /// Bytes on the line.
    pub(crate) fn bytes(&self) -> usize {
        let frame = match self {
            Self::Note(note) => note.encoded_len(),
            Self::Request(_, request) => request.encoded_len(),
            Self::Response(_, response) => response.encoded_len(),
            Self::Close => return OVERHEAD_BYTES,
        };
        frame.saturating_add(OVERHEAD_BYTES)
    }

    /// What is sent, for people.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Note(note) => match **note {
                Note::Blocks(_) => "headers of new blocks",
                Note::Compact(_) => "compact blocks pushed",
                Note::Transactions(_) => "transactions announced",
                Note::Addresses(_) => "addresses told",
                Note::PushBlocks(_) => "push or not",
            },
            Self::Request(_, request) => match request {
                Request::Hello(_) => "hello",
                Request::Headers { .. } => "headers asked for",
                Request::Blocks { .. } => "blocks asked for",
                Request::Compact { .. } => "compact blocks asked for",
                Request::BlockTransactions { .. } | Request::Transactions { .. } => "transactions asked for",
                Request::Addresses => "addresses asked for",
            },
            Self::Response(_, response) => match response {
                Response::Hello(_) | Response::Goodbye(_) => "hello",
                Response::Headers(_) => "headers",
                Response::Blocks(_) => "blocks",
                Response::Compact(_) => "compact blocks",
                Response::Transactions(_) => "transactions",
                Response::Addresses(_) => "addresses",
                Response::NotFound | Response::Busy => "no",
            },
            Self::Close => "close",
        }
    }
}

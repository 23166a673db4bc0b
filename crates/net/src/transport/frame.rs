//! Messages on a stream: `kind ‖ length ‖ body`, held against their bounds before a byte of the body is read.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use thiserror::Error;
use tokio::time::timeout;

use super::budget::{Held, Purse};
use super::traffic::Meter;
use crate::wire::{FRAME_HEADER_BYTES, FrameHeader, Protocol, WireError};

/// A body is read in pieces of this many bytes: memory is taken as bytes come, not as they are promised.
const PIECE_BYTES: usize = 16 * 1024;

/// A frame as read.
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
    /// What it takes of the budgets, until it is dropped.
    pub(super) held: Held,
}

/// Why there is no frame.
#[derive(Debug, Error)]
pub(super) enum FrameError {
    /// Bytes that are no message.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// The stream ended or failed.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// What a frame is read by.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// What its room is taken of.
    pub(super) purse: &'a Purse,
    /// How long its head, the room for its body and its body may take, each.
    pub(super) time: Duration,
    /// What its bytes are counted on.
    pub(super) meter: &'a Meter,
}

/// Reads a frame and the end of the stream behind it. An error says whether there was no room at first.
pub(super) async fn read<S>(
    stream: &mut S,
    protocol: Protocol,
    Terms { purse, time, meter }: Terms<'_>,
) -> Result<Frame, (FrameError, bool)>
where
    S: AsyncRead + Unpin,
{
    let FrameHeader { kind, length } =
        within(time, read_header(stream, protocol)).await.map_err(|error| (error, false))?;
    let room = timeout(time, purse.take(FRAME_HEADER_BYTES + length)).await;
    let held = room.map_err(|_| (io::Error::from(io::ErrorKind::TimedOut).into(), true))?;
    let body = within(time, read_body(stream, length, meter)).await.map_err(|error| (error, held.waited))?;
    Ok(Frame { kind, body, held })
}

async fn read_header<S: AsyncRead + Unpin>(stream: &mut S, protocol: Protocol) -> Result<FrameHeader, FrameError> {
    let mut header = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    Ok(FrameHeader::parse(header, protocol)?)
}

async fn read_body<S: AsyncRead + Unpin>(stream: &mut S, length: usize, meter: &Meter) -> Result<Vec<u8>, FrameError> {
    let mut body = Vec::new();
    while body.len() < length {
        let read = body.len();
        body.resize(length.min(read + PIECE_BYTES), 0);
        stream.read_exact(&mut body[read..]).await?;
        meter.used(body.len() - read);
    }
    end(stream).await?;
    Ok(body)
}

async fn within<T>(time: Duration, read: impl Future<Output = Result<T, FrameError>>) -> Result<T, FrameError> {
    timeout(time, read).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// Waits for the other end's last byte to have been read: nothing may follow a message, and nothing is kept of what does.
pub(super) async fn end<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), FrameError> {
    match stream.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(WireError::Value { what: "stream", why: "bytes after the message" }.into()),
    }
}

/// Writes a frame and closes this end of the stream.
pub(super) async fn write<S>(stream: &mut S, bytes: &[u8]) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    stream.write_all(bytes).await?;
    stream.close().await
}

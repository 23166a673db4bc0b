//! Bytes that went over each connection, encryption and multiplexing included.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::ConnectedPoint;

use super::names::peer_addr;
use super::post::lock;
use crate::address::PeerAddr;

/// What went over one connection.
#[derive(Debug, Default)]
pub(super) struct Meter {
    read: AtomicU64,
    written: AtomicU64,
}

impl Meter {
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

/// Which connection: who dialled, and the other end's address with its port.
type Which = (bool, PeerAddr);

/// The meters of the connections that stand or are being made.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters(Arc<Mutex<HashMap<Which, Arc<Meter>>>>);

impl Meters {
    /// A socket that is counted.
    pub(super) fn count<S>(&self, socket: S, point: &ConnectedPoint) -> Counted<S> {
        let meter = Arc::new(Meter::default());
        let which = which(point);
        if let Some(which) = which {
            lock(&self.0).insert(which, Arc::clone(&meter));
        }
        Counted { socket, meter, which, meters: self.clone() }
    }

    /// The meter of a connection.
    pub(super) fn of(&self, point: &ConnectedPoint) -> Option<Arc<Meter>> {
        lock(&self.0).get(&which(point)?).cloned()
    }
}

fn which(point: &ConnectedPoint) -> Option<Which> {
    Some((point.is_dialer(), peer_addr(point.get_remote_address())?))
}

/// A socket with a meter.
pub(super) struct Counted<S> {
    socket: S,
    meter: Arc<Meter>,
    which: Option<Which>,
    meters: Meters,
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        let Some(which) = self.which else { return };
        let mut meters = lock(&self.meters.0);
        if meters.get(&which).is_some_and(|meter| Arc::ptr_eq(meter, &self.meter)) {
            meters.remove(&which);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, bytes))?;
        self.meter.read.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.meter.written.fetch_add(u64::try_from(written).unwrap_or(0), Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}

//! Bytes that went over each connection, encryption and multiplexing included, and how many of them were of use: messages are
//! charged by the engine, and everything else is bounded here.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures::task::AtomicWaker;
use futures::{AsyncRead, AsyncWrite};
use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;

use super::names::peer_addr;
use super::post::lock;
use crate::address::PeerAddr;

/// Bytes a connection may bring that are of no message, at once: what streams hold unread, names, pings, the hash table.
const IDLE_BYTES: u64 = 4 * 1024 * 1024;
/// How fast that many are forgotten.
const IDLE_BYTES_PER_SEC: u64 = 64 * 1024;

/// What went over one connection.
#[derive(Debug, Default)]
pub(super) struct Meter {
    read: AtomicU64,
    written: AtomicU64,
    used: AtomicU64,
    is_flooded: AtomicBool,
    is_cut: AtomicBool,
    /// Who uses the socket.
    user: AtomicWaker,
}

impl Meter {
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Bytes that were read for a message.
    pub(super) fn used(&self, bytes: usize) {
        self.used.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    /// Whether the connection ended because it brought too much that was of no use.
    pub(super) fn is_flooded(&self) -> bool {
        self.is_flooded.load(Ordering::Relaxed)
    }

    /// Ends the socket: nothing is read or written any more.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.user.wake();
    }

    fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.user.register(cx.waker());
        match self.is_cut.load(Ordering::Acquire) {
            true => Err(io::Error::new(io::ErrorKind::TimedOut, "it was closed and its last bytes were not taken")),
            false => Ok(()),
        }
    }
}

/// Bytes that came and were of no message, less what was forgotten since.
struct Idle {
    bytes: u64,
    used: u64,
    at: Instant,
}

impl Idle {
    /// Counts what came; false when it is too much.
    fn came(&mut self, bytes: usize, meter: &Meter, now: Instant) -> bool {
        let used = meter.used.load(Ordering::Relaxed);
        let millis = u64::try_from(now.duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let forgotten = millis.saturating_mul(IDLE_BYTES_PER_SEC) / 1_000;
        if forgotten > 0 {
            self.at = now;
        }
        let came = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.bytes = came.saturating_sub(used - self.used).saturating_sub(forgotten);
        self.used = used;
        self.bytes <= IDLE_BYTES
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
        let idle = Idle { bytes: 0, used: 0, at: Instant::now() };
        Counted { socket, meter, idle, which, meters: self.clone() }
    }

    /// The meter of a connection; one that counts nothing if there is none.
    pub(super) fn of(&self, is_dialer: bool, remote: &Multiaddr) -> Arc<Meter> {
        peer_addr(remote).and_then(|address| lock(&self.0).get(&(is_dialer, address)).cloned()).unwrap_or_default()
    }
}

fn which(point: &ConnectedPoint) -> Option<Which> {
    Some((point.is_dialer(), peer_addr(point.get_remote_address())?))
}

/// A socket with a meter.
pub(super) struct Counted<S> {
    socket: S,
    meter: Arc<Meter>,
    idle: Idle,
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
        self.meter.check(cx)?;
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, bytes))?;
        let this = &mut *self;
        this.meter.read.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        if !this.idle.came(read, &this.meter, Instant::now()) {
            this.meter.is_flooded.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other("too many bytes that are of no message")));
        }
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.meter.check(cx)?;
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.meter.written.fetch_add(u64::try_from(written).unwrap_or(0), Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.meter.check(cx)?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.meter.check(cx)?;
        Pin::new(&mut self.socket).poll_close(cx)
    }
}

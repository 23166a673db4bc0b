//! The other end of a connection, by hand: encrypted and multiplexed as it must be, and on its streams whatever a test
//! writes. For tests of what a node takes and what it does not; no part of a node.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{DialOpts, PortUse};
use libp2p::core::{Endpoint, Transport as _, upgrade};
use libp2p::{noise, yamux};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Keypair;
use super::names::multiaddr;
use super::tcp::Tcp;
use crate::address::PeerAddr;

/// For a connection to be made.
const CONNECT: Duration = Duration::from_secs(20);
/// What a stream begins with, before the name of its protocol.
const PREAMBLE: &str = "/multistream/1.0.0";

/// A connection by hand.
pub struct RawPeer {
    runtime: Runtime,
    wanted: mpsc::UnboundedSender<oneshot::Sender<SubstreamBox>>,
    over: oneshot::Receiver<()>,
    is_frozen: Arc<AtomicBool>,
}

/// A stream by hand. Dropped before it is closed it is reset.
pub struct RawStream<'a> {
    stream: SubstreamBox,
    peer: &'a RawPeer,
}

impl RawPeer {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn connect(address: PeerAddr, key: &Keypair) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let noise = noise::Config::new(key).map_err(io::Error::other)?;
        let muxer = runtime.block_on(async {
            let mut sockets = Tcp::new(None)
                .upgrade(upgrade::Version::V1Lazy)
                .authenticate(noise)
                .multiplex(yamux::Config::default())
                .boxed();
            let how = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
            let dial = sockets.dial(multiaddr(address), how).map_err(io::Error::other)?;
            let (_, muxer) = timeout(CONNECT, dial).await??;
            Ok::<_, io::Error>(muxer)
        })?;
        let (wanted, wants) = mpsc::unbounded_channel();
        let (told, over) = oneshot::channel();
        let is_frozen = Arc::<AtomicBool>::default();
        let frozen = Arc::clone(&is_frozen);
        runtime.spawn(async move {
            Driver { muxer, wants, wanting: None, is_frozen: frozen }.await;
            // Nobody listens when the test does not care.
            let _ = told.send(());
        });
        Ok(Self { runtime, wanted, over, is_frozen })
    }

    /// Opens a stream and names its protocol, whether the node knows it or not.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn open(&self, protocol: &str) -> io::Result<RawStream<'_>> {
        let mut stream = self.open_nameless()?;
        let mut hello = line(PREAMBLE);
        hello.extend(line(protocol));
        stream.write(&hello)?;
        Ok(stream)
    }

    /// Opens a stream and says nothing.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn open_nameless(&self) -> io::Result<RawStream<'_>> {
        let (sender, receiver) = oneshot::channel();
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        self.wanted.send(sender).map_err(|_| gone())?;
        let stream = self.runtime.block_on(async { timeout(CONNECT, receiver).await })?.map_err(|_| gone())?;
        Ok(RawStream { stream, peer: self })
    }

    /// Takes nothing from its socket any more, and leaves it open.
    pub fn freeze(&self) {
        self.is_frozen.store(true, Ordering::Release);
    }

    /// Whether the node ends the connection within this time.
    pub fn is_left_within(&mut self, time: Duration) -> bool {
        self.runtime.block_on(async { timeout(time, &mut self.over).await.is_ok() })
    }
}

impl RawStream<'_> {
    /// Writes and sends.
    ///
    /// # Errors
    /// When the stream or the connection is gone.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.peer.runtime.block_on(async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
    }

    /// Says that nothing more is written.
    ///
    /// # Errors
    /// When the stream or the connection is gone.
    pub fn close(&mut self) -> io::Result<()> {
        self.peer.runtime.block_on(self.stream.close())
    }

    /// Reads to the end: what the node answers, its part of the names left out.
    ///
    /// # Errors
    /// When it does not end in this time, and when the stream or the connection is gone.
    pub fn read_to_end(&mut self, time: Duration) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.peer.runtime.block_on(async { timeout(time, self.stream.read_to_end(&mut bytes)).await })??;
        let mut rest = bytes.as_slice();
        while let Some((length, tail)) = rest.split_first().filter(|(_, tail)| tail.first() == Some(&b'/')) {
            rest = tail.get(usize::from(*length)..).unwrap_or_default();
        }
        Ok(rest.to_vec())
    }
}

/// A frame as it should be, or not: its parts as given.
#[must_use]
pub fn frame(kind: u8, length: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(length.to_le_bytes());
    bytes.extend(body);
    bytes
}

/// A line of multistream-select; all here are shorter than 128 bytes.
fn line(text: &str) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len() + 1).unwrap_or(u8::MAX)];
    bytes.extend(text.as_bytes());
    bytes.push(b'\n');
    bytes
}

/// Keeps a connection going and opens the streams that are wanted; what the node opens is dropped.
struct Driver {
    muxer: StreamMuxerBox,
    wants: mpsc::UnboundedReceiver<oneshot::Sender<SubstreamBox>>,
    wanting: Option<oneshot::Sender<SubstreamBox>>,
    is_frozen: Arc<AtomicBool>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.is_frozen.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        loop {
            if this.wanting.is_none() {
                match this.wants.poll_recv(cx) {
                    Poll::Ready(Some(wanting)) => this.wanting = Some(wanting),
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            if this.wanting.is_some() {
                match this.muxer.poll_outbound_unpin(cx) {
                    Poll::Ready(Ok(stream)) => {
                        // The test may have gone on without it.
                        let _ = this.wanting.take().map(|wanting| wanting.send(stream));
                        continue;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            match this.muxer.poll_inbound_unpin(cx) {
                Poll::Ready(Ok(_)) => continue,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            match this.muxer.poll_unpin(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

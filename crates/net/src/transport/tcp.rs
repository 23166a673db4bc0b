//! TCP, dialled by way of a SOCKS5 proxy where one is given: then no packet to a peer leaves this machine by itself.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::core::{Transport, transport};
use libp2p::tcp;
use libp2p::tcp::tokio::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use super::names::peer_addr;

/// TCP sockets, made directly or by a proxy.
pub(super) struct Tcp {
    direct: tcp::tokio::Transport,
    proxy: Option<SocketAddr>,
}

impl Tcp {
    pub(super) fn new(proxy: Option<SocketAddr>) -> Self {
        Self { direct: tcp::tokio::Transport::new(tcp::Config::new().nodelay(true)), proxy }
    }
}

impl Transport for Tcp {
    type Output = TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = <tcp::tokio::Transport as Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<TcpStream>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.direct.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.direct.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, how: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let Some(proxy) = self.proxy else {
            return self.direct.dial(address, how);
        };
        let Some(target) = peer_addr(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let target = SocketAddr::from(target);
        Ok(async move {
            let socket = Socks5Stream::connect(proxy, target).await.map_err(io::Error::other)?.into_inner();
            socket.set_nodelay(true)?;
            Ok(TcpStream(socket))
        }
        .boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        transport::Transport::poll(Pin::new(&mut self.direct), cx)
    }
}

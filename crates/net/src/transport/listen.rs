//! Beginning to listen, or saying why not.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::transport::{ListenerId, TransportError as Libp2pError};
use libp2p::swarm::SwarmEvent;
use tokio::time::timeout;

use super::config::TransportError;
use super::names::multiaddr;
use super::swarm::Driver;
use crate::address::PeerAddr;

/// For the system to say which addresses are listened on.
const TIME: Duration = Duration::from_secs(5);

/// Whether these can be listened on: libp2p shares its ports with whoever does the same, and a second node on a port would
/// take half of the first one's connections without a word.
pub(super) fn probe(addresses: &[PeerAddr]) -> Result<(), TransportError> {
    for address in addresses {
        match TcpListener::bind(SocketAddr::from(*address)) {
            Ok(_) => {}
            Err(error) if is_without_ipv6(*address, &error) => {}
            Err(why) => return Err(refused(*address, why)),
        }
    }
    Ok(())
}

/// Listens, and waits until the system has said where.
pub(super) async fn begin(mut driver: Driver, addresses: &[PeerAddr]) -> Result<Driver, TransportError> {
    let mut silent: HashMap<ListenerId, PeerAddr> = HashMap::new();
    for address in addresses {
        match driver.swarm.listen_on(multiaddr(*address)) {
            Ok(listener) => {
                silent.insert(listener, *address);
            }
            Err(Libp2pError::Other(error)) if is_without_ipv6(*address, &error) => {
                tracing::warn!(%address, %error, "this machine has no IPv6: going on without");
            }
            Err(Libp2pError::Other(why)) => return Err(refused(*address, why)),
            Err(error) => return Err(refused(*address, io::Error::other(error))),
        }
    }
    let heard = timeout(TIME, async {
        while !silent.is_empty() {
            let event = driver.swarm.select_next_some().await;
            if let SwarmEvent::NewListenAddr { listener_id, .. } = &event {
                silent.remove(listener_id);
            }
            driver.happened(event);
        }
    });
    let is_heard = heard.await.is_ok();
    match silent.into_values().next() {
        Some(address) if !is_heard => Err(TransportError::ListenSilent { address, secs: TIME.as_secs() }),
        _ => Ok(driver),
    }
}

/// A machine without IPv6 is no reason not to listen on everything that it has.
fn is_without_ipv6(address: PeerAddr, error: &io::Error) -> bool {
    let is_missing = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
        || error.kind() == ErrorKind::AddrNotAvailable;
    address.ip().is_ipv6() && address.ip().is_unspecified() && is_missing
}

fn refused(address: PeerAddr, why: io::Error) -> TransportError {
    let hint = match why.kind() {
        ErrorKind::AddrInUse => "stop the program that listens there, or choose another port with --listen",
        ErrorKind::PermissionDenied => "choose a port above 1023 with --listen",
        ErrorKind::AddrNotAvailable => "no interface of this machine has it: choose another with --listen",
        _ => "choose another with --listen",
    };
    TransportError::Listen { address, why, hint }
}

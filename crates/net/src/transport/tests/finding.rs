//! Addresses that are found, and ways to reach them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::Node;
use crate::address::PeerAddr;
use crate::event::{Action, Direction, Event, Finder};

fn with_kademlia() -> Node {
    Node::new(|config| config.kademlia = true)
}

/// Who was dialled is told to who asks, who is told does not dial by itself, and of who dialled nothing is told.
#[test]
fn the_hash_table_tells_of_others_and_dials_nobody() {
    let [known, middle, asker] = [(); 3].map(|()| with_kademlia());
    middle.dial(&known);
    asker.dial(&middle);
    let found = asker.wait(|event| match event {
        Event::Found { addresses, finder: Finder::Kademlia } => Some(addresses),
        Event::Connected { .. } => panic!("it dialled"),
        _ => None,
    });
    assert_eq!(found, [known.address()]);
    asker.transport.perform(Action::Dial { address: found[0] });
    asker.connected();
}

#[test]
fn ipv6_is_listened_on_and_dialled() {
    let loopback: PeerAddr = "[::1]:0".parse().unwrap();
    if TcpListener::bind(SocketAddr::from(loopback)).is_err() {
        return; // This machine has no IPv6.
    }
    let (a, b) = (Node::plain(), Node::new(|config| config.listen = vec![loopback]));
    a.dial(&b);
}

/// A proxy that says where it was asked to go, and goes there.
fn proxy() -> (SocketAddr, thread::JoinHandle<SocketAddr>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let target = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).unwrap();
        client.read_exact(&mut vec![0; usize::from(greeting[1])]).unwrap();
        client.write_all(&[5, 0]).unwrap();
        let mut request = [0; 10];
        client.read_exact(&mut request).unwrap();
        let [5, 1, 0, 1, a, b, c, d, high, low] = request else {
            panic!("not a connection to an address: {request:?}")
        };
        let target = SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])));
        let server = TcpStream::connect(target).unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let (mut up, mut down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut client, &mut up));
        thread::spawn(move || std::io::copy(&mut { server }, &mut down));
        target
    });
    (address, target)
}

#[test]
fn a_proxy_makes_the_outbound_connections() {
    let (proxy, target) = proxy();
    let (a, b) = (Node::new(|config| config.socks5 = Some(proxy)), Node::plain());
    a.transport.perform(Action::Dial { address: b.address() });
    let seen = a.wait(|event| match event {
        Event::Connected { address, direction, .. } => Some((address, direction)),
        Event::DialFailed { .. } => panic!("the proxy does what it is asked"),
        _ => None,
    });
    assert_eq!(seen, (b.address(), Direction::Outbound));
    assert_eq!(PeerAddr::from(target.join().unwrap()), b.address());
    b.connected();
}

/// Without its proxy nothing is dialled at all.
#[test]
fn a_proxy_that_is_not_there_is_not_gone_around() {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (a, b) = (Node::new(|config| config.socks5 = Some(nowhere)), Node::plain());
    a.transport.perform(Action::Dial { address: b.address() });
    let failed = a.wait(|event| match event {
        Event::DialFailed { address } => Some(address),
        Event::Connected { .. } => panic!("it went around its proxy"),
        _ => None,
    });
    assert_eq!(failed, b.address());
}

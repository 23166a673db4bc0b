//! Bytes, streams and connections as no peer makes them (attacks 25).
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bloom_net::PeerAddr;
use bloom_net::transport::Keypair;
use bloom_net::transport::raw::{RawPeer, frame};

use super::attacker::{HELLO, SOON, connect, is_banned, protocol};
use super::honest::{Honest, size};
use super::node::{Node, wait_for};
use super::support::{Home, number};

/// Connections that an attacker keeps at a time, above what a node lets in.
const KEPT: usize = 100;

/// Each protocol, with a kind of message of its own and a length that this may have.
fn protocols() -> [(String, u8, u32); 3] {
    [(HELLO.to_owned(), 0x00, 200), (protocol("ask"), 0x10, 36), (protocol("note"), 0x41, 10_000)]
}

#[test]
fn who_sends_what_is_no_message_is_banned_before_hello_and_after_it() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let sent = honest.under("messages that are none", |address| {
        thread::scope(|scope| {
            let all = protocols().into_iter().flat_map(|protocol| [(protocol.clone(), false), (protocol, true)]);
            let senders: Vec<_> = all
                .map(|((name, kind, length), greets)| {
                    scope.spawn(move || {
                        let garbage = vec![0xff; length as usize];
                        let broken = [
                            frame(kind, u32::MAX, &[]),
                            frame(0xee, 1, &[0]),
                            frame(kind, length, &garbage),
                            frame(kind, 0, &[]),
                            [frame(kind, length, &garbage), vec![0; 1 << 20]].concat(), // and so on without end
                        ];
                        for bytes in &broken {
                            breaks(address, greets, &name, bytes);
                        }
                        cuts_off(address, greets, &name, &frame(kind, length, &[0; 8]));
                        broken.len() + 1
                    })
                })
                .collect();
            senders.into_iter().map(|sender| sender.join().unwrap()).sum::<usize>()
        })
    });
    assert_eq!(sent, 36);
    assert_eq!(number(&honest.node.status()["bans"]), 36);
    honest.stop();
}

fn breaks(address: PeerAddr, greets: bool, name: &str, bytes: &[u8]) {
    let key = Keypair::generate_ed25519();
    let mut raw = connect(address, &key, greets).unwrap();
    let mut stream = raw.open(name).unwrap();
    // It may be sent away before all is written.
    let _ = stream.write(bytes).and_then(|()| stream.close());
    drop(stream);
    assert!(raw.is_left_within(SOON), "{name}, after hello: {greets}: {bytes:?}");
    assert!(is_banned(address, &key));
}

/// Ends one stream after the other in the middle of a message.
fn cuts_off(address: PeerAddr, greets: bool, name: &str, bytes: &[u8]) {
    let key = Keypair::generate_ed25519();
    let mut raw = connect(address, &key, greets).unwrap();
    for _ in 0..40 {
        let Ok(mut stream) = raw.open(name) else { break };
        let _ = stream.write(bytes).and_then(|()| stream.close());
        let _ = stream.read_to_end(SOON);
    }
    assert!(raw.is_left_within(SOON), "{name}, after hello: {greets}");
    assert!(is_banned(address, &key));
}

#[test]
fn slow_streams_and_half_open_connections_end_and_hold_up_nobody() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    honest.under("slow and half-open", |address| {
        thread::scope(|scope| {
            for (name, kind, length) in protocols() {
                for greets in [false, true] {
                    let name = name.clone();
                    scope.spawn(move || slow(address, greets, &name, &frame(kind, length, &[])));
                }
            }
            scope.spawn(move || half_open(address));
        });
    });
    honest.stop();
}

/// As many streams as may be, on each a byte a second, until the node has enough of it.
fn slow(address: PeerAddr, greets: bool, name: &str, head: &[u8]) {
    let until = Instant::now() + SOON;
    let raw = loop {
        // Until half-open connections leave room for a handshake: from here, all are of one machine.
        match connect(address, &Keypair::generate_ed25519(), greets) {
            Ok(raw) => break raw,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        thread::sleep(Duration::from_millis(200));
    };
    let mut streams = Vec::new();
    loop {
        while streams.len() < 16 {
            let Ok(mut stream) = raw.open(name) else { return };
            if stream.write(head).is_ok() {
                streams.push(stream);
            }
        }
        thread::sleep(Duration::from_secs(1));
        streams.retain_mut(|stream| stream.write(&[0]).is_ok());
        assert!(Instant::now() < until, "{name}, after hello: {greets}: it may go on for ever");
    }
}

/// Connections over which nothing is said, or nothing that could be.
fn half_open(address: PeerAddr) {
    for garbage in [&b""[..], &[0xff; 4_096]] {
        let mut sockets: Vec<_> = (0..100).filter_map(|_| TcpStream::connect(SocketAddr::from(address)).ok()).collect();
        for socket in &mut sockets {
            let _ = socket.write_all(garbage);
        }
        for mut socket in sockets {
            socket.set_read_timeout(Some(SOON)).unwrap();
            let ended = std::io::copy(&mut socket, &mut std::io::sink());
            assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock));
        }
    }
}

/// With a new key for each connection, for a ban on this machine is of a key.
#[test]
fn connections_without_number_keep_nobody_out() {
    let home = Home::new();
    let mut honest = Honest::new(&home);
    let tried = size(300, 10_000);
    let let_in = honest.under("connections tried", |address| {
        let (mut half_open, mut peers, mut let_in) = (VecDeque::new(), VecDeque::<RawPeer>::new(), 0);
        for number in 0..tried / 2 {
            half_open.extend(TcpStream::connect(SocketAddr::from(address)));
            if half_open.len() > 250 {
                half_open.pop_front();
            }
            if number % 100 == 0 {
                thread::sleep(Duration::from_millis(100));
            }
        }
        half_open.clear();
        for number in 0..tried / 2 {
            if let Ok(peer) = connect(address, &Keypair::generate_ed25519(), number % 2 == 0) {
                let_in += 1;
                peers.push_back(peer);
            }
            if peers.len() > KEPT {
                peers.pop_front();
            }
        }
        let newcomer = Node::start(&home, "newcomer", &format!("--add-peer {address}"));
        wait_for("room for somebody honest", || number(&newcomer.status()["height"]) > 0);
        newcomer.stop().ok();
        let_in
    });
    assert!(let_in > KEPT / 2, "{let_in} of {tried}");
    assert!(number(&honest.node.status()["inbound"]) <= 64);
    honest.stop();
}

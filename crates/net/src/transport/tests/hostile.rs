//! What a transport takes from somebody who writes what he likes (attacks 25).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncWrite, AsyncWriteExt};
use libp2p::core::ConnectedPoint;

use super::{Node, hello};
use crate::event::{Action, BanKey, ConnId, Event};
use crate::transport::Keypair;
use crate::transport::gate::unix_now;
use crate::transport::names::multiaddr;
use crate::transport::raw::{RawPeer, frame};
use crate::transport::traffic::Meters;
use crate::wire::{Note, Request, Response, WireError};

const NOTE: &str = "/bloom/74657374/note/1";
const ASK: &str = "/bloom/74657374/ask/1";
const HELLO: &str = "/bloom/hello/1";
/// What a handshake begins with, at both ends.
const GREETING: &[u8; 20] = b"\x13/multistream/1.0.0\n";
const SOON: Duration = Duration::from_secs(30);

fn connect(node: &Node) -> (RawPeer, ConnId) {
    let raw = RawPeer::connect(node.address(), &Keypair::generate_ed25519()).unwrap();
    (raw, node.connected())
}

fn malformed(node: &Node) -> (ConnId, WireError) {
    node.wait(|event| match event {
        Event::Malformed { peer, error } => Some((peer, error)),
        _ => None,
    })
}

fn refused(protocol: &str, bytes: &[u8]) -> WireError {
    let node = Node::plain();
    let (raw, peer) = connect(&node);
    let mut stream = raw.open(protocol).unwrap();
    stream.write(bytes).unwrap();
    stream.close().unwrap();
    let (blamed, error) = malformed(&node);
    assert_eq!(blamed, peer);
    error
}

#[test]
fn a_length_above_its_bound_is_refused_before_the_body() {
    for protocol in [NOTE, ASK, HELLO] {
        let kind = match protocol {
            NOTE => 0x41,
            ASK => 0x10,
            _ => 0x00,
        };
        let error = refused(protocol, &frame(kind, u32::MAX, &[]));
        assert!(matches!(error, WireError::TooLong { got: 0xffff_ffff, .. }), "{protocol}: {error}");
    }
}

#[test]
fn a_kind_of_another_protocol_is_refused() {
    for (protocol, kind) in [(NOTE, 0x00), (NOTE, 0x10), (ASK, 0x40), (ASK, 0x90), (HELLO, 0x10), (NOTE, 0xff)] {
        assert_eq!(refused(protocol, &frame(kind, 0, &[])), WireError::Kind { got: kind }, "{protocol}");
    }
}

#[test]
fn garbage_and_bytes_after_a_message_are_refused() {
    refused(NOTE, &frame(0x44, 1, &[7]));
    refused(ASK, &frame(0x12, 3, &[1, 2, 3]));
    refused(HELLO, &frame(0x00, 100, &[0xff; 100]));
    refused(NOTE, &[Note::PushBlocks(true).encode(), vec![0]].concat());
    refused(ASK, &[Request::Addresses.encode(), Request::Addresses.encode()].concat());
}

/// The honest thing by hand, to see that what is refused above is refused for what is wrong with it.
#[test]
fn what_is_right_is_taken_and_answered() {
    let node = Node::plain();
    let (raw, _) = connect(&node);
    let mut note = raw.open(NOTE).unwrap();
    note.write(&Note::PushBlocks(true).encode()).unwrap();
    note.close().unwrap();
    assert_eq!(note.read_to_end(SOON).unwrap(), Vec::<u8>::new());
    let mut stream = raw.open(HELLO).unwrap();
    stream.write(&Request::Hello(hello(1)).encode()).unwrap();
    stream.close().unwrap();
    node.wait(|event| match event {
        Event::Request { peer, id, .. } => {
            node.transport.perform(Action::Answer { peer, id, response: Response::Hello(hello(2)) });
            Some(())
        }
        _ => None,
    });
    assert_eq!(stream.read_to_end(SOON).unwrap(), Response::Hello(hello(2)).encode());
}

/// Broken-off streams bring nothing and are charged for by nobody, so there may be only so many.
#[test]
fn streams_that_break_off_bring_nothing_and_too_many_are_told() {
    let node = Node::plain();
    let (raw, peer) = connect(&node);
    let whole = Request::Hello(hello(1)).encode();
    for length in 0..24 {
        let mut stream = raw.open(HELLO).unwrap();
        stream.write(&whole[..length]).unwrap();
        stream.close().unwrap();
        assert_eq!(stream.read_to_end(SOON).unwrap(), Vec::<u8>::new());
    }
    assert_eq!(
        node.wait(|event| match event {
            Event::Malformed { peer, .. } => Some(peer),
            Event::Request { .. } | Event::Note { .. } => panic!("what is cut off is no message"),
            _ => None,
        }),
        peer
    );
}

/// Slow streams of one peer take nothing from another, and end.
#[test]
fn slow_and_silent_streams_hold_up_nobody_and_end() {
    let node = Node::plain();
    let (slow, _) = connect(&node);
    let claim = frame(0x41, 10_000, &[0; 10]);
    let mut streams: Vec<_> = (0..16).map(|_| slow.open(NOTE).unwrap()).collect();
    for stream in &mut streams {
        stream.write(&claim).unwrap();
    }
    let nameless: Vec<_> = (0..8).map(|_| slow.open_nameless().unwrap()).collect();
    let (quick, _) = connect(&node);
    let mut note = quick.open(NOTE).unwrap();
    note.write(&Note::PushBlocks(false).encode()).unwrap();
    note.close().unwrap();
    node.wait(|event| matches!(event, Event::Note { .. }).then_some(()));
    for stream in &mut streams {
        assert!(stream.read_to_end(SOON).is_ok_and(|bytes| bytes.is_empty()), "the node gives the stream up");
    }
    drop(nameless);
}

/// Bytes that are of no message are charged to nobody, and streams hold them: there may be only so many.
#[test]
fn a_flood_of_what_is_no_message_ends_the_connection_and_is_told() {
    let node = Node::plain();
    let (mut raw, peer) = connect(&node);
    // The node gives such streams up, some before all is written; it ends when the connection does.
    let mut opened = 0;
    while let Ok(mut stream) = raw.open_nameless() {
        let _ = stream.write(&[0; 250_000]);
        opened += 1;
        assert!(opened < 2_000, "it may go on for ever");
    }
    assert_eq!(malformed(&node).0, peer);
    node.disconnected(peer);
    assert!(raw.is_left_within(SOON));
}

/// A peer that the engine does not get round to waits; the room that its messages take is bounded.
#[test]
fn what_the_engine_does_not_take_makes_the_peer_wait() {
    let node = Node::plain();
    let (raw, peer) = connect(&node);
    let ids = Note::Transactions(vec![bloom_consensus::Wtxid([1; 32]); 1_000]).encode();
    let mut streams: Vec<_> = (0..16).map(|_| raw.open(NOTE).unwrap()).collect();
    for stream in &mut streams {
        stream.write(&ids).unwrap();
        stream.close().unwrap();
    }
    let room = crate::transport::budget::UNASKED_BYTES_PER_PEER / ids.len();
    for stream in &mut streams[..room] {
        assert_eq!(stream.read_to_end(SOON).unwrap(), Vec::<u8>::new());
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(node.events.len(), room, "no more than its share is read");
    let mut notes = 0;
    node.wait(|event| {
        notes += usize::from(matches!(event, Event::Note { peer: from, .. } if from == peer));
        (notes == 16).then_some(())
    });
}

/// Connections that say nothing are ended, and while as many as may be are there, others are refused, not kept.
#[test]
fn half_open_connections_are_bounded_and_end() {
    let node = Node::plain();
    let address = SocketAddr::from(node.address());
    let mut sockets: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut refused_at_once = 0;
    for socket in &mut sockets {
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut byte = [0];
        // The listener's first line, or nothing.
        refused_at_once += usize::from(matches!(socket.read(&mut byte), Ok(0)));
    }
    assert!(refused_at_once >= 200 - 128 - 8, "{refused_at_once} were refused");
    for socket in &mut sockets {
        socket.set_read_timeout(Some(SOON)).unwrap();
        let ended = std::io::copy(socket, &mut std::io::sink());
        assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock));
    }
    connect(&node);
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(GREETING).unwrap();
    let mut answer = [0; 20];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, GREETING, "who is not banned is answered");
}

#[test]
fn a_banned_address_is_refused_before_the_handshake() {
    let node = Node::plain();
    let key = BanKey::Address(node.address().ip());
    node.transport.perform(Action::Bar { key, until: bloom_consensus::Timestamp(unix_now().0 + 600) });
    let mut socket = TcpStream::connect(SocketAddr::from(node.address())).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    // It may be closed before this, or reset after it.
    let mut bytes = Vec::new();
    let outcome = socket.write_all(GREETING).and_then(|()| socket.read_to_end(&mut bytes));
    assert_eq!(bytes, Vec::<u8>::new(), "{outcome:?}");
}

#[test]
fn a_connection_ends_when_the_engine_says_so_and_no_earlier() {
    let node = Node::plain();
    let (mut raw, peer) = connect(&node);
    assert!(!raw.is_left_within(Duration::from_millis(500)));
    node.transport.perform(Action::Disconnect { peer });
    assert!(raw.is_left_within(SOON));
    node.disconnected(peer);
}

/// Whoever takes no streams has no place by it: what waits for them is dropped when the connection is to end.
#[test]
fn who_takes_nothing_is_let_go_as_soon_as_the_engine_says_so() {
    let node = Node::plain();
    let (raw, peer) = connect(&node);
    raw.freeze();
    let ids = Arc::new(Note::Transactions(vec![bloom_consensus::Wtxid([1; 32]); 1_000]));
    for _ in 0..800 {
        node.transport.perform(Action::Send { peer, note: Arc::clone(&ids) });
    }
    std::thread::sleep(Duration::from_millis(300));
    node.transport.perform(Action::Disconnect { peer });
    node.disconnected(peer);
    drop(raw);
}

/// A socket that takes nothing.
struct Stuck;

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Nor has it one by leaving the last bytes in its socket.
#[test]
fn a_socket_whose_last_bytes_are_not_taken_is_cut() {
    let remote = multiaddr("20.1.0.1:1".parse().unwrap());
    let (meters, point) = (
        Meters::default(),
        ConnectedPoint::Listener {
            local_addr: multiaddr("20.2.0.1:1".parse().unwrap()),
            send_back_addr: remote.clone(),
        },
    );
    let mut socket = meters.count(Stuck, &point);
    let meter = meters.of(false, &remote);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        tokio::spawn(async move { meter.cut() });
        tokio::time::timeout(SOON, socket.close()).await
    });
    assert!(outcome.expect("it ends").is_err());
}

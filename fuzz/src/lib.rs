//! What must hold of any bytes that are read from the wire or from the address book's file: no panic, no more memory than
//! four times what was sent, and what is accepted is its one encoding. `crates/net/tests/corpora.rs` holds the stable
//! toolchain to the same on the corpora that are kept here.
//!
//! A message is its kind ‖ its body.

pub mod engine;

use std::fmt::Debug;

use bloom_net::Book;
use bloom_net::wire::{FRAME_HEADER_BYTES, FrameHeader, Note, Protocol, Request, Response, WireError, body_bound};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Most bytes of memory for each byte that was sent.
const MEMORY_PER_BYTE: usize = 4;
/// And beside them: a box for a compact block (some 270 bytes), or the first node of each of a book's three trees
/// (11 addresses of some 100 bytes, 11 of 24 and 11 of 4, for a file with one).
const MEMORY_FOR_ANY: usize = 2_048;

/// A note; whether it is one.
pub fn note(bytes: &[u8]) -> bool {
    message(bytes, Protocol::Note, Note::decode, Note::encode, Note::encoded_len)
}

/// What wants an answer; whether it does.
pub fn request(bytes: &[u8]) -> bool {
    message(bytes, Protocol::Ask, Request::decode, Request::encode, Request::encoded_len)
}

/// An answer; whether it is one.
pub fn response(bytes: &[u8]) -> bool {
    message(bytes, Protocol::Answer, Response::decode, Response::encode, Response::encoded_len)
}

/// A hello or what answers it; whether it is either.
pub fn hello(bytes: &[u8]) -> bool {
    let asks = message(bytes, Protocol::Hello, Request::decode, Request::encode, Request::encoded_len);
    let answers = message(bytes, Protocol::Hello, Response::decode, Response::encode, Response::encoded_len);
    assert!(answers || !asks, "a hello is an answer too");
    answers
}

/// A book without its checksum, which nobody finds by chance; whether it is one.
pub fn book(bytes: &[u8]) -> bool {
    let _ = Book::decode(bytes);
    let sealed = [bytes, blake3::hash(bytes).as_bytes()].concat();
    let Ok(book) = within_memory(sealed.len(), || Book::decode(&sealed)) else { return false };
    assert_eq!(book.encode(), sealed);
    true
}

fn message<T: Debug>(
    bytes: &[u8],
    protocol: Protocol,
    decode: impl Fn(u8, &[u8]) -> Result<T, WireError>,
    encode: impl Fn(&T) -> Vec<u8>,
    encoded_len: impl Fn(&T) -> usize,
) -> bool {
    let Some((kind, body)) = bytes.split_first() else { return false };
    let Ok(length) = u32::try_from(body.len()) else { return false };
    let [a, b, c, d] = length.to_le_bytes();
    match (FrameHeader::parse([*kind, a, b, c, d], protocol), body_bound(protocol, *kind)) {
        (Ok(header), Ok(most)) => assert!(header.length == body.len() && body.len() <= most),
        (Err(_), Ok(most)) => {
            assert!(body.len() > most);
            return false;
        }
        (Err(_), Err(_)) => return false,
        (Ok(_), Err(error)) => panic!("a frame of a kind that there is not: {error}"),
    }
    let Ok(message) = within_memory(body.len(), || decode(*kind, body)) else { return false };
    let frame = encode(&message);
    assert_eq!(encoded_len(&message), frame.len());
    assert_eq!((frame.first(), frame.get(FRAME_HEADER_BYTES..)), (Some(kind), Some(body)), "{message:?}");
    true
}

/// Does it, and sees how much memory it held at most.
fn within_memory<T>(sent: usize, decode: impl FnOnce() -> T) -> T {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let decoded = decode();
    let held = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(held <= MEMORY_PER_BYTE * sent + MEMORY_FOR_ANY, "{held} bytes held for {sent} sent");
    decoded
}

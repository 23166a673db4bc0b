//! One encoding for every message, and none beyond its bounds (attacks 3, 25).

mod values;

use std::fmt::Debug;

use bloom_consensus::constants::{HEADER_BYTES, MAX_BLOCK_BYTES};
use bloom_consensus::{
    Amount, Block, BlockHash, Coinbase, DecodeError, Height, Output, OutputKey, Params, Timestamp, Wtxid,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::frame::at_most;
use super::*;

const PROTOCOLS: [Protocol; 4] = [Protocol::Hello, Protocol::Ask, Protocol::Answer, Protocol::Note];

/// A frame's kind and body, its length having been held against the bound of one of these protocols.
fn split<'a>(frame: &'a [u8], protocols: &[Protocol]) -> (u8, &'a [u8]) {
    let (header, body) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().unwrap();
    let header = protocols.iter().find_map(|protocol| FrameHeader::parse(*header, *protocol).ok());
    let header = header.expect("some protocol carries it");
    assert_eq!(header.length, body.len());
    (header.kind, body)
}

/// What decodes from these bytes, if anything, encodes to them again; cut or extended they are refused; and with a bit
/// flipped they are refused or another message.
fn is_the_one_encoding<T: PartialEq + Debug>(
    message: &T,
    frame: &[u8],
    protocols: &[Protocol],
    decode: impl Fn(u8, &[u8]) -> Result<T, WireError>,
    encode: impl Fn(&T) -> Vec<u8>,
    at: prop::sample::Index,
) -> Result<(), TestCaseError> {
    let (kind, body) = split(frame, protocols);
    prop_assert_eq!(&decode(kind, body).unwrap(), message);
    prop_assert!(decode(kind, &[body, &[0]].concat()).is_err());
    if body.is_empty() {
        return Ok(());
    }
    prop_assert!(decode(kind, &body[..at.index(body.len())]).is_err());
    let mut flipped = body.to_vec();
    let bit = at.index(body.len() * 8);
    flipped[bit / 8] ^= 1 << (bit % 8);
    if let Ok(other) = decode(kind, &flipped) {
        prop_assert_ne!(&other, message);
        prop_assert_eq!(&encode(&other)[FRAME_HEADER_BYTES..], &flipped);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn notes_have_one_encoding(note in values::note(), at: prop::sample::Index) {
        let frame = note.encode();
        prop_assert_eq!(frame.len(), note.encoded_len());
        is_the_one_encoding(&note, &frame, &[Protocol::Note], Note::decode, Note::encode, at)?;
    }

    #[test]
    fn requests_have_one_encoding(request in values::request(), at: prop::sample::Index) {
        let frame = request.encode();
        prop_assert_eq!(frame.len(), request.encoded_len());
        let protocols = [Protocol::Hello, Protocol::Ask];
        is_the_one_encoding(&request, &frame, &protocols, Request::decode, Request::encode, at)?;
    }

    #[test]
    fn answers_have_one_encoding(response in values::response(), at: prop::sample::Index) {
        let frame = response.encode();
        prop_assert_eq!(frame.len(), response.encoded_len());
        let protocols = [Protocol::Hello, Protocol::Answer];
        is_the_one_encoding(&response, &frame, &protocols, Response::decode, Response::encode, at)?;
    }

    #[test]
    fn garbage_never_panics(kind: u8, bytes in vec(any::<u8>(), 0..600)) {
        if let Ok(note) = Note::decode(kind, &bytes) {
            prop_assert_eq!(&note.encode()[FRAME_HEADER_BYTES..], &bytes);
        }
        if let Ok(request) = Request::decode(kind, &bytes) {
            prop_assert_eq!(&request.encode()[FRAME_HEADER_BYTES..], &bytes);
        }
        if let Ok(response) = Response::decode(kind, &bytes) {
            prop_assert_eq!(&response.encode()[FRAME_HEADER_BYTES..], &bytes);
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused(claimed in 60_u32.., rest in vec(any::<u8>(), 0..100)) {
        let body = [&claimed.to_le_bytes()[..], &rest].concat();
        for kind in [0x40, 0x42, 0x43] {
            prop_assert!(Note::decode(kind, &body).is_err());
        }
        for kind in [0x10, 0x11, 0x14] {
            prop_assert!(Request::decode(kind, &body).is_err());
        }
        for kind in [0x90, 0x91, 0x93, 0x95] {
            let counted = matches!(
                Response::decode(kind, &body),
                Err(WireError::Decode(DecodeError::CountBeyondBytes { got, .. })) if got == claimed
            );
            prop_assert!(counted);
        }
    }
}

/// One value of a strategy, the same in every run.
fn sample<S: Strategy>(strategy: S) -> S::Value {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), random);
    strategy.new_tree(&mut runner).unwrap().current()
}

fn too_long<T: Debug>(decoded: Result<T, WireError>, what: &str, got: usize, most: usize) {
    match decoded {
        Err(WireError::TooLong { what: w, got: g, most: m }) => assert_eq!((w, g, m), (what, got, most)),
        other => panic!("{what}: got {other:?}"),
    }
}

/// A message with a list of so many.
type Make<'a, T> = &'a dyn Fn(usize) -> T;

/// Lists at their bound are messages that the frame's bound leaves room for, exactly; one more is refused.
#[test]
fn every_list_ends_at_its_bound() {
    let header = sample(values::header());
    let address = sample(values::known_address());
    let notes: [(Make<'_, Note>, &str, usize); 3] = [
        (&|n| Note::Blocks(vec![header; n]), "header", MAX_ANNOUNCED),
        (&|n| Note::Transactions(vec![Wtxid([1; 32]); n]), "new transaction", MAX_TRANSACTIONS_ANNOUNCED),
        (&|n| Note::Addresses(vec![address; n]), "address", MAX_ADDRESSES_TOLD),
    ];
    for (note, what, most) in notes {
        let frame = note(most).encode();
        let (kind, body) = split(&frame, &[Protocol::Note]);
        assert_eq!(Ok(body.len()), body_bound(Protocol::Note, kind));
        assert_eq!(Note::decode(kind, body), Ok(note(most)));
        let more = note(most + 1).encode();
        too_long(Note::decode(kind, &more[FRAME_HEADER_BYTES..]), what, most + 1, most);
        let none = note(0).encode();
        assert!(matches!(Note::decode(kind, &none[FRAME_HEADER_BYTES..]), Err(WireError::Value { .. })));
    }

    let hash = BlockHash([2; 32]);
    let requests: [(Make<'_, Request>, &str, usize); 4] = [
        (&|n| Request::Headers { locator: vec![hash; n] }, "locator", MAX_LOCATOR),
        (&|n| Request::Blocks { hashes: vec![hash; n] }, "block hash", MAX_BLOCKS_ASKED),
        (&|n| Request::Transactions { wtxids: vec![Wtxid([3; 32]); n] }, "wtxid", MAX_TRANSACTIONS_ASKED),
        (
            &|n| Request::BlockTransactions { hash, positions: (0..u32::try_from(n).unwrap()).collect() },
            "position",
            MAX_BLOCK_TRANSACTIONS,
        ),
    ];
    for (request, what, most) in requests {
        let frame = request(most).encode();
        let (kind, body) = split(&frame, &[Protocol::Ask]);
        assert_eq!(Ok(body.len()), body_bound(Protocol::Ask, kind));
        assert_eq!(Request::decode(kind, body), Ok(request(most)));
        let more = request(most + 1).encode();
        too_long(Request::decode(kind, &more[FRAME_HEADER_BYTES..]), what, most + 1, most);
    }

    let responses: [(Make<'_, Response>, &str, usize); 2] = [
        (&|n| Response::Headers(vec![header; n]), "header", MAX_HEADERS),
        (&|n| Response::Addresses(vec![address; n]), "address", MAX_ADDRESSES),
    ];
    for (response, what, most) in responses {
        let frame = response(most).encode();
        let (kind, body) = split(&frame, &[Protocol::Answer]);
        assert_eq!(Ok(body.len()), body_bound(Protocol::Answer, kind));
        assert_eq!(Response::decode(kind, body), Ok(response(most)));
        let more = response(most + 1).encode();
        too_long(Response::decode(kind, &more[FRAME_HEADER_BYTES..]), what, most + 1, most);
    }
}

fn coinbase_of(outputs: usize) -> Coinbase {
    let output = Output { amount: Amount::from_units(1), key: OutputKey([4; 32]) };
    Coinbase::new(Height(1), Vec::new(), vec![output; outputs]).unwrap()
}

/// The longest block: 1 MiB less 36 bytes that no output fits in.
fn longest_block() -> Block {
    let header = sample(values::header());
    Block { header, coinbase: coinbase_of((MAX_BLOCK_BYTES - 180) / 40), transactions: Vec::new() }
}

#[test]
fn answers_of_blocks_end_at_two_mebibytes() {
    let longest = longest_block();
    assert!(longest.encoded_len() > MAX_BLOCK_BYTES - 40);
    let decode = |blocks: Vec<Block>| {
        let frame = Response::Blocks(blocks).encode();
        Response::decode(frame[0], &frame[FRAME_HEADER_BYTES..])
    };
    let two = vec![longest.clone(), longest.clone()];
    assert_eq!(decode(two.clone()), Ok(Response::Blocks(two)));
    let least = Params::dev().genesis;
    let (sum, most) = (2 * longest.encoded_len() + least.encoded_len(), 2 * MAX_BLOCK_BYTES);
    too_long(decode(vec![longest.clone(), longest, least.clone()]), "blocks of an answer", sum, most);

    let many = vec![least; MAX_BLOCKS_ASKED + 1];
    too_long(decode(many), "block", MAX_BLOCKS_ASKED + 1, MAX_BLOCKS_ASKED);
    let claimed = [&1_u32.to_le_bytes()[..], &1_048_577_u32.to_le_bytes(), &vec![0; MAX_BLOCK_BYTES + 1]].concat();
    too_long(Response::decode(0x91, &claimed), "block", MAX_BLOCK_BYTES + 1, MAX_BLOCK_BYTES);
}

#[test]
fn answers_of_transactions_end_at_one_mebibyte() {
    let transaction = sample(values::transaction());
    let most = MAX_TRANSACTIONS_BYTES / transaction.encoded_len();
    let decode = |n| {
        let frame = Response::Transactions(vec![transaction.clone(); n]).encode();
        Response::decode(frame[0], &frame[FRAME_HEADER_BYTES..])
    };
    assert!(decode(most).is_ok());
    let sum = (most + 1) * transaction.encoded_len();
    too_long(decode(most + 1), "transactions of an answer", sum, MAX_TRANSACTIONS_BYTES);
}

/// Short ids are less than what they stand for: what could not be a block of 1 MiB is no compact block.
#[test]
fn compact_blocks_are_of_blocks() {
    let header = sample(values::header());
    let decode = |outputs, ids| {
        let note = Note::Compact(Box::new(CompactBlock {
            header,
            salt: 1,
            coinbase: coinbase_of(outputs),
            short_ids: vec![[5; 6]; ids],
        }));
        let frame = note.encode();
        Note::decode(frame[0], &frame[FRAME_HEADER_BYTES..])
    };
    let most = (MAX_BLOCK_BYTES - 180) / 160;
    assert!(decode(0, most).is_ok());
    too_long(decode(0, most + 1), "block of a compact block", 180 + 160 * (most + 1), MAX_BLOCK_BYTES);
    let outputs = (MAX_BLOCK_BYTES - 180) / 40;
    assert!(decode(outputs, 0).is_ok());
    too_long(decode(outputs - 1, 1), "block of a compact block", 180 + 40 * (outputs - 1) + 160, MAX_BLOCK_BYTES);
    let longest = HEADER_BYTES + 8 + coinbase_of(outputs).encoded_len() + 4;
    assert!(longest <= body_bound(Protocol::Note, 0x41).unwrap());
}

#[test]
fn positions_ascend_within_a_block() {
    let decode = |positions: &[u32]| {
        let frame = Request::BlockTransactions { hash: BlockHash([0; 32]), positions: positions.to_vec() }.encode();
        Request::decode(frame[0], &frame[FRAME_HEADER_BYTES..])
    };
    let last = u32::try_from(MAX_BLOCK_TRANSACTIONS).unwrap() - 1;
    for good in [&[][..], &[0], &[0, 1, 2], &[7, last]] {
        assert!(decode(good).is_ok(), "{good:?}");
    }
    for bad in [&[0, 0][..], &[1, 0], &[3, 4, 4], &[last + 1], &[u32::MAX], &[0, u32::MAX]] {
        assert!(matches!(decode(bad), Err(WireError::Value { what: "position", .. })), "{bad:?}");
    }
}

#[test]
fn an_agent_is_short_and_printable() {
    let hello = sample(values::hello());
    let decode = |agent: &str| {
        let frame = Request::Hello(Hello { agent: agent.to_owned(), ..hello.clone() }).encode();
        Request::decode(frame[0], &frame[FRAME_HEADER_BYTES..])
    };
    assert!(decode(&"~".repeat(MAX_AGENT_BYTES)).is_ok() && decode("").is_ok());
    too_long(decode(&"~".repeat(MAX_AGENT_BYTES + 1)), "agent", MAX_AGENT_BYTES + 1, MAX_AGENT_BYTES);
    for bad in ["a\n", "\u{1b}[31m", "\u{7f}", "bloom\u{202e}", "é"] {
        assert!(matches!(decode(bad), Err(WireError::Value { what: "agent", .. })), "{bad:?}");
    }
}

#[test]
fn flags_and_reasons_are_those_that_there_are() {
    assert!(Note::decode(0x44, &[1]).is_ok());
    assert!(matches!(Note::decode(0x44, &[2]), Err(WireError::Value { .. })));
    assert!(Response::decode(0x01, &[1]).is_ok());
    assert!(matches!(Response::decode(0x01, &[5]), Err(WireError::Value { .. })));
}

/// An IPv4 address has one form on the wire, and is itself again when read (attacks 30).
#[test]
fn an_ipv4_address_is_mapped_and_back() {
    let known = KnownAddress { address: "203.0.114.7:7617".parse().unwrap(), seen: Timestamp(9) };
    let bytes = known.to_bytes();
    assert_eq!(bytes[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    let frame = Note::Addresses(vec![known]).encode();
    assert_eq!(Note::decode(0x43, &frame[FRAME_HEADER_BYTES..]), Ok(Note::Addresses(vec![known])));
    assert!(known.address.ip().is_ipv4());
}

/// Before a body is read its kind and length are judged, and each protocol carries its own kinds alone.
#[test]
fn a_frame_is_judged_before_its_body() {
    for kind in 0..=u8::MAX {
        let carriers: Vec<_> = PROTOCOLS.into_iter().filter(|protocol| body_bound(*protocol, kind).is_ok()).collect();
        assert!(carriers.len() <= 1, "{kind:#x} is carried by {carriers:?}");
        for protocol in PROTOCOLS {
            let header = |length: u32| {
                let [a, b, c, d] = length.to_le_bytes();
                FrameHeader::parse([kind, a, b, c, d], protocol)
            };
            let Ok(most) = body_bound(protocol, kind) else {
                assert_eq!(header(0), Err(WireError::Kind { got: kind }));
                continue;
            };
            let length = u32::try_from(most).unwrap();
            assert_eq!(header(length), Ok(FrameHeader { kind, length: most }));
            assert_eq!(Err(header(length + 1).unwrap_err()), at_most("message", most + 1, most));
            assert!(header(u32::MAX).is_err());
        }
    }
    let hello = sample(values::hello());
    let longest = Hello { agent: "a".repeat(MAX_AGENT_BYTES), ..hello };
    assert!(Request::Hello(longest).encoded_len() <= MAX_HELLO_BYTES);
}

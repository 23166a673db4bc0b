//! Writes the corpora that fuzzing begins with: one of every message, small and at some bound, from real encodings.
//!
//!     cargo run --manifest-path fuzz/Cargo.toml --example seeds -- fuzz/corpus

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use bloom_consensus::{
    Amount, Block, BlockHash, Body, Coinbase, Height, NetworkId, Outpoint, Output, OutputKey, Params, Timestamp,
    Transaction, Txid, Work, Wtxid,
};
use bloom_fuzz::engine::step;
use bloom_net::wire::{CompactBlock, FRAME_HEADER_BYTES, Goodbye, Hello, KnownAddress, Note, Request, Response};
use bloom_net::{Book, NetGroup, PeerAddr};

fn main() -> io::Result<()> {
    let into = PathBuf::from(env::args().nth(1).expect("the folder to write to"));
    write(&into, "note", notes().iter().map(|note| unframed(&note.encode())))?;
    write(&into, "request", requests().iter().map(|request| unframed(&request.encode())))?;
    write(&into, "response", responses().iter().map(|response| unframed(&response.encode())))?;
    let hellos = hellos().map(|hello| unframed(&Request::Hello(hello).encode()));
    let goodbyes = goodbyes().map(|goodbye| unframed(&Response::Goodbye(goodbye).encode()));
    write(&into, "hello", hellos.into_iter().chain(goodbyes))?;
    write(&into, "book", books().iter().map(|book| unsealed(&book.encode())))?;
    write(&into, "engine", sequences().into_iter())
}

fn write(into: &Path, target: &str, seeds: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(into.join(target))?;
    for (n, seed) in seeds.enumerate() {
        fs::write(into.join(target).join(format!("seed-{n:02}")), seed)?;
    }
    Ok(())
}

/// kind ‖ body.
fn unframed(frame: &[u8]) -> Vec<u8> {
    let (header, body) = frame.split_at(FRAME_HEADER_BYTES);
    [&header[..1], body].concat()
}

fn unsealed(book: &[u8]) -> Vec<u8> {
    book[..book.len() - 32].to_vec()
}

fn hash(n: u8) -> [u8; 32] {
    std::array::from_fn(|i| n.wrapping_mul(31).wrapping_add(u8::try_from(i).expect("below 32")))
}

fn output(n: u8) -> Output {
    Output { amount: Amount::from_units(u64::from(n) * 100_000_000), key: OutputKey(hash(n)) }
}

fn transaction(inputs: u8, outputs: u8) -> Transaction {
    let spent = (0..inputs).map(|n| Outpoint { txid: Txid(hash(n)), index: u32::from(n) }).collect();
    let body = Body::new(Height(u64::from(inputs)), spent, (0..outputs).map(output).collect()).expect("some of both");
    Transaction::new(body, (0..inputs).map(|n| [n; 64]).collect()).expect("a signature for each")
}

fn genesis() -> [Block; 3] {
    Params::well_known().map(|params| params.genesis)
}

fn block(transactions: u8, outputs: u8) -> Block {
    let [block, ..] = genesis();
    let coinbase = Coinbase::new(Height(7), vec![1; usize::from(outputs)], (0..outputs).map(output).collect());
    let transactions = (1..=transactions).map(|n| transaction(n, n)).collect();
    Block { coinbase: coinbase.expect("little data"), transactions, ..block }
}

fn compact(short_ids: u8) -> Box<CompactBlock> {
    let Block { header, coinbase, .. } = block(0, short_ids.min(4));
    Box::new(CompactBlock { header, salt: 9, coinbase, short_ids: (0..short_ids).map(|n| [n; 6]).collect() })
}

fn addresses(count: u8) -> Vec<KnownAddress> {
    let text = |n: u8| if n % 2 == 0 { format!("8.{n}.4.4:7617") } else { format!("[2a00:{n:x}::1]:17617") };
    let parsed = |n: u8| text(n).parse().expect("an address");
    (0..count).map(|n| KnownAddress { address: parsed(n), seen: Timestamp(1_790_000_000 + u64::from(n)) }).collect()
}

fn hellos() -> [Hello; 3] {
    let hello = Hello {
        version: 1,
        network_id: Params::dev().network_id,
        tip: genesis()[2].hash(),
        height: Height(0),
        work: Work::ZERO.plus(Params::dev().genesis_difficulty()),
        time: Timestamp(1_790_000_000),
        nonce: 0x0123_4567_89ab_cdef,
        listen_port: 27_617,
        is_archive: true,
        agent: "bloom/0.1.0".to_owned(),
    };
    let silent = Hello { agent: String::new(), is_archive: false, listen_port: 0, ..hello.clone() };
    let long = Hello { agent: "a".repeat(64), version: u32::MAX, height: Height(u64::MAX), ..hello.clone() };
    [hello, silent, long]
}

fn goodbyes() -> [Goodbye; 5] {
    let other = Goodbye::OtherNetwork(NetworkId(hash(1)));
    [other, Goodbye::Full, Goodbye::Banned, Goodbye::Myself, Goodbye::Version(2)]
}

fn notes() -> Vec<Note> {
    let headers = genesis().map(|block| block.header);
    vec![
        Note::Blocks(headers[..1].to_vec()),
        Note::Blocks(headers.iter().copied().cycle().take(8).collect()),
        Note::Compact(compact(0)),
        Note::Compact(compact(1)),
        Note::Compact(compact(200)),
        Note::Transactions(vec![Wtxid(hash(1))]),
        Note::Transactions((0..100).map(|n| Wtxid(hash(n))).collect()),
        Note::Addresses(addresses(1)),
        Note::Addresses(addresses(10)),
        Note::PushBlocks(true),
        Note::PushBlocks(false),
    ]
}

fn requests() -> Vec<Request> {
    let hashes = |count: u8| (0..count).map(|n| BlockHash(hash(n))).collect::<Vec<_>>();
    let of_block = |positions| Request::BlockTransactions { hash: BlockHash(hash(3)), positions };
    vec![
        Request::Headers { locator: hashes(0) },
        Request::Headers { locator: hashes(1) },
        Request::Headers { locator: hashes(80) },
        Request::Blocks { hashes: hashes(1) },
        Request::Blocks { hashes: hashes(128) },
        Request::Compact { hash: BlockHash(hash(2)) },
        of_block(vec![]),
        of_block(vec![0, 1, 2, 6_552]),
        of_block((0..300).map(|n| n * 3).collect()),
        Request::Transactions { wtxids: vec![Wtxid(hash(4))] },
        Request::Transactions { wtxids: (0..=255).map(|n| Wtxid(hash(n))).collect() },
        Request::Addresses,
    ]
}

fn responses() -> Vec<Response> {
    let headers = genesis().map(|block| block.header);
    vec![
        Response::Headers(vec![]),
        Response::Headers(headers.to_vec()),
        Response::Headers(headers.iter().copied().cycle().take(64).collect()),
        Response::Blocks(vec![]),
        Response::Blocks(genesis().to_vec()),
        Response::Blocks(vec![block(1, 0), block(3, 2)]),
        Response::Compact(compact(0)),
        Response::Compact(compact(20)),
        Response::Transactions(vec![]),
        Response::Transactions(vec![transaction(1, 1)]),
        Response::Transactions((1..5).map(|n| transaction(n, 5 - n)).collect()),
        Response::Transactions(vec![transaction(1, 1); 40]),
        Response::Addresses(addresses(0)),
        Response::Addresses(addresses(2)),
        Response::Addresses(addresses(250)),
        Response::NotFound,
        Response::Busy,
    ]
}

fn books() -> Vec<Book> {
    let now = Timestamp(1_790_000_500);
    let filled = |count: u8| {
        let mut book = Book::new(hash(5));
        let all: Vec<PeerAddr> = addresses(count).iter().map(|known| known.address).collect();
        for (n, address) in all.iter().enumerate() {
            book.add(*address, now, NetGroup::of(&all[n / 2]), now);
            match n % 3 {
                0 => book.connected(address, now),
                1 => book.attempted(address, now),
                _ => {}
            }
        }
        book.set_anchors(&all);
        book
    };
    [0, 1, 2, 7, 100].map(filled).into()
}

/// What a node may live through in a few steps.
fn sequences() -> Vec<Vec<u8>> {
    let said = |step: u8, slot: u8, frame: Vec<u8>| {
        let message = unframed(&frame);
        let length = u16::try_from(message.len()).expect("a short message").to_le_bytes();
        [&[step, slot][..], &length, &message].concat()
    };
    let wait = |tenths: u16| [&[step::WAIT, 0][..], &tenths.to_le_bytes()].concat();
    let (joined, came) = ([step::DIALLED, 0, step::HELLO, 0], [step::CAME, 1, step::HELLO, 1]);
    let caught_up = [
        &joined[..],
        &wait(1),
        &[step::HEADERS, 0, 0, 12, step::PROVEN, 0],
        &wait(1),
        &[step::BLOCKS, 0, 0, 12],
        &wait(600),
    ]
    .concat();
    let mut sequences = vec![
        joined.to_vec(),
        came.to_vec(),
        caught_up.clone(),
        [&caught_up[..], &came, &[step::ANNOUNCE, 1, 0, 1, step::COMPACT, 1, 11, 1]].concat(),
        [&joined[..], &[step::HEADERS, 0, 0, 6, step::PROVEN, 0, step::BLOCKS, 0, 0, 2, step::FAILED, 0]].concat(),
        [&came[..], &[step::COMPACT, 1, 0, 1, step::ANNOUNCE, 1, 1, 1, step::COMPACT_ANSWER, 1, 1, 1]].concat(),
        [&came[..], &joined, &[step::LEFT, 1, step::CAME, 1], &wait(110), &[step::LEFT, 0]].concat(),
        [&[step::FOUND, 0, 8, 8, 4, 4][..], &wait(10), &[step::DIAL, 2, step::HELLO, 2], &wait(1_300)].concat(),
        [&[step::FOUND, 0, 9, 9, 4, 4][..], &joined, &wait(10), &[step::DIAL, 0], &wait(6_000)].concat(),
    ];
    let notes = notes().into_iter().filter(|note| note.encoded_len() < 2_000);
    sequences
        .push([came.to_vec()].into_iter().chain(notes.map(|n| said(step::NOTE, 1, n.encode()))).flatten().collect());
    let requests = requests().into_iter().filter(|request| request.encoded_len() < 2_000);
    let asks = requests.map(|request| said(step::REQUEST, 1, request.encode()));
    sequences.push([caught_up, came.to_vec()].into_iter().chain(asks).flatten().collect());
    let responses = responses().into_iter().filter(|response| response.encoded_len() < 2_000);
    sequences.extend(responses.map(|response| [&joined[..], &said(step::ANSWER, 0, response.encode())].concat()));
    sequences
}

//! Any value of every message, within its bounds.

use std::net::Ipv6Addr;

use bloom_consensus::{
    Amount, Block, BlockHash, Body, Coinbase, Difficulty, Header, Height, MerkleRoot, NetworkId, Outpoint, Output,
    OutputKey, Seal, Template, Timestamp, Transaction, Txid, Work, Wtxid,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::address::PeerAddr;
use crate::wire::{CompactBlock, Goodbye, Hello, KnownAddress, Note, Request, Response};

pub(super) fn header() -> impl Strategy<Value = Header> {
    let difficulty = Difficulty::MIN.q24()..=Difficulty::MAX.q24();
    let template = (any::<(u32, u64, [u8; 32], [u8; 32], u64)>(), difficulty).prop_map(
        |((version, height, prev_hash, root, time), difficulty)| Template {
            version,
            height: Height(height),
            prev_hash: BlockHash(prev_hash),
            merkle_root: MerkleRoot(root),
            timestamp: Timestamp(time),
            difficulty: Difficulty::from_q24(difficulty).unwrap(),
        },
    );
    (template, any::<[[u8; 7]; 8]>()).prop_map(|(template, seal)| Header {
        template,
        seal: Seal::from_bytes(seal.as_flattened().try_into().unwrap()),
    })
}

fn outputs(least: usize) -> impl Strategy<Value = Vec<Output>> {
    let output = any::<(u64, [u8; 32])>();
    let output = output.prop_map(|(units, key)| Output { amount: Amount::from_units(units), key: OutputKey(key) });
    vec(output, least..4)
}

pub(super) fn transaction() -> impl Strategy<Value = Transaction> {
    let input = any::<([u8; 32], u32)>().prop_map(|(txid, index)| Outpoint { txid: Txid(txid), index });
    let inputs = vec((input, any::<[[u8; 32]; 2]>()), 1..4);
    (any::<u64>(), inputs, outputs(1)).prop_map(|(height, inputs, outputs)| {
        let (inputs, signatures): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
        let signatures = signatures.iter().map(|halves| halves.as_flattened().try_into().unwrap()).collect();
        Transaction::new(Body::new(Height(height), inputs, outputs).unwrap(), signatures).unwrap()
    })
}

fn coinbase() -> impl Strategy<Value = Coinbase> {
    let parts = (any::<u64>(), vec(any::<u8>(), 0..97), outputs(0));
    parts.prop_map(|(height, data, outputs)| Coinbase::new(Height(height), data, outputs).unwrap())
}

fn block() -> impl Strategy<Value = Block> {
    let parts = (header(), coinbase(), vec(transaction(), 0..4));
    parts.prop_map(|(header, coinbase, transactions)| Block { header, coinbase, transactions })
}

fn compact() -> impl Strategy<Value = Box<CompactBlock>> {
    let parts = (header(), any::<u64>(), coinbase(), vec(any::<[u8; 6]>(), 0..20));
    parts.prop_map(|(header, salt, coinbase, short_ids)| Box::new(CompactBlock { header, salt, coinbase, short_ids }))
}

pub(super) fn known_address() -> impl Strategy<Value = KnownAddress> {
    let ip = prop_oneof![
        any::<[u8; 16]>(),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| { [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] })
    ];
    (ip, any::<(u16, u64)>()).prop_map(|(ip, (port, seen))| KnownAddress {
        address: PeerAddr::new(Ipv6Addr::from(ip).into(), port),
        seen: Timestamp(seen),
    })
}

pub(super) fn hello() -> impl Strategy<Value = Hello> {
    let numbers = any::<(u32, [u8; 32], [u8; 32], u64, [u8; 32], u64, u64, u16, bool)>();
    (numbers, "[ -~]{0,64}").prop_map(
        |((version, network_id, tip, height, work, time, nonce, listen_port, is_archive), agent)| Hello {
            version,
            network_id: NetworkId(network_id),
            tip: BlockHash(tip),
            height: Height(height),
            work: Work::from_be_bytes(work),
            time: Timestamp(time),
            nonce,
            listen_port,
            is_archive,
            agent,
        },
    )
}

fn hashes(most: usize) -> impl Strategy<Value = Vec<[u8; 32]>> {
    vec(any::<[u8; 32]>(), 0..=most)
}

fn positions() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::btree_set(0_u32..6_553, 0..60).prop_map(|set| set.into_iter().collect())
}

pub(super) fn request() -> impl Strategy<Value = Request> {
    let block_hashes = |most| hashes(most).prop_map(|all| all.into_iter().map(BlockHash).collect::<Vec<_>>());
    prop_oneof![
        hello().prop_map(Request::Hello),
        block_hashes(80).prop_map(|locator| Request::Headers { locator }),
        block_hashes(128).prop_map(|hashes| Request::Blocks { hashes }),
        any::<[u8; 32]>().prop_map(|hash| Request::Compact { hash: BlockHash(hash) }),
        (any::<[u8; 32]>(), positions())
            .prop_map(|(hash, positions)| Request::BlockTransactions { hash: BlockHash(hash), positions }),
        hashes(256).prop_map(|all| Request::Transactions { wtxids: all.into_iter().map(Wtxid).collect() }),
        Just(Request::Addresses),
    ]
}

pub(super) fn response() -> impl Strategy<Value = Response> {
    let goodbye = prop_oneof![
        any::<[u8; 32]>().prop_map(|id| Goodbye::OtherNetwork(NetworkId(id))),
        Just(Goodbye::Full),
        Just(Goodbye::Banned),
        Just(Goodbye::Myself),
        any::<u32>().prop_map(Goodbye::Version),
    ];
    prop_oneof![
        hello().prop_map(Response::Hello),
        goodbye.prop_map(Response::Goodbye),
        vec(header(), 0..10).prop_map(Response::Headers),
        vec(block(), 0..4).prop_map(Response::Blocks),
        compact().prop_map(Response::Compact),
        vec(transaction(), 0..6).prop_map(Response::Transactions),
        vec(known_address(), 0..=256).prop_map(Response::Addresses),
        Just(Response::NotFound),
        Just(Response::Busy),
    ]
}

pub(super) fn note() -> impl Strategy<Value = Note> {
    prop_oneof![
        vec(header(), 1..=8).prop_map(Note::Blocks),
        compact().prop_map(Note::Compact),
        vec(any::<[u8; 32]>(), 1..40).prop_map(|all| Note::Transactions(all.into_iter().map(Wtxid).collect())),
        vec(known_address(), 1..=10).prop_map(Note::Addresses),
        any::<bool>().prop_map(Note::PushBlocks),
    ]
}

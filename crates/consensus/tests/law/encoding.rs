//! The one encoding of everything: decode∘encode is the identity, and no other bytes decode to the same (attacks 3).

use bloom_consensus::constants::MAX_BLOCK_BYTES;
use bloom_consensus::{
    Amount, Block, BlockHash, Body, Coinbase, DecodeError, Difficulty, Header, Height, MerkleRoot, Outpoint, Output,
    OutputKey, Seal, ShapeError, Template, Timestamp, Transaction, Txid,
};
use bloom_kernel::Order;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::{block_paying, outpoint, output, q24, unsigned};

fn outputs(most: usize) -> impl Strategy<Value = Vec<Output>> {
    let output = any::<(u64, [u8; 32])>();
    vec(output.prop_map(|(units, key)| Output { amount: Amount::from_units(units), key: OutputKey(key) }), 0..most)
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let input = any::<([u8; 32], u32)>().prop_map(|(txid, index)| Outpoint { txid: Txid(txid), index });
    let inputs = vec((input, vec(any::<u8>(), 64)), 1..5);
    let output = any::<(u64, [u8; 32])>();
    (any::<u64>(), inputs, output, outputs(4)).prop_map(|(height, inputs, (units, key), mut outputs)| {
        outputs.push(Output { amount: Amount::from_units(units), key: OutputKey(key) });
        let (inputs, signatures): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
        let signatures = signatures.into_iter().map(|bytes| bytes.try_into().expect("64 bytes")).collect();
        let body = Body::new(Height(height), inputs, outputs).expect("inputs and outputs");
        Transaction::new(body, signatures).expect("one for each")
    })
}

fn coinbase() -> impl Strategy<Value = Coinbase> {
    let parts = (any::<u64>(), vec(any::<u8>(), 0..97), outputs(4));
    parts.prop_map(|(height, data, outputs)| Coinbase::new(Height(height), data, outputs).expect("at most 96 bytes"))
}

fn header() -> impl Strategy<Value = Header> {
    let difficulty = Difficulty::MIN.q24()..=Difficulty::MAX.q24();
    let template = (any::<(u32, u64, [u8; 32], [u8; 32], u64)>(), difficulty).prop_map(
        |((version, height, prev_hash, root, time), difficulty)| Template {
            version,
            height: Height(height),
            prev_hash: BlockHash(prev_hash),
            merkle_root: MerkleRoot(root),
            timestamp: Timestamp(time),
            difficulty: q24(difficulty),
        },
    );
    let seal = any::<(u64, u32, u32, i32, i32, [u8; 32])>().prop_map(
        |(extra_nonce, nonce, bloom_end, cos, sin, certificate_hash)| {
            let order = Order { cos, sin };
            Seal { extra_nonce, nonce, bloom_end, order, certificate_hash }
        },
    );
    (template, seal).prop_map(|(template, seal)| Header { template, seal })
}

fn block() -> impl Strategy<Value = Block> {
    let parts = (header(), coinbase(), vec(transaction(), 0..4));
    parts.prop_map(|(header, coinbase, transactions)| Block { header, coinbase, transactions })
}

/// Whatever decodes from these bytes, if anything, encodes to them again and to no others; cutting or extending them is
/// refused; and a flipped bit is refused or another value.
fn is_the_one_encoding<T: PartialEq + std::fmt::Debug>(
    value: &T,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
    at: prop::sample::Index,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(&decode(bytes).expect("own encoding"), value);
    for cut in [at.index(bytes.len()), bytes.len() - 1, 0] {
        prop_assert!(decode(&bytes[..cut]).is_err(), "cut to {} of {}", cut, bytes.len());
    }
    for tail in [&[0][..], &[1], &[0; 160]] {
        prop_assert!(decode(&[bytes, tail].concat()).is_err());
    }
    let mut flipped = bytes.to_vec();
    let bit = at.index(bytes.len() * 8);
    flipped[bit / 8] ^= 1 << (bit % 8);
    if let Ok(other) = decode(&flipped) {
        prop_assert_ne!(&other, value);
        prop_assert_eq!(encode(&other), flipped);
    }
    Ok(())
}

proptest! {
    #[test]
    fn transactions_have_one_encoding(value in transaction(), at: prop::sample::Index) {
        prop_assert_eq!(value.encoded_len(), value.encode().len());
        is_the_one_encoding(&value, &value.encode(), Transaction::decode, Transaction::encode, at)?;
    }

    #[test]
    fn coinbases_have_one_encoding(value in coinbase(), at: prop::sample::Index) {
        prop_assert_eq!(value.encoded_len(), value.encode().len());
        is_the_one_encoding(&value, &value.encode(), Coinbase::decode, Coinbase::encode, at)?;
    }

    #[test]
    fn blocks_have_one_encoding(value in block(), at: prop::sample::Index) {
        prop_assert_eq!(value.encoded_len(), value.encode().len());
        is_the_one_encoding(&value, &value.encode(), Block::decode, Block::encode, at)?;
    }

    #[test]
    fn headers_and_templates_have_one_encoding(value in header(), bit in 0_usize..156 * 8) {
        let bytes = value.to_bytes();
        prop_assert_eq!(Header::from_bytes(&bytes), Ok(value));
        let template = value.template.to_bytes();
        prop_assert_eq!(Template::from_bytes(&template), Ok(value.template));
        prop_assert_eq!(&template[..], &bytes[..100]);
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = Header::from_bytes(&flipped) {
            prop_assert_ne!(other, value);
            prop_assert_eq!(other.to_bytes(), flipped);
            prop_assert_ne!(other.block_hash(), value.block_hash());
        }
    }

    #[test]
    fn outputs_are_forty_bytes(bytes: [[u8; 20]; 2]) {
        let bytes: [u8; 40] = bytes.concat().try_into().expect("40 bytes");
        prop_assert_eq!(Output::from_bytes(&bytes).to_bytes(), bytes);
    }

    #[test]
    fn garbage_never_panics(bytes in vec(any::<u8>(), 0..400)) {
        let _ = (Transaction::decode(&bytes), Coinbase::decode(&bytes), Block::decode(&bytes));
        let header = block_paying(1, 0, vec![]).header.to_bytes();
        let _ = Block::decode(&[&header[..], &bytes].concat());
    }
}

#[test]
fn counts_that_lie_are_refused_before_anything_is_allocated() {
    let honest = block_paying(7, 3, vec![unsigned(&[outpoint(1, 0)], &[output(5, 1)])]).encode();
    let (data, outputs, transactions) = (156 + 12, 156 + 16, 156 + 60);
    let (inputs, made) = (transactions + 4 + 12, transactions + 4 + 16 + 36);
    let lie = |at: usize, count: u32| {
        let mut bytes = honest.clone();
        bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
        Block::decode(&bytes).expect_err("a lie")
    };
    for count in [u32::MAX, 1 << 31, 100_000] {
        for (at, what) in [
            (data, "coinbase data"),
            (outputs, "output"),
            (transactions, "transaction"),
            (inputs, "input"),
            (made, "output"),
        ] {
            let error = lie(at, count);
            assert!(
                matches!(error, DecodeError::CountBeyondBytes { what: of, got, .. } if of == what && got == count),
                "{what} {count}: {error}"
            );
        }
    }
    assert!(matches!(lie(transactions, 0), DecodeError::TrailingBytes { what: "block", got: 160 }));
    assert!(matches!(lie(transactions, 2), DecodeError::CountBeyondBytes { got: 2, most: 1, .. }));
    assert_eq!(lie(inputs, 0), ShapeError::NoInputs.into());
    assert_eq!(lie(made, 0), ShapeError::NoOutputs.into());
    assert_eq!(lie(data, 97), ShapeError::CoinbaseData { got: 97, most: 96 }.into());
}

#[test]
fn versions_of_transactions_and_coinbases_are_1() {
    let transaction = unsigned(&[outpoint(1, 0)], &[output(5, 1)]).encode();
    let coinbase = Coinbase::new(Height(7), vec![], vec![]).expect("no data").encode();
    for got in [0, 2, 1_u32 << 24] {
        let with = |bytes: &[u8]| [&got.to_le_bytes()[..], &bytes[4..]].concat();
        let refused = DecodeError::Version { what: "transaction", got };
        assert_eq!(Transaction::decode(&with(&transaction)), Err(refused));
        let refused = DecodeError::Version { what: "coinbase", got };
        assert_eq!(Coinbase::decode(&with(&coinbase)), Err(refused));
    }
}

#[test]
fn header_difficulty_out_of_range_is_not_a_header() {
    let mut bytes = block_paying(1, 0, vec![]).header.to_bytes();
    for got in [0, Difficulty::MIN.q24() - 1, Difficulty::MAX.q24() + 1, u128::MAX] {
        bytes[84..100].copy_from_slice(&got.to_le_bytes());
        let error = Header::from_bytes(&bytes).expect_err("out of range");
        assert!(matches!(error, DecodeError::Difficulty(out) if out.got == got));
    }
}

#[test]
fn block_of_more_bytes_than_1_mib_is_refused_unread() {
    let got = MAX_BLOCK_BYTES + 1;
    let refused = DecodeError::BlockTooLong { got, most: MAX_BLOCK_BYTES };
    assert_eq!(Block::decode(&vec![0; got]), Err(refused));
}

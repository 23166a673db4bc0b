//! Every section of the law's vectors that concerns this crate, row by row.

use bloom_consensus::difficulty::{asert_phi, golden, next_difficulty};
use bloom_consensus::error::TransactionViolation as V;
use bloom_consensus::reward::reward;
use bloom_consensus::rules::isolation::{check_body, check_transaction};
use bloom_consensus::{
    Amount, Block, BlockHash, Challenge, Coinbase, DecodeError, Difficulty, Header, Height, MerkleRoot, NetworkId,
    Output, OutputKey, Params, Retarget, Seal, ShapeError, Template, Timestamp, Transaction, Txid, merkle, proof,
    rules, signing, ticket,
};
use bloom_kernel::{Backend, Bloom, Order, Solo};
use serde_json::Value;

use crate::common::{Branch, bytes, bytes_32, number, q24, rows, text, vectors};

fn difficulty(row: &Value, key: &str) -> Difficulty {
    q24(number(&row[key]))
}

fn orders(row: &Value) -> [Order; 7] {
    let order = |pair: &Value| Order { cos: number(&pair[0]), sin: number(&pair[1]) };
    rows(row, "order").iter().map(order).collect::<Vec<_>>().try_into().expect("seven rounds")
}

#[test]
fn golden_retarget_answers() {
    for row in rows(&vectors(), "retarget_golden") {
        let (intervals, elapsed) = (number(&row["intervals"]), number(&row["elapsed_seconds"]));
        let got = golden(difficulty(row, "difficulty_q24"), intervals, elapsed, Difficulty::MIN);
        assert_eq!(got, difficulty(row, "new_difficulty_q24"), "{row}");
    }
}

#[test]
fn asert_phi_answers() {
    for row in rows(&vectors(), "retarget_asert_phi") {
        let (height, elapsed) = (number(&row["height"]), number(&row["parent_minus_genesis_seconds"]));
        let got = asert_phi(difficulty(row, "genesis_difficulty_q24"), height, elapsed, Difficulty::MIN);
        assert_eq!(got, difficulty(row, "difficulty_q24"), "{row}");
    }
}

#[test]
fn golden_chain_of_four_hundred_blocks() {
    let chain = &vectors()["retarget_golden_chain"];
    assert_eq!(text(chain, "step"), "t_h = t_(h-1) + 1 + (h*h*7919 mod 997)");
    let rows = rows(chain, "height_then_difficulty_q24_with_D_min_quarter_then_with_D_min_65536");
    for (column, lowest) in [(1, Difficulty::MIN), (2, q24(65_536 << 24))] {
        let params = Params { retarget: Retarget::Golden, min_difficulty: lowest, ..Params::dev() };
        let mut branch = Branch::default();
        let mut time = number(&chain["t_0"]);
        branch.push(time, q24(number(&rows[0][column])));
        let last: u64 = number(&rows.last().expect("rows")[0]);
        for height in 1..=last {
            let difficulty = next_difficulty(&params, branch.tip(), &branch).expect("in memory");
            time += 1 + height * height * 7919 % 997;
            branch.push(time, difficulty);
        }
        for row in rows {
            let height: usize = number(&row[0]);
            assert_eq!(branch.ancestors[height].difficulty, q24(number(&row[column])), "height {height}");
        }
    }
}

#[test]
fn tickets_win_or_lose() {
    for row in rows(&vectors(), "tickets") {
        let hash = BlockHash(bytes_32(row, "block_hash"));
        let wins = ticket::meets(&hash, number(&row["rounds"]), difficulty(row, "difficulty_q24"));
        assert_eq!(Some(wins), row["wins"].as_bool(), "{row}");
    }
}

#[test]
fn attempts_have_their_challenge_seal_and_hash() {
    for row in rows(&vectors(), "attempts") {
        let template = Template {
            version: number(&row["version"]),
            height: Height(number(&row["height"])),
            prev_hash: BlockHash(bytes_32(row, "prev_hash")),
            merkle_root: MerkleRoot(bytes_32(row, "merkle_root")),
            timestamp: Timestamp(number(&row["timestamp"])),
            difficulty: difficulty(row, "difficulty_q24"),
        };
        assert_eq!(template.challenge(), Challenge(bytes_32(row, "challenge")));
        let phases: Vec<u32> = rows(row, "final_phases").iter().map(number).collect();
        let bloom = Bloom {
            end: number(&row["bloom_end"]),
            order: orders(row),
            phases: phases.try_into().expect("63 oscillators"),
        };
        assert_eq!(bloom.start(), number::<u32>(&row["bloom_start"]));
        let seal = Seal::new(number(&row["extra_nonce"]), number(&row["nonce"]), &bloom);
        assert_eq!(seal.certificate_hash, bytes_32(row, "certificate_hash"));
        let header = Header { template, seal };
        assert_eq!(header.block_hash(), BlockHash(bytes_32(row, "block_hash")));
        assert_eq!(Header::from_bytes(&header.to_bytes()), Ok(header));
        assert_eq!(proof::verify(&header, &mut Solo::new(Backend::Portable)), Ok(bloom));
        let wins = ticket::meets(&header.block_hash(), seal.bloom_end + 1, template.difficulty);
        assert_eq!(Some(wins), row["wins"].as_bool(), "{row}");
    }
}

#[test]
fn attempts_with_broken_streak_have_their_hash() {
    for row in rows(&vectors(), "attempts_with_broken_streak") {
        let seal = Seal {
            extra_nonce: number(&row["extra_nonce"]),
            nonce: number(&row["nonce"]),
            bloom_end: number(&row["bloom_end"]),
            order: orders(row)[6],
            certificate_hash: bytes_32(row, "certificate_hash"),
        };
        assert_eq!(seal.block_hash(&bytes_32(row, "challenge")), bytes_32(row, "block_hash"));
    }
}

#[test]
fn genesis_blocks_are_the_networks_and_obey_the_rules() {
    let vectors = vectors();
    let rows = rows(&vectors, "genesis");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let params = Params::by_name(text(row, "network")).expect("one of the three");
        let block = &params.genesis;
        let header = &block.header;
        assert_eq!(block.encode(), bytes(row, "block"));
        assert_eq!(header.to_bytes().to_vec(), bytes(row, "header"));
        assert_eq!(header.challenge(), Challenge(bytes_32(row, "challenge")));
        assert_eq!(params.network_id, NetworkId(bytes_32(row, "block_hash")));
        assert_eq!(params.magic.to_vec(), bytes(row, "magic"));
        assert_eq!(block.coinbase.data(), text(row, "text").as_bytes());
        assert_eq!(header.template.merkle_root, MerkleRoot(bytes_32(row, "merkle_root")));
        assert_eq!(header.template.timestamp, Timestamp(number(&row["timestamp"])));
        assert_eq!(params.genesis_difficulty(), difficulty(row, "difficulty_q24"));
        let attempt = bloom_kernel::lucas::attempt(number(&row["attempt"]));
        assert_eq!(attempt, Some((number(&row["extra_nonce"]), number(&row["nonce"]))));
        assert_eq!(attempt, Some((header.seal.extra_nonce, header.seal.nonce)));
        let bloom = proof::verify(header, &mut Solo::new(Backend::Portable)).expect("a true proof");
        assert_eq!(bloom.end, number::<u32>(&row["bloom_end"]));
        assert_eq!(bloom.certificate().to_vec(), bytes(row, "certificate"));
        assert_eq!(rules::header::check_isolated(header), Ok(block.hash()));
        assert_eq!(check_body(block), Ok(()));
        assert_eq!(Block::decode(&bytes(row, "block")).as_ref(), Ok(block));
    }
}

#[test]
fn ledger_transactions() {
    let ledger = &vectors()["ledger"];
    let network = NetworkId(bytes_32(ledger, "network_id"));
    for row in rows(ledger, "transactions") {
        let encoded = bytes(row, "encoded");
        let transaction = Transaction::decode(&encoded).expect("in the one encoding");
        assert_eq!(transaction.encode(), encoded);
        assert_eq!(transaction.body().encode(), bytes(row, "body"));
        assert_eq!(transaction.body().not_before(), Height(number(&row["not_before"])));
        assert_eq!(transaction.txid().0, bytes_32(row, "txid"));
        assert_eq!(transaction.wtxid().0, bytes_32(row, "wtxid"));
        let output = |row: &Value| Output {
            amount: Amount::from_units(number(&row["amount"])),
            key: OutputKey(bytes_32(row, "key")),
        };
        let spent: Vec<Output> = rows(row, "spent").iter().map(output).collect();
        let common = signing::common(&network, transaction.body(), &spent).expect("one for each input");
        assert_eq!(common, bytes_32(row, "common"));
        let digests = rows(row, "digests");
        assert_eq!(digests.len(), transaction.signatures().len());
        for (i, digest) in (0..).zip(digests) {
            assert_eq!(hex::encode(signing::digest(&common, i)), digest.as_str().expect("hex"));
        }
        assert_eq!(check_transaction(&transaction), Ok(()));
        assert_eq!(signing::check_signatures(&network, &transaction, &spent), Ok(()));
    }
}

#[test]
fn ledger_refused_transactions_each_for_its_own_reason() {
    let ledger = &vectors()["ledger"];
    let rows = rows(ledger, "refused_transactions");
    assert_eq!(rows.len(), 12);
    for row in rows {
        let why = text(row, "why");
        let decoded = Transaction::decode(&bytes(row, "encoded"));
        let refused = match &decoded {
            Err(error) => matches!(
                (why, error),
                ("trailing byte", DecodeError::TrailingBytes { got: 1, .. })
                    | ("cut short", DecodeError::Truncated { what: "signature", .. })
                    | ("version 2", DecodeError::Version { got: 2, .. })
                    | ("input count 0", DecodeError::Shape(ShapeError::NoInputs))
                    | ("input count beyond the bytes", DecodeError::CountBeyondBytes { got: u32::MAX, .. })
                    | ("output count 0", DecodeError::Shape(ShapeError::NoOutputs))
            ),
            Ok(transaction) => matches!(
                (why, check_transaction(transaction).expect_err(why)),
                ("inputs out of order", V::InputsOutOfOrder { position: 1, .. })
                    | ("the same input twice", V::DuplicateInput { position: 1, .. })
                    | ("amount 0", V::ZeroOutput { position: 0 })
                    | ("key x = 0 is not on the curve", V::KeyNotOnCurve { position: 0, .. })
                    | ("key x = 5 is not on the curve", V::KeyNotOnCurve { position: 0, .. })
                    | ("key not below the field's prime", V::KeyNotOnCurve { position: 0, .. })
            ),
        };
        assert!(refused, "{why}: {decoded:?}");
    }
}

#[test]
fn ledger_coinbases() {
    let ledger = &vectors()["ledger"];
    for key in ["coinbase", "coinbase_empty"] {
        let encoded = bytes(&ledger[key], "encoded");
        let coinbase = Coinbase::decode(&encoded).expect("in the one encoding");
        assert_eq!(coinbase.encode(), encoded);
        assert_eq!(coinbase.id(), Txid(bytes_32(&ledger[key], "id")));
    }
}

#[test]
fn ledger_merkle_roots() {
    let ledger = &vectors()["ledger"];
    let coinbase = Txid(bytes_32(&ledger["coinbase"], "id"));
    let decode = |row: &Value| Transaction::decode(&bytes(row, "encoded")).expect("a transaction").wtxid();
    let wtxids: Vec<_> = rows(ledger, "transactions").iter().map(decode).collect();
    let roots = rows(ledger, "merkle_roots_of_coinbase_and_first_n");
    assert_eq!(roots.len(), wtxids.len() + 1);
    for (n, root) in roots.iter().enumerate() {
        let got = merkle::root(&coinbase, wtxids[..n].iter().copied());
        assert_eq!(got.to_string(), root.as_str().expect("hex"), "first {n}");
    }
}

#[test]
fn ledger_rewards() {
    for row in rows(&vectors()["ledger"], "reward") {
        assert_eq!(reward(Height(number(&row[0]))), Amount::from_units(number(&row[1])), "{row}");
    }
}

//! Merkle paths and the proofs built on them (attacks 16): what is proven was a leaf, at its place, under work that was done.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use bloom_consensus::inclusion::MOST_LEAVES;
use bloom_consensus::{
    Amount, Ancestor, Ancestors, Block, Body, Coinbase, Difficulty, Draft, Height, Included, MerklePath, Outpoint,
    Output, Params, PathError, PaymentProof, PaymentProofError, RuleViolation, Timestamp, Transaction, Txid, genesis,
    merkle,
};
use bloom_kernel::{Backend, Batch};

use super::common::key;

/// A transaction like no other; nobody looks at its signature.
fn transaction(n: u8) -> Transaction {
    let output = Output { amount: Amount::from_units(u64::from(n) + 1), key: key(1) };
    let body = Body::new(Height(0), vec![Outpoint { txid: Txid([n; 32]), index: 0 }], vec![output]).unwrap();
    Transaction::new(body, vec![[n; 64]]).unwrap()
}

/// A block of dev's genesis header with so many transactions.
fn block(transactions: u8) -> Block {
    let Block { header, coinbase, .. } = Params::dev().genesis;
    Block { header, coinbase, transactions: (0..transactions).map(transaction).collect() }
}

fn leaf_id(block: &Block, position: u32) -> [u8; 32] {
    match usize::try_from(position).unwrap().checked_sub(1) {
        None => block.coinbase.id().0,
        Some(at) => block.transactions[at].wtxid().0,
    }
}

#[test]
fn every_leaf_of_every_tree_has_its_path_and_no_other_leads_to_the_root() {
    for transactions in 0..18 {
        let block = block(transactions);
        let root = block.merkle_root();
        for position in 0..=u32::from(transactions) {
            let path = MerklePath::of(&block, position).unwrap();
            let id = leaf_id(&block, position);
            assert_eq!(path.root(&id), Ok(root), "{position} of {transactions}");
            for other in (0..=u32::from(transactions)).filter(|other| *other != position) {
                let moved = MerklePath { position: other, ..path.clone() };
                assert_ne!(moved.root(&id), Ok(root), "{position} of {transactions} passed for {other}");
                assert_ne!(path.root(&leaf_id(&block, other)), Ok(root));
            }
            for at in 0..path.siblings.len() {
                let mut spoiled = path.clone();
                spoiled.siblings[at][31] ^= 1;
                assert_ne!(spoiled.root(&id), Ok(root));
                let mut short = path.clone();
                short.siblings.remove(at);
                assert!(matches!(short.root(&id), Err(PathError::Length { .. })));
            }
            let mut long = path.clone();
            long.siblings.push([0; 32]);
            assert!(matches!(long.root(&id), Err(PathError::Length { .. })));
        }
        assert_eq!(MerklePath::of(&block, u32::from(transactions) + 1), None);
    }
}

#[test]
fn a_node_does_not_pass_for_a_leaf_whatever_the_path_claims() {
    let block = block(3);
    let [a, b, c, d] = [0, 1, 2, 3].map(|position| merkle::leaf(&leaf_id(&block, position)));
    let (left, right) = (merkle::node(&a, &b), merkle::node(&c, &d));
    for count in 1..8 {
        for position in 0..count {
            for (id, beside) in [(left, right), (right, left)] {
                let path = MerklePath { position, count, siblings: vec![beside] };
                assert_ne!(path.root(&id), Ok(block.merkle_root()));
            }
            let path = MerklePath { position, count, siblings: Vec::new() };
            assert_ne!(path.root(&block.merkle_root().0), Ok(block.merkle_root()));
        }
    }
}

#[test]
fn trees_that_no_block_has_are_refused() {
    let path = |position, count| MerklePath { position, count, siblings: Vec::new() };
    assert_eq!(path(0, 0).root(&[0; 32]), Err(PathError::Count { got: 0 }));
    assert_eq!(path(0, MOST_LEAVES + 1).root(&[0; 32]), Err(PathError::Count { got: MOST_LEAVES + 1 }));
    assert_eq!(path(0, u32::MAX).root(&[0; 32]), Err(PathError::Count { got: u32::MAX }));
    assert_eq!(path(7, 7).root(&[0; 32]), Err(PathError::Position { got: 7, count: 7 }));
}

/// Blocks on dev's genesis: all that a header has to know of them.
struct Line(Vec<Block>);

impl Ancestors for Line {
    type Error = std::convert::Infallible;

    fn at(&self, height: Height) -> Result<Ancestor, Self::Error> {
        let template = self.0[usize::try_from(height.0).unwrap()].header.template;
        Ok(Ancestor { timestamp: template.timestamp, difficulty: template.difficulty })
    }
}

/// A proof of the second of three transactions, with five blocks on it.
fn proof() -> PaymentProof {
    let params = Params::dev();
    let mut line = Line(vec![params.genesis.clone()]);
    for height in 1..=6 {
        let coinbase = Coinbase::new(Height(height), Vec::new(), Vec::new()).unwrap();
        let transactions = if height == 1 { (0..3).map(transaction).collect() } else { Vec::new() };
        let parent = line.0.last().unwrap().header;
        let time = Timestamp(parent.template.timestamp.0 + 1);
        let Ok(draft) = Draft::child(&params, &parent.as_parent(), &line, time, coinbase, transactions);
        line.0.push(genesis::forge(draft, &mut batch()));
    }
    let path = MerklePath::of(&line.0[1], 2).unwrap();
    let headers = line.0[1..].iter().map(|block| block.header).collect();
    PaymentProof { network_id: params.network_id, included: Included::Transaction(transaction(1)), path, headers }
}

fn batch() -> Box<Batch> {
    Box::new(Batch::new(Backend::detect()))
}

fn fault(proof: &PaymentProof) -> PaymentProofError {
    proof.verify(&Params::dev(), &mut batch()).expect_err("it is wrong")
}

#[test]
fn a_proof_tells_block_height_confirmations_and_work() {
    let proof = proof();
    let proven = proof.verify(&Params::dev(), &mut batch()).unwrap();
    assert_eq!(proven.block, proof.headers[0].block_hash());
    assert_eq!((proven.height, proven.confirmations), (Height(1), 6));
    assert_eq!(proven.work.to_string(), (6 * Difficulty::MIN.q24()).to_string());
    let fewer = PaymentProof { headers: proof.headers[..1].to_vec(), ..proof };
    assert_eq!(fewer.verify(&Params::dev(), &mut batch()).unwrap().confirmations, 1);
}

#[test]
fn each_wrong_proof_is_refused_for_its_own_reason() {
    type Wrong = fn(&mut PaymentProof);
    type Fits = fn(&PaymentProofError) -> bool;
    let cases: [(Wrong, Fits); 12] = [
        (|p| p.network_id.0[0] ^= 1, |e| matches!(e, PaymentProofError::Network { .. })),
        (|p| p.headers.clear(), |e| matches!(e, PaymentProofError::Headers { got: 0 })),
        (|p| p.headers = vec![p.headers[0]; 10_001], |e| matches!(e, PaymentProofError::Headers { got: 10_001 })),
        (|p| p.included = Included::Transaction(transaction(2)), |e| matches!(e, PaymentProofError::Root { .. })),
        (|p| p.path.position = 3, |e| matches!(e, PaymentProofError::Root { .. })),
        (|p| p.path.position = 0, |e| matches!(e, PaymentProofError::Place { position: 0 })),
        (|p| p.path.siblings.truncate(1), |e| matches!(e, PaymentProofError::Path(PathError::Length { .. }))),
        (leave_out_the_third, |e| matches!(e, PaymentProofError::Unlinked { number: 2 })),
        (|p| p.headers.swap(3, 4), |e| matches!(e, PaymentProofError::Unlinked { number: 3 })),
        (|p| p.headers[5].seal.nonce = 5, |e| matches!(e, PaymentProofError::Rule { number: 5, .. })),
        (|p| p.headers[5].template.version = 2, |e| matches!(e, PaymentProofError::Rule { number: 5, .. })),
        (spoil_proof, |e| matches!(e, PaymentProofError::FalseProof { number: 5, .. })),
    ];
    for (number, (wrong, fits)) in cases.into_iter().enumerate() {
        let mut proof = proof();
        wrong(&mut proof);
        let error = fault(&proof);
        assert!(fits(&error), "case {number}: {error}");
    }
}

fn leave_out_the_third(proof: &mut PaymentProof) {
    proof.headers.remove(2);
}

/// Claims another certificate in the last header, one whose ticket passes.
fn spoil_proof(proof: &mut PaymentProof) {
    let last = proof.headers.len() - 1;
    for n in 0..=u8::MAX {
        proof.headers[last].seal.certificate_hash = [n; 32];
        if !matches!(fault(proof), PaymentProofError::Rule { .. }) {
            return;
        }
    }
    panic!("some ticket passes at dev's difficulty");
}

#[test]
fn difficulties_are_held_against_the_network_and_the_headers_before() {
    let asked = |params: &Params| proof().verify(params, &mut batch()).expect_err("another difficulty is due");
    let difficulty = |error: PaymentProofError| match error {
        PaymentProofError::Rule { number, violation } => match *violation {
            RuleViolation::Difficulty { expected, .. } => (number, expected),
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    };
    // Headers of difficulty ¼ under rules that demand more: by the lowest, and by the rule where it can be reckoned.
    let dev = Params::dev();
    let strict = Params { min_difficulty: Difficulty::ONE, retarget: bloom_consensus::Retarget::Golden, ..dev.clone() };
    assert_eq!(difficulty(asked(&strict)), (0, Difficulty::ONE));
    let rising = Params { retarget: bloom_consensus::Retarget::AsertPhi, ..dev };
    let (number, expected) = difficulty(asked(&rising));
    assert_eq!(number, 1, "the first has no parent in the proof");
    assert!(expected > Difficulty::MIN);
}

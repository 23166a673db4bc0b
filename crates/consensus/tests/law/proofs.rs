//! Proofs: mined for real on dev, then falsified bit by bit (attacks 1, 2, 4 and 5).

use bloom_consensus::proof::{check_certificate, verify, verify_many};
use bloom_consensus::{
    CopyFault, Difficulty, Draft, FalseProof, Header, Params, Rejection, Seal, Timestamp, genesis, rules,
};
use bloom_kernel::{Backend, Batch, ROUNDS_MAX, Solo, initial_phases, lucas};

use crate::common::q24;

fn solo() -> Solo {
    Solo::new(Backend::Portable)
}

fn batch() -> Box<Batch> {
    Box::new(Batch::new(Backend::Portable))
}

fn draft(seed: u64, difficulty: Difficulty) -> Draft {
    Draft::genesis(seed.to_le_bytes().to_vec(), Timestamp(seed), difficulty).expect("8 bytes of data")
}

fn mined(seed: u64) -> Header {
    genesis::forge(draft(seed, Difficulty::MIN), &mut batch()).header
}

#[test]
fn mined_blocks_verify_alone_and_together() {
    let headers: Vec<Header> = (0..70).map(mined).collect();
    let together = verify_many(&headers, &mut batch());
    assert_eq!(together.len(), headers.len());
    for (header, bloom) in headers.iter().zip(together) {
        assert!(bloom.is_ok());
        assert_eq!(bloom, verify(header, &mut solo()));
        assert!(rules::header::check_isolated(header).is_ok());
    }
    assert_eq!(verify_many(&[], &mut batch()), []);
}

#[test]
fn forged_is_the_smallest_attempt_that_blooms_and_meets_its_difficulty() {
    for seed in 0..12 {
        let draft = draft(seed, if seed % 2 == 0 { Difficulty::MIN } else { q24(8 << 24) });
        let smallest = (0..)
            .find_map(|i| {
                let (extra_nonce, nonce) = lucas::attempt(i).expect("few attempts");
                Some((i, genesis::seal(draft.clone(), extra_nonce, nonce).ok()?))
            })
            .expect("one wins");
        let (i, block) = smallest;
        assert_eq!(genesis::forge(draft.clone(), &mut batch()), block);
        let search = |range| genesis::search(draft.template(), range, &mut batch()).map(|found| found.attempt);
        assert_eq!(search(0..i), None);
        assert_eq!(search(0..i + 1), Some(i));
        assert_eq!(search(i..u128::MAX), Some(i));
        assert!(search(i + 1..i + 5000).is_none_or(|next| next > i));
    }
}

#[test]
fn search_ends_where_the_extra_nonces_do() {
    let draft = draft(1, Difficulty::MAX);
    let last = 24 << 64;
    assert_eq!(genesis::search(draft.template(), last - 3..u128::MAX, &mut batch()), None);
}

#[test]
fn false_proofs_are_refused_for_what_is_false_and_condemn_the_header() {
    let good = mined(1);
    let Seal { bloom_end, order, certificate_hash, .. } = good.seal;
    let check = |change: &dyn Fn(&mut Seal)| {
        let mut header = good;
        change(&mut header.seal);
        let alone = verify(&header, &mut solo()).expect_err("a false proof");
        assert_eq!(verify_many(&[good, header, good], &mut batch())[1], Err(alone));
        assert!(Rejection::from(alone).condemns_header());
        alone
    };
    // bloom_end off by one either way: too early it has not bloomed, too late (an eighth round) it had.
    let early = check(&|seal| seal.bloom_end -= 1);
    assert_eq!(early, FalseProof::NoBloom { expected: bloom_end - 1 });
    let late = check(&|seal| seal.bloom_end += 1);
    assert_eq!(late, FalseProof::BloomEnd { got: bloom_end + 1, expected: bloom_end });
    let field = check(&|seal| seal.order.cos ^= 1);
    assert!(matches!(field, FalseProof::Order { expected, .. } if expected == order));
    let field = check(&|seal| seal.order.sin ^= 1 << 31);
    assert!(matches!(field, FalseProof::Order { expected, .. } if expected == order));
    let hash = check(&|seal| seal.certificate_hash[31] ^= 128);
    assert!(matches!(hash, FalseProof::CertificateHash { expected, .. } if expected == certificate_hash));
}

#[test]
fn seal_of_another_header_nonce_height_or_network_is_refused() {
    let good = mined(2);
    let changes: [&dyn Fn(&mut Header); 8] = [
        &|header| header.seal = mined(3).seal,
        &|header| header.template.height.0 += 1,
        &|header| header.template.prev_hash.0[0] ^= 1,
        &|header| header.template.prev_hash.0 = Params::test().network_id.0,
        &|header| header.template.merkle_root.0[31] ^= 1,
        &|header| header.template.timestamp.0 += 1,
        &|header| header.seal.extra_nonce ^= 1 << 63,
        &|header| header.template.difficulty = q24(Difficulty::MIN.q24() + 1),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut header = good;
        change(&mut header);
        assert!(verify(&header, &mut solo()).is_err(), "change {at}");
    }
}

#[test]
fn any_bit_of_a_header_changed_is_refused() {
    let good = mined(4);
    let bytes = good.to_bytes();
    let flipped = (0..bytes.len() * 8).filter_map(|bit| {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        Header::from_bytes(&bytes).ok() // else refused: no difficulty
    });
    let headers: Vec<Header> = flipped.collect();
    assert!(headers.len() > 156 * 8 - 128);
    for (header, verdict) in headers.iter().zip(verify_many(&headers, &mut batch())) {
        assert!(verdict.is_err(), "{header:?}");
    }
}

#[test]
fn bloom_end_beyond_the_last_round_does_not_lengthen_the_check() {
    // Uncoupled enough never to bloom early: claims of 5778 rounds and of 2³² cost the same, and are false.
    let mut header = mined(5);
    header.seal.bloom_end = u32::MAX;
    let expected = Err(FalseProof::BloomEnd { got: u32::MAX, expected: mined(5).seal.bloom_end });
    assert_eq!(verify(&header, &mut solo()), expected);
    assert_eq!(verify_many(&[header], &mut batch()), [expected]);
}

#[test]
fn certificate_handed_along_must_equal_the_rerun_and_condemns_only_its_copy() {
    let header = mined(6);
    let bloom = verify(&header, &mut solo()).expect("a true proof");
    let certificate = bloom.certificate();
    assert_eq!(check_certificate(&bloom, &certificate), Ok(()));
    for bit in 0..certificate.len() * 8 {
        let mut bytes = certificate;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let fault = check_certificate(&bloom, &bytes).expect_err("a bit differs");
        assert_eq!(fault, CopyFault::Certificate { at: bit / 8 });
        assert!(!Rejection::from(fault).condemns_header());
    }
    // No certificate brings its own length: eight rounds, or one oscillator more, are another length.
    for bytes in [&certificate[..315], &[&certificate[..], &[0; 8]].concat(), &[]] {
        assert!(check_certificate(&bloom, bytes).is_err());
    }
}

#[test]
fn genesis_that_does_not_bloom_or_win_is_refused() {
    let hard = draft(7, Difficulty::MAX);
    let lost = genesis::seal(hard.clone(), 0, 3).expect_err("2⁶⁴ is not met");
    assert!(lost.to_string().contains("does not meet difficulty 18446744073709551616"), "{lost}");
    let phases = initial_phases(&hard.challenge().0, 0, 2);
    assert!(solo().run(&phases, Difficulty::MAX, ROUNDS_MAX - 1).is_some());
    let lost = genesis::seal(hard, 0, 2).expect_err("2 is no Lucas nonce");
    assert_eq!(lost.to_string(), "nonce: got 2, expected one of the 24 Lucas nonces");
}

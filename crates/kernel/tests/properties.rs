//! What must hold of any phases and any difficulty: every backend is the reference, alone and in whatever company.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bloom_kernel::{
    Backend, BackendError, Batch, Bloom, CertificateError, CouplingTable, Difficulty, Feed, Order, ROUNDS_MAX, Seal,
    Solo, Start, coupling_q32, fixed, initial_phases, lucas, reference,
};
use common::backends;
use proptest::prelude::*;

fn difficulty() -> impl Strategy<Value = Difficulty> {
    let any = (22_u32..88, any::<u128>()).prop_map(|(top, bits)| 1_u128 << top | bits & ((1 << top) - 1));
    let edges = prop::sample::select(vec![1 << 22, (1 << 22) + 1, (1 << 24) - 1, 1 << 24, (1 << 88) - 1, 1 << 88]);
    prop_oneof![4 => any, 1 => edges].prop_map(|q24| Difficulty::from_q24(q24).unwrap())
}

/// Phases at random, in two heaps, close together, and at the borders of quarter turns.
fn phases() -> impl Strategy<Value = [u32; 63]> {
    let heaps = (any::<u32>(), any::<u32>(), 0_u32..32, any::<u64>()).prop_map(|(a, b, spread, which)| {
        std::array::from_fn(|i| {
            let centre = if which >> i & 1 == 1 { a } else { b };
            centre.wrapping_add((i as u32).wrapping_mul(0x9e37_79b9) >> spread)
        })
    });
    let borders = prop::collection::vec(0_u32..4, 63).prop_map(|quarters| {
        std::array::from_fn(|i| (quarters[i] << 30).wrapping_add((i as u32 % 5).wrapping_sub(2) << 15))
    });
    prop_oneof![2 => prop::array::uniform32(any::<u32>()).prop_flat_map(|head| {
        prop::array::uniform31(any::<u32>()).prop_map(move |tail| {
            std::array::from_fn(|i| if i < 32 { head[i] } else { tail[i - 32] })
        })
    }), 2 => heaps, 1 => borders]
}

fn start() -> impl Strategy<Value = (Start, Option<Bloom>)> {
    (phases(), difficulty(), 0_u32..6, 0_u32..3).prop_map(|(phases, difficulty, kind, off)| {
        let full = reference::run(&phases, &CouplingTable::new(difficulty), ROUNDS_MAX - 1);
        let end = full.as_ref().map_or(40, |bloom| bloom.end);
        // Mostly to the end; else stopped at it, short of it, or where no bloom can be.
        let last_round = match kind {
            0..3 => ROUNDS_MAX - 1,
            3 => end,
            4 => end.saturating_sub(1 + off),
            _ => off,
        };
        let bloom = full.filter(|bloom| bloom.end <= last_round);
        (Start { phases, difficulty, last_round, tag: 0 }, bloom)
    })
}

/// Hands out attempts and holds every outcome against the reference's.
struct Checked<'a> {
    attempts: &'a [(Start, Option<Bloom>)],
    next: usize,
    done: Vec<bool>,
}

impl Feed for Checked<'_> {
    fn next(&mut self) -> Option<Start> {
        let (start, _) = self.attempts.get(self.next)?;
        let tag = self.next as u64;
        self.next += 1;
        Some(Start { tag, ..start.clone() })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        assert_eq!(bloom, self.attempts[tag as usize].1);
        assert!(!std::mem::replace(&mut self.done[tag as usize], true), "an outcome comes once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// More attempts than lanes and more difficulties than tables, in slices of any length; then once more in the same
    /// batch, after half of it was thrown away.
    #[test]
    fn a_batch_is_the_reference(attempts in prop::collection::vec(start(), 1..70), slice in 1_u64..3_000) {
        for backend in backends() {
            let mut batch = Box::new(Batch::new(backend));
            let feed = || Checked { attempts: &attempts, next: 0, done: vec![false; attempts.len()] };
            batch.run(slice.min(200), &mut feed());
            batch.clear();
            let mut feed = feed();
            let mut rounds = 0;
            loop {
                let status = batch.run(slice, &mut feed);
                rounds += status.rounds;
                if status.live == 0 {
                    break;
                }
            }
            prop_assert!(feed.done.iter().all(|done| *done));
            let expected: u64 = attempts.iter()
                .map(|(start, bloom)| u64::from(bloom.as_ref().map_or(start.last_round + 1, Bloom::rounds)))
                .sum();
            prop_assert_eq!(rounds, expected);
        }
    }

    #[test]
    fn one_alone_is_the_reference(attempts in prop::collection::vec(start(), 1..12)) {
        for backend in backends() {
            let mut solo = Solo::new(backend);
            for (start, bloom) in &attempts {
                prop_assert_eq!(&solo.run(&start.phases, start.difficulty, start.last_round), bloom);
            }
        }
    }
}

proptest! {
    #[test]
    fn coupling_falls_to_its_floor(a in difficulty(), b in difficulty()) {
        prop_assert!(a > b || coupling_q32(a) >= coupling_q32(b));
        prop_assert!(coupling_q32(a) >= bloom_kernel::params::K_FLOOR_Q32);
    }

    /// exp2 undoes log2 but for what both floor: at most one part in 2³¹ and one unit.
    #[test]
    fn exp2_undoes_log2(x in 1_u128..1 << 88) {
        let back = u128::try_from(fixed::exp2_q32(fixed::log2_q32(x), 1)).unwrap();
        prop_assert!(back <= x && x - back <= (x >> 31) + 1, "{x} came back as {back}");
    }

    #[test]
    fn logarithm_and_power_do_not_fall(x in 1_u128..u128::MAX, e in -430_000_000_000_i64..430_000_000_000) {
        prop_assert!(fixed::log2_q32(x) <= fixed::log2_q32(x + 1));
        prop_assert!(fixed::exp2_q32(e, 12_345_678_901) <= fixed::exp2_q32(e + 1, 12_345_678_901));
    }

    #[test]
    fn doubling_is_the_recurrence(n in 0_u64..3_000) {
        let (mut a, mut b) = (2_u32, 1_u32);
        for _ in 0..n {
            (a, b) = (b, a.wrapping_add(b));
        }
        prop_assert_eq!(lucas::lucas_mod_2_32(n), a);
    }

    #[test]
    fn certificates_are_read_as_they_were_written(phases in phases(), end in 6_u32..ROUNDS_MAX, c: i32, s: i32) {
        let order = std::array::from_fn(|i| Order { cos: c.wrapping_add(i as i32), sin: s.wrapping_sub(i as i32) });
        let bloom = Bloom { end, order, phases };
        let bytes = bloom.certificate();
        prop_assert_eq!(Bloom::from_certificate(&bytes), Ok(bloom));
    }

    #[test]
    fn any_bit_of_a_seal_changes_the_hash(bit in 0_usize..56 * 8, extra_nonce: u64) {
        let bloom = Bloom { end: 6, order: [Order::default(); 7], phases: [0; 63] };
        let seal = Seal::new(extra_nonce, 3, &bloom);
        let mut bytes = seal.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(Seal::from_bytes(&bytes).block_hash(&[7; 32]), seal.block_hash(&[7; 32]));
    }
}

/// Every upper half of a phase, side by side and alone: one round of 63 of them has their waves in its sums.
#[test]
fn every_phase_has_the_references_waves() {
    let starts: Vec<[u32; 63]> =
        (0_u32..65_536).step_by(63).map(|top| std::array::from_fn(|i| (top + i as u32) << 16 | 0x1234)).collect();
    for backend in backends() {
        for uppers in &starts {
            // Five rounds: the waves of the first turn the phases of the second, and so on.
            let bloom = Solo::new(backend).run(uppers, Difficulty::ONE, 6);
            assert_eq!(bloom, reference::run(uppers, &CouplingTable::new(Difficulty::ONE), 6));
        }
        let attempts: Vec<_> = starts
            .iter()
            .map(|uppers| {
                let phases = std::array::from_fn(|i| uppers[i] & 0x00ff_ffff | uppers[0] & 0xff00_0000);
                let start = Start { phases, difficulty: Difficulty::ONE, last_round: 300, tag: 0 };
                let bloom = reference::run(&start.phases, &CouplingTable::new(Difficulty::ONE), 300);
                (start, bloom)
            })
            .collect();
        let mut feed = Checked { attempts: &attempts, next: 0, done: vec![false; attempts.len()] };
        let mut batch = Box::new(Batch::new(backend));
        while batch.run(1_000, &mut feed).live > 0 {}
        assert!(feed.done.iter().all(|done| *done));
    }
}

#[test]
fn a_backend_that_cannot_be_had_is_an_error() {
    assert_eq!(Backend::from_name("sse9"), Err(BackendError::Unknown));
    assert_eq!(Backend::from_name("AVX2"), Err(BackendError::Unknown));
    for backend in Backend::ALL {
        let expected = if backend.is_available() { Ok(backend) } else { Err(BackendError::Unavailable(backend)) };
        assert_eq!(Backend::from_name(backend.name()), expected);
    }
    assert!(Backend::detect().is_available());
}

#[test]
fn certificates_of_impossible_rounds_are_refused() {
    let bytes = Bloom { end: 6, order: [Order::default(); 7], phases: [0; 63] }.certificate();
    let with = |start: u32, end: u32| {
        let mut bytes = bytes;
        bytes[..4].copy_from_slice(&start.to_le_bytes());
        bytes[4..8].copy_from_slice(&end.to_le_bytes());
        Bloom::from_certificate(&bytes)
    };
    assert_eq!(with(u32::MAX, 5), Err(CertificateError::End { got: 5 }));
    assert_eq!(with(5_772, 5_778), Err(CertificateError::End { got: 5_778 }));
    assert_eq!(with(1, 6), Err(CertificateError::Start { got: 1, expected: 0 }));
    assert_eq!(with(0, 7), Err(CertificateError::Start { got: 0, expected: 1 }));
    assert!(with(5_771, 5_777).is_ok());
}

#[test]
fn nonces_and_attempts() {
    assert!(lucas::NONCES.iter().all(|nonce| lucas::is_nonce(*nonce)));
    assert!([0, 2, 5, u32::MAX].iter().all(|other| !lucas::is_nonce(*other)));
    assert_eq!(lucas::attempt(0), Some((0, 3)));
    assert_eq!(lucas::attempt(24 * 7 + 1), Some((7, 1)));
    let last = 24 * (1_u128 << 64) - 1;
    assert_eq!(lucas::attempt(last), Some((u64::MAX, lucas::NONCES[23])));
    assert_eq!(lucas::attempt(last + 1), None);
    assert_ne!(initial_phases(&[0; 32], 0, 3), initial_phases(&[0; 32], 1, 3));
    assert_ne!(initial_phases(&[0; 32], 0, 3), initial_phases(&[0; 32], 0, 1));
}

//! The guide's functions of difficulty, with the law's meaning and in exact integers.

use bloom_consensus::{Difficulty, difficulty::golden};
use bloom_kernel::coupling_q32;

/// The golden rule on the times between recent blocks, in seconds: D·clamp((420 s / average)^τ, ¼, 4), within ¼ … 2⁶⁴.
/// Without any times difficulty stays. A chain retargets by its own rule; this is the guide's function by itself.
#[must_use]
pub fn calculate_new_difficulty(current: Difficulty, block_times_secs: &[u64]) -> Difficulty {
    let intervals = block_times_secs.len() as u64;
    if intervals == 0 {
        return current;
    }
    let elapsed = block_times_secs.iter().fold(0_u64, |sum, secs| sum.saturating_add(*secs));
    golden(current, intervals, elapsed.max(1), Difficulty::MIN)
}

/// Coupling K(D) in Q32: K_floor + (K_base − K_floor)·D^−τ (law §2).
#[must_use]
pub fn difficulty_to_coupling(difficulty: Difficulty) -> u64 {
    coupling_q32(difficulty)
}

/// The lowest difficulty whose coupling is at most `coupling_q32`; `None` below the floor, which no difficulty reaches.
/// A coupling above that of difficulty ¼ gives ¼.
#[must_use]
pub fn coupling_to_difficulty(coupling_q32: u64) -> Option<Difficulty> {
    let q24 = |q24: u128| Difficulty::from_q24(q24).expect("between the lowest and the highest");
    let (mut low, mut high) = (Difficulty::MIN.q24(), Difficulty::MAX.q24());
    if difficulty_to_coupling(Difficulty::MAX) > coupling_q32 {
        return None;
    }
    while low < high {
        let middle = low.midpoint(high);
        if difficulty_to_coupling(q24(middle)) <= coupling_q32 {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(q24(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn difficulty() -> impl Strategy<Value = Difficulty> {
        (22_u32..88, any::<u128>()).prop_map(|(top, bits)| {
            let q24 = 1_u128 << top | bits & ((1 << top) - 1);
            Difficulty::from_q24(q24).unwrap()
        })
    }

    proptest! {
        #[test]
        fn coupling_falls_as_difficulty_rises(a in difficulty(), b in difficulty()) {
            prop_assert!(a > b || difficulty_to_coupling(a) >= difficulty_to_coupling(b));
        }

        /// The inverse is exact: the same coupling, and the lowest difficulty that has it.
        #[test]
        fn inverse_of_coupling(d in difficulty()) {
            let coupling = difficulty_to_coupling(d);
            let back = coupling_to_difficulty(coupling).unwrap();
            prop_assert!(back <= d);
            prop_assert_eq!(difficulty_to_coupling(back), coupling);
            if let Ok(below) = Difficulty::from_q24(back.q24() - 1) {
                prop_assert!(difficulty_to_coupling(below) > coupling);
            }
        }

        #[test]
        fn difficulty_follows_block_times(d in difficulty(), secs in 1_u64..100_000) {
            let new = calculate_new_difficulty(d, &[secs; 123]);
            prop_assert!(secs > 420 && new <= d || secs <= 420 && new >= d);
        }
    }

    #[test]
    fn edges() {
        assert_eq!(calculate_new_difficulty(Difficulty::ONE, &[]), Difficulty::ONE);
        assert_eq!(calculate_new_difficulty(Difficulty::ONE, &[420; 123]), Difficulty::ONE);
        assert_eq!(calculate_new_difficulty(Difficulty::ONE, &[0; 5]).q24(), 4 << 24);
        assert_eq!(calculate_new_difficulty(Difficulty::ONE, &[u64::MAX; 5]), Difficulty::MIN);
        assert_eq!(coupling_to_difficulty(u64::MAX), Some(Difficulty::MIN));
        assert_eq!(coupling_to_difficulty(2_654_435_768), None);
        assert_eq!(coupling_to_difficulty(difficulty_to_coupling(Difficulty::ONE)), Some(Difficulty::ONE));
    }
}

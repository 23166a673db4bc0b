//! Known answers that a backend gives before its results are believed: a miner or verifier on broken silicon, or on a
//! wrong build, must notice before anybody else does.

use crate::backend::Backend;
use crate::backend::batch::{Batch, Feed, Start};
use crate::backend::solo::Solo;
use crate::bloom::{Bloom, certificate_hash};
use crate::difficulty::Difficulty;
use crate::lucas;
use crate::params::ROUNDS_MAX;
use crate::seed::initial_phases;

/// Attempts of the self-test: more than a batch has lanes, so that lanes are refilled.
const ATTEMPTS: usize = 48;
const CHALLENGE: &[u8; 32] = b"bloomcoin kernel self-test v1...";
/// BLAKE3 over the certificate hashes of the attempts in order, as the reference gives them.
const EXPECTED: [u8; 32] = [
    170, 135, 25, 229, 244, 3, 235, 158, 67, 185, 223, 158, 82, 252, 243, 216, 92, 42, 155, 149, 209, 78, 246, 21, 41,
    231, 250, 226, 228, 20, 201, 10,
];

/// A backend that disagrees with the known answers: its results must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("backend {backend} gives wrong answers on this machine: do not mine or verify with it, choose another")]
pub struct SelfTestError {
    /// The backend.
    pub backend: Backend,
}

impl Backend {
    /// Runs known attempts of many difficulties, side by side and alone.
    ///
    /// # Errors
    /// [`SelfTestError`] when any outcome differs from the reference's.
    pub fn self_test(self) -> Result<(), SelfTestError> {
        let mut batch = Answers::default();
        let mut lanes = Batch::new(self);
        while lanes.run(u64::from(ROUNDS_MAX), &mut batch).live > 0 {}
        let mut alone = Answers::default();
        let mut solo = Solo::new(self);
        while let Some(start) = alone.next() {
            let bloom = solo.run(&start.phases, start.difficulty, start.last_round);
            alone.finish(start.tag, bloom);
        }
        if batch.digest() == EXPECTED && alone.digest() == EXPECTED {
            Ok(())
        } else {
            Err(SelfTestError { backend: self })
        }
    }
}

/// The attempts of the self-test as a feed, and what came of them.
struct Answers {
    asked: u64,
    certificates: [[u8; 32]; ATTEMPTS],
}

impl Default for Answers {
    fn default() -> Self {
        Self { asked: 0, certificates: [[0; 32]; ATTEMPTS] }
    }
}

impl Answers {
    fn digest(&self) -> [u8; 32] {
        *blake3::hash(self.certificates.as_flattened()).as_bytes()
    }
}

impl Feed for Answers {
    fn next(&mut self) -> Option<Start> {
        let tag = self.asked;
        self.certificates.get(usize::try_from(tag).ok()?)?;
        self.asked = tag.wrapping_add(1);
        let (extra_nonce, nonce) = lucas::attempt(u128::from(tag))?;
        // Three attempts at each difficulty ¼, 1, 4, … 4¹⁴.
        let exponent = (tag as u32 % 16).wrapping_mul(2);
        let difficulty = Difficulty::from_q24(Difficulty::MIN.q24().wrapping_shl(exponent)).ok()?;
        let phases = initial_phases(CHALLENGE, extra_nonce, nonce);
        Some(Start { phases, difficulty, last_round: ROUNDS_MAX.wrapping_sub(1), tag })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        let slot = usize::try_from(tag).ok().and_then(|tag| self.certificates.get_mut(tag));
        if let (Some(slot), Some(bloom)) = (slot, bloom) {
            *slot = certificate_hash(&bloom.certificate());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answers, EXPECTED};
    use crate::backend::Backend;
    use crate::backend::batch::Feed;
    use crate::coupling::CouplingTable;
    use crate::reference;

    #[test]
    fn the_reference_gives_the_known_answers() {
        let mut answers = Answers::default();
        while let Some(start) = answers.next() {
            let bloom = reference::run(&start.phases, &CouplingTable::new(start.difficulty), start.last_round);
            answers.finish(start.tag, bloom);
        }
        assert_eq!(answers.digest(), EXPECTED);
    }

    #[test]
    fn every_backend_of_this_machine_gives_them_too() {
        for backend in Backend::available() {
            assert_eq!(backend.self_test(), Ok(()));
        }
    }
}

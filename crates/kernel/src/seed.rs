//! Initial phases of an attempt (law §3).

use blake3::Hasher;

use crate::params::OSCILLATORS;

/// BLAKE3 context of the oscillators' seed.
pub const OSCILLATOR_CONTEXT: &str = "bloomcoin v1 oscillators";

/// Phases of ω_1 … ω_63 at round 0, in units of 2⁻³² turn: the first 252 bytes of the XOF over
/// challenge ‖ extra_nonce ‖ nonce.
#[must_use]
pub fn initial_phases(challenge: &[u8; 32], extra_nonce: u64, nonce: u32) -> [u32; OSCILLATORS] {
    Seeder::new(challenge).phases(extra_nonce, nonce)
}

/// Seeds many attempts of one challenge: the keyed hasher is prepared once.
#[derive(Clone, Debug)]
pub struct Seeder {
    keyed: Hasher,
    challenge: [u8; 32],
}

impl Seeder {
    /// A seeder for attempts on `challenge`.
    #[must_use]
    pub fn new(challenge: &[u8; 32]) -> Self {
        Self { keyed: Hasher::new_derive_key(OSCILLATOR_CONTEXT), challenge: *challenge }
    }

    /// As [`initial_phases`].
    #[must_use]
    pub fn phases(&self, extra_nonce: u64, nonce: u32) -> [u32; OSCILLATORS] {
        let mut input = [0; 44];
        let (challenge, rest) = input.split_at_mut(32);
        let (extra, lucas) = rest.split_at_mut(8);
        challenge.copy_from_slice(&self.challenge);
        extra.copy_from_slice(&extra_nonce.to_le_bytes());
        lucas.copy_from_slice(&nonce.to_le_bytes());
        let mut bytes = [0; OSCILLATORS * 4];
        self.keyed.clone().update(&input).finalize_xof().fill(&mut bytes);
        let mut phases = [0; OSCILLATORS];
        for (phase, four) in phases.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *phase = u32::from_le_bytes(*four);
        }
        phases
    }
}

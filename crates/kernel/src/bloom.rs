//! What an attempt ends in: a bloom, its certificate, and the seal that commits a block to it (law §2 and §3).

use blake3::Hasher;

use crate::params::{BLOOM_ROUNDS, COHERENT_R2, OSCILLATORS, ROUNDS_MAX};

/// BLAKE3 context of a certificate's hash.
pub const CERTIFICATE_CONTEXT: &str = "bloomcoin v1 certificate";
/// BLAKE3 context of a block's hash.
pub const BLOCK_CONTEXT: &str = "bloomcoin v1 block";
/// Bytes of an encoded certificate.
pub const CERTIFICATE_BYTES: usize = 8 + 8 * BLOOM_ROUNDS as usize + 4 * OSCILLATORS;
/// Bytes of an encoded seal.
pub const SEAL_BYTES: usize = 8 + 4 + 4 + 4 + 4 + 32;

const _: () = assert!(CERTIFICATE_BYTES == 316 && SEAL_BYTES == 56);

/// The mean field of one round: C = Σ cos and S = Σ sin over the oscillators, in Q15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// C, the sum of cosines.
    pub cos: i32,
    /// S, the sum of sines.
    pub sin: i32,
}

impl Order {
    /// R2 = C² + S², from which the order parameter is r = √R2 / (63·32767).
    #[inline(always)]
    #[must_use]
    pub fn r2(self) -> u64 {
        let (c, s) = (i64::from(self.cos), i64::from(self.sin));
        c.wrapping_mul(c).wrapping_add(s.wrapping_mul(s)).cast_unsigned()
    }

    /// Whether r ≥ z_c = √3/2.
    #[inline(always)]
    #[must_use]
    pub fn is_coherent(self) -> bool {
        self.r2() >= COHERENT_R2
    }
}

/// Seven coherent rounds in a row: the first such of its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bloom {
    /// bloom_end: the last of the seven rounds, 6 … 5777.
    pub end: u32,
    /// The mean field of the seven rounds, in order.
    pub order: [Order; BLOOM_ROUNDS as usize],
    /// The phases at the start of round `end`, in units of 2⁻³² turn.
    pub phases: [u32; OSCILLATORS],
}

/// Bytes that are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The end is not a round at which an attempt can bloom.
    #[error("certificate ends at round {got}, expected 6 to 5777")]
    End {
        /// bloom_end as claimed.
        got: u32,
    },
    /// Start and end are not seven rounds.
    #[error("certificate starts at round {got}, expected {expected}, six before its end")]
    Start {
        /// bloom_start as claimed.
        got: u32,
        /// The only start that fits the end.
        expected: u32,
    },
}

impl Bloom {
    /// bloom_start: the first of the seven rounds.
    #[must_use]
    pub fn start(&self) -> u32 {
        self.end.wrapping_sub(BLOOM_ROUNDS - 1)
    }

    /// Rounds simulated, bloom_end + 1: what the ticket is weighted by.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.end.wrapping_add(1)
    }

    /// bloom_start ‖ bloom_end ‖ 7 × (C ‖ S) ‖ 63 × final phase, little-endian.
    #[must_use]
    pub fn certificate(&self) -> [u8; CERTIFICATE_BYTES] {
        let mut bytes = [0; CERTIFICATE_BYTES];
        let order = self.order.iter().flat_map(|o| [o.cos.cast_unsigned(), o.sin.cast_unsigned()]);
        let words = [self.start(), self.end].into_iter().chain(order).chain(self.phases);
        for (four, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *four = word.to_le_bytes();
        }
        bytes
    }

    /// Reads a certificate. That its rounds are coherent and follow from a challenge is not looked at: only a re-run
    /// tells, and a certificate must equal it byte for byte (law §5).
    ///
    /// # Errors
    /// [`CertificateError`] where the two round numbers cannot be a bloom's.
    pub fn from_certificate(bytes: &[u8; CERTIFICATE_BYTES]) -> Result<Self, CertificateError> {
        let mut words = bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four));
        let mut word = || words.next().expect("316 bytes are 79 words");
        let (start, end) = (word(), word());
        if !(BLOOM_ROUNDS - 1..ROUNDS_MAX).contains(&end) {
            return Err(CertificateError::End { got: end });
        }
        let expected = end.wrapping_sub(BLOOM_ROUNDS - 1);
        if start != expected {
            return Err(CertificateError::Start { got: start, expected });
        }
        let order = core::array::from_fn(|_| Order { cos: word().cast_signed(), sin: word().cast_signed() });
        let phases = core::array::from_fn(|_| word());
        Ok(Self { end, order, phases })
    }
}

/// certificate_hash: what a seal commits to.
#[must_use]
pub fn certificate_hash(certificate: &[u8; CERTIFICATE_BYTES]) -> [u8; 32] {
    *Hasher::new_derive_key(CERTIFICATE_CONTEXT).update(certificate).finalize().as_bytes()
}

/// The 56 bytes that tie a bloom to a challenge; with the challenge they hash to the block's ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Opens the nonce space beyond the 24 Lucas nonces.
    pub extra_nonce: u64,
    /// One of [`crate::lucas::NONCES`].
    pub nonce: u32,
    /// The round at which the bloom was complete.
    pub bloom_end: u32,
    /// The mean field of that round.
    pub order: Order,
    /// Hash of the 316-byte certificate.
    pub certificate_hash: [u8; 32],
}

impl Seal {
    /// The seal of a bloom that grew from this nonce pair.
    #[must_use]
    pub fn new(extra_nonce: u64, nonce: u32, bloom: &Bloom) -> Self {
        let [.., order] = bloom.order;
        let certificate_hash = certificate_hash(&bloom.certificate());
        Self { extra_nonce, nonce, bloom_end: bloom.end, order, certificate_hash }
    }

    /// extra_nonce ‖ nonce ‖ bloom_end ‖ C ‖ S ‖ certificate_hash, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        let (extra, rest) = bytes.split_at_mut(8);
        let (words, hash) = rest.split_at_mut(16);
        extra.copy_from_slice(&self.extra_nonce.to_le_bytes());
        let Order { cos, sin } = self.order;
        let fields = [self.nonce, self.bloom_end, cos.cast_unsigned(), sin.cast_unsigned()];
        for (four, field) in words.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *four = field.to_le_bytes();
        }
        hash.copy_from_slice(&self.certificate_hash);
        bytes
    }

    /// Reads a seal. Every 56 bytes are one; whether it is true is for the verifier to say.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; SEAL_BYTES]) -> Self {
        let mut words = bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four));
        let mut word = || words.next().expect("56 bytes are 14 words");
        let extra_nonce = u64::from(word()) | u64::from(word()) << 32;
        let (nonce, bloom_end) = (word(), word());
        let order = Order { cos: word().cast_signed(), sin: word().cast_signed() };
        let mut certificate_hash = [0; 32];
        for four in certificate_hash.as_chunks_mut::<4>().0 {
            *four = word().to_le_bytes();
        }
        Self { extra_nonce, nonce, bloom_end, order, certificate_hash }
    }

    /// The hash of the block with this challenge and seal, the bloom's ticket against the difficulty.
    #[must_use]
    pub fn block_hash(&self, challenge: &[u8; 32]) -> [u8; 32] {
        *Hasher::new_derive_key(BLOCK_CONTEXT).update(challenge).update(&self.to_bytes()).finalize().as_bytes()
    }
}

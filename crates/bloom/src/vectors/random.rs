//! Numbers that look random and follow from a text: a BLAKE3 stream, the same on every machine.

use blake3::OutputReader;
use bloom_consensus::Difficulty;

/// BLAKE3 context of everything that is made from a tag.
const CONTEXT: &str = "bloomcoin v1 vectors";

/// The stream of one section of one tag.
pub(super) struct Random(OutputReader);

impl Random {
    pub(super) fn new(tag: &str, section: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        // The length keeps apart what tag and section could share.
        hasher.update(&(tag.len() as u64).to_le_bytes()).update(tag.as_bytes()).update(section.as_bytes());
        Self(hasher.finalize_xof())
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// An index below `end`, which is small: that some are likelier by 2⁻⁴⁰ does no harm.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.u64() % end as u64) as usize
    }

    /// An integer of at most so many bits, 1 to 128.
    pub(super) fn bits(&mut self, bits: u32) -> u128 {
        u128::from_le_bytes(self.bytes()) >> (128 - bits)
    }

    /// A difficulty, as likely in one octave as in another.
    pub(super) fn difficulty(&mut self) -> Difficulty {
        let octave = 22 + self.below(66) as u32;
        let q24 = (1_u128 << octave) | self.bits(octave);
        Difficulty::from_q24(q24).expect("2^22 to 2^88 - 1 are difficulties")
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn streams_follow_from_tag_and_section_alone() {
        let first = |tag, section| Random::new(tag, section).u64();
        assert_eq!(first("a", "b"), first("a", "b"));
        let others = [("a", "c"), ("b", "b"), ("ab", ""), ("", "ab")];
        assert!(others.iter().all(|(tag, section)| first(tag, section) != first("a", "b")));
    }
}

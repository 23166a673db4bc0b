//! The guide's nonce generator: Lucas nonces in the order in which attempts use them.

use bloom_kernel::lucas::NONCES;

/// Yields the nonces tr(R^{L_(i mod 24)}) mod 2³² for i = 0, 1, 2, … (law §3). The 24 values are computed by the
/// compiler, by doubling, so that every call is a look-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LucasNonceGenerator {
    index: u64,
}

impl LucasNonceGenerator {
    /// A generator at index 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The nonce at the present index, which then moves on by one.
    #[expect(
        clippy::should_implement_trait,
        reason = "the guide's name; the sequence never ends, so it yields no Option"
    )]
    pub fn next(&mut self) -> u32 {
        let nonce = self.get(self.index);
        self.skip(1);
        nonce
    }

    /// The nonce at `index`; the present index stays.
    #[must_use]
    pub fn get(&self, index: u64) -> u32 {
        NONCES[(index % NONCES.len() as u64) as usize]
    }

    /// Back to index 0.
    pub fn reset(&mut self) {
        self.index = 0;
    }

    /// Moves on by `n`. The sequence repeats every 24, and so does the index before it could overflow.
    pub fn skip(&mut self, n: u64) {
        let cycle = NONCES.len() as u64;
        self.index = (self.index + n % cycle) % cycle;
    }
}

#[cfg(test)]
mod tests {
    use super::LucasNonceGenerator;
    use bloom_kernel::lucas::NONCES;

    #[test]
    fn yields_the_nonces_in_order_again_and_again() {
        let mut generator = LucasNonceGenerator::new();
        for i in 0..72 {
            assert_eq!(generator.get(i), NONCES[i as usize % 24]);
            assert_eq!(generator.next(), generator.get(i));
        }
    }

    #[test]
    fn skips_and_resets() {
        let mut generator = LucasNonceGenerator::new();
        generator.skip(u64::MAX);
        generator.skip(u64::MAX);
        assert_eq!(generator.next(), NONCES[(2 * (u64::MAX % 24) % 24) as usize]);
        generator.reset();
        assert_eq!(generator, LucasNonceGenerator::new());
        assert_eq!((0..24).map(|_| generator.next()).collect::<Vec<_>>(), NONCES);
    }
}

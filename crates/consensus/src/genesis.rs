//! Genesis blocks, made the same everywhere: the smallest attempt that blooms and meets its difficulty (law §6).

use std::ops::Range;

use bloom_kernel::{Backend, Batch, Bloom, Feed, ROUNDS_MAX, Seal, Solo, Start, initial_phases, lucas};

use crate::{Block, BlockHash, Draft, Header, RuleViolation, Template, rules, ticket};

/// Attempts between two looks at whether one has won.
const STRIDE: u128 = 4096;

/// Nonces that yield no genesis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The attempt is void.
    #[error("attempt with extra_nonce {extra_nonce} and nonce {nonce} does not bloom")]
    NoBloom {
        /// As given.
        extra_nonce: u64,
        /// As given.
        nonce: u32,
    },
    /// The block breaks a rule: mostly that its ticket does not meet its difficulty.
    #[error(transparent)]
    Rule(#[from] RuleViolation),
}

/// An attempt that won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// i of law §3.
    pub attempt: u128,
    /// The seal of its bloom.
    pub seal: Seal,
}

/// Runs the attempt with these nonces at a draft and seals it.
///
/// # Errors
/// [`GenesisError`] unless it blooms, has a Lucas nonce and meets the difficulty.
pub fn seal(draft: Draft, extra_nonce: u64, nonce: u32) -> Result<Block, GenesisError> {
    let template = draft.template();
    let phases = initial_phases(&template.challenge().0, extra_nonce, nonce);
    let bloom = Solo::new(Backend::Portable).run(&phases, template.difficulty, ROUNDS_MAX.wrapping_sub(1));
    let bloom = bloom.ok_or(GenesisError::NoBloom { extra_nonce, nonce })?;
    let seal = Seal::new(extra_nonce, nonce, &bloom);
    rules::header::check_isolated(&Header { template: *template, seal })?;
    Ok(draft.seal(seal))
}

/// Makes the one genesis of a draft, on one thread: main's takes minutes. `batch` is emptied first.
#[must_use]
pub fn forge(draft: Draft, batch: &mut Batch) -> Block {
    let mut start: u128 = 0;
    loop {
        let end = start.saturating_add(STRIDE);
        if let Some(found) = search(draft.template(), start..end, batch) {
            return draft.seal(found.seal);
        }
        start = end;
    }
}

/// The smallest winning attempt of a range, if it has one; threads may search ranges side by side and take the smallest
/// answer. `batch` is emptied first.
#[must_use]
pub fn search(template: &Template, attempts: Range<u128>, batch: &mut Batch) -> Option<Found> {
    let challenge = template.challenge().0;
    let mut search = Search { template, challenge, start: attempts.start, next: attempts.start, attempts, found: None };
    batch.clear();
    while batch.run(u64::from(ROUNDS_MAX), &mut search).live > 0 {}
    search.found
}

/// Feeds attempts in ascending order until one has won; those under way by then are still finished, and the smallest
/// winner stays.
struct Search<'a> {
    template: &'a Template,
    challenge: [u8; 32],
    start: u128,
    next: u128,
    attempts: Range<u128>,
    found: Option<Found>,
}

impl Search<'_> {
    fn has_more(&self) -> bool {
        self.found.is_none() && self.next < self.attempts.end && lucas::attempt(self.next).is_some()
    }
}

impl Feed for Search<'_> {
    fn next(&mut self) -> Option<Start> {
        if !self.has_more() {
            return None;
        }
        let (extra_nonce, nonce) = lucas::attempt(self.next)?;
        let phases = initial_phases(&self.challenge, extra_nonce, nonce);
        let tag = u64::try_from(self.next.checked_sub(self.start)?).ok()?;
        self.next = self.next.saturating_add(1);
        Some(Start { phases, difficulty: self.template.difficulty, last_round: ROUNDS_MAX.wrapping_sub(1), tag })
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        let attempt = self.start.saturating_add(u128::from(tag));
        let (Some(bloom), Some((extra_nonce, nonce))) = (bloom, lucas::attempt(attempt)) else { return };
        let seal = Seal::new(extra_nonce, nonce, &bloom);
        let hash = BlockHash(seal.block_hash(&self.challenge));
        let smallest = self.found.is_none_or(|found| attempt < found.attempt);
        if smallest && ticket::meets(&hash, bloom.rounds(), self.template.difficulty) {
            self.found = Some(Found { attempt, seal });
        }
    }
}

//! Headers, in isolation and in the context of their ancestors (law §3 to §5).

use bloom_kernel::{BLOOM_ROUNDS, ROUNDS_MAX, lucas};

use crate::constants::VERSION;
use crate::difficulty::{Ancestors, next_difficulty};
use crate::{BlockHash, CheckError, Header, Height, Params, Parent, RuleViolation, Template, Timestamp, ticket};

/// Everything about a header but its proof, in the law's order: ranges, version, height, nonce, difficulty, time, and
/// the ticket on the header as claimed. Yields the block's hash, which the ticket needs.
///
/// # Errors
/// [`CheckError::Rule`] for the first rule violated, [`CheckError::Store`] for an ancestor that could not be read.
pub fn check<A: Ancestors>(
    params: &Params,
    header: &Header,
    parent: &Parent,
    ancestors: &A,
) -> Result<BlockHash, CheckError<A::Error>> {
    let hash = header.block_hash();
    let template = &header.template;
    bloom_end(header)?;
    version(template)?;
    prev_hash(template, parent)?;
    height(template, parent.height)?;
    nonce(header)?;
    difficulty(params, template, parent.height, ancestors)?;
    timestamp(template, parent.height, ancestors)?;
    meets_ticket(header, &hash)?;
    Ok(hash)
}

/// What of [`check`] does not need the seal: what a miner's template must be before it is worth working on.
///
/// # Errors
/// As [`check`].
pub fn check_template<A: Ancestors>(
    params: &Params,
    template: &Template,
    parent: &Parent,
    ancestors: &A,
) -> Result<(), CheckError<A::Error>> {
    version(template)?;
    prev_hash(template, parent)?;
    height(template, parent.height)?;
    difficulty(params, template, parent.height, ancestors)?;
    timestamp(template, parent.height, ancestors)
}

/// What can be said of a header whose parent is unknown: that it must have cost work before it is worth keeping.
///
/// # Errors
/// The first rule violated.
pub fn check_isolated(header: &Header) -> Result<BlockHash, RuleViolation> {
    let hash = header.block_hash();
    bloom_end(header)?;
    version(&header.template)?;
    nonce(header)?;
    meets_ticket(header, &hash)?;
    Ok(hash)
}

/// "6 ≤ bloom_end ≤ 5777": it weighs the ticket and bounds the re-run, so it is held against the law first.
fn bloom_end(header: &Header) -> Result<(), RuleViolation> {
    let got = header.seal.bloom_end;
    if !(BLOOM_ROUNDS.wrapping_sub(1)..ROUNDS_MAX).contains(&got) {
        return Err(RuleViolation::BloomEnd { got });
    }
    Ok(())
}

/// "version is 1."
fn version(template: &Template) -> Result<(), RuleViolation> {
    let got = template.version;
    if got != VERSION {
        return Err(RuleViolation::Version { got });
    }
    Ok(())
}

/// A header is bound to its branch through prev_hash alone.
fn prev_hash(template: &Template, parent: &Parent) -> Result<(), RuleViolation> {
    let (got, expected) = (template.prev_hash, parent.hash);
    if got != expected {
        return Err(RuleViolation::PrevHash { got, expected });
    }
    Ok(())
}

/// "height = parent's + 1"
fn height(template: &Template, parent: Height) -> Result<(), RuleViolation> {
    let got = template.height;
    if Some(got) != parent.next() {
        return Err(RuleViolation::Height { got, parent });
    }
    Ok(())
}

/// "nonce must be one of the 24 values"
fn nonce(header: &Header) -> Result<(), RuleViolation> {
    let got = header.seal.nonce;
    if !lucas::is_nonce(got) {
        return Err(RuleViolation::Nonce { got });
    }
    Ok(())
}

/// "Difficulty is a function of a block's ancestors and of nothing else."
fn difficulty<A: Ancestors>(
    params: &Params,
    template: &Template,
    parent: Height,
    ancestors: &A,
) -> Result<(), CheckError<A::Error>> {
    let expected = next_difficulty(params, parent, ancestors).map_err(CheckError::Store)?;
    let got = template.difficulty;
    if got != expected {
        return Err(RuleViolation::Difficulty { got, expected }.into());
    }
    Ok(())
}

/// "strictly greater than the parent's"
fn timestamp<A: Ancestors>(template: &Template, parent: Height, ancestors: &A) -> Result<(), CheckError<A::Error>> {
    let got = template.timestamp;
    let parent: Timestamp = ancestors.at(parent).map_err(CheckError::Store)?.timestamp;
    if got <= parent {
        return Err(RuleViolation::Timestamp { got, parent }.into());
    }
    Ok(())
}

/// "U · D_q24 · 5778 < rounds · 2²⁸⁰", rounds = bloom_end + 1
fn meets_ticket(header: &Header, hash: &BlockHash) -> Result<(), RuleViolation> {
    let rounds = header.seal.bloom_end.saturating_add(1);
    let difficulty = header.template.difficulty;
    if !ticket::meets(hash, rounds, difficulty) {
        return Err(RuleViolation::Ticket { hash: *hash, rounds, difficulty });
    }
    Ok(())
}

//! Proof of coherence, checked: the attempt that a seal claims, run again (law §5).
//!
//! Nothing that a block carries parameterises the check but where it may stop early: no threshold, length or count.

use bloom_kernel::{Batch, Bloom, Feed, ROUNDS_MAX, Seal, Solo, Start, certificate_hash, initial_phases};

use crate::error::{CopyFault, FalseProof};
use crate::{Challenge, Header};

/// Re-runs a header's attempt, to the claimed bloom_end and not a round further. [`crate::rules::header::check`] must
/// have passed: it is cheaper.
///
/// # Errors
/// [`FalseProof`] unless bloom_end, C, S and certificate_hash all come out as claimed.
pub fn verify(header: &Header, solo: &mut Solo) -> Result<Bloom, FalseProof> {
    let Start { phases, difficulty, last_round, .. } = start(header, &header.challenge(), 0);
    judge(&header.seal, solo.run(&phases, difficulty, last_round))
}

/// Re-runs the attempts of many headers side by side, answering in their order. `batch` is emptied first.
pub fn verify_many(headers: &[Header], batch: &mut Batch) -> Vec<Result<Bloom, FalseProof>> {
    let mut queue = Queue { waiting: (0..).zip(headers), blooms: vec![None; headers.len()] };
    batch.clear();
    while batch.run(u64::from(ROUNDS_MAX), &mut queue).live > 0 {}
    headers.iter().zip(queue.blooms).map(|(header, bloom)| judge(&header.seal, bloom)).collect()
}

/// "A certificate that is handed along must equal the re-run byte for byte; otherwise that message and its sender are at
/// fault, and the block's validity does not change."
///
/// # Errors
/// [`CopyFault::Certificate`].
pub fn check_certificate(bloom: &Bloom, handed: &[u8]) -> Result<(), CopyFault> {
    let certificate = bloom.certificate();
    if handed != certificate {
        let at = handed.iter().zip(&certificate).take_while(|(got, expected)| got == expected).count();
        return Err(CopyFault::Certificate { at });
    }
    Ok(())
}

/// What a batch needs to run a header's attempt.
fn start(header: &Header, challenge: &Challenge, tag: u64) -> Start {
    let Seal { extra_nonce, nonce, bloom_end, .. } = header.seal;
    let phases = initial_phases(&challenge.0, extra_nonce, nonce);
    let last_round = bloom_end.min(ROUNDS_MAX.wrapping_sub(1));
    Start { phases, difficulty: header.template.difficulty, last_round, tag }
}

/// The claims of a seal against the bloom that its attempt came to by the claimed round.
fn judge(seal: &Seal, bloom: Option<Bloom>) -> Result<Bloom, FalseProof> {
    let Some(bloom) = bloom else { return Err(FalseProof::NoBloom { expected: seal.bloom_end }) };
    bloom_end(seal, &bloom)?;
    order(seal, &bloom)?;
    certificate(seal, &bloom)?;
    Ok(bloom)
}

fn bloom_end(seal: &Seal, bloom: &Bloom) -> Result<(), FalseProof> {
    let (got, expected) = (seal.bloom_end, bloom.end);
    if got != expected {
        return Err(FalseProof::BloomEnd { got, expected });
    }
    Ok(())
}

fn order(seal: &Seal, bloom: &Bloom) -> Result<(), FalseProof> {
    let [.., expected] = bloom.order;
    let got = seal.order;
    if got != expected {
        return Err(FalseProof::Order { got, expected });
    }
    Ok(())
}

fn certificate(seal: &Seal, bloom: &Bloom) -> Result<(), FalseProof> {
    let (got, expected) = (seal.certificate_hash, certificate_hash(&bloom.certificate()));
    if got != expected {
        return Err(FalseProof::CertificateHash { got, expected });
    }
    Ok(())
}

/// Headers waiting for a lane, and the blooms of those that had one.
struct Queue<'a> {
    waiting: std::iter::Zip<std::ops::RangeFrom<u64>, std::slice::Iter<'a, Header>>,
    blooms: Vec<Option<Bloom>>,
}

impl Feed for Queue<'_> {
    fn next(&mut self) -> Option<Start> {
        let (tag, header) = self.waiting.next()?;
        Some(start(header, &header.challenge(), tag))
    }

    fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
        let slot = usize::try_from(tag).ok().and_then(|at| self.blooms.get_mut(at));
        *slot.expect("a tag is the position of a header") = bloom;
    }
}

//! Proofs checked on all cores, beside the engine's thread.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use bloom_consensus::Header;
use bloom_consensus::proof::verify_many;
use bloom_kernel::{Backend, Batch};
use bloom_net::event::JobId;
use crossbeam_channel::{Receiver, Sender, unbounded};

/// A part of a job is not made smaller than this: a batch runs so many attempts side by side.
const LEAST_PART: usize = 16;

/// What a job came to: its number, and the first header whose proof is false.
pub(crate) type Proven = (JobId, Option<usize>);

/// Threads that check proofs. They end when this is dropped.
pub(crate) struct Prover {
    parts: Sender<Part>,
    threads: usize,
}

/// Headers of a job that one thread checks.
struct Part {
    job: Arc<Job>,
    first: usize,
    length: usize,
}

struct Job {
    id: JobId,
    headers: Vec<Header>,
    /// Parts that are not checked yet.
    left: AtomicUsize,
    /// The first false one so far; `usize::MAX` if there is none.
    first_false: AtomicUsize,
}

impl Prover {
    /// Starts the threads; what they find goes into the receiver. The queues are as long as what the engine has under way,
    /// which it bounds.
    pub(crate) fn start(backend: Backend, threads: NonZeroUsize) -> io::Result<(Self, Receiver<Proven>)> {
        let (parts, queue) = unbounded();
        let (sender, proven) = unbounded();
        for number in 0..threads.get() {
            let (queue, sender) = (queue.clone(), sender.clone());
            thread::Builder::new()
                .name(format!("prover-{number}"))
                .spawn(move || work(&mut Box::new(Batch::new(backend)), &queue, &sender))?;
        }
        Ok((Self { parts, threads: threads.get() }, proven))
    }

    /// Has the proofs of headers checked.
    pub(crate) fn prove(&self, id: JobId, headers: Vec<Header>) {
        let total = headers.len();
        let length = total.div_ceil(self.threads).max(LEAST_PART);
        // A job without headers is one empty part, so that it is answered like any other.
        let count = total.div_ceil(length).max(1);
        let (left, first_false) = (AtomicUsize::new(count), AtomicUsize::new(usize::MAX));
        let job = Arc::new(Job { id, headers, left, first_false });
        for first in (0..count).map(|part| part * length) {
            let part = Part { job: Arc::clone(&job), first, length: length.min(total - first) };
            self.parts.send(part).expect("the threads wait as long as this stands");
        }
    }
}

fn work(batch: &mut Batch, queue: &Receiver<Part>, sender: &Sender<Proven>) {
    while let Ok(Part { job, first, length }) = queue.recv() {
        // What comes after a false one is not looked at.
        if first < job.first_false.load(Ordering::SeqCst) {
            let results = verify_many(&job.headers[first..first + length], batch);
            if let Some(at) = results.iter().position(Result::is_err) {
                job.first_false.fetch_min(first + at, Ordering::SeqCst);
            }
        }
        if job.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let first_false = job.first_false.load(Ordering::SeqCst);
            if sender.send((job.id, (first_false != usize::MAX).then_some(first_false))).is_err() {
                return; // nobody asks any more
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bloom_consensus::Params;

    use super::*;

    #[test]
    fn the_first_false_proof_is_found_wherever_it_is() {
        let header = Params::dev().genesis.header;
        let mut bad = header;
        bad.seal.certificate_hash[0] ^= 1;
        let (prover, proven) = Prover::start(Backend::detect(), NonZeroUsize::new(3).unwrap()).unwrap();
        for (job, falses) in [(1, vec![]), (2, vec![0]), (3, vec![99, 40]), (4, vec![17]), (5, vec![16, 15])] {
            let mut headers = vec![header; 100];
            for at in &falses {
                headers[*at] = bad;
            }
            prover.prove(JobId(job), headers);
            assert_eq!(proven.recv().unwrap(), (JobId(job), falses.into_iter().min()));
        }
        prover.prove(JobId(6), Vec::new());
        assert_eq!(proven.recv().unwrap(), (JobId(6), None));
    }
}

//! `bloom attempt`: one attempt, evolved on a backend and on the reference, and what it would be worth.

use std::fs;

use anyhow::{Context, Result, bail};
use bloom_consensus::{BlockHash, Challenge, Difficulty, ticket};
use bloom_kernel::{
    Backend, Bloom, CouplingTable, Order, ROUNDS_MAX, Seal, Solo, coupling_q32, initial_phases, lucas, reference,
};
use serde_json::{Value, json};

use crate::cli::AttemptArgs;
use crate::context::{backend, usage};
use crate::output::result;
use crate::portrait;

mod plot;

pub(crate) fn run(args: &AttemptArgs) -> Result<()> {
    let question = Question::read(args)?;
    let backend = backend(args.backend)?;
    let answer = question.answer(backend)?;
    if let Some(path) = &args.svg {
        let svg = answer.portrait(&question).context("an attempt that does not bloom has no portrait")?;
        fs::write(path, svg).with_context(|| format!("{}: the portrait cannot be written here", path.display()))?;
    }
    if args.json {
        return Ok(result(answer.json(&question, backend, args.trace))?);
    }
    for line in answer.lines(&question, backend) {
        result(line)?;
    }
    if args.trace {
        let bloom = answer.sealed.as_ref().map(|sealed| (sealed.bloom.start(), sealed.bloom.end));
        let rs: Vec<f64> = answer.trace.iter().copied().map(plot::r).collect();
        for line in plot::plot(&rs, bloom, plot::columns()) {
            result(line)?;
        }
    }
    Ok(())
}

/// Which attempt, at which difficulty.
struct Question {
    challenge: Challenge,
    extra_nonce: u64,
    nonce: u32,
    difficulty: Difficulty,
}

/// The mean field of every round, and what the attempt came to.
struct Answer {
    trace: Vec<Order>,
    sealed: Option<Sealed>,
}

/// A bloom and what a block would make of it.
struct Sealed {
    bloom: Bloom,
    seal: Seal,
    block_hash: BlockHash,
    wins: bool,
}

impl Question {
    fn read(args: &AttemptArgs) -> Result<Self> {
        let challenge = args.challenge.parse().map_err(|error| usage(format!("--challenge: {error}")))?;
        if !lucas::is_nonce(args.nonce) {
            let expected = lucas::NONCES.map(|nonce| nonce.to_string()).join(", ");
            return Err(usage(format!("--nonce: got {}, expected a Lucas nonce: {expected}", args.nonce)));
        }
        let difficulty = Difficulty::from_q24(args.difficulty_q24);
        let difficulty = difficulty.map_err(|error| usage(format!("--difficulty-q24: {error}")))?;
        Ok(Self { challenge, extra_nonce: args.extra_nonce, nonce: args.nonce, difficulty })
    }

    /// Evolves it twice. Only what both come to is an answer.
    fn answer(&self, backend: Backend) -> Result<Answer> {
        let phases = initial_phases(&self.challenge.0, self.extra_nonce, self.nonce);
        let mut trace = Vec::new();
        let table = CouplingTable::new(self.difficulty);
        let bloom = reference::trace(&phases, &table, ROUNDS_MAX - 1, |_, order| trace.push(order));
        if Solo::new(backend).run(&phases, self.difficulty, ROUNDS_MAX - 1) != bloom {
            bail!(
                "backend {backend} and the reference disagree: do not mine or verify with it, and report this attempt"
            );
        }
        Ok(Answer { trace, sealed: bloom.map(|bloom| self.seal(bloom)) })
    }

    fn seal(&self, bloom: Bloom) -> Sealed {
        let seal = Seal::new(self.extra_nonce, self.nonce, &bloom);
        let block_hash = BlockHash(seal.block_hash(&self.challenge.0));
        let wins = ticket::meets(&block_hash, bloom.rounds(), self.difficulty);
        Sealed { bloom, seal, block_hash, wins }
    }
}

impl Answer {
    /// The picture of a bloom.
    fn portrait(&self, question: &Question) -> Option<String> {
        let initial = initial_phases(&question.challenge.0, question.extra_nonce, question.nonce);
        let rs: Vec<f64> = self.trace.iter().copied().map(plot::r).collect();
        Some(portrait::svg(&initial, &self.sealed.as_ref()?.bloom, &rs))
    }

    fn lines(&self, question: &Question, backend: Backend) -> Vec<String> {
        let Question { challenge, extra_nonce, nonce, difficulty } = question;
        let coupling = coupling_for_display(*difficulty);
        let mut lines = vec![
            format!("challenge         {challenge}"),
            format!("attempt           extra nonce {extra_nonce}, nonce {nonce}"),
            format!("difficulty        {difficulty}, coupling {coupling:.6}"),
            format!("evolved on        {backend} and the reference, with one outcome"),
        ];
        let Some(Sealed { bloom, seal, block_hash, wins }) = &self.sealed else {
            lines.push(format!("bloom             none in {ROUNDS_MAX} rounds: the attempt is void"));
            return lines;
        };
        let r = plot::r(seal.order);
        lines.push(format!("bloom             rounds {} to {}, r = {r:.6} at the end", bloom.start(), bloom.end));
        lines.push(format!("certificate hash  {}", hex::encode(seal.certificate_hash)));
        lines.push(format!("block hash        {block_hash}"));
        let verdict = if *wins { "wins" } else { "does not win" };
        lines.push(format!("ticket            {verdict} with {} rounds at difficulty {difficulty}", bloom.rounds()));
        lines
    }

    /// The fields of a row of vectors, and r2 = C² + S² of every round if it is wanted.
    fn json(&self, question: &Question, backend: Backend, with_trace: bool) -> Value {
        let mut object = json!({
            "challenge": question.challenge.to_string(),
            "extra_nonce": question.extra_nonce.to_string(),
            "nonce": question.nonce,
            "difficulty_q24": question.difficulty.q24().to_string(),
            "coupling_q32": coupling_q32(question.difficulty).to_string(),
            "backend": backend.name(),
            "void": self.sealed.is_none(),
        });
        if let Some(Sealed { bloom, seal, block_hash, wins }) = &self.sealed {
            object["bloom_start"] = json!(bloom.start());
            object["bloom_end"] = json!(bloom.end);
            object["order"] = bloom.order.iter().map(|order| json!([order.cos, order.sin])).collect();
            object["final_phases"] = json!(bloom.phases.to_vec());
            object["certificate"] = json!(hex::encode(bloom.certificate()));
            object["certificate_hash"] = json!(hex::encode(seal.certificate_hash));
            object["block_hash"] = json!(block_hash.to_string());
            object["wins"] = json!(wins);
        }
        if with_trace {
            object["r2"] = self.trace.iter().map(|order| order.r2()).collect();
        }
        object
    }
}

fn coupling_for_display(difficulty: Difficulty) -> f64 {
    coupling_q32(difficulty) as f64 / 2_f64.powi(32)
}

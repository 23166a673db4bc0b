//! `dynamics`: attempts from given phases, which no challenge need yield; without a difficulty there is no coupling.

use bloom_consensus::Difficulty;
use bloom_kernel::{Bloom, CouplingTable, ROUNDS_MAX, reference};
use serde_json::{Value, json};

use super::attempts::{pairs, same_bloom};
use super::engines::Evolves;
use super::fault::{Fault, same_list};
use super::fields::{Fields, Orders, Phases};
use super::random::Random;
use super::rows::Row;

/// One row in so many is made without coupling.
const UNCOUPLED_EVERY: u32 = 8;

/// Phases, and the bloom that they come to, if any.
pub(super) struct Dynamics {
    difficulty: Option<Difficulty>,
    initial_phases: Phases,
    outcome: Option<Outcome>,
}

struct Outcome {
    bloom_start: u32,
    bloom_end: u32,
    order: Orders,
    final_phases: Phases,
}

impl Row for Dynamics {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        let _label: String = fields.read("name")?;
        let (difficulty, initial_phases) = (fields.read("difficulty_q24")?, fields.read("initial_phases")?);
        let is_void: bool = fields.read("void")?;
        let outcome = if is_void { no_outcome(fields)? } else { Some(Outcome::read(fields)?) };
        Ok(Self { difficulty, initial_phases, outcome })
    }

    fn check(&self) -> Result<(), Fault> {
        Ok(()) // all else is the outcome
    }
}

impl Outcome {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self {
            bloom_start: fields.read("bloom_start")?,
            bloom_end: fields.read("bloom_end")?,
            order: fields.read("order")?,
            final_phases: fields.read("final_phases")?,
        })
    }
}

/// "a void row has null results"
fn no_outcome(fields: &mut Fields<'_>) -> Result<Option<Outcome>, Fault> {
    let nulls = [
        ("bloom_start", fields.read::<Option<u32>>("bloom_start")?.is_none()),
        ("bloom_end", fields.read::<Option<u32>>("bloom_end")?.is_none()),
        ("order", fields.read::<Option<Orders>>("order")?.is_none()),
        ("final_phases", fields.read::<Option<Phases>>("final_phases")?.is_none()),
    ];
    match nulls.iter().find(|(_, is_null)| !is_null) {
        Some((field, _)) => Err(Fault::new("got a result, expected null in a void row").in_field(field)),
        None => Ok(None),
    }
}

impl Evolves for Dynamics {
    fn attempt(&self) -> (Phases, Option<Difficulty>) {
        (self.initial_phases, self.difficulty)
    }

    fn judge(&self, by: &str, bloom: Option<&Bloom>) -> Result<(), Fault> {
        match (bloom, &self.outcome) {
            (None, None) => Ok(()),
            (Some(bloom), Some(outcome)) => {
                same_bloom(by, bloom, outcome.bloom_start, outcome.bloom_end, &outcome.order)?;
                same_list("final_phases", by, &bloom.phases, &outcome.final_phases)
            }
            (bloom, outcome) => Err(Fault::differs(by, bloom.is_none(), outcome.is_none()).in_field("void")),
        }
    }
}

/// A row with random phases.
pub(super) fn make(random: &mut Random, index: u32) -> Value {
    let is_coupled = index % UNCOUPLED_EVERY != UNCOUPLED_EVERY - 1;
    let difficulty = is_coupled.then(|| random.difficulty());
    let phases: Phases = std::array::from_fn(|_| random.bits(32) as u32);
    let table = difficulty.map_or(CouplingTable::UNCOUPLED, CouplingTable::new);
    let bloom = reference::run(&phases, &table, ROUNDS_MAX - 1);
    json!({
        "name": format!("random phases {index}"),
        "difficulty_q24": difficulty.map(|difficulty| difficulty.q24().to_string()),
        "initial_phases": phases.to_vec(),
        "void": bloom.is_none(),
        "bloom_start": bloom.as_ref().map(Bloom::start),
        "bloom_end": bloom.as_ref().map(|bloom| bloom.end),
        "order": bloom.as_ref().map(|bloom| pairs(&bloom.order)),
        "final_phases": bloom.as_ref().map(|bloom| bloom.phases.to_vec()),
    })
}

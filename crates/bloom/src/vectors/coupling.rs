//! `coupling` and `coupling_tables`: the step of the mean field at each difficulty and coherence.

use bloom_consensus::Difficulty;
use bloom_kernel::{CouplingTable, coupling_q32};
use serde_json::{Value, json};

use super::constants::blake3_of_words;
use super::fault::{Fault, HERE, same};
use super::fields::{Fields, Hash};
use super::random::Random;
use super::rows::Row;

/// Entries that a made row shows.
const SHOWN: [usize; 4] = [0, 500, 744, 992];

/// κ(D), and any entries kq_m of its table.
pub(super) struct Coupling {
    difficulty: Difficulty,
    coupling_q32: u64,
    entries: Vec<(usize, u32)>,
}

impl Row for Coupling {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        let (difficulty, coupling_q32) = (fields.read("difficulty_q24")?, fields.read("coupling_q32")?);
        let mut entries = Vec::new();
        for key in fields.rest() {
            if let Some(index) = key.strip_prefix("kq_").and_then(|m| m.parse().ok()) {
                entries.push((index, fields.read(key)?));
            }
        }
        Ok(Self { difficulty, coupling_q32, entries })
    }

    fn check(&self) -> Result<(), Fault> {
        same("coupling_q32", HERE, coupling_q32(self.difficulty), self.coupling_q32)?;
        let table = CouplingTable::new(self.difficulty);
        for (index, expected) in &self.entries {
            let field = format!("kq_{index}");
            let entry = table.entries().get(*index).copied();
            let got = entry.ok_or_else(|| Fault::new("there are 1024 entries").in_field(&field))?;
            same(&field, HERE, got, *expected)?;
        }
        Ok(())
    }
}

/// A row at a random difficulty.
pub(super) fn make(random: &mut Random) -> Value {
    let difficulty = random.difficulty();
    let table = CouplingTable::new(difficulty);
    let mut row = json!({
        "difficulty_q24": difficulty.q24().to_string(),
        "coupling_q32": coupling_q32(difficulty).to_string(),
    });
    for index in SHOWN {
        row[format!("kq_{index}")] = json!(table.entries()[index]);
    }
    row
}

/// The hash of the first n entries of a table.
pub(super) struct Table {
    difficulty: Difficulty,
    hashes: Vec<(String, [u8; 32])>,
}

impl Row for Table {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        let difficulty = fields.read("difficulty_q24")?;
        let keys = fields.rest();
        let hashed = keys.into_iter().filter(|key| entries_hashed(key).is_some());
        let hashes =
            hashed.map(|key| Ok((key.to_owned(), fields.read::<Hash>(key)?.0))).collect::<Result<_, Fault>>()?;
        Ok(Self { difficulty, hashes })
    }

    fn check(&self) -> Result<(), Fault> {
        if self.hashes.is_empty() {
            return Err(Fault::new("missing").in_field("kq_first_993_blake3_u32le"));
        }
        let table = CouplingTable::new(self.difficulty);
        for (key, expected) in &self.hashes {
            let entries = entries_hashed(key).and_then(|count| table.entries().get(..count));
            let entries = entries.ok_or_else(|| Fault::new("there are 1024 entries").in_field(key))?;
            same(key, HERE, blake3_of_words(entries), hex::encode(expected))?;
        }
        Ok(())
    }
}

/// n of `kq_first_n_blake3_u32le`.
fn entries_hashed(key: &str) -> Option<usize> {
    key.strip_prefix("kq_first_")?.strip_suffix("_blake3_u32le")?.parse().ok()
}

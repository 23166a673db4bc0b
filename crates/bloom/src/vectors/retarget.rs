//! `retarget_golden`, `retarget_asert_phi`: the functions; `retarget_golden_chain`: the rule on a chain of blocks.

use std::convert::Infallible;

use bloom_consensus::difficulty::{asert_phi, golden, next_difficulty};
use bloom_consensus::{Ancestor, Ancestors, Difficulty, Height, Params, Retarget, Timestamp};
use serde_json::{Value, json};

use super::fault::{Fault, HERE, same};
use super::fields::{Fields, Read, list};
use super::random::Random;
use super::rows::Row;
use super::tally::Tally;

/// The lowest difficulty of the functions' answers.
const LOWEST: Difficulty = Difficulty::MIN;
/// The lowest difficulties of the chain's two columns.
const COLUMNS: [u128; 2] = [1 << 22, 65_536 << 24];
/// The only way in which a chain's times are known to follow one another.
const STEP: &str = "t_h = t_(h-1) + 1 + (h*h*7919 mod 997)";
const CHAIN: &str = "height_then_difficulty_q24_with_D_min_quarter_then_with_D_min_65536";
/// The longest chain that is made for a vector.
const MOST_BLOCKS: u64 = 1_000_000;

/// The golden rule for a span of blocks.
pub(super) struct Golden {
    difficulty: Difficulty,
    intervals: u64,
    elapsed_seconds: u64,
    new_difficulty: Difficulty,
}

impl Row for Golden {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self {
            difficulty: fields.read("difficulty_q24")?,
            intervals: fields.read("intervals")?,
            elapsed_seconds: fields.read("elapsed_seconds")?,
            new_difficulty: fields.read("new_difficulty_q24")?,
        })
    }

    fn check(&self) -> Result<(), Fault> {
        let got = golden(self.difficulty, self.intervals, self.elapsed_seconds, LOWEST);
        same("new_difficulty_q24", HERE, got.q24(), self.new_difficulty.q24())
    }
}

/// A row within what the rule does not clamp, mostly.
pub(super) fn make_golden(random: &mut Random) -> Value {
    let difficulty = random.difficulty();
    let intervals = 122 + random.below(2) as u64;
    let elapsed_seconds = 1 + random.below(600_000) as u64;
    json!({
        "difficulty_q24": difficulty.q24().to_string(),
        "intervals": intervals,
        "elapsed_seconds": elapsed_seconds,
        "new_difficulty_q24": golden(difficulty, intervals, elapsed_seconds, LOWEST).q24().to_string(),
    })
}

/// asert-phi at a height.
pub(super) struct AsertPhi {
    genesis_difficulty: Difficulty,
    height: u64,
    parent_minus_genesis_seconds: u64,
    difficulty: Difficulty,
}

impl Row for AsertPhi {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self {
            genesis_difficulty: fields.read("genesis_difficulty_q24")?,
            height: fields.read("height")?,
            parent_minus_genesis_seconds: fields.read("parent_minus_genesis_seconds")?,
            difficulty: fields.read("difficulty_q24")?,
        })
    }

    fn check(&self) -> Result<(), Fault> {
        if self.height == 0 {
            return Err(Fault::new("got 0, expected at least 1").in_field("height"));
        }
        let got = asert_phi(self.genesis_difficulty, self.height, self.parent_minus_genesis_seconds, LOWEST);
        same("difficulty_q24", HERE, got.q24(), self.difficulty.q24())
    }
}

/// A row within a few retarget spans of what is due.
pub(super) fn make_asert_phi(random: &mut Random) -> Value {
    let genesis = random.difficulty();
    let height = 1 + random.below(1 << 20) as u64;
    let due = (height - 1) * 420;
    let elapsed = (due + random.below(1 << 20) as u64).saturating_sub(1 << 19);
    json!({
        "genesis_difficulty_q24": genesis.q24().to_string(),
        "height": height,
        "parent_minus_genesis_seconds": elapsed,
        "difficulty_q24": asert_phi(genesis, height, elapsed, LOWEST).q24().to_string(),
    })
}

/// Checks the difficulties of a chain whose times follow from a formula.
pub(super) fn golden_chain(section: &Value) -> Tally {
    match read_chain(section) {
        Ok((start, rows)) => check_chain(start, &rows),
        Err(fault) => Tally::failed(fault),
    }
}

/// A height and the difficulty there, in both columns.
struct ChainRow {
    height: u64,
    difficulties: [Difficulty; 2],
}

impl Read for ChainRow {
    fn read(value: &Value) -> Result<Self, Fault> {
        let at = |index: usize, fault: Fault| fault.at_index(index);
        match list(value)? {
            [height, quarter, main] => Ok(Self {
                height: u64::read(height).map_err(|fault| at(0, fault))?,
                difficulties: [
                    Difficulty::read(quarter).map_err(|fault| at(1, fault))?,
                    Difficulty::read(main).map_err(|fault| at(2, fault))?,
                ],
            }),
            other => Err(Fault::new(format_args!("got {} values, expected 3", other.len()))),
        }
    }
}

fn read_chain(section: &Value) -> Result<(u64, Vec<ChainRow>), Fault> {
    let mut fields = Fields::of(section)?;
    let step: String = fields.read("step")?;
    same("step", HERE, STEP, &step)?;
    let (start, rows) = (fields.read("t_0")?, fields.read::<Vec<ChainRow>>(CHAIN)?);
    fields.finish()?;
    if rows.first().is_none_or(|row| row.height != 0) {
        return Err(Fault::new("expected height 0 first, which says where difficulty starts").in_field(CHAIN));
    }
    if let Some(row) = rows.iter().find(|row| row.height > MOST_BLOCKS) {
        let problem = format!("got height {}, expected at most {MOST_BLOCKS}", row.height);
        return Err(Fault::new(problem).in_field(CHAIN));
    }
    Ok((start, rows))
}

fn check_chain(start: u64, rows: &[ChainRow]) -> Tally {
    let last = rows.iter().map(|row| row.height).max().unwrap_or(0);
    let mut verdicts: Vec<Result<(), Fault>> = rows.iter().map(|_| Ok(())).collect();
    for (column, lowest) in COLUMNS.into_iter().enumerate() {
        let (Some(first), Ok(lowest)) = (rows.first(), Difficulty::from_q24(lowest)) else { continue };
        let chain = Chain::make(start, first.difficulties[column], lowest, last);
        for (verdict, row) in verdicts.iter_mut().zip(rows).filter(|(verdict, _)| verdict.is_ok()) {
            let got = chain.ancestor(row.height).map_or(0, |ancestor| ancestor.difficulty.q24());
            *verdict = same(&format!("[{}]", column + 1), HERE, got, row.difficulties[column].q24());
        }
    }
    let mut tally = Tally::default();
    tally.count_list(CHAIN, verdicts);
    tally
}

/// Times and difficulties of a chain, by height.
struct Chain(Vec<Ancestor>);

impl Chain {
    fn make(start: u64, first: Difficulty, lowest: Difficulty, last: u64) -> Self {
        let params = Params { retarget: Retarget::Golden, min_difficulty: lowest, ..Params::dev() };
        let mut time = start;
        let mut chain = Self(vec![Ancestor { timestamp: Timestamp(time), difficulty: first }]);
        for height in 1..=last {
            let Ok(difficulty) = next_difficulty(&params, Height(height - 1), &chain);
            time = time.saturating_add(1 + height * height * 7919 % 997);
            chain.0.push(Ancestor { timestamp: Timestamp(time), difficulty });
        }
        chain
    }

    fn ancestor(&self, height: u64) -> Option<Ancestor> {
        self.0.get(usize::try_from(height).ok()?).copied()
    }
}

impl Ancestors for Chain {
    type Error = Infallible;

    fn at(&self, height: Height) -> Result<Ancestor, Infallible> {
        Ok(self.ancestor(height.0).expect("a rule asks for no height above the parent's"))
    }
}

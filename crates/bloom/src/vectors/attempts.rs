//! `attempts`: from a template to a block's hash; and `attempts_with_broken_streak`, which cohere once in vain.

use bloom_consensus::{BlockHash, Challenge, Difficulty, Height, MerkleRoot, Template, Timestamp, ticket};
use bloom_kernel::{Bloom, CouplingTable, Order, ROUNDS_MAX, Seal, certificate_hash, initial_phases, lucas, reference};
use serde_json::{Value, json};

use super::engines::Evolves;
use super::fault::{Fault, HERE, same, same_list};
use super::fields::{Fields, Hash, Orders, Phases};
use super::random::Random;
use super::rows::Row;

/// What every attempt has: a challenge and nonces, and the bloom and block hash that come of them.
struct Core {
    challenge: Challenge,
    extra_nonce: u64,
    nonce: u32,
    difficulty: Difficulty,
    bloom_start: u32,
    bloom_end: u32,
    order: Orders,
    certificate_hash: [u8; 32],
    block_hash: BlockHash,
}

impl Core {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self {
            challenge: Challenge(fields.read::<Hash>("challenge")?.0),
            extra_nonce: fields.read("extra_nonce")?,
            nonce: fields.read("nonce")?,
            difficulty: fields.read("difficulty_q24")?,
            bloom_start: fields.read("bloom_start")?,
            bloom_end: fields.read("bloom_end")?,
            order: fields.read("order")?,
            certificate_hash: fields.read::<Hash>("certificate_hash")?.0,
            block_hash: BlockHash(fields.read::<Hash>("block_hash")?.0),
        })
    }

    fn phases(&self) -> Phases {
        initial_phases(&self.challenge.0, self.extra_nonce, self.nonce)
    }

    fn judge(&self, by: &str, bloom: Option<&Bloom>) -> Result<(), Fault> {
        let bloom = bloom.ok_or_else(|| Fault::differs(by, "no bloom", self.bloom_end).in_field("bloom_end"))?;
        same_bloom(by, bloom, self.bloom_start, self.bloom_end, &self.order)?;
        let hash = certificate_hash(&bloom.certificate());
        same("certificate_hash", by, hex::encode(hash), hex::encode(self.certificate_hash))?;
        let seal = Seal::new(self.extra_nonce, self.nonce, bloom);
        same("block_hash", by, BlockHash(seal.block_hash(&self.challenge.0)), self.block_hash)
    }
}

/// Start, end and mean fields of a bloom.
pub(super) fn same_bloom(by: &str, bloom: &Bloom, start: u32, end: u32, order: &Orders) -> Result<(), Fault> {
    same("bloom_end", by, bloom.end, end)?;
    same("bloom_start", by, bloom.start(), start)?;
    let pairs = |order: &Orders| order.map(|Order { cos, sin }| format!("[{cos}, {sin}]"));
    same_list("order", by, &pairs(&bloom.order), &pairs(order))
}

/// An attempt at a template, with the phases that it starts and ends with.
pub(super) struct Attempt {
    core: Core,
    template: Template,
    initial_phases: Phases,
    final_phases: Phases,
    wins: bool,
}

impl Row for Attempt {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        let core = Core::read(fields)?;
        let template = Template {
            version: fields.read("version")?,
            height: Height(fields.read("height")?),
            prev_hash: BlockHash(fields.read::<Hash>("prev_hash")?.0),
            merkle_root: MerkleRoot(fields.read::<Hash>("merkle_root")?.0),
            timestamp: Timestamp(fields.read("timestamp")?),
            difficulty: core.difficulty,
        };
        let (initial_phases, final_phases) = (fields.read("initial_phases")?, fields.read("final_phases")?);
        Ok(Self { core, template, initial_phases, final_phases, wins: fields.read("wins")? })
    }

    fn check(&self) -> Result<(), Fault> {
        let core = &self.core;
        same("challenge", HERE, self.template.challenge(), core.challenge)?;
        same_list("initial_phases", HERE, &core.phases(), &self.initial_phases)?;
        let rounds = core.bloom_end.saturating_add(1);
        same("wins", HERE, ticket::meets(&core.block_hash, rounds, core.difficulty), self.wins)
    }
}

impl Evolves for Attempt {
    fn attempt(&self) -> (Phases, Option<Difficulty>) {
        (self.initial_phases, Some(self.core.difficulty))
    }

    fn judge(&self, by: &str, bloom: Option<&Bloom>) -> Result<(), Fault> {
        self.core.judge(by, bloom)?;
        let phases = bloom.map_or(self.final_phases, |bloom| bloom.phases);
        same_list("final_phases", by, &phases, &self.final_phases)
    }
}

/// An attempt that was coherent for fewer than seven rounds before it bloomed.
pub(super) struct BrokenStreak(Core);

impl Row for BrokenStreak {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Core::read(fields).map(Self)
    }

    fn check(&self) -> Result<(), Fault> {
        let Self(core) = self;
        let mut is_broken = false;
        let table = CouplingTable::new(core.difficulty);
        // What comes of it is for `judge` to say.
        let _bloom = reference::trace(&core.phases(), &table, ROUNDS_MAX - 1, |round, order| {
            is_broken |= round < core.bloom_start && order.is_coherent();
        });
        if !is_broken {
            return Err(Fault::new("got no coherent round before bloom_start, expected a streak that broke"));
        }
        Ok(())
    }
}

impl Evolves for BrokenStreak {
    fn attempt(&self) -> (Phases, Option<Difficulty>) {
        (self.0.phases(), Some(self.0.difficulty))
    }

    fn judge(&self, by: &str, bloom: Option<&Bloom>) -> Result<(), Fault> {
        self.0.judge(by, bloom)
    }
}

/// A row at a random template of any difficulty, as the reference answers it.
pub(super) fn make(random: &mut Random) -> Value {
    let template = Template {
        version: 1,
        height: Height(random.bits(40) as u64),
        prev_hash: BlockHash(random.bytes()),
        merkle_root: MerkleRoot(random.bytes()),
        timestamp: Timestamp(random.bits(40) as u64),
        difficulty: random.difficulty(),
    };
    let challenge = template.challenge();
    // Every attempt that anybody has seen blooms; should one not, the next does.
    let (extra_nonce, nonce, phases, bloom) = loop {
        let (extra_nonce, nonce) = (random.u64(), lucas::NONCES[random.below(lucas::NONCES.len())]);
        let phases = initial_phases(&challenge.0, extra_nonce, nonce);
        if let Some(bloom) = reference::run(&phases, &CouplingTable::new(template.difficulty), ROUNDS_MAX - 1) {
            break (extra_nonce, nonce, phases, bloom);
        }
    };
    let seal = Seal::new(extra_nonce, nonce, &bloom);
    let block_hash = BlockHash(seal.block_hash(&challenge.0));
    json!({
        "version": template.version,
        "height": template.height.0,
        "prev_hash": template.prev_hash.to_string(),
        "merkle_root": template.merkle_root.to_string(),
        "timestamp": template.timestamp.0,
        "difficulty_q24": template.difficulty.q24().to_string(),
        "challenge": challenge.to_string(),
        "extra_nonce": extra_nonce.to_string(),
        "nonce": nonce,
        "initial_phases": phases.to_vec(),
        "bloom_start": bloom.start(),
        "bloom_end": bloom.end,
        "order": pairs(&bloom.order),
        "final_phases": bloom.phases.to_vec(),
        "certificate_hash": hex::encode(seal.certificate_hash),
        "block_hash": block_hash.to_string(),
        "wins": ticket::meets(&block_hash, bloom.rounds(), template.difficulty),
    })
}

/// [C, S] of every round.
pub(super) fn pairs(order: &Orders) -> Value {
    order.iter().map(|order| json!([order.cos, order.sin])).collect()
}

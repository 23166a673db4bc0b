//! `genesis`: whole first blocks, each made anew from its network's difficulty, time and text.

use bloom_consensus::rules::{header, isolation};
use bloom_consensus::{
    Block, BlockHash, Challenge, Difficulty, Draft, Header, MerkleRoot, Params, Timestamp, genesis, proof,
};
use bloom_kernel::{Batch, Bloom, Seal, Solo, initial_phases, lucas};
use serde_json::Value;

use super::engines::{Engines, Evolves};
use super::fault::{Fault, HERE, same, same_bytes};
use super::fields::{Bytes, Fields, Hash, Phases, list};
use super::rows::{Row, row};
use super::tally::Tally;

/// Smaller attempts that are tried, to see that none wins: seconds of work.
const MOST_TRIED: u64 = 100_000;

/// Checks every block, and that no smaller attempt wins where that takes seconds.
pub(super) fn check(section: &Value, engines: &Engines) -> Tally {
    let values = match list(section) {
        Ok(values) => values,
        Err(fault) => return Tally::failed(fault),
    };
    let rows = || values.iter().map(row::<Genesis>);
    let verdicts = engines.judge(rows().collect());
    let mut tally = Tally::default();
    for (index, (verdict, row)) in verdicts.into_iter().zip(rows()).enumerate() {
        if let Ok(row) = &row
            && verdict.is_ok()
            && row.attempt > MOST_TRIED
        {
            let remark = Fault::new(format_args!(
                "whether one of the {0} attempts before {1}'s wins was not tried; `bloom genesis --network {1} --time \
                 {2} --text {3:?}` finds the smallest",
                row.attempt, row.network, row.timestamp, row.text
            ));
            tally.remarks.push(remark.at_index(index));
        }
        let smallest = row.and_then(|row| row.is_smallest(engines));
        tally.count(format_args!("[{index}]"), verdict.and(smallest));
    }
    tally
}

/// A first block, whole and in parts.
struct Genesis {
    network: String,
    text: String,
    timestamp: u64,
    difficulty: Difficulty,
    attempt: u64,
    extra_nonce: u64,
    nonce: u32,
    bloom_end: u32,
    challenge: Challenge,
    merkle_root: MerkleRoot,
    header: Vec<u8>,
    block: Vec<u8>,
    certificate: Vec<u8>,
    block_hash: BlockHash,
    magic: Vec<u8>,
}

impl Row for Genesis {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self {
            network: fields.read("network")?,
            text: fields.read("text")?,
            timestamp: fields.read("timestamp")?,
            difficulty: fields.read("difficulty_q24")?,
            attempt: fields.read("attempt")?,
            extra_nonce: fields.read("extra_nonce")?,
            nonce: fields.read("nonce")?,
            bloom_end: fields.read("bloom_end")?,
            challenge: Challenge(fields.read::<Hash>("challenge")?.0),
            merkle_root: MerkleRoot(fields.read::<Hash>("merkle_root")?.0),
            header: fields.read::<Bytes>("header")?.0,
            block: fields.read::<Bytes>("block")?.0,
            certificate: fields.read::<Bytes>("certificate")?.0,
            block_hash: BlockHash(fields.read::<Hash>("block_hash")?.0),
            magic: fields.read::<Bytes>("magic")?.0,
        })
    }

    /// All that follows without the bloom; and that the block is the network's own, if this program has that network.
    fn check(&self) -> Result<(), Fault> {
        let draft = self.draft()?;
        same("merkle_root", HERE, draft.template().merkle_root, self.merkle_root)?;
        same("challenge", HERE, draft.challenge(), self.challenge)?;
        let nonces = lucas::attempt(self.attempt.into()).ok_or_else(|| Fault::new("no attempt").in_field("attempt"))?;
        same("extra_nonce", HERE, nonces.0, self.extra_nonce)?;
        same("nonce", HERE, nonces.1, self.nonce)?;
        let block = Block::decode(&self.block).map_err(|error| Fault::new(error).in_field("block"))?;
        same_bytes("block", HERE, &block.encode(), &self.block)?;
        same_bytes("header", HERE, &block.header.to_bytes(), &self.header)?;
        same("block_hash", HERE, block.hash(), self.block_hash)?;
        same_bytes("magic", HERE, &self.block_hash.0[28..], &self.magic)?;
        header::check_isolated(&block.header).map_err(|violation| Fault::new(violation).in_field("header"))?;
        isolation::check_body(&block).map_err(|rejection| Fault::new(rejection).in_field("block"))?;
        self.is_the_networks(&block)
    }
}

impl Genesis {
    fn draft(&self) -> Result<Draft, Fault> {
        Draft::genesis(self.text.clone().into_bytes(), Timestamp(self.timestamp), self.difficulty)
            .map_err(|error| Fault::new(error).in_field("text"))
    }

    /// A name that this program knows stands for one block, and that block for one name.
    fn is_the_networks(&self, block: &Block) -> Result<(), Fault> {
        if let Some(params) = Params::by_name(&self.network) {
            same_bytes("block", HERE, &params.genesis.encode(), &self.block)?;
            same("block_hash", HERE, params.network_id.to_string(), self.block_hash.to_string())?;
            return same_bytes("magic", HERE, &params.magic, &self.magic);
        }
        match Params::well_known().iter().find(|params| params.genesis == *block) {
            Some(params) => same("network", HERE, &params.name, &self.network),
            None => Ok(()),
        }
    }

    /// "its attempt is the smallest i that blooms and meets its difficulty"; and the proof holds as a verifier sees it.
    fn is_smallest(&self, engines: &Engines) -> Result<(), Fault> {
        let backend = engines.fastest();
        let block = Block::decode(&self.block).map_err(|error| Fault::new(error).in_field("block"))?;
        proof::verify(&block.header, &mut Solo::new(backend))
            .map_err(|false_proof| Fault::new(false_proof).in_field("header"))?;
        if self.attempt > MOST_TRIED {
            return Ok(());
        }
        let mut batch = Box::new(Batch::new(backend));
        match genesis::search(&block.header.template, 0..self.attempt.into(), &mut batch) {
            Some(found) => Err(Fault::differs(HERE, found.attempt, u128::from(self.attempt)).in_field("attempt")),
            None => Ok(()),
        }
    }
}

impl Evolves for Genesis {
    fn attempt(&self) -> (Phases, Option<Difficulty>) {
        (initial_phases(&self.challenge.0, self.extra_nonce, self.nonce), Some(self.difficulty))
    }

    fn judge(&self, by: &str, bloom: Option<&Bloom>) -> Result<(), Fault> {
        let bloom = bloom.ok_or_else(|| Fault::differs(by, "no bloom", self.bloom_end).in_field("bloom_end"))?;
        same("bloom_end", by, bloom.end, self.bloom_end)?;
        same_bytes("certificate", by, &bloom.certificate(), &self.certificate)?;
        let seal = Seal::new(self.extra_nonce, self.nonce, bloom);
        let draft = self.draft()?;
        let header = Header { template: *draft.template(), seal };
        same_bytes("header", by, &header.to_bytes(), &self.header)?;
        same_bytes("block", by, &draft.seal(seal).encode(), &self.block)
    }
}

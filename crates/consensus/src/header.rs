//! Headers: a template, which a miner seals with a bloom (law §3).

use bloom_kernel::{Difficulty, SEAL_BYTES, Seal};

use crate::codec::{DecodeError, Reader};
use crate::constants::{HEADER_BYTES, TEMPLATE_BYTES, VERSION};
use crate::hash::Context;
use crate::{BlockHash, Challenge, Height, MerkleRoot, Timestamp};

static TEMPLATE: Context = Context::new("bloomcoin v1 template");

/// What a child must know of the block it follows, besides its ancestors' times and difficulties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The parent's hash.
    pub hash: BlockHash,
    /// The parent's height.
    pub height: Height,
}

/// What a block commits to before it is mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// 1 by the rules.
    pub version: u32,
    /// One more than the parent's.
    pub height: Height,
    /// The parent's hash; zero for genesis.
    pub prev_hash: BlockHash,
    /// Root over the coinbase and the transactions.
    pub merkle_root: MerkleRoot,
    /// When the block was made, by its maker's clock.
    pub timestamp: Timestamp,
    /// What the ancestors demand.
    pub difficulty: Difficulty,
}

impl Template {
    /// What follows a block.
    #[must_use]
    pub fn child(parent: &Parent, merkle_root: MerkleRoot, timestamp: Timestamp, difficulty: Difficulty) -> Self {
        let height = Height(parent.height.0.saturating_add(1)); // nothing follows 2⁶⁴ − 1: the rules refuse it
        Self { version: VERSION, height, prev_hash: parent.hash, merkle_root, timestamp, difficulty }
    }

    /// version ‖ height ‖ prev_hash ‖ merkle_root ‖ timestamp ‖ difficulty, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; TEMPLATE_BYTES] {
        let parts: [&[u8]; 6] = [
            &self.version.to_le_bytes(),
            &self.height.0.to_le_bytes(),
            &self.prev_hash.0,
            &self.merkle_root.0,
            &self.timestamp.0.to_le_bytes(),
            &self.difficulty.q24().to_le_bytes(),
        ];
        let mut bytes = [0; TEMPLATE_BYTES];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// Reads a template.
    ///
    /// # Errors
    /// [`DecodeError::Difficulty`] outside ¼ … 2⁶⁴; all else is for the rules to judge.
    pub fn from_bytes(bytes: &[u8; TEMPLATE_BYTES]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(bytes))
    }

    /// derive_key("bloomcoin v1 template", template): what every attempt at it is seeded by.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        Challenge(TEMPLATE.derive_key(&[&self.to_bytes()]))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: reader.u32("header version")?,
            height: Height(reader.u64("header height")?),
            prev_hash: BlockHash(reader.array("header prev_hash")?),
            merkle_root: MerkleRoot(reader.array("header merkle_root")?),
            timestamp: Timestamp(reader.u64("header timestamp")?),
            difficulty: Difficulty::from_q24(u128::from_le_bytes(reader.array("header difficulty")?))?,
        })
    }
}

/// A template and the seal of the bloom that was found for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What was mined for.
    pub template: Template,
    /// What was found.
    pub seal: Seal,
}

impl Header {
    /// template ‖ seal.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (template, seal) = bytes.split_at_mut(TEMPLATE_BYTES);
        template.copy_from_slice(&self.template.to_bytes());
        seal.copy_from_slice(&self.seal.to_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`DecodeError::Difficulty`] outside ¼ … 2⁶⁴; all else is for the rules to judge.
    pub fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(bytes))
    }

    /// The template's challenge.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        self.template.challenge()
    }

    /// The block's hash, its ticket. It hashes the template first: keep it rather than ask twice.
    #[must_use]
    pub fn block_hash(&self) -> BlockHash {
        BlockHash(self.seal.block_hash(&self.challenge().0))
    }

    /// This header as the parent of another.
    #[must_use]
    pub fn as_parent(&self) -> Parent {
        Parent { hash: self.block_hash(), height: self.template.height }
    }

    /// Reads one from what follows in a longer encoding.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let template = Template::read(reader)?;
        let seal: [u8; SEAL_BYTES] = reader.array("header seal")?;
        Ok(Self { template, seal: Seal::from_bytes(&seal) })
    }
}

//! Parameter files: TOML that defines a further network (law §6).

use bech32::Hrp;
use bloom_kernel::{Difficulty, DifficultyOutOfRange, lucas};
use serde::Deserialize;

use crate::codec::count_bytes;
use crate::difficulty::UnknownRetarget;
use crate::genesis::{self, GenesisError};
use crate::{Block, Draft, NetworkId, Params, Retarget, Timestamp};

/// Longest name of a network.
const MAX_NAME: usize = 32;
/// Longest address prefix: with the separator, the version, 52 characters of key and 6 of checksum, 90 in all.
const MAX_PREFIX: usize = 90 - 1 - 1 - 52 - 6;

/// A parameter file that defines no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// Not TOML, or a key unknown, missing or of the wrong type.
    #[error("parameter file: {0}")]
    Toml(#[from] toml::de::Error),
    /// A name that is no name, or one of the three.
    #[error("name: got {got:?}, expected 1 to 32 of a-z, 0-9 and -, and not main, test or dev")]
    Name {
        /// As in the file.
        got: String,
    },
    /// A rule that the law does not know.
    #[error("rule: {0}")]
    Rule(#[from] UnknownRetarget),
    /// A difficulty outside ¼ … 2⁶⁴.
    #[error("{key}: {source}")]
    Difficulty {
        /// Which key.
        key: &'static str,
        /// What it holds.
        source: DifficultyOutOfRange,
    },
    /// D_min above D at genesis.
    #[error("min_difficulty_q24: got {got}, expected at most difficulty_q24, {most}")]
    MinDifficulty {
        /// D_min as Q24.
        got: u128,
        /// D at genesis as Q24.
        most: u128,
    },
    /// A nonce that no attempt has.
    #[error("nonce: got {got}, expected one of the 24 Lucas nonces")]
    Nonce {
        /// As in the file.
        got: u32,
    },
    /// Ports that cannot both be listened on.
    #[error("ports: got rpc_port {rpc} and peer_port {peer}, expected two different ones above 0")]
    Ports {
        /// rpc_port.
        rpc: u16,
        /// peer_port.
        peer: u16,
    },
    /// A prefix that no address can have.
    #[error("address_prefix: got {got:?}, expected 1 to 30 characters of bech32, none of them a capital")]
    AddressPrefix {
        /// As in the file.
        got: String,
    },
    /// A genesis that its nonces do not yield.
    #[error("the genesis does not verify: {0}")]
    Genesis(#[from] GenesisError),
    /// The genesis of main, test or dev.
    #[error("the genesis {got} is that of {network}, expected a new one")]
    GenesisReused {
        /// Its hash.
        got: NetworkId,
        /// Whose it is.
        network: String,
    },
}

/// A parameter file whose values are in range, with a genesis that may or may not have been mined. Its keys:
///
/// ```toml
/// name = "garden"
/// rule = "asert-phi"                    # none, golden or asert-phi
/// time = 1795305600                     # of genesis
/// difficulty_q24 = 16777216             # of genesis, D·2^24
/// min_difficulty_q24 = 4194304
/// text = "a garden of our own"
/// extra_nonce = 0                       # of genesis
/// nonce = 2348871583                    # of genesis
/// rpc_port = 37618
/// peer_port = 37617
/// address_prefix = "gbloom"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFile {
    name: String,
    retarget: Retarget,
    time: Timestamp,
    difficulty: Difficulty,
    min_difficulty: Difficulty,
    text: String,
    extra_nonce: u64,
    nonce: u32,
    rpc_port: u16,
    peer_port: u16,
    address_prefix: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    name: String,
    rule: String,
    time: u64,
    difficulty_q24: u128,
    min_difficulty_q24: u128,
    text: String,
    extra_nonce: u64,
    nonce: u32,
    rpc_port: u16,
    peer_port: u16,
    address_prefix: String,
}

impl NetworkFile {
    /// Reads a file; the genesis is not looked at.
    ///
    /// # Errors
    /// [`ParamsError`] for keys unknown, missing, out of range or at odds with one another.
    pub fn parse(text: &str) -> Result<Self, ParamsError> {
        let keys: Keys = toml::from_str(text)?;
        name_is_free(&keys.name)?;
        let difficulty = difficulty("difficulty_q24", keys.difficulty_q24)?;
        let min_difficulty = self::difficulty("min_difficulty_q24", keys.min_difficulty_q24)?;
        if min_difficulty > difficulty {
            return Err(ParamsError::MinDifficulty { got: min_difficulty.q24(), most: difficulty.q24() });
        }
        if !lucas::is_nonce(keys.nonce) {
            return Err(ParamsError::Nonce { got: keys.nonce });
        }
        ports_differ(keys.rpc_port, keys.peer_port)?;
        prefix_is_bech32(&keys.address_prefix)?;
        Ok(Self {
            retarget: keys.rule.parse()?,
            time: Timestamp(keys.time),
            name: keys.name,
            difficulty,
            min_difficulty,
            text: keys.text,
            extra_nonce: keys.extra_nonce,
            nonce: keys.nonce,
            rpc_port: keys.rpc_port,
            peer_port: keys.peer_port,
            address_prefix: keys.address_prefix,
        })
    }

    /// rule ‖ time ‖ D ‖ D_min ‖ text length ‖ text: all that makes the network another one.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = vec![self.retarget.code()];
        bytes.extend(self.time.0.to_le_bytes());
        bytes.extend(self.difficulty.q24().to_le_bytes());
        bytes.extend(self.min_difficulty.q24().to_le_bytes());
        bytes.extend(count_bytes(self.text.len()));
        bytes.extend(self.text.as_bytes());
        bytes
    }

    /// The genesis that is to be mined or checked: its coinbase's data is BLAKE3 of the canonical form.
    #[must_use]
    pub fn genesis(&self) -> Draft {
        let data = blake3::hash(&self.canonical()).as_bytes().to_vec();
        Draft::genesis(data, self.time, self.difficulty).expect("32 bytes are at most 96")
    }

    /// The network, if the file's nonces make its genesis verify and it is none of the three.
    ///
    /// # Errors
    /// [`ParamsError::Genesis`] and [`ParamsError::GenesisReused`].
    pub fn into_params(self) -> Result<Params, ParamsError> {
        let genesis = genesis::seal(self.genesis(), self.extra_nonce, self.nonce)?;
        self.with_genesis(genesis)
    }

    fn with_genesis(self, genesis: Block) -> Result<Params, ParamsError> {
        let network_id = Params::network_id_of(&genesis);
        differs_from_the_three(network_id)?;
        Ok(Params {
            name: self.name,
            retarget: self.retarget,
            min_difficulty: self.min_difficulty,
            genesis,
            network_id,
            magic: Params::magic_of(&network_id),
            rpc_port: self.rpc_port,
            peer_port: self.peer_port,
            address_prefix: self.address_prefix,
        })
    }
}

fn difficulty(key: &'static str, q24: u128) -> Result<Difficulty, ParamsError> {
    Difficulty::from_q24(q24).map_err(|source| ParamsError::Difficulty { key, source })
}

/// A name serves in paths and on the command line, where the three are taken.
fn name_is_free(name: &str) -> Result<(), ParamsError> {
    let letters = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !letters || name.is_empty() || name.len() > MAX_NAME || Params::by_name(name).is_some() {
        return Err(ParamsError::Name { got: name.to_owned() });
    }
    Ok(())
}

fn ports_differ(rpc: u16, peer: u16) -> Result<(), ParamsError> {
    if rpc == 0 || peer == 0 || rpc == peer {
        return Err(ParamsError::Ports { rpc, peer });
    }
    Ok(())
}

fn prefix_is_bech32(prefix: &str) -> Result<(), ParamsError> {
    let capital = prefix.bytes().any(|byte| byte.is_ascii_uppercase());
    if capital || prefix.len() > MAX_PREFIX || Hrp::parse(prefix).is_err() {
        return Err(ParamsError::AddressPrefix { got: prefix.to_owned() });
    }
    Ok(())
}

/// "The genesis it yields must differ from the three."
fn differs_from_the_three(got: NetworkId) -> Result<(), ParamsError> {
    match Params::well_known().into_iter().find(|params| params.network_id == got) {
        Some(params) => Err(ParamsError::GenesisReused { got, network: params.name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genesis_of_the_three_is_no_new_one() {
        // No file can yield one: their coinbases hold a text, a file's the hash of its canonical form.
        for Params { network_id: got, name: network, genesis, .. } in Params::well_known() {
            let file = NetworkFile::parse(include_str!("../tests/good/garden.toml")).unwrap();
            assert_ne!(file.genesis().challenge(), genesis.header.challenge());
            assert_eq!(file.with_genesis(genesis), Err(ParamsError::GenesisReused { got, network }));
        }
    }
}

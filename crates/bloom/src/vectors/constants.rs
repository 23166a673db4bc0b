//! `constants`: the tables and numbers that everything else is computed from.

use bloom_consensus::constants::LOG2PHI_Q32;
use bloom_kernel::params::{K_FLOOR_Q32, K_SPAN_Q32, STEP, TAU_Q32};
use bloom_kernel::{GAIN, OMEGA, reference};
use serde_json::Value;

use super::fault::{Fault, HERE, same, same_list};
use super::fields::{Fields, Hash};
use super::tally::Tally;

/// Checks every constant that the section names; any may be left out.
pub(super) fn check(section: &Value) -> Tally {
    let mut fields = match Fields::of(section) {
        Ok(fields) => fields,
        Err(fault) => return Tally::failed(fault),
    };
    let mut tally = Tally::default();
    for key in fields.rest() {
        tally.count("", constant(&mut fields, key));
    }
    tally
}

fn constant(fields: &mut Fields<'_>, key: &str) -> Result<(), Fault> {
    match key {
        "k_floor_q32" => same(key, HERE, K_FLOOR_Q32, fields.read(key)?),
        "k_base_q32" => same(key, HERE, K_FLOOR_Q32 + K_SPAN_Q32, fields.read(key)?),
        "tau_q32" => same(key, HERE, TAU_Q32, fields.read(key)?),
        "log2phi_q32" => same(key, HERE, LOG2PHI_Q32, fields.read(key)?),
        "step" => same(key, HERE, STEP, fields.read(key)?),
        "omega" => same_list(key, HERE, &OMEGA, &fields.read::<Vec<i32>>(key)?),
        "gain_blake3_u32le" => same(key, HERE, blake3_of_words(&GAIN), hex::encode(fields.read::<Hash>(key)?.0)),
        "sincos_blake3" => same(key, HERE, blake3_of_waves(), hex::encode(fields.read::<Hash>(key)?.0)),
        _ => gain(fields, key),
    }
}

/// `gain_first` are the entries from 0 on, "gain_a_b are the entries a to b-1".
fn gain(fields: &mut Fields<'_>, key: &str) -> Result<(), Fault> {
    let unknown = || Fault::new("unknown constant: this program does not know what it means").in_field(key);
    let (start, end) = match key.strip_prefix("gain_").ok_or_else(unknown)? {
        "first" => (0, fields.read::<Vec<u32>>(key)?.len()),
        range => {
            let (start, end) = range.split_once('_').ok_or_else(unknown)?;
            (start.parse().map_err(|_| unknown())?, end.parse().map_err(|_| unknown())?)
        }
    };
    let entries = GAIN.get(start..end).ok_or_else(|| Fault::new("there are 1024 entries").in_field(key))?;
    same_list(key, HERE, entries, &fields.read::<Vec<u32>>(key)?)
}

/// BLAKE3 of words in little-endian order, in hex.
pub(super) fn blake3_of_words(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    blake3::hash(&bytes).to_string()
}

/// BLAKE3 over s ‖ c of every phase a·2¹⁶.
fn blake3_of_waves() -> String {
    let mut hasher = blake3::Hasher::new();
    for upper in 0..=u16::MAX {
        let phase = u32::from(upper) << 16;
        hasher.update(&reference::sin(phase).to_le_bytes()).update(&reference::cos(phase).to_le_bytes());
    }
    hasher.finalize().to_string()
}

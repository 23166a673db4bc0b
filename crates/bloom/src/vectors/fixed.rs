//! `log2` and `exp2` in fixed point, and `lucas_nonces`.

use bloom_kernel::{fixed, lucas};
use serde_json::{Value, json};

use super::fault::{Fault, HERE, same};
use super::fields::{Fields, Natural, Read, list};
use super::random::Random;
use super::rows::Row;
use super::tally::Tally;

/// Octaves to either side that made exponents span, as far as the retargets go.
const OCTAVES: i64 = 100;

/// log2(x) in Q32.
pub(super) struct Log2 {
    x: u128,
    log2_q32: i64,
}

impl Row for Log2 {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self { x: fields.read("x")?, log2_q32: fields.read("log2_q32")? })
    }

    fn check(&self) -> Result<(), Fault> {
        if self.x == 0 {
            return Err(Fault::new("got 0, expected at least 1").in_field("x"));
        }
        same("log2_q32", HERE, fixed::log2_q32(self.x), self.log2_q32)
    }
}

/// A row for an integer of random length.
pub(super) fn make_log2(random: &mut Random) -> Value {
    let bits = 1 + random.below(128) as u32;
    let x = random.bits(bits).max(1);
    json!({"x": x.to_string(), "log2_q32": fixed::log2_q32(x).to_string()})
}

/// ⌊base·2^(e/2³²)⌋.
pub(super) struct Exp2 {
    base: u128,
    e_q32: i64,
    exp2: Natural,
}

impl Row for Exp2 {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self { base: fields.read("base")?, e_q32: fields.read("e_q32")?, exp2: fields.read("exp2")? })
    }

    fn check(&self) -> Result<(), Fault> {
        same("exp2", HERE, &fixed::exp2_q32(self.e_q32, self.base).to_string(), &self.exp2.0)
    }
}

/// A row for a base of random length, at most a difficulty's.
pub(super) fn make_exp2(random: &mut Random) -> Value {
    let bits = 1 + random.below(88) as u32;
    let base = random.bits(bits);
    let span = (OCTAVES as u64) << 33;
    let e_q32 = (random.u64() % span).cast_signed() - (OCTAVES << 32);
    json!({"base": base.to_string(), "e_q32": e_q32.to_string(), "exp2": fixed::exp2_q32(e_q32, base).to_string()})
}

/// The nonces in the order in which attempts use them.
pub(super) fn lucas_nonces(section: &Value) -> Tally {
    let mut tally = Tally::default();
    let values = match list(section) {
        Ok(values) => values,
        Err(fault) => return Tally::failed(fault),
    };
    tally.count_list(
        "",
        values.iter().enumerate().map(|(j, value)| {
            let expected = u32::read(value)?;
            match lucas::NONCES.get(j) {
                Some(nonce) => same("", HERE, *nonce, expected),
                None => Err(Fault::differs(HERE, "no nonce, there are 24", expected)),
            }
        }),
    );
    tally
}

//! `refused_transactions`: each refused, and for the reason that stands beside it.

use bloom_consensus::rules::isolation::check_transaction;
use bloom_consensus::{DecodeError, OutputKey, ShapeError, Transaction, TransactionViolation};
use serde_json::Value;

use crate::vectors::fault::{Fault, short};
use crate::vectors::fields::{Bytes, Fields, list};
use crate::vectors::tally::Tally;

/// p = 2²⁵⁶ − 2³² − 977, the prime of secp256k1's field.
const FIELD_PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    [prime[27], prime[30], prime[31]] = [0xfe, 0xfc, 0x2f];
    prime
};

/// Checks a list of encodings that are none, or that break a rule by themselves.
pub(super) fn check(values: &Value, tally: &mut Tally) -> Result<(), Fault> {
    for (index, value) in list(values)?.iter().enumerate() {
        let place = format!("refused_transactions[{index}]");
        match row(value) {
            Ok(Reason::Known) => tally.count(place, Ok(())),
            Ok(Reason::Unknown(remark)) => {
                tally.remarks.push(remark.in_field(&place));
                tally.count(place, Ok(()));
            }
            Err(fault) => tally.count(place, Err(fault)),
        }
    }
    Ok(())
}

enum Reason {
    /// Refused for the reason in the row.
    Known,
    /// Refused, for a reason whose words this program does not know.
    Unknown(Fault),
}

enum Refusal {
    Encoding(DecodeError),
    Rule(TransactionViolation),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Encoding(error) => error.fmt(f),
            Self::Rule(violation) => violation.fmt(f),
        }
    }
}

fn row(value: &Value) -> Result<Reason, Fault> {
    let mut fields = Fields::of(value)?;
    let (encoded, why) = (fields.read::<Bytes>("encoded")?.0, fields.read::<String>("why")?);
    fields.finish()?;
    let refusal = match Transaction::decode(&encoded) {
        Err(error) => Refusal::Encoding(error),
        Ok(transaction) => match check_transaction(&transaction) {
            Err(violation) => Refusal::Rule(violation),
            Ok(()) => return Err(Fault::differs("", "accepted", &why).in_field("why")),
        },
    };
    match is_reason(&why, &refusal) {
        Some(true) => Ok(Reason::Known),
        Some(false) => Err(Fault::differs("", &refusal, &why).in_field("why")),
        None => {
            let remark = format!("refused ({refusal}), but whether that is {:?} is beyond this program", short(&why));
            Ok(Reason::Unknown(Fault::new(remark)))
        }
    }
}

/// Whether the words in a row mean this refusal; `None` where they mean nothing known.
fn is_reason(why: &str, refusal: &Refusal) -> Option<bool> {
    use DecodeError::{CountBeyondBytes, Shape, TrailingBytes, Truncated, Version};
    use Refusal::{Encoding, Rule};
    use TransactionViolation::{DuplicateInput, InputsOutOfOrder, KeyNotOnCurve, ZeroOutput};
    Some(match why {
        "trailing byte" => matches!(refusal, Encoding(TrailingBytes { got: 1, .. })),
        "cut short" => matches!(refusal, Encoding(Truncated { .. } | CountBeyondBytes { .. })),
        "input count 0" => matches!(refusal, Encoding(Shape(ShapeError::NoInputs))),
        "output count 0" => matches!(refusal, Encoding(Shape(ShapeError::NoOutputs))),
        "input count beyond the bytes" => matches!(refusal, Encoding(CountBeyondBytes { what: "input", .. })),
        "output count beyond the bytes" => matches!(refusal, Encoding(CountBeyondBytes { what: "output", .. })),
        "inputs out of order" => matches!(refusal, Rule(InputsOutOfOrder { .. })),
        "the same input twice" => matches!(refusal, Rule(DuplicateInput { .. })),
        "amount 0" => matches!(refusal, Rule(ZeroOutput { .. })),
        "key not below the field's prime" => matches!(refusal, Rule(KeyNotOnCurve { got, .. }) if got.0 >= FIELD_PRIME),
        _ => {
            if let Some(version) = why.strip_prefix("version ") {
                let version: u32 = version.parse().ok()?;
                return Some(matches!(refusal, Encoding(Version { got, .. }) if *got == version));
            }
            let x = why.strip_prefix("key x = ")?.strip_suffix(" is not on the curve")?;
            let key = small_key(x.parse().ok()?);
            matches!(refusal, Rule(KeyNotOnCurve { got, .. }) if *got == key)
        }
    })
}

/// The key with this x.
fn small_key(x: u64) -> OutputKey {
    let mut key = [0; 32];
    key[24..].copy_from_slice(&x.to_be_bytes());
    OutputKey(key)
}

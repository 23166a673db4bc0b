//! The fields of a row, each of which must be read: exact integers, hex, and lists of them.

use std::collections::BTreeSet;

use bloom_consensus::Difficulty;
use bloom_kernel::{BLOOM_ROUNDS, OSCILLATORS, Order};
use serde_json::{Map, Value};

use super::fault::{Fault, short};

/// 63 phases in units of 2⁻³² turn.
pub(super) type Phases = [u32; OSCILLATORS];
/// The mean fields of a bloom's seven rounds.
pub(super) type Orders = [Order; BLOOM_ROUNDS as usize];

/// An object whose every key must be asked for.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    asked: BTreeSet<&'a str>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Fault> {
        let map = value.as_object().ok_or_else(|| malformed(value, "an object"))?;
        Ok(Self { map, asked: BTreeSet::new() })
    }

    /// The value of a key that must be there.
    pub(super) fn read<T: Read>(&mut self, key: &str) -> Result<T, Fault> {
        let missing = || Fault::new("missing").in_field(key);
        T::read(self.value(key).ok_or_else(missing)?).map_err(|fault| fault.in_field(key))
    }

    /// The value of a key that may be left out.
    pub(super) fn value(&mut self, key: &str) -> Option<&'a Value> {
        let (key, value) = self.map.get_key_value(key)?;
        self.asked.insert(key);
        Some(value)
    }

    /// The keys that nobody has asked for yet, in order.
    pub(super) fn rest(&self) -> Vec<&'a str> {
        self.map.keys().map(String::as_str).filter(|key| !self.asked.contains(key)).collect()
    }

    /// A key that nobody has asked for is a vector that nobody has read.
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.rest().first() {
            Some(key) => Err(Fault::new("unknown field: this program does not know what it means").in_field(key)),
            None => Ok(()),
        }
    }
}

/// A value with one way to be written.
pub(super) trait Read: Sized {
    fn read(value: &Value) -> Result<Self, Fault>;
}

macro_rules! integers {
    ($($type:ty: $expected:literal),* $(,)?) => {$(
        impl Read for $type {
            /// A number, or its decimal digits as a string: what a double cannot hold is written so.
            fn read(value: &Value) -> Result<Self, Fault> {
                let digits = match value {
                    Value::Number(number) => number.to_string(),
                    Value::String(digits) => digits.clone(),
                    _ => return Err(malformed(value, $expected)),
                };
                let parsed: Option<Self> = digits.parse().ok();
                parsed.filter(|parsed| parsed.to_string() == digits).ok_or_else(|| malformed(value, $expected))
            }
        }
    )*};
}

integers! {
    u32: "an integer from 0 to 2^32-1",
    i32: "an integer from -2^31 to 2^31-1",
    u64: "an integer from 0 to 2^64-1",
    i64: "an integer from -2^63 to 2^63-1",
    u128: "an integer from 0 to 2^128-1",
}

/// A natural number of any size, as its decimal digits.
pub(super) struct Natural(pub(super) String);

impl Read for Natural {
    fn read(value: &Value) -> Result<Self, Fault> {
        let digits = match value {
            Value::Number(number) => number.to_string(),
            Value::String(digits) => digits.clone(),
            _ => return Err(malformed(value, "an integer from 0")),
        };
        let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain || (digits.starts_with('0') && digits != "0") {
            return Err(malformed(value, "an integer from 0"));
        }
        Ok(Self(digits))
    }
}

impl Read for Difficulty {
    fn read(value: &Value) -> Result<Self, Fault> {
        Self::from_q24(u128::read(value)?).map_err(Fault::new)
    }
}

impl Read for bool {
    fn read(value: &Value) -> Result<Self, Fault> {
        value.as_bool().ok_or_else(|| malformed(value, "true or false"))
    }
}

impl Read for String {
    fn read(value: &Value) -> Result<Self, Fault> {
        value.as_str().map(str::to_owned).ok_or_else(|| malformed(value, "a text"))
    }
}

/// Any number of bytes in hex.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Read for Bytes {
    fn read(value: &Value) -> Result<Self, Fault> {
        let bytes = value.as_str().and_then(|digits| hex::decode(digits).ok());
        bytes.map(Self).ok_or_else(|| malformed(value, "an even number of hexadecimal digits"))
    }
}

/// 32 bytes in hex.
pub(super) struct Hash(pub(super) [u8; 32]);

impl Read for Hash {
    fn read(value: &Value) -> Result<Self, Fault> {
        let mut bytes = [0; 32];
        let decoded = value.as_str().and_then(|digits| hex::decode_to_slice(digits, &mut bytes).ok());
        decoded.map(|()| Self(bytes)).ok_or_else(|| malformed(value, "64 hexadecimal digits"))
    }
}

impl Read for Order {
    fn read(value: &Value) -> Result<Self, Fault> {
        let [cos, sin] = <[i32; 2]>::read(value)?;
        Ok(Self { cos, sin })
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value) -> Result<Self, Fault> {
        let item = |(index, item): (usize, &Value)| T::read(item).map_err(|fault| fault.at_index(index));
        list(value)?.iter().enumerate().map(item).collect()
    }
}

impl<T: Read, const N: usize> Read for [T; N] {
    fn read(value: &Value) -> Result<Self, Fault> {
        let items = Vec::<T>::read(value)?;
        let got = items.len();
        items.try_into().map_err(|_| Fault::new(format_args!("got {got} values, expected {N}")))
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value) -> Result<Self, Fault> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }
}

/// The items of a list.
pub(super) fn list(value: &Value) -> Result<&[Value], Fault> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| malformed(value, "a list"))
}

/// A value that cannot be read as what it should be.
pub(super) fn malformed(value: &Value, expected: &str) -> Fault {
    let got = match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        leaf => short(&leaf.to_string()),
    };
    Fault::new(format_args!("got {got}, expected {expected}"))
}

#[cfg(test)]
mod tests {
    use bloom_consensus::Difficulty;
    use serde_json::{Value, json};

    use super::{Bytes, Fields, Hash, Natural, Read};

    fn refused<T: Read>(value: &Value) -> bool {
        T::read(value).is_err()
    }

    #[test]
    fn integers_are_exact_and_have_one_spelling() {
        assert_eq!(u64::read(&json!(9_223_372_036_854_775_808_u64)), Ok(1 << 63));
        assert_eq!(u128::read(&json!("340282366920938463463374607431768211455")), Ok(u128::MAX));
        assert_eq!(i32::read(&json!(-7)), Ok(-7));
        let bad = [json!(1.0), json!(1e30), json!("007"), json!("+7"), json!(" 7"), json!(""), json!(null), json!([7])];
        for value in &bad {
            assert!(refused::<u64>(value) && refused::<i64>(value) && refused::<Natural>(value), "{value}");
        }
        assert!(refused::<u32>(&json!(1_u64 << 32)) && refused::<u64>(&json!(-1)) && refused::<i64>(&json!("-0")));
    }

    #[test]
    fn hex_difficulties_and_lists_are_bounded() {
        assert!(refused::<Bytes>(&json!("abc")) && refused::<Bytes>(&json!("zz")) && refused::<Bytes>(&json!(7)));
        assert!(refused::<Hash>(&json!("ab")) && refused::<Hash>(&json!("00".repeat(33))));
        assert!(refused::<Difficulty>(&json!((1 << 22) - 1)) && !refused::<Difficulty>(&json!(1 << 22)));
        assert_eq!(<[u32; 2]>::read(&json!([1])).unwrap_err().to_string(), "got 1 values, expected 2");
        assert_eq!(Option::<u32>::read(&json!(null)), Ok(None));
    }

    #[test]
    fn every_field_must_be_asked_for() {
        let value = json!({"a": 1, "b": {"c": []}});
        let mut fields = Fields::of(&value).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(fields.read("a"), Ok(1_u32));
        assert_eq!(fields.read::<u32>("z").unwrap_err().to_string(), "z: missing");
        assert_eq!(fields.rest(), ["b"]);
        assert_eq!(
            fields.finish().unwrap_err().to_string(),
            "b: unknown field: this program does not know what it means"
        );
        assert!(Fields::of(&json!([])).is_err());
    }
}

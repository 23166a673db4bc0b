//! How the law's values stand in a wallet file: ids, outpoints and transactions as text, amounts and heights as numbers.

/// Anything that prints and reads back: 32 bytes as 64 hexadecimal digits.
pub(crate) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// As [`text`], where there may be nothing.
pub(crate) mod maybe_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse()).transpose().map_err(serde::de::Error::custom)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $module:ident, $type:ty, $to:expr, $from:expr) => {
        $(#[$doc])*
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serializer};

            pub(crate) fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64($to(*value))
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                u64::deserialize(deserializer).map($from)
            }
        }
    };
}

number! {
    /// An amount in units.
    units, bloom_consensus::Amount, bloom_consensus::Amount::units, bloom_consensus::Amount::from_units
}
number! {
    /// A height.
    height, bloom_consensus::Height, |height: bloom_consensus::Height| height.0, bloom_consensus::Height
}
number! {
    /// Seconds since 1970.
    seconds, bloom_consensus::Timestamp, |time: bloom_consensus::Timestamp| time.0, bloom_consensus::Timestamp
}

/// A fee that may be unknown, in units.
pub(crate) mod maybe_units {
    use bloom_consensus::Amount;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Option<Amount>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Amount::units).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Amount::from_units))
    }
}

/// Outpoints as `txid:index`.
pub(crate) mod outpoints {
    use bloom_consensus::{Outpoint, Txid};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &[Outpoint], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Outpoint>, D::Error> {
        let parse = |text: String| {
            let (txid, index) = text.split_once(':')?;
            Some(Outpoint { txid: txid.parse::<Txid>().ok()?, index: index.parse().ok()? })
        };
        let parsed = Vec::<String>::deserialize(deserializer)?.into_iter().map(parse).collect::<Option<_>>();
        parsed.ok_or_else(|| serde::de::Error::custom("expected outpoints as txid:index"))
    }
}

/// A whole transaction in its one encoding, as hex.
pub(crate) mod maybe_transaction {
    use bloom_consensus::Transaction;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Option<Transaction>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(transaction) => serializer.serialize_str(&hex::encode(transaction.encode())),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Transaction>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let bytes = hex::decode(text).map_err(serde::de::Error::custom)?;
        Transaction::decode(&bytes).map(Some).map_err(serde::de::Error::custom)
    }
}

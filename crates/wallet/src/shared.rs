//! Keys that several machines share: MuSig2 aggregates (BIP-327) of all their public keys, n of n, without a tweak. To
//! everybody else the aggregate is an output key like any other.

use std::fmt;
use std::str::FromStr;

use bloom_consensus::OutputKey;
use secp256k1::PublicKey;
use secp256k1::musig::KeyAggCache;
use serde::{Deserialize, Serialize};

/// Most machines that share a key: what a person can carry files between, and a bound on what a file can ask for.
pub const MOST_COSIGNERS: usize = 16;

/// The public keys of all who must sign, in ascending order of their 33 bytes, so that whoever lists them comes to the
/// same aggregate. At least two, no two alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Cosigners(Vec<PublicKey>);

/// Keys that cannot be shared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignersError {
    /// One, or more than [`MOST_COSIGNERS`].
    #[error("keys to share: got {got}, expected 2 to {MOST_COSIGNERS}")]
    Count {
        /// Keys given.
        got: usize,
    },
    /// The same key twice: the second machine would be none.
    #[error("key {key} is given twice: every machine has its own, shown by `bloom wallet address --cosigner`")]
    Twice {
        /// The key.
        key: PublicKey,
    },
    /// Not a compressed point in hex.
    #[error(
        "not a cosigner key: got {got:?}, expected the 66 hex digits that `bloom wallet address --cosigner` prints"
    )]
    NotAKey {
        /// As given.
        got: String,
    },
}

/// A cosigner's key as people hand it on: 66 hex digits.
///
/// # Errors
/// [`CosignersError::NotAKey`].
pub fn parse_cosigner(text: &str) -> Result<PublicKey, CosignersError> {
    let bad = || CosignersError::NotAKey { got: text.chars().take(80).collect() };
    // A point has one text here: 65 bytes and capitals are read by others, not by us.
    if text.len() != 66 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(bad());
    }
    PublicKey::from_str(text).map_err(|_| bad())
}

impl Cosigners {
    /// All keys, in any order.
    ///
    /// # Errors
    /// [`CosignersError`] unless they are 2 to [`MOST_COSIGNERS`] different ones.
    pub fn new(mut keys: Vec<PublicKey>) -> Result<Self, CosignersError> {
        if keys.len() < 2 || keys.len() > MOST_COSIGNERS {
            return Err(CosignersError::Count { got: keys.len() });
        }
        keys.sort_unstable_by_key(PublicKey::serialize);
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(CosignersError::Twice { key: pair[0] }),
            None => Ok(Self(keys)),
        }
    }

    /// In ascending order.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Where a key stands among them.
    #[must_use]
    pub fn position(&self, key: &PublicKey) -> Option<usize> {
        self.0.iter().position(|own| own == key)
    }

    /// The aggregate that outputs are made to.
    #[must_use]
    pub fn output_key(&self) -> OutputKey {
        OutputKey(self.aggregate().agg_pk().to_byte_array())
    }

    pub(crate) fn aggregate(&self) -> KeyAggCache {
        KeyAggCache::new(&self.0.iter().collect::<Vec<_>>())
    }
}

impl fmt::Display for Cosigners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&keys.join(" "))
    }
}

impl TryFrom<Vec<String>> for Cosigners {
    type Error = CosignersError;

    fn try_from(texts: Vec<String>) -> Result<Self, CosignersError> {
        Self::new(texts.iter().map(|text| parse_cosigner(text)).collect::<Result<_, _>>()?)
    }
}

impl From<Cosigners> for Vec<String> {
    fn from(cosigners: Cosigners) -> Self {
        cosigners.0.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // BIP-327, key_agg_vectors.json: the valid cases' keys.
    const KEYS: [&str; 3] = [
        "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
        "03dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
        "023590a94e768f8e1815c2f24b4d80a8e3149316c3518ce7b7ad338368d038ca66",
    ];

    fn keys(order: &[usize]) -> Vec<PublicKey> {
        order.iter().map(|&i| parse_cosigner(KEYS[i]).unwrap()).collect()
    }

    #[test]
    fn aggregates_are_those_of_bip_327() {
        for (order, expected) in [
            (&[0, 1, 2][..], "90539eede565f5d054f32cc0c220126889ed1e5d193baf15aef344fe59d4610c"),
            (&[2, 1, 0], "6204de8b083426dc6eaf9502d27024d53fc826bf7d2012148a0575435df54b2b"),
        ] {
            // As listed, before any sorting: the vectors know no order.
            let listed = keys(order);
            let aggregate = KeyAggCache::new(&listed.iter().collect::<Vec<_>>());
            assert_eq!(hex::encode(aggregate.agg_pk().to_byte_array()), expected);
        }
    }

    #[test]
    fn whoever_lists_the_keys_comes_to_the_same_aggregate() {
        let expected = Cosigners::new(keys(&[0, 1, 2])).unwrap();
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let cosigners = Cosigners::new(keys(&order)).unwrap();
            assert_eq!((&cosigners, cosigners.output_key()), (&expected, expected.output_key()));
        }
        // Sorted as BIP-327's KeySort does, by the 33 bytes.
        assert_eq!(expected.to_string(), [KEYS[2], KEYS[0], KEYS[1]].join(" "));
    }

    #[test]
    fn keys_that_cannot_be_shared_are_refused() {
        assert_eq!(Cosigners::new(keys(&[0])), Err(CosignersError::Count { got: 1 }));
        assert_eq!(Cosigners::new(keys(&[0; 17])), Err(CosignersError::Count { got: 17 }));
        assert_eq!(Cosigners::new(keys(&[0, 1, 0])), Err(CosignersError::Twice { key: keys(&[0])[0] }));
        let off_the_curve = "020000000000000000000000000000000000000000000000000000000000000005";
        for bad in ["", "02", off_the_curve, &KEYS[0].to_uppercase(), &KEYS[0][2..], &format!("{}00", KEYS[0])] {
            assert!(matches!(parse_cosigner(bad), Err(CosignersError::NotAKey { .. })), "{bad}");
        }
    }
}

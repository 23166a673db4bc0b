//! Texts signed with the key of an address: proof that whoever holds it wrote them.
//!
//! What is signed is derive_key("bloomcoin v1 message", network id ‖ length in 8 bytes ‖ text), by BIP-340: no such
//! signature is good for a transaction, or on another network.

use std::fmt;
use std::str::FromStr;

use blake3::Hasher;
use bloom_consensus::{NetworkId, OutputKey};
use secp256k1::{Keypair, schnorr};

/// No longer text is signed or checked.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// A signature of a text; as text itself 128 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSignature(schnorr::Signature);

/// Text that is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature: got {got} characters, expected 128 digits 0-9 a-f")]
pub struct NotASignature {
    /// How many characters.
    pub got: usize,
}

impl FromStr for MessageSignature {
    type Err = NotASignature;

    fn from_str(text: &str) -> Result<Self, NotASignature> {
        let mut bytes = [0; 64];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotASignature { got: text.chars().count() })?;
        Ok(Self(schnorr::Signature::from_byte_array(bytes)))
    }
}

impl fmt::Display for MessageSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.as_byte_array()))
    }
}

impl MessageSignature {
    /// Signs a text for a network, with fresh randomness beside the key.
    #[must_use]
    pub fn sign(network: &NetworkId, text: &[u8], key: &Keypair) -> Self {
        Self(schnorr::sign(&digest(network, text), key))
    }

    /// Signs without randomness: the same signature every time, for known answers.
    #[must_use]
    pub fn sign_without_randomness(network: &NetworkId, text: &[u8], key: &Keypair) -> Self {
        Self(schnorr::sign_no_aux_rand(&digest(network, text), key))
    }

    /// Whether the holder of this key signed this text for this network.
    #[must_use]
    pub fn is_of(&self, network: &NetworkId, text: &[u8], key: &OutputKey) -> bool {
        key.point().is_some_and(|point| schnorr::verify(&self.0, &digest(network, text), &point).is_ok())
    }
}

fn digest(network: &NetworkId, text: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::new_derive_key("bloomcoin v1 message");
    hasher.update(&network.0).update(&(text.len() as u64).to_le_bytes()).update(text);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use bloom_consensus::Params;

    use super::*;

    fn pair(byte: u8) -> (Keypair, OutputKey) {
        let pair = Keypair::from_secret_bytes([byte; 32]).unwrap();
        (pair, OutputKey(pair.x_only_public_key().0.to_byte_array()))
    }

    #[test]
    fn a_signature_is_of_its_text_key_and_network_alone() {
        let [main, _, dev] = Params::well_known().map(|params| params.network_id);
        let ((pair, key), (_, other)) = (pair(1), pair(2));
        let signature = MessageSignature::sign(&main, b"a text", &pair);
        assert!(signature.is_of(&main, b"a text", &key));
        assert!(!signature.is_of(&dev, b"a text", &key), "another network");
        assert!(!signature.is_of(&main, b"a text", &other), "another key");
        for text in ["", "a tex", "a text ", "A text"] {
            assert!(!signature.is_of(&main, text.as_bytes(), &key), "{text}");
        }
        assert!(!signature.is_of(&main, b"a text", &OutputKey([0xff; 32])), "a key off the curve");
        assert_eq!(signature.to_string().parse(), Ok(signature));
        assert_ne!(signature, MessageSignature::sign(&main, b"a text", &pair), "with fresh randomness");
        for position in 0..64 {
            let mut bytes = *signature.0.as_byte_array();
            bytes[position] ^= 1;
            assert!(!MessageSignature(schnorr::Signature::from_byte_array(bytes)).is_of(&main, b"a text", &key));
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for bad in ["", "00", &"0".repeat(127), &"0".repeat(130), &"g".repeat(128), &format!("0x{}", "0".repeat(126))] {
            assert_eq!(bad.parse::<MessageSignature>(), Err(NotASignature { got: bad.len() }));
        }
    }
}

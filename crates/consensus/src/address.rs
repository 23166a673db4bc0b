//! Addresses: bech32m over version q and the 32 bytes of a key, with the network's prefix (law §6).

use bech32::primitives::decode::CheckedHrpstring;
use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
use bech32::{Bech32m, Fe32, Hrp};

use crate::OutputKey;

/// The version character of every address.
const VERSION: Fe32 = Fe32::Q;

/// A string that is no address of this network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A prefix that no address can have.
    #[error("address prefix: got {got:?}, expected characters of bech32")]
    Prefix {
        /// As given.
        got: String,
    },
    /// Not bech32m at all, or mistyped.
    #[error("not an address: {reason}")]
    Bech32 {
        /// What the decoder found.
        reason: String,
    },
    /// An address of another network.
    #[error("address of another network: got prefix {got}, expected {expected}")]
    Network {
        /// Its prefix.
        got: String,
        /// This network's.
        expected: String,
    },
    /// A version that does not exist yet.
    #[error("address version: got {got:?}, expected q")]
    Version {
        /// Its version character, if it has any.
        got: Option<char>,
    },
    /// Not 32 bytes.
    #[error("address length: got {got} bytes of key, expected 32")]
    Length {
        /// Bytes after the version.
        got: usize,
    },
    /// Bits beyond the 32 bytes that are not zero.
    #[error("address padding: expected 4 zero bits at the end")]
    Padding,
    /// A key that no output may be made to.
    #[error("address of key {got}, which is not on the curve")]
    KeyNotOnCurve {
        /// The key.
        got: OutputKey,
    },
}

/// The address of a key.
///
/// # Errors
/// [`AddressError::Prefix`] unless the prefix is bech32's.
pub fn encode(prefix: &str, key: &OutputKey) -> Result<String, AddressError> {
    let prefix = parse_prefix(prefix)?;
    let data = key.0.into_iter().bytes_to_fes();
    Ok(data.with_checksum::<Bech32m>(&prefix).with_witness_version(VERSION).chars().collect())
}

/// The key of an address of this network, on the curve. All capitals are read too, as BIP-350 has it for QR codes.
///
/// # Errors
/// [`AddressError`], for each fault its own.
pub fn decode(prefix: &str, address: &str) -> Result<OutputKey, AddressError> {
    let expected = parse_prefix(prefix)?;
    let bech32 = |reason: String| AddressError::Bech32 { reason };
    let mut parts = CheckedHrpstring::new::<Bech32m>(address).map_err(|error| bech32(error.to_string()))?;
    if parts.hrp() != expected {
        return Err(AddressError::Network { got: parts.hrp().to_lowercase(), expected: expected.to_lowercase() });
    }
    let version = parts.remove_witness_version();
    if version != Some(VERSION) {
        return Err(AddressError::Version { got: version.map(Fe32::to_char) });
    }
    parts.validate_segwit_padding().map_err(|_| AddressError::Padding)?;
    let bytes: Vec<u8> = parts.byte_iter().collect();
    let key = OutputKey(bytes.try_into().map_err(|bytes: Vec<u8>| AddressError::Length { got: bytes.len() })?);
    if key.point().is_none() {
        return Err(AddressError::KeyNotOnCurve { got: key });
    }
    Ok(key)
}

fn parse_prefix(prefix: &str) -> Result<Hrp, AddressError> {
    Hrp::parse(prefix).map_err(|_| AddressError::Prefix { got: prefix.to_owned() })
}

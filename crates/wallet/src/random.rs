//! Secrets, salts and nonces come from the system's generator and nowhere else.

use secp256k1::rand::TryRngCore;
use secp256k1::rand::rngs::OsRng;

/// The system gave no random bytes: nothing secret can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator does not answer; nothing was made")]
pub struct NoRandomness;

/// Fills the bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    OsRng.try_fill_bytes(bytes).map_err(|_| NoRandomness)
}

//! BLAKE3 in derive-key mode over parts in sequence, the hash of everything that has an identity.

use blake3::Hasher;

/// derive_key(`context`, concatenation of `parts`).
pub(crate) fn derive_key(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

//! BLAKE3 in derive-key mode over parts in sequence, the hash of everything that has an identity.

use std::sync::OnceLock;

use blake3::Hasher;
use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};

/// A context, hashed when it is first used: doing so each time would cost as much as what it is for. Of a prepared
/// hasher's two kilobytes a clone would copy all.
pub(crate) struct Context {
    text: &'static str,
    key: OnceLock<ContextKey>,
}

impl Context {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, key: OnceLock::new() }
    }

    /// derive_key(context, concatenation of `parts`).
    pub(crate) fn derive_key(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = Hasher::new_from_context_key(self.key.get_or_init(|| hash_derive_key_context(self.text)));
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

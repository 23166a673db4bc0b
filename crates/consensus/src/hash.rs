//! BLAKE3 in derive-key mode over parts in sequence, the hash of everything that has an identity.

use std::sync::OnceLock;

use blake3::Hasher;

/// A context, prepared when it is first used: hashing the context anew each time would cost as much as what it is for.
pub(crate) struct Context {
    text: &'static str,
    prepared: OnceLock<Hasher>,
}

impl Context {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, prepared: OnceLock::new() }
    }

    /// derive_key(context, concatenation of `parts`).
    pub(crate) fn derive_key(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = self.prepared.get_or_init(|| Hasher::new_derive_key(self.text)).clone();
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

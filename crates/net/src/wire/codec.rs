//! Bytes to messages and back.

use super::{Note, Request};

impl Note {
    /// Bytes of its encoding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        0
    }
}

impl Request {
    /// Bytes of its encoding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        0
    }
}

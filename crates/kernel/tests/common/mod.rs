//! Which backends a test is about.

use bloom_kernel::Backend;

/// The backends of this machine; with `BLOOM_BACKEND` set that one alone, and its absence fails the test.
pub(crate) fn backends() -> Vec<Backend> {
    match std::env::var("BLOOM_BACKEND") {
        Ok(name) => vec![name.parse().expect("BLOOM_BACKEND names a backend of this machine")],
        Err(_) => Backend::available().collect(),
    }
}

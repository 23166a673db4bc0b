//! Proposals, and shared keys by MuSig2, between machines that share nothing but files.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod bad_files;
mod proposals;
mod refusals;
mod sessions;
mod support;

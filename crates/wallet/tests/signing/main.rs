//! Proposals, and shared keys by MuSig2, between machines that share nothing but files.

mod bad_files;
mod proposals;
mod refusals;
mod sessions;
mod support;

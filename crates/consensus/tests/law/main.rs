//! The rules against the law's vectors, against attacks by name, and against random values.

mod common;
mod difficulty;
mod drafts;
mod encoding;
mod headers;
mod inclusion;
mod ledger;
mod merkle;
mod networks;
mod proofs;
mod signatures;
mod spending;
mod vectors;

//! The heart of Proof-of-Coherence: 63 Kuramoto oscillators in integers, attempts that bloom, and the backends that
//! evolve them (law §2 and §3). Integers in, integers out: no float, clock, thread or allocation.
//!
//! - [`mod@reference`] reads like the law and is what everything else is measured against.
//! - [`Batch`] evolves 32 attempts side by side, for mining and for verifying many headers; [`Solo`] evolves one.
//! - [`Backend`] says on which instruction set, chosen at run time.
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::iter_over_hash_type
    )
)]

mod backend;
mod bloom;
mod coupling;
mod difficulty;
pub mod fixed;
pub mod lucas;
pub mod params;
pub mod reference;
mod seed;
mod self_test;

mod tables;

pub use backend::batch::{Batch, BatchStatus, Feed, LANES, Start};
pub use backend::solo::Solo;
pub use backend::{Backend, BackendError};
pub use bloom::{
    BLOCK_CONTEXT, Bloom, CERTIFICATE_BYTES, CERTIFICATE_CONTEXT, CertificateError, Order, SEAL_BYTES, Seal,
    certificate_hash,
};
pub use coupling::{CouplingTable, coupling_q32};
pub use difficulty::{Difficulty, DifficultyOutOfRange};
pub use params::{BLOOM_ROUNDS, OSCILLATORS, ROUNDS_MAX};
pub use seed::{OSCILLATOR_CONTEXT, Seeder, initial_phases};

pub use self_test::SelfTestError;
pub use tables::{GAIN, OMEGA};

//! A network in a box: real nodes in virtual time.
//!
//! - [`World`] does for [`bloom_net::Engine`]s what the real adapter does: connections, messages over lines of some length
//!   and width, proofs, wakes. Whoever acts like an engine may take part ([`Actor`]).
//! - All chance is seeded and nothing reads a clock: the same seed gives the same log to the byte.
//!
//! What is modelled and what is not is in `docs/simulator.md`.

pub mod actor;
pub mod dice;
mod link;
mod node;
pub mod record;
pub mod terrain;
pub mod time;
mod traffic;
pub mod world;

pub use actor::Actor;
pub use record::Record;
pub use terrain::Terrain;
pub use time::Moment;
pub use world::World;

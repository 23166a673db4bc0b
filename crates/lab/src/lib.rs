//! A network in a box: real nodes in virtual time.
//!
//! - [`World`] does for [`bloom_net::Engine`]s what the real adapter does: connections, messages over lines of some length
//!   and width, proofs, wakes. Whoever acts like an engine may take part ([`Actor`]).
//! - All chance is seeded and nothing reads a clock: the same seed gives the same log to the byte.
//!
//! What is modelled and what is not is in `docs/simulator.md`.

mod actor;
mod blocks;
mod citizen;
mod dice;
pub mod eclipse;
mod figures;
mod link;
mod mask;
mod money;
pub mod network;
mod node;
mod plan;
mod puppet;
mod record;
mod terrain;
mod time;
mod traffic;
mod world;

pub use actor::Actor;
pub use citizen::Citizen;
pub use dice::{Dice, MILLION};
pub use eclipse::{Attack, Siege};
pub use figures::{Figures, Propagation};
pub use mask::{Mask, Vice};
pub use network::{LabError, Progress};
pub use plan::{MOST_HOURS, MOST_NODES, Partition, Plan, PlanError, SEEDS};
pub use record::{NewTip, Record};
pub use terrain::{PORT, Terrain, address};
pub use time::Moment;
pub use world::{Cue, World};

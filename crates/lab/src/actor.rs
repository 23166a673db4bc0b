//! Who takes part: whatever hears events and does actions as an engine does.

use std::time::Duration;

use bloom_net::{Action, Engine, Event, Now};

/// A node, honest or not.
pub trait Actor {
    /// Begins, or begins again with what it kept; its time starts anew.
    fn start(&mut self, now: Now) -> Vec<Action>;

    /// Ends as a process ends: what it keeps on disk stays. Its connections are closed for it.
    fn stop(&mut self);

    /// As [`Engine::handle`].
    fn handle(&mut self, event: Event, now: Now) -> Vec<Action>;

    /// As [`Engine::next_wake`].
    fn next_wake(&self) -> Option<Duration>;

    /// The engine in it, if it has one and runs.
    fn engine(&mut self) -> Option<&mut Engine>;
}

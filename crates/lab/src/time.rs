//! Virtual time, and what is to happen in it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::time::Duration;

/// Nanoseconds since the simulation began: 584 years of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// A while later, or the last moment there is.
    #[must_use]
    pub fn plus(self, while_: Duration) -> Self {
        Self(self.0.saturating_add(nanos(while_)))
    }

    /// The time since another moment; none if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the beginning.
    #[must_use]
    pub fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.secs(), self.0 % 1_000_000_000 / 1_000);
        f.pad(&text)
    }
}

/// A duration in nanoseconds, as far as they can be counted.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What is to happen, by time; of what happens at one time, the first that was planned comes first.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    heap: BinaryHeap<Entry<T>>,
    planned: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), planned: 0 }
    }

    pub(crate) fn plan(&mut self, at: Moment, what: T) {
        self.planned += 1;
        self.heap.push(Entry { at, number: self.planned, what });
    }

    /// The next, if it is not after `until`.
    pub(crate) fn next(&mut self, until: Moment) -> Option<(Moment, T)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }
}

#[derive(Debug)]
struct Entry<T> {
    at: Moment,
    number: u64,
    what: T,
}

impl<T> Ord for Entry<T> {
    /// The heap yields its greatest: the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_for_one_moment_comes_in_the_order_of_planning() {
        let mut agenda = Agenda::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b'), (9, 'e')] {
            agenda.plan(Moment(at), what);
        }
        let mut order = String::new();
        while let Some((_, what)) = agenda.next(Moment(5)) {
            order.push(what);
        }
        assert_eq!(order, "abcd");
    }
}

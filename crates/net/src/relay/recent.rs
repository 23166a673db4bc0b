//! The last so many of something, to be asked whether one is among them.

use std::collections::{BTreeSet, VecDeque};

/// A set that forgets what came first once it is full.
#[derive(Clone, Debug)]
pub(crate) struct Recent<T> {
    most: usize,
    order: VecDeque<T>,
    set: BTreeSet<T>,
}

impl<T: Copy + Ord> Recent<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, order: VecDeque::new(), set: BTreeSet::new() }
    }

    pub(crate) fn contains(&self, one: &T) -> bool {
        self.set.contains(one)
    }

    /// Whether it was not there.
    pub(crate) fn insert(&mut self, one: T) -> bool {
        if !self.set.insert(one) {
            return false;
        }
        self.order.push_back(one);
        if self.order.len() > self.most
            && let Some(first) = self.order.pop_front()
        {
            self.set.remove(&first);
        }
        true
    }

    pub(crate) fn clear(&mut self) {
        self.order.clear();
        self.set.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_forgotten_and_no_more_is_kept_than_fits() {
        let mut recent = Recent::new(3);
        assert!((0..4).all(|one| recent.insert(one)));
        assert!(!recent.contains(&0));
        assert!((1..4).all(|one| recent.contains(&one) && !recent.insert(one)));
        for one in 0..1_000 {
            recent.insert(one);
        }
        assert_eq!((recent.order.len(), recent.set.len()), (3, 3));
        recent.clear();
        assert!(!recent.contains(&999));
    }
}

//! A bounded memory of the latest.

use std::collections::HashMap;
use std::hash::Hash;

/// As many rows as a hash table of 2¹⁸ places takes before it would grow.
const GENERATION: usize = (1 << 18) / 8 * 7;

/// A map of the 229 376 rows put last at least, half of that while rows are removed, in two generations of
/// at most 2¹⁸ places: it takes no more than 2¹⁹ · (the bytes of a row + 1), and less as long as less is in it.
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + Hash + Copy, V: Copy> Recent<K, V> {
    /// The value of a key that is not forgotten.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    /// Sets a key.
    pub(crate) fn put(&mut self, key: K, value: V) {
        // The places of removed rows are used up too. A table of 2¹⁸ that has none left is set up anew in place if at most
        // half of it is taken, and would grow otherwise.
        let full = self.young.len() == self.young.capacity() && self.young.len() > GENERATION / 2;
        if full || self.young.len() >= GENERATION {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }

    /// Forgets a key; whether it was there.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        let young = self.young.remove(key).is_some();
        // One that was put again is in both.
        self.old.remove(key).is_some() || young
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_the_oldest_forgotten_and_the_memory_is_bounded() {
        let mut recent = Recent::default();
        for n in 0..GENERATION * 3 {
            recent.put(n, n);
        }
        assert_eq!(recent.get(&0), None);
        assert!((GENERATION * 2..GENERATION * 3).all(|n| recent.get(&n) == Some(n)));
        assert!(recent.young.len() + recent.old.len() <= GENERATION * 2);
        assert!(recent.young.capacity() <= GENERATION && recent.old.capacity() <= GENERATION);
    }

    #[test]
    fn removing_rows_makes_the_tables_no_larger() {
        let mut recent = Recent::default();
        let kept = GENERATION * 3 / 4;
        for n in 0..GENERATION * 3 {
            recent.put(n, ());
            if n >= kept {
                recent.remove(&(n - kept));
            }
            assert!(recent.young.capacity() <= GENERATION && recent.old.capacity() <= GENERATION);
        }
        assert!((GENERATION * 3 - GENERATION / 2..GENERATION * 3).all(|n| recent.get(&n).is_some()));
    }

    #[test]
    fn the_newest_value_counts_and_what_is_removed_does_not_come_back() {
        let mut recent = Recent::default();
        recent.put(1, "old");
        for n in 2..GENERATION + 2 {
            recent.put(n, "other");
        }
        assert!(recent.old.contains_key(&1), "it is in the old generation");
        recent.put(1, "new");
        assert_eq!(recent.get(&1), Some("new"));
        assert!(recent.remove(&1) && !recent.remove(&1));
        assert_eq!(recent.get(&1), None);
    }
}

//! The scores of those that left: who comes back finds what it is blamed for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Peer;
use crate::event::BanKey;

/// In which a point of a score is forgiven: who stalls now and then is no liar.
const FORGIVEN: Duration = Duration::from_secs(60);
/// Most scores that are remembered of who left; beyond it the least goes.
pub(super) const MAX_SCORES: usize = 4_096;

/// Points, and since when they are forgiven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) points: u32,
    since: Duration,
}

impl Score {
    /// What is left of it.
    pub(super) fn at(self, now: Duration) -> Self {
        let forgiven = now.saturating_sub(self.since).as_secs() / FORGIVEN.as_secs();
        let points = self.points.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        let since = if forgiven > 0 || points == 0 { now } else { self.since };
        Self { points, since }
    }

    pub(super) fn plus(self, points: u32, now: Duration) -> Self {
        let left = self.at(now);
        Self { points: left.points.saturating_add(points), ..left }
    }
}

/// The scores of those that left with one, by what a ban would keep out.
#[derive(Debug, Default)]
pub(super) struct Scores(BTreeMap<BanKey, Score>);

impl Scores {
    /// What is left of the score of who comes.
    pub(super) fn of(&self, key: &BanKey, now: Duration) -> Score {
        self.0.get(key).copied().unwrap_or_default().at(now)
    }

    /// Remembers the score of who leaves; of several connections of one host the highest.
    pub(super) fn keep(&mut self, peer: &Peer) {
        let (key, now) = (peer.ban_key(), peer.score.since);
        if peer.score.points == 0 {
            return;
        }
        let known = self.of(&key, now);
        if known.points > peer.score.points {
            return;
        }
        self.0.insert(key, peer.score);
        if self.0.len() > MAX_SCORES {
            let least = self.0.iter().min_by_key(|(key, score)| (score.at(now).points, **key)).map(|(key, _)| *key);
            least.map(|key| self.0.remove(&key));
        }
    }

    pub(super) fn forget(&mut self, key: &BanKey) {
        self.0.remove(key);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

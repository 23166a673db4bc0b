//! What is known of an address, and how good that is.

use bloom_consensus::Timestamp;

use crate::address::{NetGroup, PeerAddr};

/// An address that nobody has seen for so long is as good as gone.
const STALE_SECS: u64 = 30 * 24 * 3_600;
/// How far a time may be ahead of this clock before it is no time.
const AHEAD_SECS: u64 = 600;
/// What a time that is no time is taken for: seen, but not lately.
const UNKNOWN_AGE_SECS: u64 = 5 * 24 * 3_600;
/// How often an address that never answered is tried before it is as good as gone.
const MOST_ATTEMPTS_NEVER_ANSWERED: u32 = 3;
/// How often one that did is.
const MOST_ATTEMPTS: u32 = 10;
/// Since when it must not have answered, for that.
const SILENT_SECS: u64 = 7 * 24 * 3_600;
/// What was tried so lately is being tried.
const TRYING_SECS: u64 = 60;
/// What was tried so lately is hardly picked again.
const RECENT_SECS: u64 = 600;
/// Who answered so lately need not be asked whether it is there.
const PRESENT_SECS: u64 = 4 * 3_600;

/// Chances out of this.
pub(super) const CERTAIN: u64 = 1 << 20;

/// An address with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: PeerAddr,
    /// Whose word for it was the first.
    pub(super) source: NetGroup,
    /// When it was last seen, by anybody.
    pub(super) seen: Timestamp,
    /// When it was last tried; 0 if it never was.
    pub(super) tried: Timestamp,
    /// When it last said hello; 0 if it never did.
    pub(super) answered: Timestamp,
    /// How often it was tried since.
    pub(super) attempts: u32,
}

impl Entry {
    pub(super) fn told(address: PeerAddr, seen: Timestamp, source: NetGroup, now: Timestamp) -> Self {
        let never = Timestamp(0);
        Self { address, source, seen: believable(seen, now), tried: never, answered: never, attempts: 0 }
    }

    /// Whether any other address is better: it gives way, and nobody is told of it.
    pub(super) fn is_terrible(&self, now: Timestamp) -> bool {
        if self.attempts > 0 && age(self.tried, now) <= TRYING_SECS {
            return false;
        }
        let is_ahead = self.seen.0 > now.0.saturating_add(AHEAD_SECS);
        let is_stale = age(self.seen, now) > STALE_SECS;
        let most = if self.answered.0 == 0 { MOST_ATTEMPTS_NEVER_ANSWERED } else { MOST_ATTEMPTS };
        let is_silent = self.attempts >= most && age(self.answered, now) > SILENT_SECS;
        is_ahead || is_stale || is_silent
    }

    /// Whether it answered so lately that there is no need to ask whether it still does.
    pub(super) fn is_present(&self, now: Timestamp) -> bool {
        self.answered.0 != 0 && age(self.answered, now) <= PRESENT_SECS
    }

    /// How likely it is to be taken when a pick comes upon it, out of [`CERTAIN`]: two thirds for each failure of late, and a
    /// hundredth if it was tried just now.
    pub(super) fn chance(&self, now: Timestamp) -> u64 {
        let chance = (0..self.attempts.min(8)).fold(CERTAIN, |chance, _| chance * 2 / 3);
        if self.attempts > 0 && age(self.tried, now) < RECENT_SECS { chance / 100 } else { chance }
    }
}

/// A time that somebody told, as far as it can be one.
pub(super) fn believable(seen: Timestamp, now: Timestamp) -> Timestamp {
    if seen.0 > now.0.saturating_add(AHEAD_SECS) {
        Timestamp(now.0.saturating_sub(UNKNOWN_AGE_SECS))
    } else {
        seen.min(now)
    }
}

fn age(then: Timestamp, now: Timestamp) -> u64 {
    now.0.saturating_sub(then.0)
}

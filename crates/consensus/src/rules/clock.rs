//! The one verdict that is about now: how far ahead of the node's own clock a block may be (law §4, time).
//!
//! It is judged after all other rules and condemns nothing. No peer's clock counts.

use crate::Timestamp;
use crate::constants::{FUTURE_DROP_SECS, FUTURE_LIMIT_SECS};

/// What to do with a valid block now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockVerdict {
    /// Take it.
    Fine,
    /// Set it aside and try again then; it is as valid as any.
    SetAside {
        /// The first second of the node's clock at which it is fine.
        until: Timestamp,
    },
    /// Forget it: it is too far ahead to be kept.
    Dropped {
        /// Seconds ahead of the node's clock.
        ahead_secs: u64,
    },
}

/// Judges a block's timestamp by the node's clock.
#[must_use]
pub fn judge(timestamp: Timestamp, now: Timestamp) -> ClockVerdict {
    let ahead_secs = timestamp.0.saturating_sub(now.0);
    if ahead_secs > FUTURE_DROP_SECS {
        return ClockVerdict::Dropped { ahead_secs };
    }
    if ahead_secs > FUTURE_LIMIT_SECS {
        return ClockVerdict::SetAside { until: Timestamp(timestamp.0.saturating_sub(FUTURE_LIMIT_SECS)) };
    }
    ClockVerdict::Fine
}

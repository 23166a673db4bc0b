//! How far catching up is, for whoever watches.

use std::time::Duration;

use super::path::Path;
use crate::event::Report;
use crate::hub::Hub;

/// Blocks missing from which on new blocks and transactions at the tip are of no use yet.
const BEHIND: usize = 8;
/// Between two reports.
const REPORT: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Progress {
    behind: bool,
    /// When it began, and from which height.
    began: Option<(Duration, u64)>,
    reported: Option<Duration>,
}

impl Progress {
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    pub(super) fn next_wake(&self) -> Option<Duration> {
        self.reported.filter(|_| self.behind).map(|at| at + REPORT)
    }

    pub(super) fn update(&mut self, hub: &mut Hub, path: &Path, fetching_headers: bool) {
        let tip = hub.chain.chain().tip().height;
        let now = hub.now.elapsed;
        let was = self.behind;
        // Blocks that come meanwhile are no reason to stay behind.
        self.behind = fetching_headers || path.len() > if was { 1 } else { BEHIND };
        if !self.behind {
            if was {
                hub.tell(Report::Synced { height: tip });
            }
            (self.began, self.reported) = (None, None);
            return;
        }
        let (since, from) = *self.began.get_or_insert((now, tip.0));
        if self.reported.is_some_and(|at| now < at + REPORT) {
            return;
        }
        self.reported = Some(now);
        let target = path.target_height().unwrap_or(tip);
        let done = u128::from(tip.0.saturating_sub(from));
        let left = u128::from(target.0.saturating_sub(tip.0));
        let took = now.saturating_sub(since).as_millis();
        let eta = (left * took).checked_div(done * 1_000).and_then(|secs| u64::try_from(secs).ok());
        hub.tell(Report::Syncing { height: tip, target, eta_secs: eta });
    }
}

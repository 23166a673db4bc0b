//! Whom to ask for headers, and when: those that may have more, and those that may have what bodies are missing of.
//!
//! A claim of much work costs nothing, nor does an answer of nothing. So nobody leads for long without showing new proven
//! work, and those that this node dialled have a place of their own.

use std::cmp::Reverse;
use std::time::Duration;

use bloom_chain::StoreError;
use bloom_consensus::Work;

use super::CatchUp;
use super::source::{HeadersAsked, Source};
use crate::event::{ConnId, Direction, Now};
use crate::hub::{Hub, Purpose};
use crate::wire::Request;

/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Peers that headers are asked of at a time, while there is more to come: should one lie about its work, the other does not.
/// One of those that this node dialled is asked beside them if none of them is one.
const LEADERS: usize = 2;
/// The same, with those that are stuck.
const MOST_LEADERS: usize = 4;
/// A leader that has shown nothing for so long is stuck: another is asked beside it.
const STUCK: Duration = Duration::from_secs(3);
/// Headers are being fetched while their peer has shown more proven work within this time.
const FRESH: Duration = Duration::from_secs(30);
/// A peer that has shown too little to be asked for the next bodies is asked for headers as often as this.
const PROBE: Duration = Duration::from_secs(1);
/// A peer that has nothing more to show is asked as often as this all the same: an announcement may have been lost.
const REFRESH: Duration = Duration::from_secs(300);
/// A clock that was set is seen within this time.
const CLOCK: Duration = Duration::from_secs(10);

/// Who is being asked because it may have more.
#[derive(Default)]
struct Leaders {
    /// All.
    all: usize,
    /// Those that are not stuck, and those of them that this node dialled.
    lively: usize,
    dialled: usize,
}

/// One that may be asked.
struct Idle {
    peer: ConnId,
    claim: Work,
    is_dialled: bool,
    has_more: bool,
    barren: u32,
    asked_at: Duration,
}

impl CatchUp {
    /// Whether headers are being fetched that a full answer promised, on a branch proven to have as much work as the chain.
    pub(super) fn is_fetching_headers(&self, hub: &Hub) -> bool {
        let (tip, now) = (hub.chain.chain().tip().work, hub.now.elapsed);
        let is_fresh = |source: &Source| source.advanced.is_some_and(|at| now < at + FRESH);
        self.sources.values().any(|source| source.climbs && source.shown >= tip && is_fresh(source))
    }

    /// When headers are to be looked at again at the latest.
    pub(super) fn headers_wake(&self, now: Now) -> Option<Duration> {
        let due = |source: &Source| {
            if let Some(batch) = &source.batch
                && batch.job.is_none()
            {
                return Some(source.headers_after);
            }
            if source.is_busy() {
                return source.leads.then_some(source.lively_at() + STUCK);
            }
            if source.has_more
                && let Some(until) = source.ahead_until
            {
                let wait = Duration::from_secs(until.0.saturating_sub(now.unix.0).max(1));
                return Some(source.headers_after.max(now.elapsed + wait.min(CLOCK)));
            }
            Some(match source.has_more {
                true => source.headers_after,
                false if self.path.len() > 0 => source.asked_at + probe_time(source),
                false => source.asked_at + REFRESH,
            })
        };
        // What is due and was not done waits for something else to happen.
        self.sources.values().filter_map(due).filter(|at| *at > now.elapsed).min()
    }

    /// Asks who may have more; then those that have not shown enough to be asked for bodies.
    pub(super) fn ask_for_headers(&mut self, hub: &mut Hub) -> Result<(), StoreError> {
        let now = hub.now.elapsed;
        let mut leaders = self.leaders(hub);
        for idle in self.idle(hub, &leaders) {
            let Idle { peer, is_dialled, has_more, .. } = idle;
            let Some(source) = self.sources.get(&peer) else { continue };
            let (best, age) =
                (source.best.or(source.walked.map(|(_, hash)| hash)), now.saturating_sub(source.asked_at));
            let is_free = leaders.all < MOST_LEADERS && leaders.lively < LEADERS;
            let is_leader = has_more && (is_free || is_dialled && leaders.dialled == 0);
            let is_probe = age >= probe_time(source) && self.is_short_of(peer, now);
            let is_refresh = age >= REFRESH;
            if !(is_leader || is_probe || is_refresh) || !self.make_room(hub, peer) {
                continue;
            }
            if is_leader {
                leaders.add(is_dialled, true);
            }
            // One that has shown its best goes on from there. Another is asked from before the best that is known, so that its
            // answer shows whether it has that.
            let start = if best.is_some() && is_leader { best } else { self.path.before_target() };
            let locator = self.locator(hub, start)?;
            let id = hub.ask(peer, Purpose::CatchUp, Request::Headers { locator: locator.clone() }, ANSWER_TIME);
            if let Some(source) = self.sources.get_mut(&peer) {
                source.asked = Some(HeadersAsked { id, locator });
                source.asked_at = now;
                source.has_more = false;
                source.ahead_until = None;
                source.leads = is_leader;
                source.probes += u32::from(is_probe);
            }
        }
        Ok(())
    }

    fn leaders(&self, hub: &Hub) -> Leaders {
        let mut leaders = Leaders::default();
        for (peer, source) in self.sources.iter().filter(|(_, source)| source.leads && source.is_busy()) {
            leaders.add(is_dialled(hub, *peer), hub.now.elapsed < source.lively_at() + STUCK);
        }
        leaders
    }

    /// Those that may be asked now: who led in vain least, then by claim, or if somebody is stuck by who waits longest. If
    /// nobody leads that this node dialled, the one of those that waits longest comes before all.
    fn idle(&self, hub: &Hub, leaders: &Leaders) -> Vec<Idle> {
        let idle = self.sources.iter().filter(|(_, source)| source.may_be_asked(hub.now));
        let mut idle: Vec<_> = idle
            .map(|(peer, source)| Idle {
                peer: *peer,
                claim: hub.peers.get(*peer).and_then(|peer| peer.hello.as_ref()).map_or(Work::ZERO, |hello| hello.work),
                is_dialled: is_dialled(hub, *peer),
                has_more: source.has_more,
                barren: source.barren,
                asked_at: source.asked_at,
            })
            .collect();
        let is_stuck = leaders.all > leaders.lively;
        idle.sort_by_key(|idle| {
            (idle.barren, if is_stuck { idle.asked_at } else { Duration::ZERO }, Reverse(idle.claim), idle.peer)
        });
        let dialled = idle.iter().enumerate().filter(|(_, idle)| idle.is_dialled && idle.has_more);
        let longest = dialled.min_by_key(|(_, idle)| (idle.barren, idle.asked_at)).map(|(at, _)| at);
        if let Some(at) = longest.filter(|_| leaders.dialled == 0) {
            idle[..=at].rotate_right(1);
        }
        idle
    }
}

impl Leaders {
    fn add(&mut self, is_dialled: bool, is_lively: bool) {
        self.all += 1;
        self.lively += usize::from(is_lively);
        self.dialled += usize::from(is_dialled && is_lively);
    }
}

fn is_dialled(hub: &Hub, peer: ConnId) -> bool {
    hub.peers.get(peer).is_some_and(|peer| peer.direction == Direction::Outbound)
}

/// How long after it was last asked a peer is asked whether it has the branch that is followed: ever longer.
fn probe_time(source: &Source) -> Duration {
    match source.probes {
        0 => Duration::ZERO,
        probes => PROBE * (1 << probes.min(6)),
    }
}

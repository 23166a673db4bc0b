//! What each peer, and each network group, may cost: token buckets.
//!
//! They are our own because those to be had read a clock of their own, count in floats or sleep until there is room. These
//! are integers that know the time they are told, so that the same events give the same verdicts everywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Peers;
use crate::address::NetGroup;
use crate::event::{ConnId, Direction};
use crate::fault::Fault;
use crate::hub::Hub;

/// Bytes of notes and requests of a peer: a second, and at once.
const BYTES: Rate = Rate::per_second(256 << 10, 4 << 20);
/// Notes and requests of a peer: more than an honest one sends on a dev network, where blocks are found as fast as a disk
/// takes them, a few hundred a second.
const MESSAGES: Rate = Rate::per_second(500, 5_000);
/// Bytes of answers given to a peer.
const ANSWERS: Rate = Rate::per_second(32 << 20, 128 << 20);
/// Rounds of attempts re-run for a peer, and for its group, of which nothing is proven yet: 50 ms of a core a second.
const ROUNDS: Rate = Rate::per_second(500_000, 500_000);
/// The same, once proven.
const PROVEN_ROUNDS: Rate = Rate::per_second(50_000_000, 100_000_000);
/// Bytes of a peer's transactions that were judged and did not come to wait: keys off the curve take longest, 7 ms of a
/// core a second.
const VAIN: Rate = Rate::per_second(64 << 10, 4 << 20);
/// Addresses told unasked.
const ADDRESSES: Rate = Rate { amount: 1, every: Duration::from_secs(10), burst: 1_000 };
/// What those of a group may cost that this node did not choose, in peers.
const GROUP: u64 = 4;
/// Above its budgets a peer is blamed once in this time, or for so many messages: the faster a flood, the sooner it ends.
const BLAME_EVERY: Duration = Duration::from_secs(1);
const BLAME_MESSAGES: u32 = 1_000;
/// Most groups that are remembered; beyond it those are forgotten that have used least.
pub(super) const MAX_GROUPS: usize = 4_096;

/// How fast a bucket fills, and what it holds.
#[derive(Clone, Copy, Debug)]
struct Rate {
    amount: u64,
    every: Duration,
    burst: u64,
}

impl Rate {
    const fn per_second(amount: u64, burst: u64) -> Self {
        Self { amount, every: Duration::from_secs(1), burst }
    }

    const fn times(self, n: u64) -> Self {
        Self { amount: self.amount * n, every: self.every, burst: self.burst * n }
    }

    /// What a bucket holds, in amounts times the nanoseconds of `every`: whole numbers for any time that passed.
    fn full(&self) -> u128 {
        u128::from(self.burst) * self.every.as_nanos()
    }
}

/// What has been used up of a budget and has not come back yet, so that one never touched is empty whatever its rate.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    used: u128,
    at: Duration,
}

impl Bucket {
    fn refill(&mut self, rate: &Rate, now: Duration) {
        let back = now.saturating_sub(self.at).as_nanos().saturating_mul(u128::from(rate.amount));
        self.used = self.used.saturating_sub(back);
        self.at = self.at.max(now);
    }

    fn has(&mut self, rate: &Rate, amount: u64, now: Duration) -> bool {
        self.refill(rate, now);
        self.used.saturating_add(u128::from(amount).saturating_mul(rate.every.as_nanos())) <= rate.full()
    }

    fn take(&mut self, rate: &Rate, amount: u64) {
        self.used = self.used.saturating_add(u128::from(amount).saturating_mul(rate.every.as_nanos()));
    }
}

/// What a peer has left.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    bytes: Bucket,
    messages: Bucket,
    answers: Bucket,
    vain: Bucket,
    rounds: Bucket,
    addresses: Bucket,
    /// Blamed for too much, last, and messages above the budget since.
    blamed: Option<Duration>,
    refused: u32,
}

/// What a network group has left, whoever of it comes and goes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GroupBudget {
    bytes: Bucket,
    messages: Bucket,
    answers: Bucket,
    vain: Bucket,
    rounds: Bucket,
}

impl GroupBudget {
    /// Whether it is as one never touched.
    fn is_whole(&mut self, now: Duration) -> bool {
        self.bytes.refill(&BYTES.times(GROUP), now);
        self.messages.refill(&MESSAGES.times(GROUP), now);
        self.answers.refill(&ANSWERS.times(GROUP), now);
        self.vain.refill(&VAIN.times(GROUP), now);
        self.rounds.refill(&ROUNDS, now);
        self.used() == [0; 5]
    }

    fn used(&self) -> [u128; 5] {
        [self.rounds.used, self.vain.used, self.bytes.used, self.messages.used, self.answers.used]
    }
}

impl Peers {
    /// What a peer's group has left, if the peer shares it: whom this node chose has its own budget alone, so that nobody
    /// who comes from beside it can silence it.
    fn shared(&mut self, id: ConnId, now: Duration) -> Option<&mut GroupBudget> {
        let peer = self.get(id).filter(|peer| peer.direction == Direction::Inbound)?;
        let group = peer.group;
        Some(self.group(group, now))
    }

    /// What a group has left; forgets groups that need no remembering.
    fn group(&mut self, group: NetGroup, now: Duration) -> &mut GroupBudget {
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&group) {
            self.groups.retain(|_, budget| !budget.is_whole(now));
            while self.groups.len() >= MAX_GROUPS {
                let least = self.groups.iter().min_by_key(|(_, budget)| budget.used()).map(|(group, _)| *group);
                least.map(|group| self.groups.remove(&group));
            }
        }
        self.groups.entry(group).or_default()
    }
}

impl Hub {
    /// Whether a message of this peer is within what it and its group may cost; charged if so. Blamed if it is itself above
    /// its budget, once a second or for every thousand; what its neighbours use up is not its fault.
    pub(crate) fn charge(&mut self, id: ConnId, bytes: usize) -> bool {
        let (now, bytes) = (self.now.elapsed, u64::try_from(bytes).unwrap_or(u64::MAX));
        let Some(peer) = self.peers.get_mut(id) else { return false };
        if !peer.budget.bytes.has(&BYTES, bytes, now) || !peer.budget.messages.has(&MESSAGES, 1, now) {
            self.flooded(id, "messages");
            return false;
        }
        if let Some(shared) = self.peers.shared(id, now) {
            let (all_bytes, all_messages) = (BYTES.times(GROUP), MESSAGES.times(GROUP));
            if !shared.bytes.has(&all_bytes, bytes, now) || !shared.messages.has(&all_messages, 1, now) {
                return false;
            }
            shared.bytes.take(&all_bytes, bytes);
            shared.messages.take(&all_messages, 1);
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.budget.bytes.take(&BYTES, bytes);
            peer.budget.messages.take(&MESSAGES, 1);
        }
        true
    }

    /// Whether re-running attempts of so many rounds in all is within what this peer may cost, and its group while nothing
    /// of the peer's is proven; charged if so. Nobody is blamed: who asked for headers can wait with them.
    pub(crate) fn charge_rounds(&mut self, id: ConnId, rounds: u64) -> bool {
        let now = self.now.elapsed;
        let Some(peer) = self.peers.get_mut(id) else { return false };
        let is_proven = peer.proven;
        let rate = if is_proven { PROVEN_ROUNDS } else { ROUNDS };
        if !peer.budget.rounds.has(&rate, rounds, now) {
            return false;
        }
        if !is_proven && let Some(shared) = self.peers.shared(id, now) {
            if !shared.rounds.has(&ROUNDS, rounds, now) {
                return false;
            }
            shared.rounds.take(&ROUNDS, rounds);
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.budget.rounds.take(&rate, rounds);
        }
        true
    }

    /// Whether an answer may be given to this peer, asked before anything is done for it: whatever it then comes to is
    /// charged, so that it is at most one answer above what it and its group are given. If not, the answer is *busy*.
    pub(crate) fn may_answer(&mut self, id: ConnId) -> bool {
        let now = self.now.elapsed;
        let Some(peer) = self.peers.get_mut(id) else { return false };
        let is_within = peer.budget.answers.has(&ANSWERS, 1, now);
        let all = ANSWERS.times(GROUP);
        is_within && self.peers.shared(id, now).is_none_or(|shared| shared.answers.has(&all, 1, now))
    }

    /// Charges an answer of so many bytes, if one may be given.
    pub(crate) fn charge_answer(&mut self, id: ConnId, bytes: usize) -> bool {
        if !self.may_answer(id) {
            return false;
        }
        let (now, bytes) = (self.now.elapsed, u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(shared) = self.peers.shared(id, now) {
            shared.answers.take(&ANSWERS.times(GROUP), bytes);
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.budget.answers.take(&ANSWERS, bytes);
        }
        true
    }

    /// Whether transactions of this peer may be judged: too many of late came to nothing, of its or of its group, if not.
    /// Nobody is blamed for that, whose policy may be another; others are asked for what it has announced.
    pub(crate) fn may_judge(&mut self, id: ConnId) -> bool {
        let now = self.now.elapsed;
        let Some(peer) = self.peers.get_mut(id) else { return false };
        let is_within = peer.budget.vain.has(&VAIN, 1, now);
        let all = VAIN.times(GROUP);
        is_within && self.peers.shared(id, now).is_none_or(|shared| shared.vain.has(&all, 1, now))
    }

    /// A transaction of so many bytes was judged and does not wait.
    pub(crate) fn judged_in_vain(&mut self, id: ConnId, bytes: usize) {
        let (now, bytes) = (self.now.elapsed, u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(shared) = self.peers.shared(id, now) {
            shared.vain.refill(&VAIN.times(GROUP), now);
            shared.vain.take(&VAIN.times(GROUP), bytes);
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.budget.vain.refill(&VAIN, now);
            peer.budget.vain.take(&VAIN, bytes);
        }
    }

    /// How many of so many addresses, told unasked, this peer may have looked at; charged for them.
    pub(super) fn charge_addresses(&mut self, id: ConnId, count: usize) -> usize {
        let now = self.now.elapsed;
        let Some(peer) = self.peers.get_mut(id) else { return 0 };
        let heard = (0..count).take_while(|_| {
            let is_within = peer.budget.addresses.has(&ADDRESSES, 1, now);
            if is_within {
                peer.budget.addresses.take(&ADDRESSES, 1);
            }
            is_within
        });
        let heard = heard.count();
        if heard < count {
            self.flooded(id, "addresses");
        }
        heard
    }

    fn flooded(&mut self, id: ConnId, what: &'static str) {
        let now = self.now.elapsed;
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.budget.refused += 1;
        let is_due = peer.budget.blamed.is_none_or(|last| now >= last + BLAME_EVERY);
        if is_due || peer.budget.refused >= BLAME_MESSAGES {
            (peer.budget.blamed, peer.budget.refused) = (Some(now), 0);
            self.blame(id, Fault::Flood(what));
        }
    }
}

/// What groups have used, by group.
pub(super) type Groups = BTreeMap<NetGroup, GroupBudget>;

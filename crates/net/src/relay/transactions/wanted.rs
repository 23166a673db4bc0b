//! Transactions that were announced and are not here yet: whom to ask, for how many at a time, and whom next.

use std::collections::{BTreeMap, VecDeque};

use bloom_consensus::Wtxid;

use crate::event::{ConnId, RequestId};
use crate::wire::MAX_TRANSACTIONS_ASKED;

/// Transactions asked for at a time, of all peers; of one it is [`MAX_TRANSACTIONS_ASKED`].
pub(crate) const MOST_ASKED: usize = 4_096;
/// Transactions that a peer announced first and that were not asked for yet.
pub(crate) const MOST_TO_DO: usize = 5_000;
/// Others that announced the same, to be asked when the first fails.
pub(crate) const MOST_OTHERS: usize = 4;

#[derive(Debug, Default)]
struct Want {
    others: VecDeque<ConnId>,
}

#[derive(Debug)]
struct Asked {
    peer: ConnId,
    wtxids: Vec<Wtxid>,
}

#[derive(Debug, Default)]
struct Load {
    to_do: VecDeque<Wtxid>,
    asked: usize,
}

#[derive(Debug, Default)]
pub(crate) struct WantList {
    wants: BTreeMap<Wtxid, Want>,
    loads: BTreeMap<ConnId, Load>,
    requests: BTreeMap<RequestId, Asked>,
}

impl WantList {
    pub(crate) fn joined(&mut self, peer: ConnId) {
        self.loads.insert(peer, Load::default());
    }

    /// A peer is gone: what it was to give is asked of others.
    pub(crate) fn left(&mut self, peer: ConnId) {
        let lost: Vec<_> = self.requests.iter().filter(|(_, asked)| asked.peer == peer).map(|(id, _)| *id).collect();
        let asked = lost.iter().filter_map(|id| self.requests.remove(id)).flat_map(|asked| asked.wtxids);
        let to_do = self.loads.remove(&peer).into_iter().flat_map(|load| load.to_do);
        let orphaned: Vec<_> = asked.chain(to_do).collect();
        orphaned.into_iter().for_each(|wtxid| self.ask_another(wtxid));
    }

    /// A peer has one that is wanted.
    pub(crate) fn announced(&mut self, peer: ConnId, wtxid: Wtxid) {
        let Some(load) = self.loads.get_mut(&peer) else { return };
        if let Some(want) = self.wants.get_mut(&wtxid) {
            if want.others.len() < MOST_OTHERS && !want.others.contains(&peer) {
                want.others.push_back(peer);
            }
        } else if load.to_do.len() < MOST_TO_DO {
            load.to_do.push_back(wtxid);
            self.wants.insert(wtxid, Want::default());
        }
    }

    /// It is here, or not wanted any more.
    pub(crate) fn settled(&mut self, wtxid: &Wtxid) {
        self.wants.remove(wtxid);
    }

    /// It did not come from whom it was asked of: the next who announced it is asked, if there is one.
    pub(crate) fn ask_another(&mut self, wtxid: Wtxid) {
        let Some(want) = self.wants.get_mut(&wtxid) else { return };
        while let Some(next) = want.others.pop_front() {
            if let Some(load) = self.loads.get_mut(&next)
                && load.to_do.len() < MOST_TO_DO
            {
                load.to_do.push_back(wtxid);
                return;
            }
        }
        self.wants.remove(&wtxid);
    }

    /// It did not fit into the answer: the same peer is asked again, and first for this.
    pub(crate) fn ask_again(&mut self, peer: ConnId, wtxid: Wtxid) {
        if let Some(load) = self.loads.get_mut(&peer)
            && self.wants.contains_key(&wtxid)
        {
            load.to_do.push_front(wtxid);
        }
    }

    /// Whom to ask for what now; [`WantList::asked`] follows.
    pub(crate) fn next(&mut self) -> Option<(ConnId, Vec<Wtxid>)> {
        let asked: usize = self.loads.values().map(|load| load.asked).sum();
        let free = MOST_ASKED.saturating_sub(asked);
        for (peer, load) in &mut self.loads {
            let room = MAX_TRANSACTIONS_ASKED.saturating_sub(load.asked).min(free);
            let mut wtxids = Vec::new();
            while wtxids.len() < room
                && let Some(wtxid) = load.to_do.pop_front()
            {
                if self.wants.contains_key(&wtxid) {
                    wtxids.push(wtxid);
                }
            }
            if !wtxids.is_empty() {
                return Some((*peer, wtxids));
            }
        }
        None
    }

    pub(crate) fn asked(&mut self, id: RequestId, peer: ConnId, wtxids: Vec<Wtxid>) {
        if let Some(load) = self.loads.get_mut(&peer) {
            load.asked += wtxids.len();
        }
        self.requests.insert(id, Asked { peer, wtxids });
    }

    /// What a request was for; it is not under way any more.
    pub(crate) fn answered(&mut self, id: RequestId) -> Option<Vec<Wtxid>> {
        let Asked { peer, wtxids } = self.requests.remove(&id)?;
        if let Some(load) = self.loads.get_mut(&peer) {
            load.asked = load.asked.saturating_sub(wtxids.len());
        }
        Some(wtxids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wtxid(number: u64) -> Wtxid {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Wtxid(bytes)
    }

    #[test]
    fn however_much_is_announced_what_is_kept_and_asked_for_is_bounded() {
        let mut list = WantList::default();
        for peer in 0..40 {
            list.joined(ConnId(peer));
            for number in 0..10_000 {
                list.announced(ConnId(peer), wtxid(peer * 10_000 + number));
            }
        }
        assert_eq!(list.wants.len(), 40 * MOST_TO_DO);
        let mut requests = 0;
        while let Some((peer, wtxids)) = list.next() {
            assert!(wtxids.len() <= MAX_TRANSACTIONS_ASKED);
            list.asked(RequestId(requests), peer, wtxids);
            requests += 1;
        }
        let asked: usize = list.requests.values().map(|asked| asked.wtxids.len()).sum();
        assert_eq!(asked, MOST_ASKED);
        assert!(list.loads.values().all(|load| load.asked <= MAX_TRANSACTIONS_ASKED));
        (0..40).for_each(|peer| list.left(ConnId(peer)));
        assert!(list.wants.is_empty() && list.requests.is_empty());
    }
}

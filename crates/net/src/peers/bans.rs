//! Who is kept out, and for how long; how a peer comes to that.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use bloom_consensus::Timestamp;
use thiserror::Error;

use crate::address::{NetGroup, PeerAddr, host};
use crate::event::{Action, BanKey, ConnId, Identity, Report};
use crate::fault::{BAN_SCORE, Fault};
use crate::hub::Hub;

/// Most bans that are kept; beyond them the soonest to end goes.
pub const MAX_BANS: usize = 10_000;
/// Seconds that a ban for faults lasts: a day.
pub const BAN_SECS: u64 = 86_400;

/// A ban, as it is kept across restarts. Its text is a line: whom, and until when in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ban {
    /// Whom it keeps out.
    pub key: BanKey,
    /// Until when.
    pub until: Timestamp,
}

/// A line that is no ban.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "not a ban: got {got:?}, expected an IP address or the 64 digits of a peer's key, a space, and seconds since 1970"
)]
pub struct BanError {
    /// As given.
    pub got: String,
}

impl BanError {
    fn new(got: &str) -> Self {
        Self { got: got.chars().take(120).collect() }
    }
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.until)
    }
}

impl FromStr for Ban {
    type Err = BanError;

    fn from_str(line: &str) -> Result<Self, BanError> {
        let ban = || {
            let (key, until) = line.trim().split_once(' ')?;
            Some(Self { key: key.parse().ok()?, until: Timestamp(until.parse().ok()?) })
        };
        ban().ok_or_else(|| BanError::new(line))
    }
}

impl BanKey {
    /// What a ban of an IP address keeps out: it, or its /64 if it is an IPv6 one. An IPv4-mapped address is the IPv4
    /// address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        Self::Address(host(ip))
    }
}

impl fmt::Display for BanKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => ip.fmt(f),
            Self::Identity(identity) => identity.fmt(f),
        }
    }
}

impl FromStr for BanKey {
    type Err = BanError;

    fn from_str(text: &str) -> Result<Self, BanError> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::of(ip));
        }
        text.parse().map(Self::Identity).map_err(|()| BanError::new(text))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Identity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(());
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Self(bytes))
    }
}

/// The bans in force, and some that have run out.
#[derive(Debug, Default)]
pub(crate) struct Bans(BTreeMap<BanKey, Timestamp>);

impl Bans {
    pub(super) fn new(bans: Vec<Ban>) -> Self {
        let mut kept = Self::default();
        for ban in bans {
            kept.add(ban, Timestamp(0));
        }
        kept
    }

    pub(super) fn add(&mut self, ban: Ban, now: Timestamp) {
        if self.0.len() >= MAX_BANS && !self.0.contains_key(&ban.key) {
            self.0.retain(|_, until| *until > now);
        }
        self.0.insert(ban.key, ban.until);
        if self.0.len() > MAX_BANS {
            let soonest = self.0.iter().min_by_key(|(key, until)| (**until, **key)).map(|(key, _)| *key);
            soonest.map(|key| self.0.remove(&key));
        }
    }

    pub(super) fn remove(&mut self, key: &BanKey) -> bool {
        self.0.remove(key).is_some()
    }

    /// When the ban of an address ends that is in force.
    pub(super) fn of_address(&self, address: &PeerAddr, now: Timestamp) -> Option<Timestamp> {
        self.until(&BanKey::of(address.ip()), now)
    }

    pub(super) fn has(&self, address: &PeerAddr, identity: Identity, now: Timestamp) -> bool {
        self.of_address(address, now).is_some() || self.until(&BanKey::Identity(identity), now).is_some()
    }

    /// Those in force.
    pub(crate) fn list(&self, now: Timestamp) -> Vec<Ban> {
        self.0.iter().filter(|(_, until)| **until > now).map(|(key, until)| Ban { key: *key, until: *until }).collect()
    }

    fn until(&self, key: &BanKey, now: Timestamp) -> Option<Timestamp> {
        self.0.get(key).copied().filter(|until| *until > now)
    }
}

impl Hub {
    /// Holds a fault against a peer: at 100 points it is disconnected and banned, which all parts hear as `Left`.
    pub(crate) fn blame(&mut self, id: ConnId, fault: Fault) {
        let now = self.now.elapsed;
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.score = peer.score.plus(fault.points(), now);
        let (address, key, score) = (peer.address, peer.ban_key(), peer.score.points);
        self.tell(Report::Blamed { peer: id, address, fault: fault.clone(), score });
        if score < BAN_SCORE {
            return;
        }
        // The ban pays for it.
        self.peers.forgive(&key);
        let until = Timestamp(self.now.unix.0.saturating_add(BAN_SECS));
        let why = format!("banned: {fault}");
        self.tell(Report::Banned { key, group: NetGroup::of(&address), until, fault });
        self.ban(Ban { key, until }, &why);
    }

    /// Keeps somebody out from now on: whoever it is of those that are connected is disconnected.
    pub(crate) fn ban(&mut self, ban: Ban, why: &str) {
        self.peers.bans.add(ban, self.now.unix);
        self.act(Action::Bar { key: ban.key, until: ban.until });
        let meant = |(id, peer): (ConnId, &super::Peer)| {
            let is_meant = match ban.key {
                BanKey::Address(_) => BanKey::of(peer.address.ip()) == ban.key,
                BanKey::Identity(identity) => peer.identity == identity,
            };
            is_meant.then_some(id)
        };
        for id in self.peers.all().filter_map(meant).collect::<Vec<_>>() {
            self.part(id, why);
        }
    }

    /// Takes a ban back; false if there is none.
    pub(crate) fn unban(&mut self, key: BanKey) -> bool {
        let was_banned = self.peers.bans.remove(&key);
        if was_banned {
            self.peers.forgive(&key);
            self.act(Action::Bar { key, until: Timestamp(0) });
            self.peers.is_changed = true;
        }
        was_banned
    }
}

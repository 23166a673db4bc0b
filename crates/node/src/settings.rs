//! How a node is told to behave: the configuration file, flags over it, and what they come to.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bloom_consensus::Params;
use bloom_net::PeerAddr;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use thiserror::Error;
use tracing::Level;

use crate::disk::DiskLimits;
use crate::hook::{Hook, HookError};

/// The configuration file's name in a data directory.
pub const CONFIG_FILE: &str = "bloom.toml";
/// A configuration is a screen of lines.
const MAX_CONFIG_BYTES: u64 = 64 << 10;
/// More of a kind by hand than this is a mistake.
const MOST_ADDRESSES: usize = 64;
/// Where an operator wants more, file descriptors end first.
const MOST_PEERS: usize = 1_000;

/// A day between two blocks is slow enough.
const MOST_PACE_SECS: u32 = 86_400;

/// What an operator may choose, in the file or by flags of the same names. What is not chosen is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Choices {
    /// Where to take connections; `none` for nowhere.
    #[serde(deserialize_with = "one_or_more")]
    pub listen: Vec<String>,
    /// The only peers to seek.
    #[serde(deserialize_with = "one_or_more")]
    pub connect: Vec<String>,
    /// Peers to seek beside those that are found.
    #[serde(deserialize_with = "one_or_more")]
    pub add_peer: Vec<String>,
    /// Names that stand for the addresses of nodes.
    #[serde(deserialize_with = "one_or_more")]
    pub seed: Vec<String>,
    /// Connections that others may make.
    pub max_peers: Option<usize>,
    /// Look for nodes on this link.
    pub mdns: Option<bool>,
    /// Ask the router to open the port.
    pub upnp: Option<bool>,
    /// Look for nodes in the distributed hash table.
    pub kademlia: Option<bool>,
    /// A proxy for connections that this node makes.
    pub socks5: Option<String>,
    /// Mine.
    pub mine: Option<bool>,
    /// Threads to mine with.
    pub threads: Option<std::num::NonZeroUsize>,
    /// Whom to pay.
    pub address: Option<String>,
    /// Least seconds between two blocks.
    pub pace: Option<u32>,
    /// Mine no more after so many blocks.
    pub blocks: Option<u64>,
    /// Drop old blocks.
    pub prune: Option<bool>,
    /// The command to run on new tips.
    pub notify: Option<String>,
    /// How much to log.
    pub log: Option<String>,
    /// Below so many free MiB there is a warning.
    pub disk_warn_mib: Option<u64>,
    /// Below so many free MiB the node stops.
    pub disk_stop_mib: Option<u64>,
}

/// What a node's network part and its alarms are told.
#[derive(Debug)]
pub struct Settings {
    /// The network.
    pub params: Params,
    /// Where everything is kept.
    pub directory: PathBuf,
    /// Where to take connections.
    pub listen: Vec<PeerAddr>,
    /// If there are any, the only peers to seek.
    pub connect: Vec<PeerAddr>,
    /// Peers to seek beside those that are found.
    pub added: Vec<PeerAddr>,
    /// `HOST` or `HOST:PORT`, resolved when the node starts.
    pub seeds: Vec<String>,
    /// Connections that others may make.
    pub max_inbound: usize,
    /// Look for nodes on this link.
    pub mdns: bool,
    /// Ask the router to open the port.
    pub upnp: bool,
    /// Look for nodes in the distributed hash table.
    pub kademlia: bool,
    /// A proxy for connections that this node makes.
    pub socks5: Option<PeerAddr>,
    /// The command to run on new tips.
    pub hook: Option<Hook>,
    /// How much to log.
    pub log: Level,
    /// From which free bytes on something is done.
    pub disk: DiskLimits,
}

/// A choice that cannot be.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is too long to be meant.
    #[error("{}: expected a configuration of at most {MAX_CONFIG_BYTES} bytes", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// The file is not what it should be; the parser says where.
    #[error("{}: {error}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: Box<toml::de::Error>,
    },
    /// A value.
    #[error("{key}: {why}")]
    Value {
        /// The flag or key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The command for new tips.
    #[error("notify: {0}")]
    Hook(#[from] HookError),
}

impl Choices {
    /// Reads a configuration file. If it need not be there and is not, nothing is chosen.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(path: &Path, must_exist: bool) -> Result<Self, SettingsError> {
        let unread = |source| SettingsError::Read { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(Self::default()),
            Err(error) => return Err(unread(error)),
            // A pipe could keep its reader waiting for ever.
            Ok(metadata) if !metadata.is_file() => return Err(unread(io::Error::other("it is not a file"))),
            Ok(_) => {}
        }
        let mut text = String::new();
        let file = File::open(path).map_err(unread)?;
        file.take(MAX_CONFIG_BYTES + 1).read_to_string(&mut text).map_err(unread)?;
        if text.len() as u64 > MAX_CONFIG_BYTES {
            return Err(SettingsError::TooLong { path: path.to_owned() });
        }
        toml::from_str(&text).map_err(|error| SettingsError::Parse { path: path.to_owned(), error: Box::new(error) })
    }

    /// These choices, and where there is none the other's.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        let list = |mine: Vec<String>, others| if mine.is_empty() { others } else { mine };
        Self {
            listen: list(self.listen, other.listen),
            connect: list(self.connect, other.connect),
            add_peer: list(self.add_peer, other.add_peer),
            seed: list(self.seed, other.seed),
            max_peers: self.max_peers.or(other.max_peers),
            mdns: self.mdns.or(other.mdns),
            upnp: self.upnp.or(other.upnp),
            kademlia: self.kademlia.or(other.kademlia),
            socks5: self.socks5.or(other.socks5),
            mine: self.mine.or(other.mine),
            threads: self.threads.or(other.threads),
            address: self.address.or(other.address),
            pace: self.pace.or(other.pace),
            blocks: self.blocks.or(other.blocks),
            prune: self.prune.or(other.prune),
            notify: self.notify.or(other.notify),
            log: self.log.or(other.log),
            disk_warn_mib: self.disk_warn_mib.or(other.disk_warn_mib),
            disk_stop_mib: self.disk_stop_mib.or(other.disk_stop_mib),
        }
    }

    /// What these choices, and defaults where there is none, come to.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn resolve(&self, params: Params, directory: PathBuf) -> Result<Settings, SettingsError> {
        let is_dev = params == Params::dev();
        let mdns = self.mdns.unwrap_or(false);
        if mdns && !is_dev {
            return Err(value("mdns", "only the dev network looks for nodes on the link"));
        }
        let upnp = self.upnp.unwrap_or(false);
        if upnp && !cfg!(feature = "upnp") {
            return Err(value("upnp", "this program was built without it: build with --features upnp"));
        }
        let max_inbound = self.max_peers.unwrap_or(64);
        if max_inbound > MOST_PEERS {
            return Err(value("max-peers", format!("got {max_inbound}, expected at most {MOST_PEERS}")));
        }
        if let Some(got) = self.pace.filter(|pace| *pace > MOST_PACE_SECS) {
            return Err(value("pace", format!("got {got}, expected 0 to {MOST_PACE_SECS} seconds")));
        }
        check_seeds(&self.seed)?;
        let connect = dialled("connect", &self.connect)?;
        Ok(Settings {
            listen: self.listen(params.peer_port)?,
            added: dialled("add-peer", &self.add_peer)?,
            seeds: if connect.is_empty() { self.seed.clone() } else { Vec::new() },
            max_inbound,
            mdns,
            upnp,
            kademlia: self.kademlia.unwrap_or(true) && connect.is_empty(),
            socks5: self.socks5.as_deref().map(|text| address("socks5", text)).transpose()?,
            hook: self.notify.as_deref().map(Hook::parse).transpose()?,
            log: level(self.log.as_deref().unwrap_or("info"))?,
            disk: self.disk()?,
            connect,
            params,
            directory,
        })
    }

    fn listen(&self, port: u16) -> Result<Vec<PeerAddr>, SettingsError> {
        match self.listen.as_slice() {
            [] => Ok([(std::net::Ipv6Addr::UNSPECIFIED.into(), port), (std::net::Ipv4Addr::UNSPECIFIED.into(), port)]
                .map(|(ip, port)| PeerAddr::new(ip, port))
                .into()),
            [none] if none == "none" => Ok(Vec::new()),
            texts if texts.iter().any(|text| text == "none") => {
                Err(value("listen", "got none beside addresses, expected none alone or addresses alone"))
            }
            texts => addresses("listen", texts),
        }
    }

    fn disk(&self) -> Result<DiskLimits, SettingsError> {
        let DiskLimits { warn_bytes, stop_bytes } = DiskLimits::default();
        let bytes = |key, chosen: Option<u64>, default| match chosen.map(|mib| mib.checked_mul(1 << 20)) {
            None => Ok(default),
            Some(Some(bytes)) => Ok(bytes),
            Some(None) => Err(value(key, "no disk has as much")),
        };
        Ok(DiskLimits {
            warn_bytes: bytes("disk-warn-mib", self.disk_warn_mib, warn_bytes)?,
            stop_bytes: bytes("disk-stop-mib", self.disk_stop_mib, stop_bytes)?,
        })
    }
}

/// A list of texts, or one text; an empty list would go for none or for the default, so it is neither.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Texts {
        One(String),
        More(Vec<String>),
    }
    match Texts::deserialize(from)? {
        Texts::One(text) => Ok(vec![text]),
        Texts::More(texts) if texts.is_empty() => {
            Err(D::Error::custom("got an empty list, expected a text in it: leave the key out for the default"))
        }
        Texts::More(texts) => Ok(texts),
    }
}

fn value(key: &'static str, why: impl Into<String>) -> SettingsError {
    SettingsError::Value { key, why: why.into() }
}

fn address(key: &'static str, text: &str) -> Result<PeerAddr, SettingsError> {
    text.parse().map_err(|error: bloom_net::address::PeerAddrError| value(key, error.to_string()))
}

/// An address that can be connected to.
///
/// # Errors
/// What is wrong with it, in words.
pub fn to_dial(text: &str) -> Result<PeerAddr, String> {
    let address: PeerAddr = text.parse().map_err(|error: bloom_net::address::PeerAddrError| error.to_string())?;
    match (address.port(), address.ip().is_unspecified()) {
        (0, _) => Err(format!("got {address}, expected the port at which a node takes connections, 1 to 65535")),
        (_, true) => {
            Err(format!("got {address}, expected one machine's address: that one stands for all of this one's"))
        }
        _ => Ok(address),
    }
}

fn dialled(key: &'static str, texts: &[String]) -> Result<Vec<PeerAddr>, SettingsError> {
    addresses(key, texts)?;
    texts.iter().map(|text| to_dial(text).map_err(|why| value(key, why))).collect()
}

fn addresses(key: &'static str, texts: &[String]) -> Result<Vec<PeerAddr>, SettingsError> {
    if texts.len() > MOST_ADDRESSES {
        return Err(value(key, format!("got {} addresses, expected at most {MOST_ADDRESSES}", texts.len())));
    }
    texts.iter().map(|text| address(key, text)).collect()
}

/// A seed is resolved by the system, so only its form is looked at.
fn check_seeds(seeds: &[String]) -> Result<(), SettingsError> {
    if seeds.len() > MOST_ADDRESSES {
        return Err(value("seed", format!("got {} names, expected at most {MOST_ADDRESSES}", seeds.len())));
    }
    let is_name = |seed: &String| {
        (1..=260).contains(&seed.len())
            && seed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    match seeds.iter().find(|seed| !is_name(seed)) {
        Some(seed) => {
            Err(value("seed", format!("got {seed:?}, expected a host name or address, with or without a port")))
        }
        None => Ok(()),
    }
}

fn level(text: &str) -> Result<Level, SettingsError> {
    let known = ["error", "warn", "info", "debug", "trace"].contains(&text).then(|| text.parse().ok()).flatten();
    known.ok_or_else(|| value("log", format!("got {text:?}, expected error, warn, info, debug or trace")))
}

#[cfg(test)]
mod tests;

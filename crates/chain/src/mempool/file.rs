//! What waits, kept across a restart: one file beside the chain's, replaced as a whole.
//!
//! magic ‖ format u32 ‖ network 32 ‖ floor u64 ‖ its time u64 ‖ the estimator's counts, u64 each ‖ count u32 ‖ count × (added u64 ‖ height u64 ‖ length u32 ‖
//! transaction) ‖ BLAKE3 of all that comes before it. Integers are little-endian. Everything in it is judged anew: it
//! could be another chain's, or an older one's.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bloom_consensus::{Height, NetworkId, Output, Timestamp, Transaction, Txid};
use thiserror::Error;

use super::estimate::Estimator;
use super::floor::Floor;
use super::{Mempool, MempoolLimits, Origin};
use crate::failpoints::kill_point;
use crate::store::{remove_if_there, sync_directory};
use crate::{Chain, FeeRate, StoreError};

const MAGIC: &[u8; 8] = b"bloompwt";
/// A greater one is set aside.
const FORMAT: u32 = 1;
/// What is kept is shorter than the memory that it takes up.
const MAX_FILE_BYTES: u64 = 256 << 20;
const CHECKSUM_BYTES: usize = 32;

/// What the file of waiting transactions came to.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Transactions that wait again.
    pub kept: usize,
    /// Transactions that the chain no longer allows, or that have grown old.
    pub dropped: usize,
    /// Why the file could not be used, if it could not: nothing of it waits then.
    pub fault: Option<MempoolFault>,
}

/// A file of waiting transactions that is not usable. The chain is none the worse for it.
#[derive(Debug, Error)]
#[error("{}: {what}; what waited in it is forgotten{}", path.display(), SetAside(kept_as.as_deref()))]
pub struct MempoolFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// The name under which it was kept, if it could be renamed.
    pub kept_as: Option<PathBuf>,
}

struct SetAside<'a>(Option<&'a Path>);

impl std::fmt::Display for SetAside<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(path) => write!(f, ", the file is kept as {}", path.display()),
            None => Ok(()),
        }
    }
}

/// A transaction as it was kept.
struct Kept {
    added: Timestamp,
    height: Height,
    transaction: Transaction,
}

type Contents = (Floor, Estimator, Vec<Kept>);

impl Mempool {
    /// Reads what was kept and judges it anew.
    pub(crate) fn load(
        path: &Path,
        chain: &mut Chain,
        limits: MempoolLimits,
        now: Timestamp,
    ) -> Result<(Self, Loaded), StoreError> {
        let mut pool = Self::new(limits, chain.tip());
        let bytes = match read(path, limits) {
            Ok(None) => return Ok((pool, Loaded::default())),
            Ok(Some(bytes)) => bytes,
            Err(error) => return Ok((pool, set_aside(path, error.to_string()))),
        };
        let (floor, estimator, kept) = match decode(&bytes, &chain.params().network_id) {
            Ok(decoded) => decoded,
            Err(what) => return Ok((pool, set_aside(path, what))),
        };
        verify_ahead(chain, &kept)?;
        let mut loaded = Loaded::default();
        for Kept { added, height, transaction } in kept {
            if pool.try_back(chain, transaction, Origin::Back { added, height }, now)? {
                loaded.kept += 1;
            } else {
                loaded.dropped += 1;
            }
        }
        let before = pool.len();
        pool.floor = floor;
        pool.estimator = estimator;
        pool.pass_time(now);
        let expired = before - pool.len();
        loaded.kept -= expired;
        loaded.dropped += expired;
        Ok((pool, loaded))
    }

    /// Replaces the file by what waits now. When this returns it is durable.
    pub(crate) fn save(&self, path: &Path, network: &NetworkId) -> Result<(), StoreError> {
        let bytes = self.encode(network);
        let new = path.with_extension("dat.new");
        let written = |doing| move |source| StoreError::io(path, doing, source);
        kill_point!("mempool.before-write");
        // Made anew, so that whatever bears the name, a link to elsewhere, is not written to.
        remove_if_there(&new)?;
        let mut file = File::create_new(&new).map_err(written("create"))?;
        file.write_all(&bytes).map_err(written("write"))?;
        kill_point!("mempool.before-sync");
        file.sync_all().map_err(written("sync"))?;
        drop(file);
        kill_point!("mempool.before-rename");
        fs::rename(&new, path).map_err(written("replace"))?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))?;
        kill_point!("mempool.after-rename");
        Ok(())
    }

    fn encode(&self, network: &NetworkId) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(FORMAT.to_le_bytes());
        out.extend(network.0);
        let (rate, since) = self.floor.parts();
        out.extend(rate.units_per_kilobyte().to_le_bytes());
        out.extend(since.0.to_le_bytes());
        out.extend(self.estimator.counts().flat_map(u64::to_le_bytes));
        out.extend(length(self.len()));
        for entry in self.iter() {
            out.extend(entry.added.0.to_le_bytes());
            out.extend(entry.height.0.to_le_bytes());
            let bytes = entry.transaction.encode();
            out.extend(length(bytes.len()));
            out.extend(bytes);
        }
        let checksum = *blake3::hash(&out).as_bytes();
        out.extend(checksum);
        out
    }
}

/// Signatures, which take longest, are checked on all threads before one transaction after the other is taken in.
fn verify_ahead(chain: &mut Chain, kept: &[Kept]) -> Result<(), StoreError> {
    let waiting: HashMap<Txid, &Transaction> =
        kept.iter().map(|Kept { transaction, .. }| (transaction.txid(), transaction)).collect();
    let mut list = Vec::new();
    for Kept { transaction, .. } in kept {
        if let Some(spent) = spent(chain, &waiting, transaction)? {
            list.push((transaction, spent));
        }
    }
    chain.verify_ahead(&list);
    Ok(())
}

/// What a transaction spends, on the chain or of what waits beside it; none if some of it is on neither.
fn spent(
    chain: &Chain,
    waiting: &HashMap<Txid, &Transaction>,
    transaction: &Transaction,
) -> Result<Option<Vec<Output>>, StoreError> {
    let mut spent = Vec::new();
    for outpoint in transaction.body().inputs() {
        let made = waiting.get(&outpoint.txid).map(|parent| parent.body().outputs());
        let made = made.zip(usize::try_from(outpoint.index).ok()).and_then(|(made, index)| made.get(index).copied());
        let output = match made {
            Some(output) => output,
            None => match chain.coin(outpoint)? {
                Some(coin) => coin.output,
                None => return Ok(None),
            },
        };
        spent.push(output);
    }
    Ok(Some(spent))
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("bounded by the memory that they take up").to_le_bytes()
}

/// The file's bytes; none if there is no file.
fn read(path: &Path, limits: MempoolLimits) -> io::Result<Option<Vec<u8>>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let most = MAX_FILE_BYTES.max(limits.max_bytes as u64);
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(Some(bytes))
}

/// Keeps a file that is not usable under another name, over what an earlier one left there.
fn set_aside(path: &Path, what: String) -> Loaded {
    let aside = path.with_extension("dat.unusable");
    let kept_as = fs::rename(path, &aside).is_ok().then_some(aside);
    let fault = MempoolFault { path: path.to_owned(), what, kept_as };
    Loaded { fault: Some(fault), ..Loaded::default() }
}

fn decode(bytes: &[u8], network: &NetworkId) -> Result<Contents, String> {
    let damaged = || "it is damaged".to_owned();
    let (head, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(damaged)?;
    if blake3::hash(head).as_bytes() != checksum {
        return Err(damaged());
    }
    let mut reader = Reader(head);
    if reader.array::<8>() != Some(*MAGIC) {
        return Err("it holds no waiting transactions".to_owned());
    }
    let format = reader.u32().ok_or_else(damaged)?;
    if format > FORMAT {
        return Err(format!("it has format {format}, this program knows up to {FORMAT}"));
    }
    let got = NetworkId(reader.array().ok_or_else(damaged)?);
    if got != *network {
        return Err(format!("it is of network {got}, expected {network}"));
    }
    decode_rest(reader).ok_or_else(damaged)
}

fn decode_rest(mut reader: Reader<'_>) -> Option<Contents> {
    let floor = Floor::new(FeeRate::per_kilobyte(reader.u64()?), Timestamp(reader.u64()?));
    let estimator = Estimator::from_counts(|| reader.u64())?;
    let count = reader.u32()?;
    let mut kept = Vec::new();
    for _ in 0..count {
        let (added, height) = (Timestamp(reader.u64()?), Height(reader.u64()?));
        let length = usize::try_from(reader.u32()?).ok()?;
        let transaction = Transaction::decode(reader.bytes(length)?).ok()?;
        kept.push(Kept { added, height, transaction });
    }
    reader.0.is_empty().then_some((floor, estimator, kept))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

//! Parts of messages: hellos, addresses, compact blocks, and lists of anything.

use std::net::{IpAddr, Ipv6Addr};

use bloom_consensus::codec::{Reader, count_bytes};
use bloom_consensus::constants::{HEADER_BYTES, MAX_BLOCK_BYTES, MIN_TRANSACTION_BYTES};
use bloom_consensus::{BlockHash, Coinbase, Header, Height, NetworkId, Timestamp, Work};

use super::frame::{ADDRESS_BYTES, COUNT_BYTES, SALT_BYTES, at_most};
use super::{
    CompactBlock, Goodbye, Hello, KnownAddress, MAX_AGENT_BYTES, MAX_BLOCK_TRANSACTIONS, SHORT_ID_BYTES, WireError,
};
use crate::address::PeerAddr;

/// version ‖ network id ‖ tip ‖ height ‖ work ‖ time ‖ nonce ‖ port ‖ archive ‖ the agent's length.
const HELLO_FRAME_BYTES: usize = 4 + 32 + 32 + 8 + 32 + 8 + 8 + 2 + 1 + COUNT_BYTES;
// Why a hello is not returned.
const OTHER_NETWORK: u8 = 0;
const FULL: u8 = 1;
const BANNED: u8 = 2;
const MYSELF: u8 = 3;
const VERSION: u8 = 4;

/// A count, at most `most` and what the bytes left can hold, and as many items.
pub(super) fn read_list<T>(
    reader: &mut Reader<'_>,
    what: &'static str,
    item_bytes: usize,
    most: usize,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = reader.count(what, item_bytes)?;
    at_most(what, count, most)?;
    // Never grown: growing holds the list twice.
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(item(reader)?);
    }
    Ok(list)
}

/// A list that nobody has a reason to send without an item.
pub(super) fn not_empty<T>(what: &'static str, list: Vec<T>) -> Result<Vec<T>, WireError> {
    if list.is_empty() {
        return Err(WireError::Value { what, why: "none, expected at least one" });
    }
    Ok(list)
}

/// A list whose items have one length.
pub(super) fn write_list<const N: usize>(out: &mut Vec<u8>, items: impl ExactSizeIterator<Item = [u8; N]>) {
    out.extend(count_bytes(items.len()));
    for item in items {
        out.extend_from_slice(&item);
    }
}

/// Bytes of a list whose items have one length.
pub(super) fn list_len(count: usize, item_bytes: usize) -> usize {
    COUNT_BYTES.saturating_add(count.saturating_mul(item_bytes))
}

pub(super) fn read_flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, WireError> {
    match reader.array(what)? {
        [0] => Ok(false),
        [1] => Ok(true),
        [_] => Err(WireError::Value { what, why: "neither 0 nor 1" }),
    }
}

impl Hello {
    pub(super) fn body_len(&self) -> usize {
        HELLO_FRAME_BYTES.saturating_add(self.agent.len())
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.version.to_le_bytes());
        out.extend(self.network_id.0);
        out.extend(self.tip.0);
        out.extend(self.height.0.to_le_bytes());
        out.extend(reversed(self.work.to_be_bytes()));
        out.extend(self.time.0.to_le_bytes());
        out.extend(self.nonce.to_le_bytes());
        out.extend(self.listen_port.to_le_bytes());
        out.push(u8::from(self.is_archive));
        out.extend(count_bytes(self.agent.len()));
        out.extend(self.agent.bytes());
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            version: reader.u32("hello version")?,
            network_id: NetworkId(reader.array("hello network id")?),
            tip: BlockHash(reader.array("hello tip")?),
            height: Height(reader.u64("hello height")?),
            work: Work::from_be_bytes(reversed(reader.array("hello work")?)),
            time: Timestamp(reader.u64("hello time")?),
            nonce: reader.u64("hello nonce")?,
            listen_port: u16::from_le_bytes(reader.array("hello port")?),
            is_archive: read_flag(reader, "hello archive")?,
            agent: read_agent(reader)?,
        })
    }
}

/// Text that is shown to people: nothing in it moves a cursor or hides another part of it.
fn read_agent(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let what = "agent";
    let length = reader.count(what, 1)?;
    at_most(what, length, MAX_AGENT_BYTES)?;
    let bytes = reader.bytes(what, length)?;
    if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(WireError::Value { what, why: "not printable ASCII" });
    }
    Ok(bytes.iter().copied().map(char::from).collect())
}

impl Goodbye {
    pub(super) fn body_len(self) -> usize {
        match self {
            Self::OtherNetwork(_) => 1 + 32,
            Self::Version(_) => 1 + 4,
            Self::Full | Self::Banned | Self::Myself => 1,
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::OtherNetwork(network_id) => {
                out.push(OTHER_NETWORK);
                out.extend(network_id.0);
            }
            Self::Full => out.push(FULL),
            Self::Banned => out.push(BANNED),
            Self::Myself => out.push(MYSELF),
            Self::Version(version) => {
                out.push(VERSION);
                out.extend(version.to_le_bytes());
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let [reason] = reader.array("goodbye")?;
        match reason {
            OTHER_NETWORK => Ok(Self::OtherNetwork(NetworkId(reader.array("goodbye network id")?))),
            FULL => Ok(Self::Full),
            BANNED => Ok(Self::Banned),
            MYSELF => Ok(Self::Myself),
            VERSION => Ok(Self::Version(reader.u32("goodbye version")?)),
            _ => Err(WireError::Value { what: "goodbye", why: "a reason that there is not" }),
        }
    }
}

impl KnownAddress {
    /// IPv6, or IPv4 mapped to it ‖ port ‖ seen.
    pub(crate) fn to_bytes(self) -> [u8; ADDRESS_BYTES] {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let parts: [&[u8]; 3] = [&ip.octets(), &self.address.port().to_le_bytes(), &self.seen.0.to_le_bytes()];
        let mut bytes = [0; ADDRESS_BYTES];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let ip: [u8; 16] = reader.array("address")?;
        let port = u16::from_le_bytes(reader.array("address port")?);
        let seen = Timestamp(reader.u64("address seen")?);
        Ok(Self { address: PeerAddr::new(Ipv6Addr::from(ip).into(), port), seen })
    }
}

impl CompactBlock {
    pub(super) fn body_len(&self) -> usize {
        (HEADER_BYTES + SALT_BYTES)
            .saturating_add(self.coinbase.encoded_len())
            .saturating_add(list_len(self.short_ids.len(), SHORT_ID_BYTES))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.header.to_bytes());
        out.extend(self.salt.to_le_bytes());
        self.coinbase.write(out);
        write_list(out, self.short_ids.iter().copied());
    }

    /// Reads one that a block can be put together from.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let header = Header::read(reader)?;
        let salt = reader.u64("compact block salt")?;
        let coinbase = Coinbase::read(reader)?;
        let short_ids = read_list(reader, "short id", SHORT_ID_BYTES, MAX_BLOCK_TRANSACTIONS, |reader| {
            Ok(reader.array("short id")?)
        })?;
        let least = HEADER_BYTES
            .saturating_add(coinbase.encoded_len())
            .saturating_add(list_len(short_ids.len(), MIN_TRANSACTION_BYTES));
        at_most("block of a compact block", least, MAX_BLOCK_BYTES)?;
        Ok(Self { header, salt, coinbase, short_ids })
    }
}

/// The law's numbers are little-endian; work is kept the other way round, to be sorted as bytes.
fn reversed(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes.reverse();
    bytes
}

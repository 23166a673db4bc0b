//! What a node answers to what it is asked on its socket.

use std::sync::Arc;

use bloom_consensus::Transaction;
use bloom_net::event::{BanKey, ConnId, Direction};
use bloom_net::{PeerAddr, PeerInfo};
use serde_json::{Value, json};

use super::Request;
use crate::carrier::Traffic;
use crate::disk::resident_bytes;
use crate::handle::{Handle, HandleError};

/// No ban is longer than a hundred years: more is a slip of the keyboard.
const MOST_BAN_SECS: u64 = 100 * 365 * 86_400;

/// Who answers.
pub(crate) struct Answerer {
    pub(crate) handle: Handle,
    pub(crate) traffic: Arc<dyn Traffic>,
    pub(crate) network: String,
    pub(crate) mines: bool,
}

impl Answerer {
    /// The answer to a request, or an object with `error`.
    pub(crate) fn answer(&self, request: Request) -> Value {
        self.try_answer(request).unwrap_or_else(|error| json!({"error": error}))
    }

    fn try_answer(&self, request: Request) -> Result<Value, String> {
        match request {
            Request::Status => self.status(),
            Request::Peers => self.peers(),
            Request::Add { address } => {
                let address = parse_address(&address)?;
                let added = self.handle.ask(move |engine, now| engine.add_peer(address, now)).map_err(text)?;
                Ok(json!({"address": address.to_string(), "added": added}))
            }
            Request::Remove { address } => {
                let address = parse_address(&address)?;
                let removed = self.handle.ask(move |engine, now| engine.remove_peer(address, now)).map_err(text)?;
                Ok(json!({"address": address.to_string(), "removed": removed}))
            }
            Request::Ban { ip, secs } => {
                if secs == 0 || secs > MOST_BAN_SECS {
                    return Err(format!("got a ban of {secs} s, expected 1 to {MOST_BAN_SECS}"));
                }
                let ban = move |engine: &mut bloom_net::Engine, now: bloom_net::Now| {
                    (now.unix.0.saturating_add(secs), engine.ban(ip, secs, now))
                };
                let until = self.handle.ask(ban).map_err(text)?;
                Ok(json!({"who": BanKey::of(ip).to_string(), "until": until}))
            }
            Request::Unban { who } => {
                let key: BanKey = who.parse().map_err(|_| {
                    format!("got {:?}, expected an IP address or the 64 digits of a peer's key", shorten(&who))
                })?;
                let unbanned = self.handle.ask(move |engine, now| engine.unban(key, now)).map_err(text)?;
                Ok(json!({"who": key.to_string(), "unbanned": unbanned}))
            }
            Request::Bans => {
                let bans = self.handle.look(bloom_net::Engine::bans).map_err(text)?;
                let ban = |ban: &bloom_net::Ban| json!({"who": ban.key.to_string(), "until": ban.until.0});
                Ok(json!({"bans": bans.iter().map(ban).collect::<Vec<_>>()}))
            }
            Request::Submit { transaction } => self.submit(&transaction),
            Request::Mine { .. } if !self.mines => Err("this node does not mine: start it with --mine".to_owned()),
            Request::Mine { blocks } => Ok(json!({"left": self.handle.to_mine.add(blocks)})),
            Request::Stop => {
                self.handle.stop();
                Ok(json!({"stopping": true}))
            }
        }
    }

    fn status(&self) -> Result<Value, String> {
        let status = self.handle.look(|engine| (engine.status(), engine.given())).map_err(text)?;
        let (status, sought) = status;
        let sought: Vec<String> = sought.iter().map(ToString::to_string).collect();
        let sum = |of: fn(&(ConnId, u64, u64)) -> u64| self.traffic.traffic().iter().map(of).sum::<u64>();
        let listening: Vec<String> = self.traffic.listening().iter().map(ToString::to_string).collect();
        Ok(json!({
            "network": self.network, "height": status.tip.height.0, "tip": status.tip.hash.to_string(),
            "work": status.tip.work.to_string(), "best_header": status.best_header.map(|height| height.0),
            "claimed": status.claimed.0, "behind": status.is_behind,
            "inbound": status.inbound, "outbound": status.outbound, "bans": status.bans,
            "mempool": {"transactions": status.waiting, "bytes": status.waiting_bytes},
            "bytes_in": sum(|(_, received, _)| *received), "bytes_out": sum(|(_, _, sent)| *sent),
            "resident_bytes": resident_bytes(), "listening": listening, "sought": sought, "process": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
        }))
    }

    fn peers(&self) -> Result<Value, String> {
        let peers = self.handle.ask(|engine, now| (engine.peers(now), Vec::new())).map_err(text)?;
        let traffic = self.traffic.traffic();
        let of = |peer: &PeerInfo| traffic.iter().find(|(id, ..)| *id == peer.peer).map(|(_, i, o)| (*i, *o));
        let all: Vec<Value> = peers.iter().map(|peer| peer_json(peer, of(peer))).collect();
        Ok(json!({"peers": all}))
    }

    fn submit(&self, hex: &str) -> Result<Value, String> {
        let bytes = hex::decode(hex).map_err(|error| format!("not hexadecimal digits: {error}"))?;
        let transaction = Transaction::decode(&bytes).map_err(|error| format!("not a transaction: {error}"))?;
        let admitted = self.handle.ask(move |engine, now| engine.submit(transaction, now)).map_err(text)?;
        let admitted = admitted.map_err(|error| error.to_string())?;
        Ok(json!({"txid": admitted.txid.to_string(), "fee": admitted.fee.units().to_string(), "known": admitted.known}))
    }
}

fn peer_json(peer: &PeerInfo, traffic: Option<(u64, u64)>) -> Value {
    json!({
        "peer": peer.peer.0, "address": peer.address.to_string(), "inbound": peer.direction == Direction::Inbound,
        "given": peer.is_given, "agent": peer.agent, "height": peer.height.0, "archive": peer.is_archive,
        "connected_secs": peer.connected.as_secs(), "round_trip_us": peer.round_trip.map(|time| time.as_micros() as u64),
        "last_block_secs": peer.last_block.map(|time| time.as_secs()),
        "last_transaction_secs": peer.last_transaction.map(|time| time.as_secs()), "score": peer.score,
        "key": peer.identity.to_string(), "bytes_in": traffic.map(|(received, _)| received),
        "bytes_out": traffic.map(|(_, sent)| sent),
    })
}

fn parse_address(text: &str) -> Result<PeerAddr, String> {
    crate::settings::to_dial(text)
}

fn text(error: HandleError) -> String {
    error.to_string()
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

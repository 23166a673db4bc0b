//! `bloom wallet balance`, `history` and `coins`.

use anyhow::Result;
use bloom_consensus::Amount;
use bloom_wallet::KeyPath;
use bloom_wallet::book::{OwnCoin, Status};
use bloom_wallet::history::Entry;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::ready::{Ready, what_became};
use super::{Session, sharing};
use crate::cli::spending::HistoryArgs;
use crate::output::result;

pub(super) fn balance(session: &Session) -> Result<()> {
    let ready = Ready::open_and_tell(session)?;
    let (balance, tip) = (ready.wallet.balance(), ready.wallet.tip());
    let shared = sharing::balances(session, ready)?;
    let immature = balance.immature_total();
    if session.args.json {
        let row = |(height, amount): (&bloom_consensus::Height, &Amount)| json!({"height": height.0, "amount": units(*amount)});
        let matures: Vec<Value> = balance.immature.iter().map(row).collect();
        return Ok(result(
            json!({"height": tip.0, "spendable": units(balance.spendable), "immature": units(immature),
            "matures": matures, "incoming": units(balance.incoming), "change": units(balance.change),
            "outgoing": units(balance.outgoing), "reserved": units(balance.reserved),
            "prepared": units(balance.prepared),
            "total": units(balance.total()), "shared": sharing::balances_as_json(&shared)}),
        )?);
    }
    result(format_args!("spendable  {} BLOOM", balance.spendable))?;
    if let (Some((first, amount)), Some(last)) = (balance.immature.first_key_value(), balance.immature.keys().last()) {
        let all = if first == last { String::new() } else { format!(", all of it at height {last}") };
        result(format_args!("immature   {immature} BLOOM: {amount} can be spent at height {first}{all}"))?;
    }
    let parts = [
        ("incoming", balance.incoming, "not confirmed"),
        ("change", balance.change, "of own payments that are not confirmed"),
        ("outgoing", balance.outgoing, "by the same payments, fees included"),
        ("reserved", balance.reserved, "for payments that are recorded and not sent"),
        ("prepared", balance.prepared, "of these for payments that were written to files"),
    ];
    for (name, amount, what) in parts.into_iter().filter(|(_, amount, _)| *amount > Amount::ZERO) {
        result(format_args!("{name:<9}  {amount} BLOOM {what}"))?;
    }
    result(format_args!("total      {} BLOOM", balance.total()))?;
    for (address, shared) in &shared {
        result(format_args!("shared     {} BLOOM, {} spendable, at {address}", shared.total(), shared.spendable))?;
    }
    Ok(result(format_args!("height     {tip}"))?)
}

pub(super) fn history(session: &Session, args: &HistoryArgs) -> Result<()> {
    let ready = Ready::open_and_tell(session)?;
    let entries = ready.wallet.history();
    let passed_over = args.count.map_or(0, |count| entries.len().saturating_sub(count.get()));
    for entry in entries.into_iter().skip(passed_over) {
        if session.args.json {
            result(entry_as_json(session, &ready, &entry))?;
        } else {
            print_entry(session, &ready, &entry)?;
        }
    }
    Ok(())
}

fn print_entry(session: &Session, ready: &Ready, entry: &Entry) -> Result<()> {
    let place = match entry.status {
        Status::Confirmed(block) => block.height.to_string(),
        Status::Pending => "pending".to_owned(),
        Status::Recorded => "recorded".to_owned(),
        Status::Replaced { .. } => "replaced".to_owned(),
        Status::Conflicted { .. } => "conflict".to_owned(),
        Status::Withdrawn => "withdrawn".to_owned(),
        Status::Gone => "gone".to_owned(),
    };
    let net = if entry.received >= entry.spent {
        ("+", entry.received, entry.spent)
    } else {
        ("-", entry.spent, entry.received)
    };
    let net = format!("{}{}", net.0, net.1.checked_sub(net.2).unwrap_or(Amount::ZERO));
    let time = date(entry.time.0);
    result(format_args!("{place:>9}  {time}  {net:>16} BLOOM  {}", entry.txid))?;
    for output in &entry.paid {
        let address = session.address(&output.key);
        result(format_args!("{:>11}paid {} to {}", "", output.amount, labelled(ready, &address)))?;
    }
    let what = if entry.coinbase { "mined" } else { "received" };
    for (path, amount) in entry.keys.iter().filter(|(path, _)| path.chain == bloom_wallet::KeyChain::Receive) {
        let address = own_address(session, ready, path);
        result(format_args!("{:>11}{what} {amount} at {}", "", labelled(ready, &address)))?;
    }
    if let (Some(fee), true) = (entry.fee, entry.spent > Amount::ZERO) {
        result(format_args!("{:>11}fee {fee}", ""))?;
    }
    if let Some(block) = entry.rescinded {
        let became = what_became(&entry.status);
        result(format_args!(
            "{:>11}rescinded: a reorganisation took its block at height {} away; it {became}",
            "", block.height
        ))?;
    } else if matches!(entry.status, Status::Replaced { .. } | Status::Conflicted { .. } | Status::Withdrawn) {
        result(format_args!("{:>11}{}", "", what_became(&entry.status)))?;
    }
    Ok(())
}

fn labelled(ready: &Ready, address: &str) -> String {
    match ready.wallet.book().label(address) {
        Some(label) => format!("{address} ({label})"),
        None => address.to_owned(),
    }
}

fn entry_as_json(session: &Session, ready: &Ready, entry: &Entry) -> Value {
    let (status, height, by) = match entry.status {
        Status::Confirmed(block) => ("confirmed", Some(block.height.0), None),
        Status::Pending => ("pending", None, None),
        Status::Recorded => ("recorded", None, None),
        Status::Replaced { by } => ("replaced", None, Some(by.to_string())),
        Status::Conflicted { by } => ("conflicted", None, Some(by.to_string())),
        Status::Withdrawn => ("withdrawn", None, None),
        Status::Gone => ("gone", None, None),
    };
    let row = |address: String, amount: Amount| {
        let label = ready.wallet.book().label(&address).map(str::to_owned);
        json!({"address": address, "amount": units(amount), "label": label})
    };
    let paid: Vec<Value> = entry.paid.iter().map(|output| row(session.address(&output.key), output.amount)).collect();
    let keys: Vec<Value> =
        entry.keys.iter().map(|(path, amount)| row(own_address(session, ready, path), *amount)).collect();
    json!({"txid": entry.txid.to_string(), "status": status, "height": height, "by": by,
        "rescinded_from": entry.rescinded.map(|block| block.height.0), "coinbase": entry.coinbase,
        "received": units(entry.received), "spent": units(entry.spent), "fee": entry.fee.map(units),
        "paid": paid, "received_at": keys, "time": entry.time.0, "not_before": entry.not_before.0.to_string(),
        "id": entry.id})
}

pub(super) fn coins(session: &Session) -> Result<()> {
    let ready = Ready::open_and_tell(session)?;
    let mut coins = ready.wallet.coins();
    coins.sort_by_key(|coin| (coin.height.map_or(u64::MAX, |height| height.0), coin.outpoint));
    for coin in coins {
        let address = own_address(session, &ready, &coin.path);
        let state = state(&coin, ready.wallet.tip());
        if session.args.json {
            result(json!({"txid": coin.outpoint.txid.to_string(), "index": coin.outpoint.index,
                "amount": units(coin.amount), "address": address, "path": coin.path.to_string(),
                "label": ready.wallet.book().label(&address), "coinbase": coin.coinbase,
                "height": coin.height.map(|height| height.0), "state": state}))?;
        } else {
            let address = labelled(&ready, &address);
            result(format_args!("{:>16} BLOOM  {state:<9}  {}  {address}", coin.amount.to_string(), coin.outpoint))?;
        }
    }
    Ok(())
}

fn state(coin: &OwnCoin, tip: bloom_consensus::Height) -> &'static str {
    match coin.height {
        Some(_) if coin.is_spendable(tip) => "spendable",
        Some(_) => "immature",
        None if coin.from_self => "change",
        None => "incoming",
    }
}

pub(super) fn own_address(session: &Session, ready: &Ready, path: &KeyPath) -> String {
    session.address(&ready.wallet.watch().key(path))
}

/// 64-bit amounts are strings in JSON: not every reader has 64-bit integers.
pub(super) fn units(amount: Amount) -> String {
    amount.units().to_string()
}

fn date(secs: u64) -> String {
    let date = i64::try_from(secs).ok().and_then(|secs| Timestamp::from_second(secs).ok());
    date.map_or_else(|| secs.to_string(), |date| date.to_string())
}

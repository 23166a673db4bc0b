//! Payments that are signed where no chain is, and keys that two machines share, by real processes with nothing in common
//! but files.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{Finished, Home};

/// Enough blocks for the first reward to be mature.
const MATURE: u64 = 123;

/// A home with machines in it, each a data directory; one of them has the chain.
struct Desk(Home);

impl Desk {
    fn new() -> Self {
        let home = Home::new();
        home.write("pw", "correct horse\n");
        Self(home)
    }

    fn wallet(&self, machine: &str, line: &str) -> Finished {
        self.0.run(&format!("wallet --data-dir {machine} --password-file pw {line}"))
    }

    /// The field of a command's JSON.
    fn field(&self, machine: &str, line: &str, name: &str) -> String {
        let json = self.wallet(machine, &format!("--json {line}")).ok().json();
        json[name].as_str().unwrap_or_else(|| panic!("{name} in {json}")).to_owned()
    }

    fn mine(&self, machine: &str, address: &str, blocks: u64) {
        self.0.run(&format!("mine --blocks {blocks} --pace 0 --data-dir {machine} --address {address}")).ok();
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.0.path(from), self.0.path(to)).unwrap();
    }

    fn nonce_file(&self, machine: &str) -> Option<PathBuf> {
        let files = fs::read_dir(self.0.path(&format!("{machine}/wallets/default.nonces"))).ok()?;
        files.map(|file| file.unwrap().path()).next()
    }

    /// Whether the chain of a machine holds the payment in a file.
    fn is_confirmed(&self, machine: &str, file: &str) -> bool {
        let again = self.field(machine, &format!("submit {file}"), "state");
        again.contains("is confirmed at height")
    }
}

/// Machines a, which has the chain, and b share an address with mature coins; `pay` is prepared from it.
fn shared_desk() -> (Desk, String) {
    let desk = Desk::new();
    let [a, b] = ["a", "b"].map(|machine| {
        desk.wallet(machine, "create").ok();
        desk.field(machine, "address --cosigner", "cosigner")
    });
    assert_ne!(a, b);
    // The own key may be left out, and the order does not matter.
    let address = desk.field("a", &format!("address --shared {b}"), "address");
    assert_eq!(desk.field("b", &format!("address --shared {b} {a}"), "address"), address);
    desk.mine("a", &address, MATURE);
    desk.wallet("a", "create --wallet bob").ok();
    let bob = desk.field("a", "address --wallet bob", "address");
    let prepared = desk.wallet("a", &format!("prepare {bob} 1.5 --from {address} --out pay")).ok();
    assert!(prepared.stdout.contains(&format!("pays        1.5 to {bob}")), "{}", prepared.stdout);
    assert!(prepared.stdout.contains("(shared by 2)"), "{}", prepared.stdout);
    let shared = desk.wallet("a", "balance").ok().stdout;
    assert!(shared.contains(&format!("shared     843.05454108 BLOOM, 6.85410196 spendable, at {address}")), "{shared}");
    assert!(shared.contains("total      0 BLOOM"), "{shared}");
    (desk, bob)
}

#[test]
fn a_watching_machine_prepares_what_an_offline_one_signs() {
    let desk = Desk::new();
    desk.wallet("cold", "create").ok();
    let xpub = desk.field("cold", "backup --xpub", "xpub");
    desk.wallet("hot", &format!("create --watch {xpub}")).ok();
    let address = desk.field("hot", "address", "address");
    desk.mine("hot", &address, MATURE);
    desk.wallet("hot", "create --wallet bob").ok();
    let bob = desk.field("hot", "address --wallet bob", "address");
    let change = |line: &str| {
        let json = desk.wallet("hot", &format!("--json prepare {line}")).ok().json();
        let back = json["outputs"].as_array().unwrap().iter().find(|output| output["change"] == true).unwrap().clone();
        assert!(back["owner"].as_str().unwrap().starts_with("m/86'/7618'/0'/1/"), "{back}");
        back["address"].as_str().unwrap().to_owned()
    };
    let first = change(&format!("{bob} 1.5 --out pay"));
    desk.wallet("hot", &format!("prepare {bob} 1.5 --out pay")).refused(2, &["not overwritten"]);
    // Its one mature coin is spoken for.
    desk.wallet("hot", &format!("prepare {bob} 1 --out other"))
        .refused(1, &["not enough", "6.85410196 more are reserved until height 1563"]);
    desk.wallet("hot", &format!("pay {bob} 1 --dry-run")).refused(1, &["not enough", "are reserved until height 1563"]);
    assert_eq!(desk.field("hot", "balance", "prepared"), "685410196");
    let second = change(&format!("{bob} 1 --instead-of pay --out other"));
    assert_ne!(first, second, "no key is promised twice");

    desk.wallet("hot", "sign pay --yes").refused(2, &["only watches"]);
    desk.wallet("hot", "submit pay").refused(1, &["not signed by all"]);
    desk.wallet("cold", "sign pay").refused(2, &["--yes"]);
    desk.copy("pay", "pay.again");
    let shown = desk.wallet("cold", "sign pay --yes").ok().stdout;
    for line in [
        "network     dev",
        &format!("pays        1.5 to {bob}"),
        "change      5.3",
        "fee         0.000",
        "signatures for 1 input",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!desk.0.path("cold").join("chain.redb").exists(), "signing needs no chain and begins none");
    // A node that has the directory takes the file itself.
    let mut node = desk.0.start("node --json --listen none --kademlia=false --data-dir hot");
    node.event("start");
    desk.wallet("hot", "submit pay").refused(3, &["it is a node", "bloom tx send FILE"]);
    desk.0.run("tx send pay.again --data-dir hot").refused(1, &["pay.again", "not signed by all"]);
    for was in ["was taken", "waited already"] {
        assert!(desk.0.run("tx send pay --data-dir hot").ok().stdout.contains(was));
    }
    node.signal("TERM");
    node.finish().ok();
    assert_eq!(desk.field("hot", "submit pay", "state"), "sent");
    assert_eq!(desk.field("hot", "submit pay", "state"), "sent", "a repeat is the same payment");
    // So is one signed anew, whose signatures are others: it waits and spends its coins as before.
    desk.wallet("cold", "sign pay.again --yes").ok();
    assert_ne!(fs::read(desk.0.path("pay")).unwrap(), fs::read(desk.0.path("pay.again")).unwrap());
    assert_eq!(desk.field("hot", "submit pay.again", "state"), "sent");
    let history = desk.wallet("hot", "history").ok().stdout;
    assert!(history.contains("pending") && !history.contains("withdrawn"), "{history}");
    desk.mine("hot", &address, 1);
    assert!(desk.is_confirmed("hot", "pay"));
}

#[test]
fn a_file_that_lies_is_not_signed() {
    let desk = Desk::new();
    desk.wallet("cold", "create").ok();
    let xpub = desk.field("cold", "backup --xpub", "xpub");
    desk.wallet("hot", &format!("create --watch {xpub}")).ok();
    let address = desk.field("hot", "address", "address");
    desk.mine("hot", &address, MATURE);
    let other = desk.field("hot", "create --wallet thief", "address");
    desk.wallet("hot", &format!("prepare {other} 1.5 --out pay")).ok();
    let honest = fs::read(desk.0.path("pay")).unwrap();
    let sealed = |mut content: Vec<u8>| {
        content.truncate(honest.len() - 32);
        let checksum = blake3::derive_key("bloomcoin v1 proposal", &content);
        content.extend(checksum);
        content
    };
    // The last output's key is the change's or the recipient's; either way 5.3 BLOOM of change are claimed where none are.
    let body = u32::from_le_bytes(honest[44..48].try_into().unwrap()) as usize;
    let mut replaced = honest.clone();
    let (first, second) = (48 + body - 80 + 8, 48 + body - 40 + 8);
    let keys = (honest[first..first + 32].to_vec(), honest[second..second + 32].to_vec());
    replaced[first..first + 32].copy_from_slice(&keys.1);
    replaced[second..second + 32].copy_from_slice(&keys.0);
    desk.0.write("swapped", sealed(replaced));
    desk.wallet("cold", "sign swapped --yes").refused(1, &["is claimed to be change", "distrust"]);
    let mut network = honest.clone();
    network[12] ^= 1;
    desk.0.write("network", sealed(network));
    desk.wallet("cold", "sign network --yes").refused(1, &["another network"]);
    let mut damaged = honest.clone();
    damaged[60] ^= 1;
    desk.0.write("damaged", damaged);
    desk.wallet("cold", "sign damaged --yes").refused(1, &["checksum"]);
    desk.0.write("none", "hello");
    desk.wallet("cold", "sign none --yes").refused(1, &["not a proposal"]);
    // Another wallet's payment.
    desk.wallet("else", "create").ok();
    desk.wallet("else", "sign pay --yes").refused(1, &["another wallet's payment"]);
    assert_eq!(fs::read(desk.0.path("pay")).unwrap(), honest);
}

#[test]
fn two_machines_spend_from_a_key_that_they_share() {
    let (desk, _) = shared_desk();
    desk.copy("pay", "pay.a");
    desk.copy("pay", "pay.b");
    desk.wallet("a", "sign pay.a --yes").ok();
    desk.wallet("a", "sign pay.a --yes").refused(1, &["not all nonces are there"]);
    desk.wallet("b", "sign pay.b --yes").ok();
    desk.wallet("a", "combine pay.a pay.b --out nonces").ok();
    for machine in ["a", "b"] {
        desk.copy("nonces", &format!("nonces.{machine}"));
        assert!(desk.nonce_file(machine).is_some());
        let signed = desk.wallet(machine, &format!("sign nonces.{machine} --yes")).ok();
        assert!(signed.stdout.contains("partial signatures for 1 input"), "{}", signed.stdout);
        assert!(desk.nonce_file(machine).is_none());
    }
    desk.wallet("a", "submit nonces.a").refused(1, &["not signed by all"]);
    let combined = desk.wallet("b", "--json combine nonces.a nonces.b --out signed").ok();
    assert!(combined.json()["complete"].as_bool().unwrap(), "{}", combined.stdout);
    let mut owners = ["a", "b"].map(|machine| desk.field(machine, "address --cosigner", "cosigner"));
    owners.sort_unstable();
    let outputs = combined.json()["outputs"].clone();
    for output in outputs.as_array().unwrap() {
        let owner = if output["change"] == true { json!(owners) } else { Value::Null };
        assert_eq!(output["owner"], owner);
    }
    assert_eq!(desk.field("a", "submit signed", "state"), "sent");
    let bob = desk.field("a", "address --wallet bob", "address");
    desk.mine("a", &bob, 1);
    assert!(desk.is_confirmed("a", "signed"));
}

#[test]
fn one_file_that_goes_round_does_too() {
    let (desk, _) = shared_desk();
    for machine in ["a", "b", "b", "a"] {
        desk.wallet(machine, "sign pay --yes").ok();
    }
    assert_eq!(desk.field("a", "submit pay", "state"), "sent");
}

/// Whatever brings nonces back is refused, and beginning again works.
#[test]
fn nonces_that_were_used_are_not_used_again() {
    let (desk, _) = shared_desk();
    desk.copy("pay", "pay.b");
    desk.wallet("a", "sign pay --yes").ok();
    desk.wallet("b", "sign pay --yes").ok();
    // A backup of everything that the machine has, between the two rounds.
    let nonces = desk.nonce_file("a").unwrap();
    let kept = [nonces.clone(), desk.0.path("a/wallets/default.wallet")].map(|path| (fs::read(&path).unwrap(), path));
    desk.copy("pay", "before");
    desk.wallet("a", "sign pay --yes").ok();
    desk.copy("before", "again");
    desk.wallet("a", "sign again --yes").refused(1, &["spent", "--start-over"]);
    for (content, path) in &kept {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    desk.wallet("a", "sign again --yes").refused(1, &["copied, moved or restored", "--start-over"]);
    assert!(!nonces.exists(), "they are worth nothing to anybody any more");
    // The wallet file alone.
    fs::write(&kept[1].1, &kept[1].0).unwrap();
    desk.wallet("a", "sign again --yes").refused(1, &["the nonces are gone"]);
    desk.copy("again", "same");
    // The cosigner's new nonces beside the old ones of this machine.
    desk.wallet("b", "sign pay.b --yes").ok();
    desk.wallet("a", "combine before pay.b --out two").refused(1, &["two different nonces"]);

    desk.wallet("a", "sign again --start-over --yes").ok();
    desk.wallet("b", "sign again --start-over --yes").ok();
    desk.wallet("b", "sign again --yes").ok();
    desk.wallet("a", "sign again --yes").ok();
    assert_eq!(desk.field("a", "submit again", "state"), "sent");
}

/// n of n has one way back from a machine that is lost: a payment to oneself that all sign beforehand.
#[test]
fn a_refund_signed_beforehand_waits_for_its_height() {
    let (desk, bob) = shared_desk();
    let address = desk.field("a", "address", "address");
    drop(bob);
    let shared = {
        let key = desk.field("b", "address --cosigner", "cosigner");
        desk.field("a", &format!("address --shared {key}"), "address")
    };
    desk.wallet("a", &format!("prepare {address} 0.5 --from {shared} --out refund")).refused(1, &["not enough"]);
    desk.mine("a", &shared, 1);
    let height = MATURE + 3;
    desk.wallet("a", &format!("prepare {address} --all --from {shared} --not-before {height} --out refund")).ok();
    for machine in ["a", "b", "b", "a"] {
        let shown = desk.wallet(machine, "sign refund --yes").ok().stdout;
        assert!(shown.contains(&format!("not before  block {height}")), "{shown}");
    }
    let state = desk.field("a", "submit refund", "state");
    assert!(state.starts_with("recorded"), "{state}");
    desk.mine("a", &address, 2);
    assert_eq!(desk.field("a", "submit refund", "state"), "sent");
}

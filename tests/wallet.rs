//! From nothing to a confirmed payment between two wallets on dev, and what may come between, with real processes.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use serde_json::Value;
use support::{Finished, Home, Running, number, text};

/// Units of one BLOOM.
const BLOOM: u64 = 100_000_000;
const REWARD: u64 = 685_410_196;

/// A home with a password, a wallet that mined 125 blocks, so that its first three rewards are mature, and another.
struct Town {
    home: Home,
    alice: String,
    bob: String,
}

impl Town {
    fn new() -> Self {
        let home = Home::new();
        home.write("pw", "correct horse\n");
        let mut town = Self { home, alice: String::new(), bob: String::new() };
        for name in ["alice", "bob"] {
            town.wallet(name, "create").ok();
        }
        town.alice = text(&town.wallet("alice", "address --label mining").ok().json()["address"]);
        town.bob = text(&town.wallet("bob", "address").ok().json()["address"]);
        town.mine(125);
        town
    }

    fn wallet(&self, name: &str, line: &str) -> Finished {
        self.home.run(&format!("wallet --data-dir d --password-file pw --json --wallet {name} {line}"))
    }

    fn mine(&self, blocks: u32) {
        self.mine_to(&self.alice, blocks);
    }

    fn mine_to(&self, address: &str, blocks: u32) {
        self.home.run(&format!("mine --data-dir d --pace 0 --blocks {blocks} --address {address}")).ok();
    }

    /// Spendable, incoming, total.
    fn balance(&self, name: &str) -> (u64, u64, u64) {
        let balance = self.wallet(name, "balance").ok().json();
        let part = |part: &str| text(&balance[part]).parse().unwrap();
        (part("spendable"), part("incoming"), part("total"))
    }

    fn entry(&self, name: &str, txid: &str) -> Value {
        let history = self.wallet(name, "history").ok().json_lines();
        history.into_iter().find(|entry| entry["txid"] == txid).unwrap_or_else(|| panic!("no {txid}"))
    }

    fn pay(&self, line: &str) -> Value {
        self.wallet("alice", &format!("pay {} {line} --yes", self.bob)).ok().json()
    }
}

#[test]
fn a_payment_between_two_wallets_is_confirmed_and_a_wallet_restored_elsewhere_finds_all_of_it() {
    let town = Town::new();
    let height = 125;
    assert_eq!(town.balance("alice"), (3 * REWARD, 0, height * REWARD));

    // A dry run changes nothing, neither does a second one.
    let dry = town.pay("1.5 --dry-run");
    assert_eq!((text(&dry["state"]).as_str(), text(&dry["fee"]).as_str()), ("not sent: dry run", "200"));
    assert_eq!(town.balance("alice"), (3 * REWARD, 0, height * REWARD));
    assert_eq!(town.balance("bob"), (0, 0, 0));

    // Wherever change stands in the transaction, people read whom it pays first.
    for _ in 0..4 {
        let line = format!("wallet --data-dir d --password-file pw --wallet alice pay {} 1.5 --dry-run", town.bob);
        let said = town.home.run(&line).ok().stdout;
        let heads: Vec<&str> = said.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(heads, ["transaction", "pays", "back", "fee", "not"], "{said}");
        assert!(said.contains("200 bytes at 1 unit a byte, spending 1 coin"), "{said}");
    }

    let paid = town.pay("1.5");
    assert_eq!(paid["state"], "sent");
    let txid = text(&paid["txid"]);
    assert_eq!(town.balance("bob"), (0, BLOOM * 3 / 2, BLOOM * 3 / 2));
    assert_eq!(town.entry("alice", &txid)["status"], "pending");
    town.mine(1);
    assert_eq!(town.balance("bob"), (BLOOM * 3 / 2, 0, BLOOM * 3 / 2));
    let entry = town.entry("bob", &txid);
    assert_eq!((&entry["status"], number(&entry["height"])), (&Value::from("confirmed"), height + 1));
    let last = town.wallet("alice", "history --count 2").ok().json_lines();
    assert_eq!(last, town.wallet("alice", "history").ok().json_lines().split_off(125), "the latest last");
    let total = town.balance("alice").2;
    assert_eq!(total, (height + 1) * REWARD - BLOOM * 3 / 2, "its own fee came back with the reward");

    // The words alone, on an empty machine that has the chain.
    let words = text(&town.wallet("alice", "backup").ok().json()["words"]);
    town.home.write("words", words);
    town.wallet("again", "restore --words-file words").ok();
    assert_eq!(town.balance("again"), town.balance("alice"));
    assert_eq!(town.wallet("again", "coins").ok().json_lines(), unlabelled(&town.wallet("alice", "coins").ok()));
}

/// Labels are not in the words.
fn unlabelled(coins: &Finished) -> Vec<Value> {
    let mut lines = coins.json_lines();
    lines.iter_mut().for_each(|line| line["label"] = Value::Null);
    lines
}

#[test]
fn a_reorganisation_rescinds_a_payment_and_both_sides_are_told() {
    let town = Town::new();
    let txid = text(&town.pay("2").clone()["txid"]);
    town.mine(1);
    for name in ["alice", "bob"] {
        assert_eq!(town.entry(name, &txid)["status"], "confirmed");
    }
    let tip = text(&town.home.run("chain --json --data-dir d").ok().json()["hash"]);
    town.home.run(&format!("chain invalidate {tip} --data-dir d")).ok();
    for name in ["alice", "bob"] {
        let history = town.wallet(name, "history").ok();
        let entry = history.json_lines().into_iter().find(|entry| entry["txid"] == txid).unwrap();
        assert_eq!((&entry["status"], number(&entry["rescinded_from"])), (&Value::from("pending"), 126), "{name}");
        for words in ["rescinded", &tip, &txid, "waits to be confirmed"] {
            assert!(history.stderr.contains(words), "{name}: expected {words} in {}", history.stderr);
        }
    }
    assert_eq!(town.balance("bob"), (0, 2 * BLOOM, 2 * BLOOM));
    // To the same address at the same second, it would be the very block that was invalidated.
    town.mine_to(&text(&town.wallet("alice", "address").ok().json()["address"]), 1);
    assert_eq!(town.balance("bob"), (2 * BLOOM, 0, 2 * BLOOM));
    assert_eq!(town.entry("alice", &txid)["rescinded_from"], Value::Null);
}

#[test]
fn fees_are_raised_and_payments_taken_back() {
    let town = Town::new();
    let first = text(&town.pay("1")["txid"]);
    let bumped = town.wallet("alice", &format!("bump {first} --fee-rate 5 --yes")).ok().json();
    assert_eq!((text(&bumped["fee"]).as_str(), &bumped["pays"][0]["amount"]), ("1000", &Value::from("100000000")));
    let entry = town.entry("alice", &first);
    assert_eq!((&entry["status"], &entry["by"]), (&Value::from("replaced"), &bumped["txid"]));
    let second = text(&bumped["txid"]);
    town.wallet("alice", &format!("bump {second} --fee-rate 5")).refused(2, &["5 units a byte", "more than the 5"]);
    let cancelled = town.wallet("alice", &format!("cancel {second} --yes")).ok().json();
    assert!(cancelled["pays"].as_array().unwrap().is_empty() && !cancelled["change"].is_null());
    assert_eq!(town.balance("bob"), (0, 0, 0));
    // A child of bob's pays for what alice sent too cheaply.
    let cheap = text(&town.pay("1")["txid"]);
    let child = town.wallet("bob", &format!("bump {cheap} --fee-rate 10 --yes")).ok();
    assert!(child.stderr.contains("a child of it pays for both"), "{}", child.stderr);
    let child_fee: u64 = text(&child.json()["fee"]).parse().unwrap();
    assert_eq!(child_fee + 200, 10 * (200 + 160));
    town.mine(1);
    assert_eq!(town.balance("bob"), (BLOOM - child_fee, 0, BLOOM - child_fee));
    town.wallet("alice", &format!("bump {cheap}")).refused(1, &["is confirmed at height 126"]);
    // Many rewards become one coin.
    town.mine(30);
    let gathered = town.wallet("alice", "consolidate --yes").ok().json();
    assert!(number(&gathered["inputs"]) > 25, "{gathered}");
    town.wallet("alice", "consolidate").refused(1, &["nothing to consolidate"]);
}

#[test]
fn what_is_no_payment_is_refused_and_nothing_is_sent() {
    let town = Town::new();
    let other_network = town.bob.replacen("dbloom", "tbloom", 1);
    let mut mistyped = town.bob.clone();
    let last = if mistyped.pop() == Some('q') { 'p' } else { 'q' };
    mistyped.push(last);
    let main =
        bloom_consensus::address::encode("bloom", &bloom_consensus::address::decode("dbloom", &town.bob).unwrap());
    let bob = &town.bob;
    let cases: Vec<(String, i32, &[&str])> = vec![
        (format!("{bob} 0.00000419"), 2, &["dust", "0.0000042"]),
        (format!("{} 1", main.unwrap()), 2, &["another network", "got prefix bloom, expected dbloom"]),
        (format!("{other_network} 1"), 2, &["not an address"]),
        (format!("{mistyped} 1"), 2, &["not an address"]),
        (format!("{bob} 0.123456789"), 2, &["more than 8 decimals"]),
        (format!("{bob} -1"), 2, &["not an amount"]),
        (format!("{bob} 1e3"), 2, &["not an amount"]),
        (format!("{bob} 184467440738"), 2, &["too large"]),
        (bob.clone(), 2, &["expected an amount", "--all"]),
        (format!("{bob} --all --fee-rate 0.5"), 2, &["fee rate", "at least 1"]),
        (format!("{bob} 1 --all"), 2, &["one address without an amount"]),
        (format!("{bob} 100"), 1, &["got 20.56230588 BLOOM to spend", "are missing", "836.20043912 more are mined"]),
        (format!("{bob} 0.001 --fee-rate 10000"), 1, &["--allow-high-fee"]),
        ("bloom:nonsense".to_owned(), 2, &[]),
    ];
    for (line, code, words) in cases {
        town.wallet("alice", &format!("pay {line}")).refused(code, words);
    }
    assert_eq!(town.home.run("mempool --json --data-dir d").ok().json()["transactions"], 0);
    // With nobody at the terminal and a payment request, everything that is there is paid away.
    let paid = town.wallet("alice", &format!("pay bloom:{bob}?amount=2 {bob} --all --yes")).ok().json();
    assert_eq!((paid["pays"].as_array().unwrap().len(), number(&paid["inputs"])), (2, 3));
    town.mine(1);
    assert_eq!(town.balance("bob").0, 3 * REWARD - text(&paid["fee"]).parse::<u64>().unwrap());
}

#[test]
fn a_named_payment_is_made_once_and_labels_are_shown() {
    let town = Town::new();
    let first = town.pay("1 --id rent-12");
    let again = town.wallet("alice", &format!("pay {} 1 --id rent-12", town.bob)).ok();
    assert!(again.stderr.contains("not made twice"), "{}", again.stderr);
    assert_eq!(again.json()["txid"], first["txid"]);
    town.wallet("alice", &format!("pay {} 2 --id rent-12", town.bob)).refused(2, &["rent-12", "another --id"]);
    town.wallet("alice", &format!("label {} Bob", town.bob)).ok();
    let entry = town.entry("alice", &text(&first["txid"]));
    assert_eq!((&entry["paid"][0]["label"], &entry["id"]), (&Value::from("Bob"), &Value::from("rent-12")));
    let list = town.wallet("alice", "address --list").ok().json_lines();
    assert_eq!((&list[0]["label"], &list[0]["used"]), (&Value::from("mining"), &Value::from(true)));
    // What waits for its height is kept, and sent by a later command.
    let held = town.pay("1 --not-before 128");
    assert!(text(&held["state"]).contains("at height 127"), "{held}");
    town.mine(2);
    assert_eq!(town.entry("alice", &text(&held["txid"]))["status"], "pending");
    town.mine(1);
    assert_eq!(town.balance("bob"), (2 * BLOOM, 0, 2 * BLOOM));
}

#[test]
fn a_name_whose_payment_was_taken_back_pays_nobody_and_says_so() {
    let town = Town::new();
    let first = text(&town.pay("1 --id rent-12")["txid"]);
    let line = format!("pay {} 1 --id rent-12", town.bob);
    let dry = town.wallet("alice", &format!("{line} --dry-run")).ok().json();
    assert_eq!(
        (&dry["txid"], &dry["state"]),
        (&first.as_str().into(), &"made before: it waits to be confirmed".into())
    );
    let bumped = text(&town.wallet("alice", &format!("bump {first} --yes")).ok().json()["txid"]);
    assert_eq!(town.wallet("alice", &line).ok().json()["txid"], first, "the bump pays the same");
    town.wallet("alice", &format!("cancel {bumped} --yes")).ok();
    for end in ["--dry-run", "--yes"] {
        town.wallet("alice", &format!("{line} {end}")).refused(1, &[&first, "nothing was sent", "another --id"]);
    }
    town.mine(1);
    town.wallet("alice", &line).refused(1, &[&first, "cannot be confirmed any more", "another --id"]);
    let empty =
        ["wallet", "--data-dir", "d", "--password-file", "pw", "--wallet", "alice", "pay", &town.bob, "1", "--id", ""];
    Running::start(town.home.bloom(empty)).finish().refused(2, &["--id", "got nothing"]);
}

#[test]
fn a_replacement_that_is_too_cheap_says_what_stands_and_what_would_do() {
    let town = Town::new();
    let first = text(&town.pay("1")["txid"]);
    // The payee has it spent on by a child whose fee would go with it.
    town.wallet("bob", &format!("bump {first} --fee-rate 50 --yes")).ok();
    for command in ["bump", "cancel"] {
        let refused = town.wallet("alice", &format!("{command} {first} --yes"));
        let refused = refused.refused(1, &[&first, "was not replaced and stands", "--fee-rate "]);
        assert!(!refused.stderr.contains("withdrawn"), "{}", refused.stderr);
        let history = town.wallet("alice", "history").ok().json_lines();
        assert!(history.iter().all(|entry| entry["status"] != "withdrawn"), "{history:?}");
        assert_eq!(town.entry("alice", &first)["status"], "pending");
        if command == "cancel" {
            let rate = refused.stderr.split("--fee-rate ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
            town.wallet("alice", &format!("cancel {first} --fee-rate {rate} --yes")).ok();
        }
    }
    assert_eq!(town.balance("bob"), (0, 0, 0));
}

#[test]
fn where_nobody_can_be_asked_only_yes_sends() {
    let town = Town::new();
    let waits = text(&town.pay("1")["txid"]);
    let commands =
        [format!("pay {} 1", town.bob), format!("bump {waits}"), format!("cancel {waits}"), "consolidate".into()];
    for line in commands {
        town.wallet("alice", &line).refused(2, &["nobody to ask", "--yes", "nothing was sent"]);
    }
    assert_eq!(town.entry("alice", &waits)["status"], "pending");
    assert_eq!(town.home.run("mempool --json --data-dir d").ok().json()["transactions"], 1);
}

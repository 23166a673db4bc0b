//! The coins of the key that `bloom mine` makes for itself, brought into a wallet by real processes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use support::{Finished, Home, number, text};

const REWARD: u64 = 685_410_196;

/// A home with a wallet and a number of blocks that pay the miner's own key.
fn mined(blocks: u32) -> Home {
    let home = Home::new();
    home.write("pw", "correct horse\n");
    wallet(&home, "create").ok();
    mine(&home, blocks);
    home
}

fn mine(home: &Home, blocks: u32) -> Finished {
    home.run(&format!("mine --data-dir d --pace 0 --blocks {blocks}")).ok()
}

fn wallet(home: &Home, line: &str) -> Finished {
    home.run(&format!("wallet --data-dir d --password-file pw --json {line}"))
}

fn units(value: &Value) -> u64 {
    text(value).parse().unwrap()
}

/// Spendable, incoming, total.
fn balance(home: &Home) -> (u64, u64, u64) {
    let balance = wallet(home, "balance").ok().json();
    (units(&balance["spendable"]), units(&balance["incoming"]), units(&balance["total"]))
}

#[test]
fn what_was_mined_to_the_own_key_is_swept_into_a_wallet_once() {
    let home = mined(130);
    let key = fs::read(home.path("d/miner.key")).unwrap();

    let dry = wallet(&home, "sweep --dry-run").ok().json_lines();
    wallet(&home, "sweep").refused(2, &["nobody to ask", "--yes"]);
    assert_eq!((dry.len(), &dry[0]["state"], &dry[1]["swept"]), (2, &"not sent: dry run".into(), &"0".into()));
    assert_eq!(balance(&home), (0, 0, 0));

    // Of heights 1 to 130 the next block, 131, may spend 1 to 8.
    let swept = wallet(&home, "sweep --yes").ok().json_lines();
    let [sweep, summary] = &swept[..] else { panic!("{swept:?}") };
    assert_eq!((&sweep["state"], number(&sweep["inputs"]), &sweep["to"]), (&"sent".into(), 8, &dry[0]["to"]));
    let (amount, fee) = (units(&sweep["amount"]), units(&sweep["fee"]));
    assert_eq!((amount + fee, units(&summary["swept"])), (8 * REWARD, 8 * REWARD));
    assert_eq!((units(&summary["immature"]), number(&summary["all_at"])), (122 * REWARD, 252));
    assert_eq!(balance(&home), (0, amount, amount));

    let again = wallet(&home, "sweep").ok().json();
    assert_eq!((number(&again["transactions"]), units(&again["leaving"])), (0, 8 * REWARD));
    let said = home.run("wallet --data-dir d --password-file pw sweep").ok().stdout;
    for words in ["nothing to sweep yet", "54.83281568 BLOOM, spent by what waits", "once the tip is at height 252"] {
        assert!(said.contains(words), "expected {words:?} in {said}");
    }

    mine(&home, 1);
    assert_eq!(balance(&home), (amount, 0, amount));
    let entry = wallet(&home, "history").ok().json();
    assert_eq!(
        (&entry["txid"], &entry["status"], units(&entry["received"])),
        (&sweep["txid"], &"confirmed".into(), amount)
    );
    home.run("verify --data-dir d").ok();
    assert_eq!(fs::read(home.path("d/miner.key")).unwrap(), key, "mining may go on paying it");

    // One more has matured; and the key may lie elsewhere.
    fs::rename(home.path("d/miner.key"), home.path("old.key")).unwrap();
    wallet(&home, "sweep").refused(3, &["miner.key", "no key here"]);
    let swept = wallet(&home, "sweep old.key --fee-rate 2 --yes").ok().json_lines();
    assert_eq!((number(&swept[0]["inputs"]), text(&swept[0]["fee"])), (1, "320".to_owned()));
}

#[test]
fn a_key_file_that_is_not_fit_is_refused_and_no_secret_told() {
    let home = mined(1);
    let secret = fs::read_to_string(home.path("d/miner.key")).unwrap().lines().nth(1).unwrap().to_owned();
    let key = home.path("d/miner.key");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let mut said = vec![wallet(&home, "sweep").refused(3, &["miner.key", "(mode 644)", "chmod 600"])];
    fs::set_permissions(&key, private.clone()).unwrap();
    std::os::unix::fs::symlink(&key, home.path("link")).unwrap();
    said.push(wallet(&home, "sweep link").refused(3, &["link", "symbolic link"]));
    said.push(wallet(&home, "sweep d").refused(3, &["it is not a file"]));
    said.push(wallet(&home, "sweep /dev/zero").refused(3, &["it is not a file"]));
    let longer = home.write("longer", format!("bloomcoin miner key 1\n{secret}0\n"));
    fs::set_permissions(&longer, private).unwrap();
    said.push(wallet(&home, "sweep longer").refused(3, &["not a miner's key", "`bloom mine`"]));
    said.push(wallet(&home, "sweep").ok());
    assert_eq!(units(&said.last().unwrap().json()["immature"]), REWARD);
    for said in said {
        assert!(!said.stdout.contains(&secret) && !said.stderr.contains(&secret), "{}", said.what);
    }
}

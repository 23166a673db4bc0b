//! A process that dies at each named point of a MuSig2 session: what is left are unused nonces or erased ones, never a
//! partial signature with its nonces still there; and all can begin again. Run with `--features failpoints`.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::fs;

use bloom_wallet::session::FAILPOINTS;
use bloom_wallet::vault;
use support::{Finished, Home, Running, text};

/// The points of the first round; the others are of the second.
const FIRST_ROUND: [&str; 2] = ["nonces.before-record", "nonces.after-record"];

fn wallet(home: &Home, machine: &str, line: &str) -> Finished {
    home.run(&format!("wallet --data-dir {machine} --password-file pw {line}"))
}

fn dies(home: &Home, line: &str, point: &str) {
    let mut command = home.bloom(format!("wallet --data-dir a --password-file pw {line}").split_whitespace());
    command.env("FAILPOINTS", format!("{point}=return"));
    let finished = Running::start(command).finish();
    finished.did_not_panic();
    assert!(finished.status.code().is_none(), "{point} was never passed by {line}: {}", finished.stderr);
}

/// Machines a and b, and a payment from the address that they share.
fn desk() -> Home {
    let home = Home::new();
    home.write("pw", "correct horse\n");
    for machine in ["a", "b"] {
        wallet(&home, machine, "create").ok();
    }
    let key = text(&wallet(&home, "b", "--json address --cosigner").ok().json()["cosigner"]);
    let shared = text(&wallet(&home, "a", &format!("--json address --shared {key}")).ok().json()["address"]);
    home.run(&format!("mine --blocks 123 --pace 0 --data-dir a --address {shared}")).ok();
    wallet(&home, "a", &format!("prepare {shared} 1 --from {shared} --out prepared")).ok();
    home
}

fn nonce_files(home: &Home) -> usize {
    fs::read_dir(home.path("a/wallets/default.nonces")).map_or(0, |files| files.count())
}

fn copy(home: &Home, from: &str, to: &str) {
    fs::copy(home.path(from), home.path(to)).unwrap();
}

/// From the file as it was prepared to a sent payment.
fn all_goes_well_from_the_start(home: &Home) {
    copy(home, "prepared", "again");
    for machine in ["a", "b", "b", "a"] {
        wallet(home, machine, "sign again --yes").ok();
    }
    assert_eq!(nonce_files(home), 0);
    let signed = wallet(home, "a", "combine again again --out whole").ok();
    assert!(signed.stderr.contains("signed by all"), "{}", signed.stderr);
    fs::remove_file(home.path("whole")).unwrap();
}

#[test]
fn a_death_in_the_first_round_leaves_nonces_that_nobody_has_seen() {
    let home = desk();
    for point in FAILPOINTS.iter().filter(|point| FIRST_ROUND.contains(point)) {
        copy(&home, "prepared", "pay");
        dies(&home, "sign pay --yes", point);
        assert_eq!(fs::read(home.path("pay")).unwrap(), fs::read(home.path("prepared")).unwrap(), "{point}");
        all_goes_well_from_the_start(&home);
    }
}

#[test]
fn a_death_in_the_second_round_leaves_no_signature_beside_its_nonces() {
    let home = desk();
    let second_round = FAILPOINTS.iter().filter(|point| !FIRST_ROUND.contains(point));
    // The wallet's file is written in this round too: the session's end.
    for point in second_round.chain(vault::FAILPOINTS) {
        copy(&home, "prepared", "pay");
        wallet(&home, "a", "sign pay --yes").ok();
        wallet(&home, "b", "sign pay --yes").ok();
        copy(&home, "pay", "nonces");
        dies(&home, "sign pay --yes", point);
        assert_eq!(
            fs::read(home.path("pay")).unwrap(),
            fs::read(home.path("nonces")).unwrap(),
            "{point}: nothing left"
        );
        if *point == "nonces.before-erase" {
            assert_eq!(nonce_files(&home), 1, "{point}: unused, so that the round can be repeated");
            wallet(&home, "a", "sign pay --yes").ok();
        } else {
            assert_eq!(nonce_files(&home), 0, "{point}");
            wallet(&home, "a", "sign pay --yes").refused(1, &["--start-over"]);
        }
        if point.starts_with("nonces.") {
            all_goes_well_from_the_start(&home);
        }
    }
    all_goes_well_from_the_start(&home);
}

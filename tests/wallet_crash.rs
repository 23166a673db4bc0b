//! A process that dies at each named write of a wallet's file: there is the wallet of before or the one of after, whole.
//! Run with `--features failpoints`.

mod support;

use bloom_wallet::vault::FAILPOINTS;
use support::{Finished, Home, Running, text};

fn home() -> Home {
    let home = Home::new();
    home.write("pw", "correct-horse\n");
    home.write("pw2", "battery-staple\n");
    home
}

/// Runs a command that dies at a point.
fn dies(home: &Home, line: &str, point: &str) {
    let mut command = home.bloom(line.split_whitespace());
    command.env("FAILPOINTS", format!("{point}=return"));
    let finished = Running::start(command).finish();
    finished.did_not_panic();
    assert!(finished.status.code().is_none(), "{point} was never passed by {line}: {}", finished.stderr);
}

fn backup(home: &Home, password_file: &str) -> Finished {
    home.run(&format!("wallet backup --json --password-file {password_file} --data-dir d"))
}

/// The new file counts from the moment when it has the name.
fn is_in_place(point: &str) -> bool {
    ["wallet.after-rename", "wallet.after-sync"].contains(&point)
}

#[test]
fn a_changed_wallet_is_the_old_or_the_new_one() {
    for point in FAILPOINTS {
        let home = home();
        home.run("wallet create --json --password-file pw --data-dir d").ok();
        let words = text(&backup(&home, "pw").ok().json()["words"]);
        dies(&home, "wallet password --password-file pw --new-password-file pw2 --data-dir d", point);
        let (opens, closed) = if is_in_place(point) { ("pw2", "pw") } else { ("pw", "pw2") };
        backup(&home, closed).refused(3, &["the password is wrong"]);
        assert_eq!(text(&backup(&home, opens).ok().json()["words"]), words, "{point}");
        home.run(&format!("wallet password --password-file {opens} --new-password-file pw2 --data-dir d")).ok();
        assert_eq!(text(&backup(&home, "pw2").ok().json()["words"]), words, "{point}: and it goes on");
        assert!(!home.path("d/wallets/default.wallet.new").exists(), "{point}");
    }
}

#[test]
fn a_new_wallet_is_whole_or_not_there() {
    for point in FAILPOINTS {
        let home = home();
        dies(&home, "wallet create --json --password-file pw --data-dir d", point);
        if is_in_place(point) {
            assert_eq!(text(&backup(&home, "pw").ok().json()["words"]).split(' ').count(), 12, "{point}");
        } else {
            assert_eq!(home.run("wallet list --data-dir d").ok().stdout, "", "{point}");
            home.run("wallet create --json --password-file pw --data-dir d").ok();
            backup(&home, "pw").ok();
        }
    }
}

/// The same command again, whatever became of the first: the payee gets it once.
#[test]
fn a_payment_whose_command_dies_and_is_repeated_is_made_once() {
    let home = home();
    let wallet = |name: &str, line: &str| {
        home.run(&format!("wallet --data-dir d --password-file pw --json --wallet {name} {line}")).ok().json()
    };
    wallet("payer", "create");
    wallet("payee", "create");
    let payer = text(&wallet("payer", "address")["address"]);
    let payee = text(&wallet("payee", "address")["address"]);
    home.run(&format!("mine --data-dir d --pace 0 --blocks 128 --address {payer}")).ok();
    wallet("payer", "balance");
    let incoming = || text(&wallet("payee", "balance")["incoming"]).parse::<u64>().unwrap();
    let mut died = 0_u64;
    // A payment saves its wallet twice: when it is recorded, and when it was told of.
    for (saves, point) in [(0, "wallet.before-write"), (0, "wallet.after-sync"), (1, "wallet.before-rename")] {
        let before = incoming();
        let units = 100_000_000 + died;
        let pay = format!("pay {payee} {}.{:08} --yes", units / 100_000_000, units % 100_000_000);
        let mut command =
            home.bloom(format!("wallet --data-dir d --password-file pw --wallet payer {pay}").split_whitespace());
        command.env("FAILPOINTS", format!("{point}={saves}*off->return"));
        let first = Running::start(command).finish();
        assert!(first.status.code().is_none(), "{point} was not passed: {}", first.stderr);
        wallet("payer", &pay);
        died += 1;
        assert_eq!(incoming() - before, units, "{point}: paid once");
    }
}

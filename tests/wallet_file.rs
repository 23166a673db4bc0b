//! A wallet's file as its owner meets it: made, copied out as words, opened by nobody else, and never half written.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::{Finished, Home, Random, Running, text};

const PASSWORD: &str = "correct-horse-battery";
const OTHER: &str = "staple-another-one";
const CLOSED: &str = "the password is wrong, or the file is damaged";

/// A home with two files of passwords.
fn home() -> Home {
    let home = Home::new();
    home.write("pw", format!("{PASSWORD}\n"));
    home.write("pw2", format!("{OTHER}\r\nand a second line\n"));
    home
}

fn wallet(home: &Home, line: &str) -> Finished {
    home.run(&format!("wallet {line} --data-dir d"))
}

fn create(home: &Home) -> String {
    text(&wallet(home, "create --json --password-file pw").ok().json()["address"])
}

/// Opens a wallet and shows its words.
fn words(home: &Home, password_file: &str) -> Finished {
    wallet(home, &format!("backup --json --password-file {password_file}"))
}

/// A command line of the shell's, which redirects descriptors.
fn shell(home: &Home, line: &str) -> Finished {
    Running::start(shell_command(home, line)).finish()
}

fn shell_command(home: &Home, line: &str) -> Command {
    let mut command = home.tool("sh");
    command.args(["-c", &format!("exec {} wallet {line}", env!("CARGO_BIN_EXE_bloom"))]);
    command
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn words_make_the_same_wallet_again() {
    let home = home();
    let made = wallet(&home, "create --words 24 --password-file pw").ok();
    let address = made.stdout.lines().find_map(|line| line.strip_prefix("address     ")).unwrap().to_owned();
    let shown: Vec<&str> = made.stdout.lines().skip_while(|line| !line.starts_with("words ")).collect();
    let phrase = shown.join(" ").split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    assert_eq!(phrase.split(' ').count(), 24);
    assert!(made.stderr.contains("write the words down"));
    assert_eq!(words(&home, "pw").ok().json()["words"], phrase.as_str());

    home.write("words", phrase.replace(' ', "\n"));
    let restored = wallet(&home, "restore --wallet again --words-file words --json --password-file pw2").ok().json();
    assert_eq!((text(&restored["address"]), &restored["birthday"]), (address.clone(), &0.into()));
    home.write("one", format!("{}\n", phrase.to_uppercase()));
    let restored = shell(&home, "restore --wallet fd --words-fd 3 --password-fd 4 --json --data-dir d 3<one 4<pw");
    assert_eq!(text(&restored.ok().json()["address"]), address);

    let xpub = wallet(&home, "backup --xpub --password-file pw").ok().stdout.trim().to_owned();
    let watching = wallet(&home, &format!("create --wallet eyes --watch {xpub} --json --password-file pw")).ok().json();
    assert_eq!((text(&watching["address"]), &watching["watching"]), (address, &true.into()));
    wallet(&home, "backup --wallet eyes --password-file pw").refused(2, &["only watches", "--xpub"]);
    assert_eq!(wallet(&home, "backup --wallet eyes --xpub --password-file pw").ok().stdout.trim(), xpub);
    assert_eq!(wallet(&home, "list").ok().stdout, "again\ndefault\neyes\nfd\n");
}

#[test]
fn passphrase_and_account_make_other_wallets() {
    let home = home();
    create(&home);
    let words = text(&words(&home, "pw").ok().json()["words"]);
    home.write("words", &words);
    home.write("phrase", "a passphrase\n");
    let restore = |name: &str, more: &str| {
        let line = format!("restore --wallet {name} --words-file words --json --password-file pw {more}");
        text(&wallet(&home, &line).ok().json()["address"])
    };
    let addresses =
        [restore("plain", ""), restore("phrase", "--passphrase-file phrase"), restore("account", "--account 1")];
    assert!(addresses[0] != addresses[1] && addresses[0] != addresses[2] && addresses[1] != addresses[2]);
    assert_eq!(restore("phrase2", "--passphrase-file phrase --birthday 7"), addresses[1]);
    wallet(&home, "create --account 2147483648 --wallet x").refused(2, &["2147483648"]);
}

#[test]
fn a_wrong_password_and_damage_are_one_answer() {
    let home = home();
    create(&home);
    let wrong = words(&home, "pw2").refused(3, &["default.wallet", CLOSED]);
    let file = home.path("d/wallets/default.wallet");
    let good = fs::read(&file).unwrap();
    for position in [40, good.len() - 1] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        fs::write(&file, bad).unwrap();
        let damaged = words(&home, "pw").refused(3, &[CLOSED]);
        assert_eq!((damaged.stdout, damaged.stderr), (String::new(), wrong.stderr.clone()), "{position}");
    }
    fs::write(&file, &good[..60]).unwrap();
    words(&home, "pw").refused(3, &["not a wallet", "restore"]);
    let mut newer = good.clone();
    newer[16] = 9;
    fs::write(&file, newer).unwrap();
    words(&home, "pw").refused(3, &["wallet format 9, expected at most 1", "newer bloom"]);
    let mut greedy = good.clone();
    greedy[23] = 0xff;
    fs::write(&file, greedy).unwrap();
    words(&home, "pw").refused(3, &["memory in KiB", "expected 19456 to 1048576"]);
    fs::write(&file, good).unwrap();
    words(&home, "pw").ok();
}

#[test]
fn passwords_come_from_files_and_descriptors_alone() {
    let home = home();
    create(&home);
    shell(&home, "password --password-fd 3 --new-password-fd 4 --data-dir d 3<pw 4<pw2").ok();
    words(&home, "pw").refused(3, &[CLOSED]);
    words(&home, "pw2").ok(); // its first line, without the carriage return
    let piped = format!("echo {OTHER} | {} wallet backup --password-fd 0 --data-dir d", env!("CARGO_BIN_EXE_bloom"));
    let mut command = home.tool("sh");
    command.args(["-c", &piped]);
    Running::start(command).finish().ok();

    shell(&home, "password --password-fd 3 --new-password-fd 3 --data-dir d 3<pw2").refused(2, &["same descriptor"]);
    shell(&home, "backup --password-fd 9 --data-dir d").refused(2, &["descriptor 9", "is it open?"]);
    shell(&home, "backup --data-dir d </dev/null").refused(2, &["--password-file FILE or --password-fd N"]);
    words(&home, "nowhere").refused(2, &["nowhere"]);
    words(&home, "d").refused(2, &["d is no file"]);
    assert!(home.tool("mkfifo").arg("fifo").status().unwrap().success());
    words(&home, "fifo").refused(2, &["fifo is no file", "descriptor"]);
    home.write("long", "x".repeat(1_025));
    words(&home, "long").refused(2, &["more than 1024 bytes"]);
    home.write("binary", [0xff, 0xfe]);
    words(&home, "binary").refused(2, &["UTF-8"]);
    home.write("empty", "\n");
    words(&home, "empty").refused(2, &["the password is empty"]);
    wallet(&home, "create --wallet none --password-file empty").refused(2, &["the password is empty"]);
    wallet(&home, "backup --password-file pw --password-fd 3").refused(2, &["cannot be used with"]);
    assert_eq!(wallet(&home, "list").ok().stdout, "default\n");
}

#[test]
fn it_is_its_owners_alone() {
    let home = home();
    create(&home);
    let file = home.path("d/wallets/default.wallet");
    assert_eq!((mode(&file), mode(&home.path("d/wallets"))), (0o600, 0o700));
    wallet(&home, "password --password-file pw --new-password-file pw2").ok();
    assert_eq!(mode(&file), 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    words(&home, "pw2").refused(3, &["others may read", "mode 640", "chmod 600"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&file, home.path("elsewhere")).unwrap();
    symlink(home.path("elsewhere"), &file).unwrap();
    words(&home, "pw2").refused(3, &["symbolic link"]);
    fs::remove_file(&file).unwrap();
    words(&home, "pw2").refused(3, &["there is no such wallet", "list"]);
    fs::rename(home.path("elsewhere"), &file).unwrap();
    home.run("wallet backup --password-file pw2 --data-dir d --network test").refused(3, &["a wallet of network"]);
    words(&home, "pw2").ok();
}

#[test]
fn a_wallet_is_never_overwritten_and_its_name_is_no_path() {
    let home = home();
    let address = create(&home);
    let before = fs::read(home.path("d/wallets/default.wallet")).unwrap();
    wallet(&home, "create --password-file pw2").refused(2, &["never overwritten"]);
    wallet(&home, "restore --words-file pw --password-file pw2").refused(2, &["never overwritten"]);
    assert_eq!(fs::read(home.path("d/wallets/default.wallet")).unwrap(), before);
    for name in ["../x", "a/b", ".", "a.b", &"x".repeat(33)] {
        wallet(&home, &format!("create --password-file pw --wallet {name}")).refused(2, &["letters a-z A-Z"]);
    }
    assert!(address.starts_with("dbloom1q"));
}

/// One has it open, and waits for a new password; another is told who it is. What the first was given is nowhere to be
/// seen from outside.
#[test]
fn two_processes_do_not_share_a_wallet() {
    let home = home();
    create(&home);
    assert!(home.tool("mkfifo").arg("later").status().unwrap().success());
    let line = "password --password-file pw --new-password-fd 3 --data-dir d 3<>later";
    let holder = Running::start(shell_command(&home, line));
    let lock = home.path("d/wallets/default.wallet.lock");
    let holds = format!("process {}", holder.id());
    let until = Instant::now() + Duration::from_secs(120);
    while fs::read_to_string(&lock).unwrap() != holds {
        assert!(Instant::now() < until, "never locked");
        thread::sleep(Duration::from_millis(5));
    }
    words(&home, "pw").refused(3, &["in use by", &holds]);
    for file in ["cmdline", "environ"].iter().filter(|_| cfg!(target_os = "linux")) {
        let text = fs::read(format!("/proc/{}/{file}", holder.id())).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(PASSWORD), "{file}");
    }
    if cfg!(target_os = "linux") {
        let limits = fs::read_to_string(format!("/proc/{}/limits", holder.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "no core dump: {core}");
    }
    holder.kill();
    words(&home, "pw").ok();
}

#[test]
fn secrets_are_told_only_when_asked_for() {
    let home = home();
    create(&home);
    let phrase = text(&words(&home, "pw").ok().json()["words"]);
    let (first, rest) = phrase.split_once(' ').unwrap();
    home.write("swapped", format!("{rest} {first}"));
    home.write("mistyped", format!("{first}zzz {rest}"));
    home.write("short", rest);
    home.write("secret", "one-of-a-kind");
    let said = [
        wallet(&home, "list").ok(),
        wallet(&home, "backup --xpub --password-file pw").ok(),
        wallet(&home, "password --password-file pw --new-password-file pw2").ok(),
        words(&home, "pw").refused(3, &[CLOSED]),
        wallet(&home, "restore --wallet b --words-file mistyped --password-file pw").refused(2, &["word 1 is none of"]),
        wallet(&home, "restore --wallet b --words-file short --password-file pw").refused(2, &["got 11 words"]),
        wallet(&home, "restore --wallet b --words-file secret --password-file pw").refused(2, &["got 1 words"]),
        wallet(&home, &format!("create --wallet b --watch xprv{} --password-file pw", "9".repeat(107)))
            .refused(2, &["--watch: not an extended public key"]),
    ];
    let swapped = wallet(&home, "restore --wallet c --words-file swapped --password-file pw --json");
    for said in said.iter().chain([&swapped]) {
        let all = format!("{}{}", said.stdout, said.stderr);
        let told = |secret: &str| all.contains(secret);
        assert!(!told(PASSWORD) && !told(OTHER) && !told("one-of-a-kind") && !told(&format!("{first}zzz")), "{all}");
        assert!(!told(&phrase) && !told(rest), "{all}");
    }
    for file in ["default.wallet", "default.wallet.lock"] {
        let bytes = fs::read(home.path("d/wallets").join(file)).unwrap();
        let bytes = String::from_utf8_lossy(&bytes);
        assert!(!bytes.contains(first) && !bytes.contains("words") && !bytes.contains("xpub"), "{file}");
    }
}

#[test]
fn a_change_of_password_changes_nothing_else() {
    let home = home();
    let address = create(&home);
    home.run(&format!("mine --blocks 2 --pace 0 --address {address} --data-dir d")).ok();
    let history = |password: &str| wallet(&home, &format!("history --json --password-file {password}")).ok().stdout;
    let before = history("pw");
    assert!(before.contains(&address));
    wallet(&home, "password --password-file pw --new-password-file pw2").ok();
    assert_eq!(history("pw2"), before);
}

/// Killed anywhere in a change of password, by `kill -9`: the wallet opens with the old or the new one, and with what it
/// held.
#[test]
fn killed_while_it_is_rewritten_it_opens_with_the_old_or_the_new_password() {
    let home = home();
    create(&home);
    let phrase = text(&words(&home, "pw").ok().json()["words"]);
    let (mut now, mut next) = ("pw", "pw2");
    let change = |now: &str, next: &str| {
        home.start(&format!("wallet password --password-file {now} --new-password-file {next} --data-dir d"))
    };
    let took = change(now, next).finish().ok().took;
    (now, next) = (next, now);
    let mut random = Random(34);
    for _ in 0..6 {
        let running = change(now, next);
        thread::sleep(Duration::from_micros(random.below(took.as_micros() as u64 * 5 / 4)));
        running.kill().did_not_panic();
        let [with_now, with_next] = [now, next].map(|file| words(&home, file));
        assert!(with_now.status.success() != with_next.status.success(), "exactly one opens it");
        if with_next.status.success() {
            (now, next) = (next, now);
            assert_eq!(text(&with_next.json()["words"]), phrase);
        } else {
            assert_eq!(text(&with_now.json()["words"]), phrase);
        }
    }
}

#[test]
fn texts_are_signed_and_checked_without_a_wallet() {
    let home = home();
    let address = create(&home);
    home.write("text", "a text");
    let sign = |what: &str| wallet(&home, &format!("sign-message {address} {what} --password-file pw"));
    let signature = sign("--file text").ok().stdout.trim().to_owned();
    let verify = |more: &str| home.run(&format!("wallet verify-message {address} {signature} {more}"));
    assert_eq!(verify("--file text").ok().stdout, format!("good: {address} signed this\n"));
    verify("atext").refused(1, &["did not sign this text for network dev"]);
    assert_eq!(verify("other --json").refused(1, &[]).json()["good"], false);
    verify("--file text --network main").refused(2, &["address of another network"]);
    verify("").refused(2, &["TEXT"]);
    home.run(&format!("wallet verify-message {address} 00 text")).refused(2, &["got 2 characters, expected 128"]);
    let other = text(&wallet(&home, "create --wallet other --json --password-file pw").ok().json()["address"]);
    wallet(&home, &format!("sign-message {other} text --password-file pw")).refused(2, &["none of the first 10000"]);
    let xpub = wallet(&home, "backup --xpub --password-file pw").ok().stdout.trim().to_owned();
    wallet(&home, &format!("create --wallet eyes --watch {xpub} --password-file pw")).ok();
    wallet(&home, &format!("sign-message {address} text --wallet eyes --password-file pw"))
        .refused(2, &["only watches"]);
}

#[test]
fn payment_requests_are_written() {
    let home = home();
    let address = create(&home);
    let line = format!("wallet uri {address} --amount 1.50 --label Garden --not-before 70");
    let uri = format!("bloom:{address}?amount=1.5&label=Garden&not_before=70");
    assert_eq!(home.run(&line).ok().stdout, format!("{uri}\n"));
    assert_eq!(home.run(&format!("{line} --json")).ok().json()["uri"], uri.as_str());
    let drawn = home.run(&format!("{line} --qr")).ok().stdout;
    assert!(drawn.starts_with(&uri) && drawn.lines().count() > 20 && drawn.contains('▀'));
    home.run(&format!("wallet uri {address} --network test")).refused(2, &["another network"]);
    home.run(&format!("wallet uri {address} --amount 0")).refused(2, &["the amount is 0"]);
    for amount in ["1e3", "0.123456789", "1.", "-"] {
        home.run(&format!("wallet uri {address} --amount {amount}")).refused(2, &["amount"]);
    }
}

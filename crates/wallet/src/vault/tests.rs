//! A vault gives back what it holds to whoever has the password, and tells everybody else nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::header::HEADER_BYTES;
use super::*;

const PASSWORD: &[u8] = b"correct horse";

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("w.wallet")
    }

    fn create(&self, value: &str) -> Vault {
        Vault::create(&self.path(), PASSWORD, Cost::LEAST, &value).unwrap()
    }

    fn open(&self, password: &[u8]) -> Result<String, VaultError> {
        Vault::open(&self.path(), password).map(|(_, value)| value)
    }

    /// Its file with some bytes replaced.
    fn damaged(&self, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path()).unwrap();
        damage(&mut bytes);
        fs::write(self.path(), bytes).unwrap();
    }
}

#[test]
fn what_was_put_in_comes_out() {
    let home = Home::new();
    let mut vault = home.create("one");
    vault.replace(&"two").unwrap();
    drop(vault);
    let (mut vault, value) = Vault::open::<String>(&home.path(), PASSWORD).unwrap();
    assert_eq!(value, "two");
    vault.replace(&"three").unwrap();
    drop(vault);
    assert_eq!(home.open(PASSWORD).unwrap(), "three");
}

#[test]
fn nothing_of_it_can_be_read_and_no_two_files_are_alike() {
    let home = Home::new();
    let secret = "a secret that is long enough to be found";
    let mut vault = home.create(secret);
    let mut files = BTreeSet::new();
    for _ in 0..3 {
        let bytes = fs::read(home.path()).unwrap();
        assert!(!bytes.windows(8).any(|window| secret.as_bytes().windows(8).any(|part| part == window)));
        assert!(files.insert(bytes[HEADER_BYTES..].to_vec()), "the same bytes twice");
        vault.replace(&secret).unwrap();
    }
}

#[test]
fn its_length_tells_little() {
    let home = Home::new();
    let mut vault = home.create("");
    let mut lengths = BTreeSet::new();
    for characters in [0, 1, 100, 4_000, 4_086, 4_087, 8_000] {
        vault.replace(&"x".repeat(characters)).unwrap();
        lengths.insert(fs::metadata(home.path()).unwrap().len());
    }
    let header_and_tag = (HEADER_BYTES + 16) as u64;
    assert_eq!(lengths, BTreeSet::from([header_and_tag + 4_096, header_and_tag + 8_192]));
}

#[test]
fn another_password_replaces_the_first() {
    let home = Home::new();
    let mut vault = home.create("value");
    let salt_and_nonce = |bytes: &[u8]| bytes[32..HEADER_BYTES].to_vec();
    let before = fs::read(home.path()).unwrap();
    vault.change_password(b"another", Cost::LEAST, &"value").unwrap();
    let after = fs::read(home.path()).unwrap();
    assert!(salt_and_nonce(&before).iter().zip(salt_and_nonce(&after)).filter(|(a, b)| **a == *b).count() < 8);
    vault.replace(&"later").unwrap();
    drop(vault);
    assert_eq!(home.open(b"another").unwrap(), "later");
    assert!(matches!(home.open(PASSWORD), Err(VaultError::Closed { .. })));
}

#[test]
fn a_thousand_wrong_passwords_tell_nothing() {
    let home = Home::new();
    drop(home.create("value"));
    let before = fs::read(home.path()).unwrap();
    let bytes = before.clone();
    let (header, sealed) = Header::parse(&home.path(), &bytes).unwrap();
    let answer = |attempt: u32| {
        // Near misses, prefixes, continuations, other cases, bytes that are no text.
        let wrong: Vec<u8> = match attempt {
            0 => PASSWORD[..12].to_vec(),
            1 => [PASSWORD, b" "].concat(),
            2 => PASSWORD.to_ascii_uppercase(),
            3 => vec![0xff; 4_096],
            4 => [PASSWORD, b"\0"].concat(),
            n => format!("correct horsf{n}").into_bytes(),
        };
        let key = Key::derive(&home.path(), &wrong, &header).unwrap();
        let error = sealed::open::<String>(&home.path(), &key, &header, sealed).unwrap_err();
        format!("{error} {error:?}")
    };
    let mut answers: BTreeSet<String> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..4).map(|n| scope.spawn(move || (n..1_000).step_by(4).map(answer).collect::<Vec<_>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let error = home.open(b"correct").unwrap_err();
    answers.insert(format!("{error} {error:?}"));
    home.damaged(|bytes| *bytes.last_mut().unwrap() ^= 1);
    let error = home.open(PASSWORD).unwrap_err();
    answers.insert(format!("{error} {error:?}"));
    assert_eq!(answers.len(), 1, "{answers:?}");
    fs::write(home.path(), before).unwrap();
    assert_eq!(home.open(PASSWORD).unwrap(), "value");
}

/// Salt, nonce, content, tag and length: after the same derivation, the same error as for a wrong password.
#[test]
fn damage_looks_like_a_wrong_password() {
    let home = Home::new();
    drop(home.create("value"));
    let good = fs::read(home.path()).unwrap();
    let wrong = home.open(b"wrong").unwrap_err().to_string();
    let last = good.len() - 1;
    for position in [32, 63, 64, 87, HEADER_BYTES, HEADER_BYTES + 9, last - 16, last] {
        home.damaged(|bytes| bytes[position] ^= 0x80);
        assert_eq!(home.open(PASSWORD).unwrap_err().to_string(), wrong, "{position}");
        fs::write(home.path(), &good).unwrap();
    }
    for length in [HEADER_BYTES, HEADER_BYTES + 5, HEADER_BYTES + 16, last] {
        home.damaged(|bytes| bytes.truncate(length));
        assert_eq!(home.open(PASSWORD).unwrap_err().to_string(), wrong, "{length}");
        fs::write(home.path(), &good).unwrap();
    }
    home.damaged(|bytes| bytes.extend([0; 4_096]));
    assert_eq!(home.open(PASSWORD).unwrap_err().to_string(), wrong);
}

/// The cost is read before anything is authenticated: one that is in range and not the file's own opens nothing.
#[test]
fn the_header_is_authenticated() {
    let home = Home::new();
    drop(home.create("value"));
    let bytes = fs::read(home.path()).unwrap();
    let (header, sealed) = Header::parse(&home.path(), &bytes).unwrap();
    let key = Key::derive(&home.path(), PASSWORD, &header).unwrap();
    assert_eq!(sealed::open::<String>(&home.path(), &key, &header, sealed).unwrap(), "value");
    let other = Header { cost: Cost::DEFAULT, salt: header.salt, nonce: header.nonce };
    let opened = sealed::open::<String>(&home.path(), &key, &other, sealed);
    assert!(matches!(opened, Err(VaultError::Closed { .. })), "even with the right key");
}

#[test]
fn headers_out_of_range_are_refused_before_any_work() {
    let home = Home::new();
    drop(home.create("value"));
    let good = fs::read(home.path()).unwrap();
    let refused = |position: usize, number: u32| {
        home.damaged(|bytes| bytes[position..position + 4].copy_from_slice(&number.to_le_bytes()));
        let error = home.open(PASSWORD).unwrap_err();
        fs::write(home.path(), &good).unwrap();
        error
    };
    assert!(matches!(refused(16, 2), VaultError::Newer { got: 2, expected: 1, .. }));
    assert!(matches!(refused(16, u32::MAX), VaultError::Newer { got: u32::MAX, .. }));
    assert!(matches!(refused(16, 0), VaultError::NotAVault { .. }));
    assert!(matches!(refused(0, 0), VaultError::NotAVault { .. }));
    let costs = [
        (20, (19 << 10) - 1),
        (20, 0),
        (20, (1 << 20) + 1),
        (20, u32::MAX),
        (24, 1),
        (24, 33),
        (24, u32::MAX),
        (28, 0),
        (28, 17),
    ];
    for (position, number) in costs {
        let error = refused(position, number);
        assert!(matches!(error, VaultError::Cost { .. }), "{error}");
        assert!(error.to_string().contains(&format!("got {number}, expected")), "{error}");
    }
    for length in [0, 5, 16, 19, 20, 31, 63, HEADER_BYTES - 1] {
        home.damaged(|bytes| bytes.truncate(length));
        assert!(matches!(home.open(PASSWORD).unwrap_err(), VaultError::NotAVault { .. }), "{length}");
        fs::write(home.path(), &good).unwrap();
    }
}

#[test]
fn content_of_another_kind_is_named_without_being_told() {
    let home = Home::new();
    drop(home.create("a secret"));
    let error = Vault::open::<u64>(&home.path(), PASSWORD).map(|_| ()).unwrap_err();
    assert!(matches!(error, VaultError::Content { .. }));
    assert!(!format!("{error} {error:?}").contains("a secret"));
}

#[test]
fn one_at_a_time() {
    let home = Home::new();
    let vault = home.create("value");
    let error = home.open(PASSWORD).unwrap_err();
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    assert!(matches!(error, VaultError::Locked { .. }));
    drop(vault);
    assert_eq!(home.open(PASSWORD).unwrap(), "value");
}

#[test]
fn one_that_is_there_is_never_overwritten() {
    let home = Home::new();
    drop(home.create("first"));
    let again = Vault::create(&home.path(), b"other", Cost::LEAST, &"second").map(|_| ());
    assert!(matches!(again, Err(VaultError::Exists { .. })));
    assert_eq!(home.open(PASSWORD).unwrap(), "first");
}

#[test]
fn it_is_for_its_owner_alone() {
    let home = Home::new();
    let mut vault = home.create("value");
    vault.replace(&"again").unwrap();
    drop(vault);
    let mode = || fs::metadata(home.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    for mode in [0o640, 0o604, 0o620, 0o602, 0o660, 0o644] {
        fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = home.open(PASSWORD).unwrap_err();
        assert!(error.to_string().contains(&format!("mode {mode:o}")), "{error}");
        assert!(matches!(error, VaultError::Mode { .. }));
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(home.open(PASSWORD).unwrap(), "again");
}

#[test]
fn only_files_are_opened() {
    let home = Home::new();
    drop(home.create("value"));
    let elsewhere = home.0.path().join("elsewhere");
    fs::rename(home.path(), &elsewhere).unwrap();
    symlink(&elsewhere, home.path()).unwrap();
    assert!(matches!(home.open(PASSWORD).unwrap_err(), VaultError::NotAFile { got: "a symbolic link", .. }));
    fs::remove_file(home.path()).unwrap();
    fs::create_dir(home.path()).unwrap();
    assert!(matches!(home.open(PASSWORD).unwrap_err(), VaultError::NotAFile { got: "a directory", .. }));
    fs::remove_dir(home.path()).unwrap();
    assert!(matches!(home.open(PASSWORD).unwrap_err(), VaultError::Missing { .. }));
    assert!(std::process::Command::new("mkfifo").arg(home.path()).status().unwrap().success());
    assert!(matches!(home.open(PASSWORD).unwrap_err(), VaultError::NotAFile { got: "a pipe or device", .. }));
}

#[test]
fn what_is_too_large_is_neither_read_nor_written() {
    let home = Home::new();
    let mut vault = home.create("value");
    let error = vault.replace(&"x".repeat(MAX_BYTES)).unwrap_err();
    assert!(matches!(error, VaultError::TooLarge { .. }));
    drop(vault);
    assert_eq!(home.open(PASSWORD).unwrap(), "value");
    fs::File::options().write(true).open(home.path()).unwrap().set_len(MAX_BYTES as u64 + 1).unwrap();
    assert!(matches!(home.open(PASSWORD).unwrap_err(), VaultError::TooLarge { got: 67_108_865, .. }));
}

/// What a kill in the middle of a replacement leaves is passed over, and gone with the next one.
#[test]
fn a_replacement_that_was_not_finished_is_nothing() {
    let home = Home::new();
    drop(home.create("whole"));
    let unfinished = home.0.path().join("w.wallet.new");
    fs::write(&unfinished, b"bloomcoin wal").unwrap();
    let (mut vault, value) = Vault::open::<String>(&home.path(), PASSWORD).unwrap();
    assert_eq!(value, "whole");
    vault.replace(&"next").unwrap();
    drop(vault);
    assert!(!unfinished.exists());
    assert_eq!(home.open(PASSWORD).unwrap(), "next");
}

/// The old file stays whole under its name until the new one takes its place: whoever had opened it still reads it.
#[test]
fn it_is_replaced_and_never_written_over() {
    let home = Home::new();
    let mut vault = home.create("old");
    let old = fs::read(home.path()).unwrap();
    let mut reader = fs::File::open(home.path()).unwrap();
    vault.replace(&"new").unwrap();
    let mut still = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut still).unwrap();
    assert_eq!(still, old);
    assert_ne!(fs::read(home.path()).unwrap(), old);
}

#[test]
fn a_directory_that_cannot_be_written_to_costs_nothing() {
    let home = Home::new();
    let mut vault = home.create("kept");
    // Where a new file should be made lies a directory, which no user, root neither, can remove as a file.
    fs::create_dir(home.0.path().join("w.wallet.new")).unwrap();
    assert!(matches!(vault.replace(&"lost"), Err(VaultError::Io { .. })));
    let changed = vault.change_password(b"another", Cost::LEAST, &"lost");
    assert!(matches!(changed, Err(VaultError::Io { .. })));
    fs::remove_dir(home.0.path().join("w.wallet.new")).unwrap();
    assert!(matches!(home.open(PASSWORD).unwrap_err(), VaultError::Locked { .. }));
    vault.replace(&"after").unwrap();
    drop(vault);
    assert_eq!(home.open(PASSWORD).unwrap(), "after", "the old password still opens it");
}

#[test]
fn an_empty_password_is_refused() {
    let home = Home::new();
    let made = Vault::create(&home.path(), b"", Cost::LEAST, &"value").map(|_| ());
    assert!(matches!(made, Err(VaultError::EmptyPassword)));
    assert!(!home.path().exists());
}

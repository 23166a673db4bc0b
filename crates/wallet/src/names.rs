//! Wallets have names, and lie under them in a data directory: `wallets/NAME.wallet`.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const DIRECTORY: &str = "wallets";
const EXTENSION: &str = "wallet";
const MAX_NAME_BYTES: usize = 32;

/// The name of a wallet: 1 to 32 letters, digits, `-` and `_`, so that it is a file's everywhere and a path's nowhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WalletName(String);

/// Text that is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wallet name: got {got:?}, expected 1 to 32 letters a-z A-Z, digits, - and _")]
pub struct BadName {
    /// The text, its first characters if it is long.
    pub got: String,
}

impl FromStr for WalletName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName { got: text.chars().take(2 * MAX_NAME_BYTES).collect() })
        }
    }
}

impl fmt::Display for WalletName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl WalletName {
    /// The file of the wallet of this name.
    #[must_use]
    pub fn path(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(DIRECTORY).join(format!("{}.{EXTENSION}", self.0))
    }

    /// The directory of its secret nonces, apart from the file so that a copy of that holds none.
    #[must_use]
    pub fn nonces(&self, data_dir: &Path) -> PathBuf {
        self.path(data_dir).with_extension("nonces")
    }
}

/// Makes the directory of wallets, which only its owner enters.
///
/// # Errors
/// The system's.
pub fn make_directory(data_dir: &Path) -> io::Result<()> {
    fs::create_dir_all(data_dir)?;
    match DirBuilder::new().mode(0o700).create(data_dir.join(DIRECTORY)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The names of the wallets in a data directory, in order. Whatever else lies there is passed over.
///
/// # Errors
/// The system's; none if there is no such directory.
pub fn list(data_dir: &Path) -> io::Result<Vec<WalletName>> {
    let entries = match fs::read_dir(data_dir.join(DIRECTORY)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = PathBuf::from(entry?.file_name());
        let is_wallet = path.extension() == Some(OsStr::new(EXTENSION));
        names.extend(path.file_stem().filter(|_| is_wallet).and_then(|stem| stem.to_str()?.parse().ok()));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths() {
        for good in ["default", "a", "A-1_b", &"x".repeat(32)] {
            assert_eq!(good.parse::<WalletName>().unwrap().to_string(), good);
        }
        for bad in
            ["", ".", "..", "a/b", "a.b", "/", "a b", "a\0", "ä", "-é", "a\n", &"x".repeat(33), &"x".repeat(9_999)]
        {
            let error = bad.parse::<WalletName>().unwrap_err();
            assert!(error.got.len() <= 64, "{bad}");
        }
    }

    #[test]
    fn wallets_are_listed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(list(home.path()).unwrap(), []);
        make_directory(home.path()).unwrap();
        make_directory(home.path()).unwrap();
        let b: WalletName = "b".parse().unwrap();
        assert!(b.path(home.path()).ends_with("wallets/b.wallet"));
        for file in
            ["b.wallet", "a.wallet", "a.wallet.lock", "a.wallet.new", "notes.txt", "wallet", ".wallet", "é.wallet"]
        {
            fs::write(home.path().join("wallets").join(file), "").unwrap();
        }
        let names: Vec<_> = list(home.path()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a", "b"]);
    }
}

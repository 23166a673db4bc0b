//! What a configuration may say, and what it comes to.

use super::*;

fn read(text: &str) -> Result<Choices, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(CONFIG_FILE);
    std::fs::write(&path, text).unwrap();
    Choices::read(&path, true)
}

fn resolve(text: &str) -> Result<Settings, SettingsError> {
    read(text)?.resolve(Params::dev(), PathBuf::from("d"))
}

#[test]
fn what_is_not_chosen_has_a_default() {
    let settings = resolve("").unwrap();
    let port = Params::dev().peer_port;
    assert_eq!(settings.listen, [format!("[::]:{port}"), format!("0.0.0.0:{port}")].map(|text| text.parse().unwrap()));
    assert_eq!((settings.max_inbound, settings.mdns, settings.upnp, settings.kademlia), (64, false, false, true));
    assert_eq!((settings.log, settings.disk), (Level::INFO, DiskLimits::default()));
    assert!(resolve("listen = [\"none\"]").unwrap().listen.is_empty());
    assert!(resolve("listen = \"none\"").unwrap().listen.is_empty());
}

#[test]
fn flags_are_over_the_file_key_by_key() {
    let file = read("max-peers = 3\nmine = true\nconnect = [\"127.0.0.1:1\"]\nlog = \"debug\"").unwrap();
    let flags = Choices { mine: Some(false), connect: vec!["127.0.0.1:2".to_owned()], ..Choices::default() };
    let chosen = flags.over(file);
    assert_eq!((chosen.mine, chosen.max_peers), (Some(false), Some(3)));
    let settings = chosen.resolve(Params::dev(), PathBuf::from("d")).unwrap();
    assert_eq!(settings.connect, ["127.0.0.1:2".parse().unwrap()]);
    assert_eq!(settings.log, Level::DEBUG);
    assert!(!settings.kademlia, "who names his only peers looks for no others");
}

#[test]
fn what_cannot_be_is_refused_with_its_key() {
    for (text, words) in [
        ("max-peer = 3", "max-peer"),
        ("max-peers = -1", "max-peers"),
        ("max-peers = 100000", "max-peers: got 100000, expected at most 1000"),
        ("listen = [\"localhost\"]", "listen: not a peer's address"),
        ("connect = [\"1.2.3.4\"]", "connect: not a peer's address"),
        ("socks5 = \"proxy\"", "socks5: not a peer's address"),
        ("seed = [\"a b\"]", "seed: got \"a b\""),
        ("notify = \"\"", "notify: got an empty command"),
        ("log = \"loud\"", "log: got \"loud\""),
        ("disk-stop-mib = 9223372036854775807", "disk-stop-mib: no disk has as much"),
        ("connect = [\"127.0.0.1:0\"]", "connect: got 127.0.0.1:0, expected the port"),
        ("add-peer = \"0.0.0.0:7\"", "add-peer: got 0.0.0.0:7, expected one machine's"),
        ("listen = []", "got an empty list"),
        ("listen = [\"none\", \"127.0.0.1:1\"]", "listen: got none beside addresses"),
        ("pace = 86401", "pace: got 86401, expected 0 to 86400"),
        ("threads = 0", "threads"),
        ("mine = 1", "mine"),
    ] {
        let error = resolve(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let many = format!("add-peer = [{}]", "\"1.2.3.4:5\",".repeat(65));
    assert!(resolve(&many).unwrap_err().to_string().contains("add-peer: got 65 addresses"));
    assert!(matches!(read(&" ".repeat(70_000)), Err(SettingsError::TooLong { .. })));
}

#[test]
fn the_link_is_searched_on_dev_alone() {
    let chosen = read("mdns = true").unwrap();
    assert!(chosen.resolve(Params::dev(), PathBuf::new()).unwrap().mdns);
    assert!(matches!(chosen.resolve(Params::main(), PathBuf::new()), Err(SettingsError::Value { key: "mdns", .. })));
}

#[test]
fn a_file_need_not_be_there_unless_it_was_named() {
    let missing = Path::new("no/such/bloom.toml");
    assert_eq!(Choices::read(missing, false).unwrap(), Choices::default());
    assert!(matches!(Choices::read(missing, true), Err(SettingsError::Read { .. })));
}

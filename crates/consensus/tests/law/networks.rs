//! Parameter files, genesis blocks made anew, and addresses; what is bad about each bad file under `tests/bad`.

use std::collections::BTreeMap;
use std::path::Path;

use bloom_consensus::address::{AddressError, decode, encode};
use bloom_consensus::{Difficulty, Draft, Height, NetworkFile, OutputKey, Params, Retarget, Timestamp, genesis};
use bloom_kernel::{Backend, Batch};
use proptest::prelude::*;

use crate::common::{key, vectors};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn garden() -> String {
    std::fs::read_to_string(folder("good").join("garden.toml")).expect("a parameter file")
}

#[test]
fn parameter_file_defines_a_network() {
    let params = Params::from_toml(&garden()).expect("a good file");
    assert_eq!((params.name.as_str(), params.address_prefix.as_str()), ("garden", "gbloom"));
    assert_eq!((params.rpc_port, params.peer_port), (37_618, 37_617));
    assert_eq!((params.retarget, params.min_difficulty), (Retarget::AsertPhi, Difficulty::MIN));
    assert_eq!(params.genesis_difficulty(), Difficulty::ONE);
    let template = &params.genesis.header.template;
    assert_eq!((template.height, template.timestamp), (Height(0), Timestamp(1_795_305_600)));
    assert_eq!(params.network_id.0, params.genesis.hash().0);
    assert_eq!(params.magic, params.network_id.0[28..]);
    assert_eq!(params.genesis.merkle_root(), template.merkle_root);
    assert_eq!((params.genesis.transactions.len(), params.genesis.coinbase.outputs().len()), (0, 0));
}

#[test]
fn canonical_form_is_hashed_into_the_genesis() {
    let file = NetworkFile::parse(&garden()).expect("keys in range");
    let mut expected = vec![2];
    expected.extend(1_795_305_600_u64.to_le_bytes());
    expected.extend((1_u128 << 24).to_le_bytes());
    expected.extend((1_u128 << 22).to_le_bytes());
    expected.extend(19_u32.to_le_bytes());
    expected.extend(b"a garden of our own");
    assert_eq!(file.canonical(), expected);
    let params = file.clone().into_params().expect("a good file");
    assert_eq!(params.genesis.coinbase.data(), blake3::hash(&expected).as_bytes());
    let forged = genesis::forge(file.genesis(), &mut Batch::new(Backend::Portable));
    assert_eq!(forged, params.genesis, "the file's nonces are the smallest attempt that wins");
}

#[test]
fn ports_prefix_and_name_are_not_in_the_genesis_and_all_else_is() {
    let params = Params::from_toml(&garden()).expect("a good file");
    let changed = |from: &str, to: &str| {
        assert!(garden().contains(from), "{from}");
        NetworkFile::parse(&garden().replace(from, to)).expect("keys in range")
    };
    for (from, to) in [("\"garden\"", "\"park\""), ("37618", "1"), ("37617", "2"), ("gbloom", "p")] {
        assert_eq!(changed(from, to).into_params().expect("a good file").network_id, params.network_id);
    }
    for (from, to) in [
        ("asert-phi", "golden"),
        ("asert-phi", "none"),
        ("1795305600", "1795305601"),
        ("difficulty_q24 = 16777216", "difficulty_q24 = 16777217"),
        ("= 4194304", "= 4194305"),
        ("garden of", "garden  of"),
    ] {
        let other = changed(from, to).genesis();
        assert_ne!(other.challenge(), params.genesis.header.challenge(), "{from} → {to}");
    }
}

#[test]
fn difficulties_above_64_bits_are_read() {
    let file = garden().replace("difficulty_q24 = 16777216", "difficulty_q24 = 309485009821345068724781056");
    let file = NetworkFile::parse(&file).expect("2⁶⁴ is in range");
    assert_eq!(file.genesis().template().difficulty, Difficulty::MAX);
}

/// File under `tests/bad/params` and what its error must say.
const BAD_PARAMS: [(&str, &str); 26] = [
    ("address_prefix_capital.toml", "address_prefix: got \"gBloom\""),
    ("address_prefix_empty.toml", "address_prefix: got \"\""),
    ("address_prefix_space.toml", "address_prefix: got \"g bloom\""),
    ("address_prefix_too_long.toml", "address_prefix: got \"ggggggggggggggggggggggggggggggg\""),
    ("difficulty_above_2_64.toml", "difficulty_q24: difficulty out of range: got 309485009821345068724781057/2^24"),
    ("difficulty_below_a_quarter.toml", "difficulty_q24: difficulty out of range: got 4194303/2^24"),
    ("difficulty_negative.toml", "invalid value: integer `-1`"),
    ("extra_nonce_above_64_bits.toml", "extra_nonce"),
    ("genesis_of_main.toml", "the genesis does not verify"),
    ("genesis_ticket_lost.toml", "the genesis does not verify: ticket"),
    ("genesis_text_changed.toml", "the genesis does not verify"),
    ("key_missing.toml", "missing field `peer_port`"),
    ("key_twice.toml", "duplicate key"),
    ("key_unknown.toml", "unknown field `block_time_secs`"),
    (
        "min_difficulty_above_difficulty.toml",
        "min_difficulty_q24: got 16777217, expected at most difficulty_q24, 16777216",
    ),
    ("min_difficulty_below_a_quarter.toml", "min_difficulty_q24: difficulty out of range: got 4194303/2^24"),
    ("name_empty.toml", "name: got \"\""),
    ("name_of_main.toml", "name: got \"main\""),
    ("name_too_long.toml", "name: got \"ggggggggggggggggggggggggggggggggg\""),
    ("name_with_slash.toml", "name: got \"../garden\""),
    ("nonce_not_lucas.toml", "nonce: got 2, expected one of the 24 Lucas nonces"),
    ("not_toml.toml", "parameter file: TOML parse error"),
    ("port_zero.toml", "ports: got rpc_port 0 and peer_port 37617"),
    ("ports_equal.toml", "ports: got rpc_port 37617 and peer_port 37617"),
    ("rule_unknown.toml", "rule: unknown retarget rule: got \"silver\""),
    ("time_text.toml", "invalid type: string"),
];

#[test]
fn bad_parameter_files_are_refused_each_for_its_own_reason() {
    let mut expected: BTreeMap<_, _> = BAD_PARAMS.into_iter().collect();
    for entry in std::fs::read_dir(folder("bad/params")).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a file");
        let reason = expected.remove(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the list"));
        let error = Params::from_toml(&text).expect_err(&name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
    assert!(expected.is_empty(), "no files {expected:?}");
}

#[test]
fn networks_are_known_by_name() {
    for name in ["main", "test", "dev"] {
        assert_eq!(Params::by_name(name).expect("one of the three").name, name);
    }
    assert_eq!(Params::by_name("Main"), None);
    let [main, test, dev] = Params::well_known();
    assert_eq!((main.rpc_port, main.peer_port, main.address_prefix.as_str()), (7618, 7617, "bloom"));
    assert_eq!((test.rpc_port, test.peer_port, test.address_prefix.as_str()), (17_618, 17_617, "tbloom"));
    assert_eq!((dev.rpc_port, dev.peer_port, dev.address_prefix.as_str()), (27_618, 27_617, "dbloom"));
    assert_eq!((main.retarget, test.retarget, dev.retarget), (Retarget::Golden, Retarget::Golden, Retarget::None));
    assert_eq!(main.min_difficulty.q24(), 1 << 40);
    assert_eq!((test.min_difficulty.q24(), dev.min_difficulty), (1 << 36, Difficulty::MIN));
}

#[test]
fn genesis_of_dev_and_test_are_made_again_from_their_texts() {
    let mut batch = Box::new(Batch::new(Backend::Portable));
    for params in [Params::dev(), Params::test()] {
        let template = &params.genesis.header.template;
        let data = params.genesis.coinbase.data().to_vec();
        let draft = Draft::genesis(data, template.timestamp, template.difficulty).expect("a short text");
        assert_eq!(genesis::forge(draft, &mut batch), params.genesis);
    }
}

#[test]
fn genesis_of_main_is_found_where_the_vectors_say() {
    let params = Params::main();
    let row = &vectors()["genesis"][2];
    assert_eq!(row["network"], "main");
    let attempt = u128::from(row["attempt"].as_u64().expect("a number"));
    let template = &params.genesis.header.template;
    let range = attempt - 500..attempt + 100;
    let found = genesis::search(template, range, &mut Batch::new(Backend::Portable)).expect("in range");
    assert_eq!((found.attempt, found.seal), (attempt, params.genesis.header.seal));
}

#[test]
fn address_of_each_network_reads_back_on_it_alone() {
    let networks = Params::well_known();
    for params in &networks {
        let prefix = &params.address_prefix;
        let address = encode(prefix, &key(1)).expect("a prefix");
        assert!(address.starts_with(&format!("{prefix}1q")), "{address}");
        assert_eq!(address.len(), prefix.len() + 1 + 1 + 52 + 6);
        assert_eq!(decode(prefix, &address), Ok(key(1)));
        assert_eq!(decode(prefix, &address.to_uppercase()), Ok(key(1)), "as in a QR code");
        for other in networks.iter().filter(|other| other.name != params.name) {
            let refused = AddressError::Network { got: prefix.clone(), expected: other.address_prefix.clone() };
            assert_eq!(decode(&other.address_prefix, &address), Err(refused));
        }
    }
}

#[test]
fn bad_addresses_are_refused_each_for_its_own_reason() {
    // Lines of: reason, address of the main network.
    let text = std::fs::read_to_string(folder("bad").join("addresses.txt")).expect("a list");
    let mut seen = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (reason, address) = line.split_once(' ').expect("a reason and an address");
        let error = decode("bloom", address).expect_err(line);
        let named = match error {
            AddressError::Bech32 { .. } => "bech32",
            AddressError::Network { .. } => "network",
            AddressError::Version { .. } => "version",
            AddressError::Length { .. } => "length",
            AddressError::Padding => "padding",
            AddressError::KeyNotOnCurve { .. } => "key",
            AddressError::Prefix { .. } => "prefix",
        };
        assert_eq!(named, reason, "{address}: {error}");
        seen += 1;
    }
    assert_eq!(seen, 12);
    let refused = AddressError::Prefix { got: String::new() };
    assert_eq!(encode("", &key(1)), Err(refused.clone()));
    assert_eq!(decode("", "bloom1q"), Err(refused));
}

proptest! {
    #[test]
    fn any_one_character_changed_is_refused(owner in 1_u8..200, at: prop::sample::Index, to in "[a-z0-9]") {
        let address = encode("bloom", &key(owner)).expect("a prefix");
        let at = at.index(address.len());
        let mut changed = address.clone();
        changed.replace_range(at..=at, &to);
        prop_assert_eq!(decode("bloom", &changed).is_ok(), changed == address);
    }

    #[test]
    fn keys_read_back_if_on_the_curve(bytes: [u8; 32]) {
        let key = OutputKey(bytes);
        let address = encode("tbloom", &key).expect("a prefix");
        match key.point() {
            Some(_) => prop_assert_eq!(decode("tbloom", &address), Ok(key)),
            None => prop_assert_eq!(decode("tbloom", &address), Err(AddressError::KeyNotOnCurve { got: key })),
        }
    }
}

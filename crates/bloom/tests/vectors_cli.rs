//! `bloom vectors` as a process: the law's vectors pass, and nothing in them can be changed unnoticed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bloom_kernel::Backend;
use serde_json::{Value, json};
use tempfile::TempDir;

const LAW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/vectors.json");
const BAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad/vectors");

fn bloom(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bloom")).arg("vectors").args(args).output().unwrap()
}

fn law() -> Value {
    serde_json::from_slice(&fs::read(LAW).unwrap()).unwrap()
}

/// Checks a file with this content; its exit code and what it says of itself.
fn check(content: &Value) -> (Option<i32>, Value) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("vectors.json");
    fs::write(&file, content.to_string()).unwrap();
    let output = bloom(&["check", "--json", file.to_str().unwrap()]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// Expects so many passed and failed in a file.
fn expect(content: &Value, passed: usize, failed: usize) {
    let (code, report) = check(content);
    assert_eq!((&report["passed"], &report["failed"]), (&json!(passed), &json!(failed)), "{report}");
    assert_eq!(code, Some(i32::from(failed > 0)));
}

#[test]
fn the_laws_vectors_pass_on_every_backend() {
    for backend in Backend::ALL {
        let output = bloom(&["check", LAW, "--backend", backend.name()]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        if !backend.is_available() {
            assert_eq!(output.status.code(), Some(2));
            assert!(stderr.contains("not available on this machine"), "{stderr}");
            continue;
        }
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
        assert!(stdout.starts_with(&format!("on the reference, {backend} (alone and in a batch)\n")), "{stdout}");
        for section in law().as_object().unwrap().keys().filter(|name| *name != "about") {
            let line = stdout.lines().find(|line| line.split(' ').next() == Some(section)).unwrap();
            let counts: Vec<u32> = line.split_whitespace().skip(1).map(|count| count.parse().unwrap()).collect();
            assert!(counts[0] > 0 && counts[1] == 0, "{line}");
        }
    }
}

#[test]
fn each_section_passes_by_itself() {
    for (name, section) in law().as_object().unwrap().iter().filter(|(name, _)| *name != "about") {
        let (code, report) = check(&json!({ name: section }));
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["sections"].as_object().unwrap().len(), 1);
    }
}

/// The nearest other value of the same kind.
fn flipped(leaf: &Value) -> Value {
    match leaf {
        Value::Null => json!(7),
        Value::Bool(value) => json!(!value),
        Value::Number(number) => number.as_i64().map_or(json!(0), |number| json!(number + 1)),
        Value::String(text) => {
            let mut text = text.clone();
            let last = if text.pop() == Some('0') { '1' } else { '0' };
            text.push(last);
            json!(text)
        }
        Value::Array(_) | Value::Object(_) => panic!("not a leaf: {leaf}"),
    }
}

/// JSON pointers to every leaf.
fn leaves(value: &Value) -> Vec<String> {
    let under =
        |key: &str, value: &Value| leaves(value).into_iter().map(|rest| format!("/{key}{rest}")).collect::<Vec<_>>();
    match value {
        Value::Array(items) => items.iter().enumerate().flat_map(|(at, item)| under(&at.to_string(), item)).collect(),
        Value::Object(map) => map.iter().flat_map(|(key, value)| under(key, value)).collect(),
        _ => vec![String::new()],
    }
}

/// Copies of a row, each with another leaf flipped, but for the fields that are named.
fn mutants(row: &Value, but: &[&str]) -> Vec<Value> {
    let wanted = |pointer: &String| !but.contains(&pointer.split('/').nth(1).unwrap_or_default());
    let mutant = |pointer: String| {
        let mut mutant = row.clone();
        let leaf = mutant.pointer_mut(&pointer).unwrap();
        *leaf = flipped(leaf);
        mutant
    };
    leaves(row).into_iter().filter(wanted).map(mutant).collect()
}

/// Fields that are questions, not answers, and whose neighbours may have the same answer; and labels.
const QUESTIONS: [(&str, &[&str]); 13] = [
    ("attempts", &[]),
    ("attempts_with_broken_streak", &["difficulty_q24"]),
    ("coupling", &["difficulty_q24"]),
    ("coupling_tables", &["difficulty_q24"]),
    ("dynamics", &["name", "difficulty_q24"]),
    ("exp2", &["base", "e_q32"]),
    ("genesis", &[]),
    ("log2", &["x"]),
    ("lucas_nonces", &[]),
    ("retarget_asert_phi", &["genesis_difficulty_q24", "height", "parent_minus_genesis_seconds"]),
    ("retarget_golden", &["difficulty_q24", "elapsed_seconds", "intervals"]),
    ("tickets", &["block_hash", "difficulty_q24", "rounds"]),
    ("ledger", &[]),
];

#[test]
fn no_leaf_of_a_row_can_be_changed_unnoticed() {
    let law = law();
    let mut all = 0;
    for (name, questions) in QUESTIONS.into_iter().filter(|(name, _)| !["ledger", "lucas_nonces"].contains(name)) {
        // The first rows, and the last: of dynamics it is void, and what phases it starts from does not matter.
        let rows = law[name].as_array().unwrap();
        let few = rows.iter().take(2).chain(rows.last());
        let skip = |row: &Value| {
            if row["void"] == true { [questions, &["initial_phases"]].concat() } else { questions.to_vec() }
        };
        let mutants: Vec<Value> = few.flat_map(|row| mutants(row, &skip(row))).collect();
        all += mutants.len();
        expect(&json!({ name: mutants }), 0, mutants.len());
    }
    assert!(all > 800, "only {all} mutants");
}

#[test]
fn no_leaf_of_the_ledger_can_be_changed_unnoticed() {
    let mut ledger = law()["ledger"].take();
    let transactions = ledger["transactions"].as_array().unwrap();
    let changed: Vec<Value> = transactions.iter().flat_map(|row| mutants(row, &[])).collect();
    expect(&json!({"ledger": {"network_id": ledger["network_id"], "transactions": changed}}), 0, changed.len());
    let network = flipped(&ledger["network_id"]);
    expect(&json!({"ledger": {"network_id": network, "transactions": transactions}}), 0, transactions.len());

    let accepted = transactions[0]["encoded"].clone();
    let refused = ledger["refused_transactions"].as_array().unwrap();
    let taken: Vec<Value> = refused.iter().map(|row| json!({"encoded": accepted, "why": row["why"]})).collect();
    expect(&json!({"ledger": {"refused_transactions": taken}}), 0, taken.len());
    let reasons = refused.iter().zip(refused.iter().cycle().skip(1));
    let confused: Vec<Value> =
        reasons.map(|(row, next)| json!({"encoded": row["encoded"], "why": next["why"]})).collect();
    expect(&json!({"ledger": {"refused_transactions": confused}}), 0, confused.len());

    for field in ["encoded", "id"] {
        let mut coinbases = json!({"coinbase": ledger["coinbase"], "coinbase_empty": ledger["coinbase_empty"]});
        for coinbase in coinbases.as_object_mut().unwrap().values_mut() {
            coinbase[field] = flipped(&coinbase[field]);
        }
        expect(&json!({"ledger": coinbases}), 0, 2);
    }
    for row in ledger["reward"].as_array_mut().unwrap() {
        row[1] = flipped(&row[1]);
    }
    expect(&json!({"ledger": {"reward": ledger["reward"]}}), 0, ledger["reward"].as_array().unwrap().len());
    let roots = ledger["merkle_roots_of_coinbase_and_first_n"].as_array_mut().unwrap();
    roots.iter_mut().for_each(|root| *root = flipped(root));
    let (wrong, all) = (roots.len(), 2 + 7 + 12 + roots.len());
    ledger.as_object_mut().unwrap().remove("reward");
    expect(&json!({ "ledger": ledger }), all - wrong, wrong);
}

#[test]
fn no_constant_nonce_or_chain_can_be_changed_unnoticed() {
    let law = law();
    let constants = law["constants"].as_object().unwrap();
    for of_leaves in [|_: usize| 0, |leaves: usize| leaves / 2, |leaves: usize| leaves - 1] {
        let mut changed = law["constants"].clone();
        for (key, value) in changed.as_object_mut().unwrap() {
            let leaves = leaves(&constants[key]);
            let leaf = value.pointer_mut(&leaves[of_leaves(leaves.len())]).unwrap();
            *leaf = flipped(leaf);
        }
        expect(&json!({ "constants": changed }), 0, constants.len());
    }
    let nonces: Vec<Value> = law["lucas_nonces"].as_array().unwrap().iter().map(flipped).collect();
    expect(&json!({ "lucas_nonces": nonces }), 0, 24);

    const ROWS: &str = "height_then_difficulty_q24_with_D_min_quarter_then_with_D_min_65536";
    for column in [1, 2] {
        let mut chain = law["retarget_golden_chain"].clone();
        for row in chain[ROWS].as_array_mut().unwrap().iter_mut().skip(1) {
            row[column] = flipped(&row[column]);
        }
        expect(&json!({ "retarget_golden_chain": chain }), 1, 10);
    }
    let mut chain = law["retarget_golden_chain"].clone();
    chain["step"] = flipped(&chain["step"]);
    expect(&json!({ "retarget_golden_chain": chain }), 0, 1);
}

#[test]
fn a_field_too_many_or_too_few_fails_its_row() {
    let law = law();
    for (name, _) in QUESTIONS.into_iter().filter(|(name, _)| !["ledger", "lucas_nonces"].contains(name)) {
        let row = &law[name][0];
        let mut more = row.clone();
        more["bloom"] = json!(1);
        let fields = row.as_object().unwrap().keys().filter(|key| !key.starts_with("kq_0") && !key.starts_with("kq_5"));
        let less = |field: &String| {
            let mut less = row.clone();
            less.as_object_mut().unwrap().remove(field);
            less
        };
        let optional = |field: &&String| !["kq_744", "kq_992"].contains(&field.as_str());
        let rows: Vec<Value> = fields.filter(optional).map(less).chain([more]).collect();
        expect(&json!({ name: rows }), 0, rows.len());
    }
    expect(&json!({"ledger": {"fees": []}}), 0, 1);
    expect(&json!({"constants": {"golden": 1}}), 0, 1);
    expect(&json!({"holograms": [], "lucas_nonces": [3, 1]}), 2, 1);
    expect(&json!({"about": 1, "lucas_nonces": [3, 1, 4]}), 3, 1);
}

#[test]
fn a_refusal_for_reasons_unheard_of_passes_with_a_remark() {
    let refused = &law()["ledger"]["refused_transactions"][0];
    let row = json!({"encoded": refused["encoded"], "why": "too much of it"});
    let (code, report) = check(&json!({"ledger": {"refused_transactions": [row]}}));
    assert_eq!((code, &report["passed"]), (Some(0), &json!(1)));
    let remark = report["sections"]["ledger"]["not_checked"][0].as_str().unwrap();
    assert!(remark.starts_with("ledger.refused_transactions[0]: refused (") && remark.contains("too much of it"));
}

#[test]
fn failures_are_explained_and_a_flood_of_them_is_cut() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("vectors.json");
    let rows = vec![json!({"x": "3", "log2_q32": "6807362106"}); 25];
    fs::write(&file, json!({ "log2": rows }).to_string()).unwrap();
    let output = bloom(&["check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("failed: log2[0].log2_q32: got 6807362105, expected 6807362106\n"), "{stdout}");
    assert!(stdout.contains("failed: log2: 15 more\n") && !stdout.contains("log2[10]"), "{stdout}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("25 of 25 known answers failed"), "{stderr}");
}

/// Every file under tests/bad/vectors, with words that its error must have.
const BAD_FILES: [(&str, &str); 19] = [
    ("a-list.json", "expected an object of sections"),
    ("deep.json", "recursion limit"),
    ("empty-file.json", "not well-formed JSON"),
    ("empty-sections.json", "no known answer"),
    ("fraction.json", "log2[0].x: got 3.0, expected an integer from 0 to 2^128-1"),
    (
        "huge-difficulty.json",
        "coupling[0].difficulty_q24: difficulty out of range: got 309485009821345068724781057/2^24",
    ),
    ("huge-exponent.json", "exp2[0].e_q32: got \"9223372036854775808\", expected an integer from -2^63"),
    ("huge-height.json", "got height 18446744073709551615, expected at most 1000000"),
    ("huge-number.json", "log2[0].x: got 1e+99, expected an integer"),
    ("key-twice.json", "a key stands twice"),
    ("last-round-beyond.json", "attempts_with_broken_streak[0]"),
    ("no-sections.json", "no known answer"),
    ("not-hex.json", "tickets[0].block_hash: got \"8g0"),
    ("not-utf8.json", "not well-formed JSON"),
    ("odd-hex.json", "ledger.coinbase.encoded: got \"010\", expected an even number of hexadecimal digits"),
    ("only-about.json", "no known answer"),
    ("section-of-wrong-kind.json", "attempts: got \"many\", expected a list"),
    ("short-phases.json", "dynamics[0].initial_phases: got 2 values, expected 63"),
    ("truncated.json", "not well-formed JSON"),
];

#[test]
fn malformed_files_are_refused_with_the_place() {
    let mut files: Vec<String> =
        fs::read_dir(BAD).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, BAD_FILES.map(|(file, _)| file));
    for (file, words) in BAD_FILES {
        let output = bloom(&["check", Path::new(BAD).join(file).to_str().unwrap()]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(output.status.code(), Some(1), "{file}: {said}");
        assert!(said.contains(words) && !said.contains("panicked"), "{file}: {said}");
    }
}

#[test]
fn what_is_no_file_of_bounded_size_is_refused() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing.json");
    let mut paths = vec![missing, directory.path().to_owned()];
    if Path::new("/dev/zero").exists() {
        paths.push(PathBuf::from("/dev/zero"));
    }
    for path in paths {
        let path = path.to_str().unwrap();
        let output = bloom(&["check", path]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains(path));
    }
}

#[test]
fn made_vectors_pass_and_follow_from_the_tag() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("made.json");
    let make = |tag: &str| {
        let output = bloom(&["make", "--tag", tag, "--count", "17"]);
        assert_eq!(output.status.code(), Some(0));
        output.stdout
    };
    let made = make("a \"tag\"");
    assert_eq!(made, make("a \"tag\""));
    assert_ne!(made, make("another"));
    fs::write(&file, &made).unwrap();
    let output = bloom(&["check", "--json", file.to_str().unwrap()]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["passed"]), (Some(0), &json!(8 * 17)), "{report}");
    // Of both kinds, where a row has one of two kinds.
    let made: Value = serde_json::from_slice(&made).unwrap();
    for (section, field) in [("tickets", "wins"), ("dynamics", "void")] {
        let rows = made[section].as_array().unwrap();
        assert!([true, false].iter().all(|kind| rows.iter().any(|row| row[field] == *kind)), "{section}");
    }
}

#[test]
fn a_count_that_check_could_not_read_is_refused() {
    for count in ["0", "10001", "-1", "many"] {
        let output = bloom(&["make", "--tag", "t", &format!("--count={count}")]);
        assert_eq!(output.status.code(), Some(2), "{count}");
    }
}

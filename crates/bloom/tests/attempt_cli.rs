//! `bloom attempt` as a process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use bloom_kernel::Backend;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, file};

const VECTORS: &str = include_str!("../../../tests/vectors/vectors.json");

fn bloom(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloom"));
    command.arg("attempt").args(args).env("COLUMNS", "72").output().unwrap()
}

fn attempts() -> Vec<Value> {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    [
        vectors["attempts"].as_array().unwrap().clone(),
        vectors["attempts_with_broken_streak"].as_array().unwrap().clone(),
    ]
    .concat()
}

/// The command line that asks for a row of vectors.
fn ask(row: &Value, more: &[&str]) -> Output {
    let nonce = row["nonce"].to_string();
    let [challenge, extra_nonce, difficulty] =
        ["challenge", "extra_nonce", "difficulty_q24"].map(|field| row[field].as_str().unwrap());
    let args =
        ["--challenge", challenge, "--extra-nonce", extra_nonce, "--nonce", &nonce, "--difficulty-q24", difficulty];
    bloom(&[&args, more].concat())
}

#[test]
fn the_laws_attempts_are_answered() {
    for row in attempts() {
        for backend in Backend::available() {
            let output = ask(&row, &["--json", "--backend", backend.name()]);
            assert_eq!(output.status.code(), Some(0));
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            let fields = ["bloom_start", "bloom_end", "order", "certificate_hash", "block_hash", "challenge", "nonce"];
            for field in fields {
                assert_eq!(answer[field], row[field], "{field}");
            }
            assert_eq!((&answer["backend"], &answer["void"]), (&json!(backend.name()), &json!(false)));
            assert!(row.get("wins").is_none_or(|wins| *wins == answer["wins"]));
            assert!(answer.get("r2").is_none());
        }
    }
}

#[test]
fn a_trace_has_r2_of_every_round() {
    let row = &attempts()[0];
    let output = ask(row, &["--json", "--trace"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let r2: Vec<u64> = answer["r2"].as_array().unwrap().iter().map(|r2| r2.as_u64().unwrap()).collect();
    assert_eq!(r2.len() as u64, row["bloom_end"].as_u64().unwrap() + 1);
    for (round, order) in r2[r2.len() - 7..].iter().zip(row["order"].as_array().unwrap()) {
        let [c, s] = [0, 1].map(|at| order[at].as_i64().unwrap());
        assert_eq!(round.cast_signed(), c * c + s * s);
    }
}

#[test]
fn a_plot_fits_the_terminal_and_shows_the_bloom() {
    let output = ask(&attempts()[0], &["--trace", "--backend", "portable"]);
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let plot = stdout.lines().filter(|line| line.contains(['│', '┤', '└', '▲']));
    assert_eq!(plot.map(|line| line.chars().count()).max(), Some(72));
    assert_data_eq!(stdout, file!["golden/attempt_trace.txt"].raw());
}

#[test]
fn arguments_that_mean_no_attempt_are_refused() {
    let zero = "00".repeat(32);
    let refused = |challenge: &str, nonce: &str, difficulty: &str| {
        let extra = "18446744073709551615";
        let output = bloom(&[
            "--challenge",
            challenge,
            "--extra-nonce",
            extra,
            "--nonce",
            nonce,
            "--difficulty-q24",
            difficulty,
        ]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(refused(&zero, "4011939679", "4194304").0, Some(0));
    let cases = [
        (zero.as_str(), "2", "4194304", "--nonce: got 2, expected a Lucas nonce: 3, 1, 4, 7, 29, 199, 5778"),
        (&zero, "4294967296", "4194304", "--nonce"),
        (&zero, "1", "4194303", "--difficulty-q24: difficulty out of range: got 4194303/2^24, expected 2^22 to 2^88"),
        (&zero, "1", "309485009821345068724781057", "--difficulty-q24"),
        (&zero, "1", "-1", "--difficulty-q24"),
        (&zero, "1", "0.5", "--difficulty-q24"),
        (&zero[2..], "1", "4194304", "--challenge: not 32 bytes of hex"),
        ("zz", "1", "4194304", "--challenge: not 32 bytes of hex"),
        ("", "1", "4194304", "--challenge"),
    ];
    for (challenge, nonce, difficulty, words) in cases {
        let (code, stderr) = refused(challenge, nonce, difficulty);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
}

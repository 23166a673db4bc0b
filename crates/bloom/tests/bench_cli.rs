//! `bloom bench` as a process: what it tells, what it takes, and that it stops. How fast anything is, no test asks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use bloom_kernel::Backend;
use serde_json::Value;

/// Resident memory that a bench may take (issue 2, bar 5).
const MOST_KIB: u64 = 30 << 10;

fn bench(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloom"));
    command.arg("bench").args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn json_has_every_contestant_with_its_figures() {
    let output = bench(&["--seconds", "1", "--threads", "2", "--json"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_positive = |value: &Value| value.as_f64().is_some_and(|value| value > 0.0 && value.is_finite());
    assert!(report["laps"].as_u64().unwrap() > 0 && is_positive(&report["verify_headers"]["headers_per_second"]));

    // The mean bloom at difficulty 1 takes 751 rounds.
    assert!((600.0..900.0).contains(&report["rounds_per_bloom"].as_f64().unwrap()), "{report}");

    let mut expected = vec![("f64", "alone", 1), ("reference", "alone", 1)];
    for backend in Backend::available() {
        expected
            .extend([("alone", 1), ("batch", 1), ("batch", 2)].map(|(mode, threads)| (backend.name(), mode, threads)));
    }
    let measured = report["measured"].as_array().unwrap();
    let names = measured.iter().map(|figure| {
        (figure["name"].as_str().unwrap(), figure["mode"].as_str().unwrap(), figure["threads"].as_u64().unwrap())
    });
    assert_eq!(names.collect::<Vec<_>>(), expected);
    for figure in measured {
        for field in ["rounds_per_second", "nanoseconds_per_round", "blooms_per_second", "times_f64"] {
            assert!(is_positive(&figure[field]), "{field} of {figure}");
        }
    }
    for (told, backend) in report["backends"].as_array().unwrap().iter().zip(Backend::ALL) {
        assert_eq!(
            (told["backend"].as_str(), told["available"].as_bool()),
            (Some(backend.name()), Some(backend.is_available()))
        );
        for field in ["verify_microseconds", "verify_over_batch_attempt", "threads_over_one"] {
            assert_eq!(is_positive(&told[field]), backend.is_available(), "{field} of {told}");
        }
    }
}

#[test]
fn the_table_names_every_backend_and_says_which_are_not_here() {
    let output = bench(&["--seconds", "1"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).unwrap();
    for name in ["f64 loop", "reference", "dev headers verified"] {
        assert!(stdout.lines().any(|line| line.starts_with(name)), "{stdout}");
    }
    for backend in Backend::ALL {
        let mut lines = stdout.lines().filter(|line| line.starts_with(backend.name()));
        let is_missing = lines.any(|line| line.ends_with("not on this machine"));
        assert_eq!(is_missing, !backend.is_available(), "{stdout}");
    }
}

#[test]
fn threads_out_of_range_are_refused() {
    for threads in ["0", "257", "-1", "all"] {
        let output = bench(&[&format!("--threads={threads}")]).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{threads}");
    }
}

/// An hour's bench, interrupted once it measures: it ends at once with the medians so far, and was small all the while.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_ends_it_with_what_was_measured() {
    let mut child = bench(&["--seconds", "3600", "--threads", "2"]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("measuring for 3600 s"), "{line}");
    // Some laps, so that everything has been touched that ever is.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!((1..MOST_KIB).contains(&peak), "{peak} KiB resident");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(stdout.contains("medians of"), "{stdout}");
}

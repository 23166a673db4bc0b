//! Whole networks in virtual time: what must hold whatever befalls them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bloom_kernel::Backend;
use bloom_lab::{Attack, Figures, Partition, Plan, eclipse, network};

/// A log that can be looked at afterwards.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(plan: &Plan) -> (Figures, Vec<u8>) {
    let log = Log::default();
    let figures = network::run(plan, Some(Box::new(log.clone())), &mut |_| true).unwrap();
    let bytes = log.0.lock().unwrap().clone();
    (figures, bytes)
}

/// What must hold of any network: honest nodes agree at its end and have banned none of their own.
fn sound(figures: &Figures) {
    assert!(figures.converged, "{} tips: {figures:#?}", figures.tips);
    assert_eq!(figures.honest_banned, 0, "{figures:#?}");
    assert!(figures.height > 0, "{figures:#?}");
}

fn small(seed: u64) -> Plan {
    Plan { interval: Duration::from_secs(120), ..Plan::new(20, 2, seed, Backend::detect()) }
}

#[test]
fn the_same_seed_gives_the_same_log_to_the_byte_and_another_seed_another() {
    let plan = Plan { liars: 200_000, churn: 300_000, transactions: 20, ..Plan::new(12, 1, 5, Backend::detect()) };
    let (figures, log) = run(&plan);
    let (again, same) = run(&plan);
    assert!(log == same && !log.is_empty(), "two logs of one seed differ");
    assert_eq!(figures, again);
    assert_ne!(log, run(&Plan { seed: 6, ..plan }).1);
}

#[test]
fn quiet_networks_agree() {
    for seed in 1..=3 {
        let (figures, _) = run(&small(seed));
        sound(&figures);
        assert!(figures.honest_faults.is_empty(), "{figures:#?}");
        assert!(figures.propagation.iter().all(|reached| reached.p99_ms < 10_000), "{figures:#?}");
    }
}

#[test]
fn a_network_that_was_broken_in_two_is_one_again() {
    let partition = Partition { start: Duration::from_secs(1_200), length: Duration::from_secs(3_000), share: 400_000 };
    let (figures, _) = run(&Plan { partition: Some(partition), ..small(4) });
    sound(&figures);
    assert!(figures.reorganisations.keys().any(|depth| *depth > 1), "both sides mined: {figures:#?}");
}

#[test]
fn among_nodes_that_lie_and_nodes_that_stall_the_honest_agree() {
    // False proofs, wrong bodies, fake heights: as many as there are kinds but that of addresses of nobody.
    let (figures, _) = run(&Plan { liars: 150_000, stallers: 150_000, ..small(5) });
    sound(&figures);
    assert!(figures.bans.contains_key("false proof"), "{figures:#?}");
}

#[test]
fn nodes_that_come_and_go_catch_up() {
    let (figures, _) = run(&Plan { churn: 1_000_000, transactions: 60, miners: 3, ..small(6) });
    sound(&figures);
    assert!(figures.confirmed > 0, "{figures:#?}");
}

/// Whoever has a thousand addresses in eight network groups does not get most of a node's outbound slots.
#[test]
fn an_attacker_with_many_addresses_in_few_groups_gets_few_slots() {
    let attack = Attack {
        seeds: 3,
        first_seed: 1,
        addresses: 1_000,
        groups: 8,
        backend: Backend::detect(),
        threads: std::thread::available_parallelism().unwrap(),
    };
    let siege = eclipse::besiege(&attack, &|_| true).unwrap();
    assert!(siege.held_percent > 99.0, "{siege:#?}");
}

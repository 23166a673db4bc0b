//! Peers that lie about the time (attacks 13).

use std::time::Duration;

use super::rig::{Rig, SECOND};
use crate::Config;
use crate::event::{Action, Report};

/// An engine with outbound peers whose clocks differ from its own by so much, and what it said of that.
fn told(ahead: &[i64]) -> (Rig, Vec<i64>) {
    let added = (1..=ahead.len()).map(|n| format!("20.{n}.0.1:7617").parse().unwrap()).collect();
    let mut rig = Rig::new(Config { added, ..Config::default() });
    rig.pass(SECOND);
    for (address, ahead) in rig.engine.given().into_iter().zip(ahead) {
        let ahead = *ahead;
        rig.welcomes(address, |hello| hello.time.0 = hello.time.0.saturating_add_signed(-ahead));
    }
    let skew = |action: &Action| match action {
        Action::Tell(Report::ClockSkew { ahead_secs }) => Some(*ahead_secs),
        _ => None,
    };
    let told = rig.actions.iter().filter_map(skew).collect();
    (rig, told)
}

#[test]
fn the_median_of_outbound_peers_is_told_when_it_is_more_than_a_minute_off() {
    assert_eq!(told(&[0, 0, 3_600, -3_600, 0]).1, [0i64; 0]);
    assert_eq!(told(&[60, 60, 60]).1, [0i64; 0]);
    assert_eq!(told(&[61, 100, 99]).1, [99]);
    assert_eq!(told(&[-61, -100, -99, 0, 0]).1, [-99], "once, whoever comes after");
    assert_eq!(told(&[500, 500]).1, [0i64; 0], "two are no majority");
    let (rig, told) = told(&[i64::MIN + 1, i64::MIN + 1, i64::MIN + 1, i64::MIN + 1]);
    assert_eq!(told.len(), 1);
    assert_eq!(rig.peers().len(), 4);
}

#[test]
fn those_that_came_have_no_say() {
    let mut rig = Rig::new(Config::default());
    for n in 1..30 {
        let peer = rig.comes(&format!("20.{n}.0.1:1"));
        rig.greets(peer, |hello| hello.time.0 = 0);
    }
    assert!(!rig.actions.iter().any(|action| matches!(action, Action::Tell(Report::ClockSkew { .. }))));
}

/// No peer's clock has a way into the judging of a block, nor into anything else that is done.
#[test]
fn no_clock_of_a_peer_changes_what_is_done() {
    let plainly = |ahead: &[i64]| {
        let (mut rig, _) = told(ahead);
        rig.pass(Duration::from_secs(3_600));
        let is_remark = |action: &&Action| !matches!(action, Action::Tell(Report::ClockSkew { .. }));
        rig.actions.iter().filter(is_remark).map(|action| format!("{action:?}")).collect::<Vec<_>>()
    };
    assert_eq!(plainly(&[0, 0, 0]), plainly(&[100_000, -3, 99_999]));
}

//! Headers in their context, and the clock (attacks 1, 4, 9 and 10).

use bloom_consensus::error::RuleViolation as R;
use bloom_consensus::rules::{clock, header};
use bloom_consensus::{
    BlockHash, CheckError, ClockVerdict, Difficulty, Header, Height, Params, Parent, Retarget, Timestamp,
};

use crate::common::{Branch, block_paying, no_seal, q24};

/// A header at height 5 of a dev branch that keeps every rule but the ticket's, with its parent and branch.
fn good() -> (Header, Parent, Branch) {
    let mut branch = Branch::default();
    (0..5).for_each(|height| branch.push(100 + height, Difficulty::MIN));
    let mut header = block_paying(5, 0, vec![]).header;
    header.template.timestamp = Timestamp(105);
    let parent = Parent { hash: header.template.prev_hash, height: Height(4) };
    (header, parent, branch)
}

/// A header that keeps all, found among extra nonces. Its proof is false, which is not judged here.
fn winning() -> (Header, Parent, Branch) {
    let (mut header, parent, branch) = good();
    while header::check_isolated(&header).is_err() {
        header.seal.extra_nonce += 1;
    }
    (header, parent, branch)
}

fn check(header: &Header, parent: &Parent, branch: &Branch) -> Result<BlockHash, R> {
    header::check(&Params::dev(), header, parent, branch).map_err(|error| match error {
        CheckError::Rule(violation) => violation,
        CheckError::Store(never) => match never {},
    })
}

/// What a header is refused for after a change.
fn refused(change: impl FnOnce(&mut Header)) -> R {
    let (mut header, parent, branch) = winning();
    change(&mut header);
    check(&header, &parent, &branch).expect_err("a violation")
}

/// What it is refused for without knowing its parent, too.
fn refused_alone(change: impl FnOnce(&mut Header)) -> R {
    let (mut header, parent, branch) = winning();
    change(&mut header);
    let alone = header::check_isolated(&header).expect_err("a violation");
    assert_eq!(check(&header, &parent, &branch), Err(alone.clone()));
    alone
}

#[test]
fn header_that_keeps_every_rule_is_accepted_under_its_hash() {
    let (header, parent, branch) = winning();
    assert_eq!(check(&header, &parent, &branch), Ok(header.block_hash()));
    assert_eq!(header::check_isolated(&header), Ok(header.block_hash()));
}

#[test]
fn version_other_than_1_is_refused() {
    for got in [0, 2, u32::MAX] {
        assert_eq!(refused_alone(|header| header.template.version = got), R::Version { got });
    }
}

#[test]
fn header_of_another_parent_is_refused() {
    let expected = Params::dev().genesis.hash();
    let got = BlockHash([9; 32]);
    assert_eq!(refused(|header| header.template.prev_hash = got), R::PrevHash { got, expected });
}

#[test]
fn height_other_than_one_above_the_parents_is_refused() {
    for got in [0, 4, 6, u64::MAX].map(Height) {
        assert_eq!(refused(|header| header.template.height = got), R::Height { got, parent: Height(4) });
    }
}

#[test]
fn nothing_follows_the_last_height() {
    let (mut header, mut parent, _) = winning();
    parent.height = Height(u64::MAX);
    for got in [Height(0), Height(u64::MAX)] {
        header.template.height = got;
        let error = check(&header, &parent, &Branch::default()).expect_err("no such height");
        assert_eq!(error, R::Height { got, parent: Height(u64::MAX) });
    }
}

#[test]
fn nonce_outside_the_lucas_set_is_refused() {
    for got in [0, 2, 5, 5777, u32::MAX] {
        assert_eq!(refused_alone(|header| header.seal.nonce = got), R::Nonce { got });
    }
}

#[test]
fn bloom_end_outside_6_to_5777_is_refused_before_it_weighs_a_ticket() {
    for got in [0, 5, 5778, u32::MAX] {
        assert_eq!(refused_alone(|header| header.seal.bloom_end = got), R::BloomEnd { got });
    }
    for bloom_end in [6, 5777] {
        let (mut header, parent, branch) = winning();
        header.seal.bloom_end = bloom_end;
        assert!(!matches!(check(&header, &parent, &branch), Err(R::BloomEnd { .. })));
    }
}

#[test]
fn timestamp_not_above_the_parents_is_refused() {
    for got in [0, 1, 103, 104].map(Timestamp) {
        let parent = Timestamp(104);
        assert_eq!(refused(|header| header.template.timestamp = got), R::Timestamp { got, parent });
    }
    // However late, time is the clock's to judge.
    for late in [105, 106, u64::MAX] {
        let (mut header, parent, branch) = winning();
        header.template.timestamp = Timestamp(late);
        assert!(!matches!(check(&header, &parent, &branch), Err(R::Timestamp { .. })));
    }
}

#[test]
fn difficulty_off_by_one_is_refused_at_and_off_retarget_heights() {
    let params = Params { retarget: Retarget::Golden, ..Params::dev() };
    let mut branch = Branch::default();
    for height in 0..250_u64 {
        let demanded = match branch.ancestors.len() {
            0 => q24(1 << 40),
            _ => bloom_consensus::difficulty::next_difficulty(&params, branch.tip(), &branch).expect("in memory"),
        };
        if [122, 123, 124, 245, 246, 247].contains(&height) {
            let mut header = block_paying(height, 0, vec![]).header;
            header.template.timestamp = Timestamp(height * 300);
            let parent = Parent { hash: header.template.prev_hash, height: branch.tip() };
            for got in [demanded.q24() - 1, demanded.q24(), demanded.q24() + 1].map(q24) {
                header.template.difficulty = got;
                let error = header::check(&params, &header, &parent, &branch).expect_err("no ticket at least");
                let wrong = CheckError::Rule(R::Difficulty { got, expected: demanded });
                assert_eq!(error == wrong, got != demanded, "height {height}: {error}");
            }
        }
        branch.push(height * 300, demanded);
    }
}

#[test]
fn ticket_that_does_not_meet_the_difficulty_is_refused() {
    let (mut header, parent, branch) = good();
    header.seal = no_seal();
    header.seal.bloom_end = 6; // seven rounds win one time in 206
    let hash = header.block_hash();
    let lost = R::Ticket { hash, rounds: 7, difficulty: Difficulty::MIN };
    assert_eq!(check(&header, &parent, &branch), Err(lost.clone()));
    assert_eq!(header::check_isolated(&header), Err(lost));
}

#[test]
fn rules_are_judged_in_the_laws_order() {
    // A header that breaks them all is refused for the first; mended one by one, for the next.
    let (good, parent, branch) = good();
    let mut header = good;
    header.seal.bloom_end = 5;
    header.template.version = 2;
    header.template.prev_hash = BlockHash([9; 32]);
    header.template.height = Height(9);
    header.seal.nonce = 2;
    header.template.difficulty = Difficulty::MAX;
    header.template.timestamp = Timestamp(0);
    let refused = |header: &Header| check(header, &parent, &branch).expect_err("a violation");
    assert!(matches!(refused(&header), R::BloomEnd { .. }));
    header.seal.bloom_end = 6;
    assert!(matches!(refused(&header), R::Version { .. }));
    header.template.version = 1;
    assert!(matches!(refused(&header), R::PrevHash { .. }));
    header.template.prev_hash = good.template.prev_hash;
    assert!(matches!(refused(&header), R::Height { .. }));
    header.template.height = Height(5);
    assert!(matches!(refused(&header), R::Nonce { .. }));
    header.seal.nonce = 3;
    assert!(matches!(refused(&header), R::Difficulty { .. }));
    header.template.difficulty = Difficulty::MIN;
    assert!(matches!(refused(&header), R::Timestamp { .. }));
    header.template.timestamp = Timestamp(105);
    assert!(matches!(refused(&header), R::Ticket { .. }));
}

#[test]
fn header_ahead_of_the_clock_is_set_aside_then_fine_and_dropped_when_far() {
    let now = Timestamp(1_000_000);
    let at = |ahead: u64| clock::judge(Timestamp(1_000_000 + ahead), now);
    assert_eq!(at(0), ClockVerdict::Fine);
    assert_eq!(at(840), ClockVerdict::Fine);
    assert_eq!(at(841), ClockVerdict::SetAside { until: Timestamp(1_000_001) });
    assert_eq!(at(7_200), ClockVerdict::SetAside { until: Timestamp(1_006_360) });
    assert_eq!(at(7_201), ClockVerdict::Dropped { ahead_secs: 7_201 });
    // The same block when its time has come, and not a second earlier.
    let block = Timestamp(1_000_841);
    assert_eq!(clock::judge(block, Timestamp(1_000_001)), ClockVerdict::Fine);
    assert_eq!(clock::judge(block, Timestamp(1_000_000)), ClockVerdict::SetAside { until: Timestamp(1_000_001) });
}

#[test]
fn clocks_and_timestamps_at_their_extremes() {
    let [zero, last] = [0, u64::MAX].map(Timestamp);
    assert_eq!(clock::judge(zero, last), ClockVerdict::Fine);
    assert_eq!(clock::judge(zero, zero), ClockVerdict::Fine);
    assert_eq!(clock::judge(zero, Timestamp(1_700_000_000)), ClockVerdict::Fine);
    assert_eq!(clock::judge(last, last), ClockVerdict::Fine);
    assert_eq!(clock::judge(last, zero), ClockVerdict::Dropped { ahead_secs: u64::MAX });
}

//! The coins that are remembered are those that are stored.

use bloom_consensus::{Amount, Output, OutputKey, Txid};
use proptest::prelude::*;

use super::*;
use crate::store::MemoryStore;

#[derive(Clone, Debug)]
enum Step {
    Add(u8),
    Remove(u8),
    Look(u8),
    Commit,
    Rollback,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u8).prop_map(Step::Add),
        4 => (0..12_u8).prop_map(Step::Remove),
        4 => (0..12_u8).prop_map(Step::Look),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
    ]
}

fn outpoint(n: u8) -> Outpoint {
    Outpoint { txid: Txid([n; 32]), index: 0 }
}

fn coin(units: u64) -> Coin {
    let output = Output { amount: Amount::from_units(units), key: OutputKey([1; 32]) };
    Coin { output, height: Height(units), is_coinbase: false }
}

proptest! {
    #[test]
    fn a_coin_is_what_was_written_last_whatever_was_taken_back(steps in prop::collection::vec(step(), 0..80)) {
        let mut ledger = Ledger::empty(Box::new(MemoryStore::default()), PathBuf::from("memory"));
        let (mut expected, mut committed) = (BTreeMap::new(), BTreeMap::new());
        for (time, step) in (1..).zip(steps) {
            match step {
                Step::Add(n) => {
                    ledger.add_coin(&outpoint(n), &coin(time)).unwrap();
                    expected.insert(n, coin(time));
                }
                Step::Remove(n) => {
                    let was_there = ledger.remove_coin(&outpoint(n)).is_ok();
                    prop_assert_eq!(was_there, expected.remove(&n).is_some());
                }
                Step::Look(n) => prop_assert_eq!(ledger.coin(&outpoint(n)).unwrap(), expected.get(&n).copied()),
                Step::Commit => {
                    ledger.commit().unwrap();
                    committed = expected.clone();
                }
                Step::Rollback => {
                    ledger.rollback(ledger.newest());
                    expected = committed.clone();
                }
            }
        }
        for n in 0..12 {
            prop_assert_eq!(ledger.coin(&outpoint(n)).unwrap(), expected.get(&n).copied());
        }
    }
}

//! The file and the store in memory are the same store.

use proptest::prelude::*;

use super::super::MemoryStore;
use super::*;

/// Something done to a store.
#[derive(Clone, Debug)]
enum Step {
    Put(Table, u8, u8),
    Remove(Table, u8),
    Get(Table, u8),
    Scan { table: Table, from: u8, most: usize },
    Commit,
    Rollback,
}

fn step() -> impl Strategy<Value = Step> {
    let table = || prop::sample::select(vec![Table::Meta, Table::Coins, Table::Leaves]);
    let key = || 0..24_u8;
    prop_oneof![
        8 => (table(), key(), any::<u8>()).prop_map(|(table, key, value)| Step::Put(table, key, value)),
        4 => (table(), key()).prop_map(|(table, key)| Step::Remove(table, key)),
        4 => (table(), key()).prop_map(|(table, key)| Step::Get(table, key)),
        4 => (table(), key(), 1..30_usize).prop_map(|(table, from, most)| Step::Scan { table, from, most }),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
    ]
}

/// Does a step; what it answered.
fn take(store: &mut dyn Store, step: &Step) -> Vec<(Vec<u8>, Vec<u8>)> {
    match *step {
        // Keys of several lengths: one that another begins with sorts before it.
        Step::Put(table, key, value) => store.put(table, &vec![key; 1 + usize::from(key % 2)], &[value; 9]).unwrap(),
        Step::Remove(table, key) => store.remove(table, &vec![key; 1 + usize::from(key % 2)]).unwrap(),
        Step::Get(table, key) => {
            let value = store.get(table, &vec![key; 1 + usize::from(key % 2)]).unwrap();
            return value.into_iter().map(|value| (Vec::new(), value)).collect();
        }
        Step::Scan { table, from, most } => return rows(store, table, &[from], most),
        Step::Commit => store.commit(&BlockHash::ZERO).unwrap(),
        Step::Rollback => store.rollback(),
    }
    Vec::new()
}

fn rows(store: &dyn Store, table: Table, from: &[u8], most: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok(if rows.len() < most { Scan::Continue } else { Scan::Stop })
    };
    store.scan(table, from, &mut visit).unwrap();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_file_answers_as_memory_does(
        steps in prop::collection::vec(step(), 0..120),
        // From handing every row on at once to handing none on before a commit.
        most_pending in prop::sample::select(vec![0, 500, 3_000, PENDING_BYTES]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chain.redb");
        let mut file = RedbStore::create(&path, 1 << 20).unwrap();
        file.most_pending = most_pending;
        file.commit(&BlockHash::ZERO).unwrap();
        let mut memory = MemoryStore::default();
        for (at, step) in steps.iter().enumerate() {
            prop_assert_eq!(take(&mut file, step), take(&mut memory, step), "step {}, {:?}", at, step);
        }
        memory.rollback();
        drop(file);
        let file = RedbStore::open(&path, 1 << 20).unwrap();
        for table in Table::ALL {
            prop_assert_eq!(rows(&file, table, &[], usize::MAX), rows(&memory, table, &[], usize::MAX));
        }
    }
}

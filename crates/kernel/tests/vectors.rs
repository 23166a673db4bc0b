//! The law's known answers, on every backend of this machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bloom_kernel::{
    Batch, Bloom, CouplingTable, Difficulty, Feed, GAIN, OMEGA, Order, Seal, Solo, Start, certificate_hash,
    coupling_q32, fixed, initial_phases, lucas, params, reference,
};
use common::backends;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/vectors.json")).unwrap()
}

fn section(name: &str) -> Vec<Value> {
    vectors()[name].as_array().unwrap().clone()
}

/// An integer of any size, as a number or as a decimal string.
fn int(value: &Value) -> i128 {
    value.as_str().map_or_else(|| i128::from(value.as_i64().unwrap()), |s| s.parse().unwrap())
}

fn hash(value: &Value) -> [u8; 32] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn phases(value: &Value) -> [u32; 63] {
    let phases: Vec<u32> = value.as_array().unwrap().iter().map(|v| int(v) as u32).collect();
    phases.try_into().unwrap()
}

fn order(value: &Value) -> [Order; 7] {
    let pair = |v: &Value| Order { cos: int(&v[0]) as i32, sin: int(&v[1]) as i32 };
    let order: Vec<Order> = value.as_array().unwrap().iter().map(pair).collect();
    order.try_into().unwrap()
}

fn difficulty(value: &Value) -> Difficulty {
    Difficulty::from_q24(int(value) as u128).unwrap()
}

fn blake3_u32le(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    blake3::hash(&bytes).to_hex().to_string()
}

#[test]
fn constants() {
    let c = &vectors()["constants"];
    assert_eq!(int(&c["k_floor_q32"]), i128::from(params::K_FLOOR_Q32));
    assert_eq!(int(&c["k_base_q32"]), i128::from(params::K_FLOOR_Q32 + params::K_SPAN_Q32));
    assert_eq!(int(&c["tau_q32"]), i128::from(params::TAU_Q32));
    assert_eq!(int(&c["step"]), i128::from(params::STEP));
    for (name, range) in [("gain_first", 0..8), ("gain_740_760", 740..760), ("gain_985_993", 985..993)] {
        let expected: Vec<u32> = c[name].as_array().unwrap().iter().map(|v| int(v) as u32).collect();
        assert_eq!(GAIN[range], expected, "{name}");
    }
    assert_eq!(blake3_u32le(&GAIN), c["gain_blake3_u32le"]);
    let omega: Vec<i32> = c["omega"].as_array().unwrap().iter().map(|v| int(v) as i32).collect();
    assert_eq!(OMEGA.to_vec(), omega);
    let sincos: Vec<u8> = (0..=u16::MAX)
        .flat_map(|a| {
            let (s, c) = (reference::sin(u32::from(a) << 16), reference::cos(u32::from(a) << 16));
            [s.to_le_bytes(), c.to_le_bytes()].concat()
        })
        .collect();
    assert_eq!(blake3::hash(&sincos).to_hex().as_str(), c["sincos_blake3"]);
}

#[test]
fn log2_and_exp2() {
    for row in section("log2") {
        assert_eq!(i128::from(fixed::log2_q32(int(&row["x"]) as u128)), int(&row["log2_q32"]), "{row}");
    }
    for row in section("exp2") {
        let got = fixed::exp2_q32(int(&row["e_q32"]) as i64, int(&row["base"]) as u128);
        assert_eq!(got.to_string(), row["exp2"].as_str().unwrap(), "{row}");
    }
}

#[test]
fn coupling() {
    for row in section("coupling") {
        let d = difficulty(&row["difficulty_q24"]);
        assert_eq!(i128::from(coupling_q32(d)), int(&row["coupling_q32"]), "{row}");
        let table = CouplingTable::new(d);
        for m in [0, 500, 744, 992] {
            assert_eq!(i128::from(table.entries()[m]), int(&row[format!("kq_{m}")]), "{row}");
        }
    }
    for row in section("coupling_tables") {
        let table = CouplingTable::new(difficulty(&row["difficulty_q24"]));
        assert_eq!(blake3_u32le(&table.entries()[..993]), row["kq_first_993_blake3_u32le"]);
    }
}

#[test]
fn lucas_nonces() {
    let expected: Vec<u32> = section("lucas_nonces").iter().map(|v| int(v) as u32).collect();
    assert_eq!(lucas::NONCES.to_vec(), expected);
}

#[test]
fn dynamics() {
    for row in section("dynamics") {
        let table = match &row["difficulty_q24"] {
            Value::Null => CouplingTable::UNCOUPLED,
            d => CouplingTable::new(difficulty(d)),
        };
        let start = phases(&row["initial_phases"]);
        let expected = (!row["void"].as_bool().unwrap()).then(|| Bloom {
            end: int(&row["bloom_end"]) as u32,
            order: order(&row["order"]),
            phases: phases(&row["final_phases"]),
        });
        assert_eq!(reference::run(&start, &table, 5777), expected, "{}", row["name"]);
        for backend in backends() {
            assert_eq!(Solo::new(backend).run_with(&start, &table, 5777), expected, "{backend} {}", row["name"]);
        }
        assert!(expected.is_none_or(|b| i128::from(b.start()) == int(&row["bloom_start"])));
    }
}

/// Checks an attempt's row against a bloom: certificate, seal and hash.
fn check(row: &Value, bloom: &Bloom, by: &str) {
    assert_eq!(i128::from(bloom.end), int(&row["bloom_end"]), "{by}");
    assert_eq!(i128::from(bloom.start()), int(&row["bloom_start"]), "{by}");
    assert_eq!(bloom.order, order(&row["order"]), "{by}");
    if let Some(Value::Array(_)) = row.get("final_phases") {
        assert_eq!(bloom.phases, phases(&row["final_phases"]), "{by}");
    }
    assert_eq!(certificate_hash(&bloom.certificate()), hash(&row["certificate_hash"]), "{by}");
    let seal = Seal::new(int(&row["extra_nonce"]) as u64, int(&row["nonce"]) as u32, bloom);
    assert_eq!(seal.block_hash(&hash(&row["challenge"])), hash(&row["block_hash"]), "{by}");
    assert_eq!(Seal::from_bytes(&seal.to_bytes()), seal);
    assert_eq!(Bloom::from_certificate(&bloom.certificate()).as_ref(), Ok(bloom));
}

fn attempts() -> Vec<Value> {
    [section("attempts"), section("attempts_with_broken_streak")].concat()
}

fn start(row: &Value) -> [u32; 63] {
    initial_phases(&hash(&row["challenge"]), int(&row["extra_nonce"]) as u64, int(&row["nonce"]) as u32)
}

#[test]
fn attempts_alone() {
    for row in attempts() {
        let start = start(&row);
        if let Some(Value::Array(_)) = row.get("initial_phases") {
            assert_eq!(start, phases(&row["initial_phases"]));
        }
        let d = difficulty(&row["difficulty_q24"]);
        let bloom = reference::run(&start, &CouplingTable::new(d), 5777).unwrap();
        check(&row, &bloom, "reference");
        for backend in backends() {
            let mut solo = Solo::new(backend);
            check(&row, &solo.run(&start, d, 5777).unwrap(), backend.name());
            check(&row, &solo.run(&start, d, bloom.end).unwrap(), backend.name());
            assert_eq!(solo.run(&start, d, bloom.end - 1), None, "one round short");
        }
    }
}

/// All attempts in one batch, each at its own difficulty and given three times, so that lanes are reused.
#[test]
fn attempts_in_a_batch() {
    struct Rows<'a> {
        rows: &'a [Value],
        next: usize,
        done: usize,
        by: &'static str,
    }
    impl Feed for Rows<'_> {
        fn next(&mut self) -> Option<Start> {
            let row = self.rows.get(self.next % self.rows.len()).filter(|_| self.next < 3 * self.rows.len())?;
            self.next += 1;
            let difficulty = difficulty(&row["difficulty_q24"]);
            Some(Start { phases: start(row), difficulty, last_round: 5777, tag: self.next as u64 - 1 })
        }
        fn finish(&mut self, tag: u64, bloom: Option<Bloom>) {
            check(&self.rows[tag as usize % self.rows.len()], &bloom.unwrap(), self.by);
            self.done += 1;
        }
    }
    let rows = attempts();
    for backend in backends() {
        let mut feed = Rows { rows: &rows, next: 0, done: 0, by: backend.name() };
        let mut batch = Box::new(Batch::new(backend));
        while batch.run(500, &mut feed).live > 0 {}
        assert_eq!(feed.done, 3 * rows.len());
    }
}

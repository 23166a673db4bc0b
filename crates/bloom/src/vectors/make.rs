//! New known answers from a tag, as the reference gives them, in the format that `check` reads.

use std::io::{self, Write};

use serde_json::Value;

use super::random::Random;
use super::{attempts, coupling, dynamics, fixed, retarget, tickets};

/// Rows of a section at most, so that the file is one that `check` accepts.
pub(crate) const MOST_ROWS: u32 = 10_000;

/// One row of a section: the stream that it is drawn from, and its position.
type MakeRow = fn(&mut Random, u32) -> Value;

const SECTIONS: [(&str, MakeRow); 8] = [
    ("attempts", |random, _| attempts::make(random)),
    ("coupling", |random, _| coupling::make(random)),
    ("dynamics", dynamics::make),
    ("exp2", |random, _| fixed::make_exp2(random)),
    ("log2", |random, _| fixed::make_log2(random)),
    ("retarget_asert_phi", |random, _| retarget::make_asert_phi(random)),
    ("retarget_golden", |random, _| retarget::make_golden(random)),
    ("tickets", tickets::make),
];

/// Writes `count` rows of every section that can be made, a row a line: the same bytes for the same tag everywhere.
///
/// # Errors
/// Those of `out`.
pub(crate) fn make(tag: &str, count: u32, out: &mut impl Write) -> io::Result<()> {
    let about = format!("Known answers made from the tag {tag:?}, {count} rows a section.");
    write!(out, "{{\n\"about\": {}", Value::from(about))?;
    for (section, make_row) in SECTIONS {
        let mut random = Random::new(tag, section);
        write!(out, ",\n\"{section}\": [")?;
        for index in 0..count {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}\n{}", make_row(&mut random, index))?;
        }
        write!(out, "\n]")?;
    }
    writeln!(out, "\n}}")?;
    out.flush()
}

//! Why a known answer fails: which field, what came out, and what the file expects.

use std::fmt::{self, Display};

/// Characters of a value that a message quotes.
const QUOTED: usize = 64;
/// Bytes of a differing string that a message shows.
const SHOWN_BYTES: usize = 16;

/// The first thing wrong with a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where: `order[3][0]`; empty for the row itself.
    field: String,
    problem: String,
}

impl Fault {
    pub(super) fn new(problem: impl Display) -> Self {
        Self { field: String::new(), problem: problem.to_string() }
    }

    /// What was computed is not what the file says.
    pub(super) fn differs(by: &str, got: impl Display, expected: impl Display) -> Self {
        let (got, expected) = (short(&got.to_string()), short(&expected.to_string()));
        Self::new(format_args!("got {got}{}, expected {expected}", Maker(by)))
    }

    /// The same fault, seen from the field that holds it; an empty field is the same place.
    pub(super) fn in_field(mut self, field: &str) -> Self {
        if field.is_empty() {
            return self;
        }
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{field}{dot}{}", self.field);
        self
    }

    /// The same fault, seen from the list that holds it.
    pub(super) fn at_index(self, index: usize) -> Self {
        self.in_field(&format!("[{index}]"))
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return f.write_str(&self.problem);
        }
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// " by NAME", or nothing where there is only one to ask.
struct Maker<'a>(&'a str);

impl Display for Maker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " by {}", self.0) }
    }
}

/// The maker of answers that no backend has a hand in.
pub(super) const HERE: &str = "";

/// Holds one value against the file's.
pub(super) fn same<T: PartialEq + Display>(field: &str, by: &str, got: T, expected: T) -> Result<(), Fault> {
    if got != expected {
        return Err(Fault::differs(by, got, expected).in_field(field));
    }
    Ok(())
}

/// Holds a list against the file's, element by element.
pub(super) fn same_list<T: PartialEq + Display>(field: &str, by: &str, got: &[T], expected: &[T]) -> Result<(), Fault> {
    if got.len() != expected.len() {
        let lengths = format!("got {} values{}, expected {}", got.len(), Maker(by), expected.len());
        return Err(Fault::new(lengths).in_field(field));
    }
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        if got != expected {
            return Err(Fault::differs(by, got, expected).at_index(index).in_field(field));
        }
    }
    Ok(())
}

/// Holds bytes against the file's, and shows them from the first that differs.
pub(super) fn same_bytes(field: &str, by: &str, got: &[u8], expected: &[u8]) -> Result<(), Fault> {
    if got == expected {
        return Ok(());
    }
    let at = got.iter().zip(expected).take_while(|(got, expected)| got == expected).count();
    let shown = |bytes: &[u8]| {
        let rest = bytes.get(at..).unwrap_or_default();
        let head = hex::encode(rest.get(..SHOWN_BYTES).unwrap_or(rest));
        if rest.is_empty() { "the end".to_owned() } else { head }
    };
    let problem = format!("from byte {at}: got {}{}, expected {}", shown(got), Maker(by), shown(expected));
    Err(Fault::new(problem).in_field(field))
}

/// A text cut where a line would grow too long.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, HERE, same, same_bytes, same_list, short};

    #[test]
    fn faults_name_the_field_and_both_values() {
        let fault = same("rounds", HERE, 7, 8).unwrap_err();
        assert_eq!(fault.to_string(), "rounds: got 7, expected 8");
        let fault = same_list("order", "avx2 alone", &[1, 2], &[1, 3]).unwrap_err();
        assert_eq!(fault.in_field("row").to_string(), "row.order[1]: got 2 by avx2 alone, expected 3");
        assert_eq!(same_list("order", HERE, &[1], &[]).unwrap_err().to_string(), "order: got 1 values, expected 0");
        let fault = same_bytes("block", HERE, &[1, 2, 3], &[1, 2]).unwrap_err();
        assert_eq!(fault.to_string(), "block: from byte 2: got 03, expected the end");
        assert_eq!(Fault::new("not a list").to_string(), "not a list");
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(short("√"), "√");
        assert_eq!(short(&"√".repeat(100)).chars().count(), 65);
    }
}

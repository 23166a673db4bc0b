//! A file of vectors as an object of sections: of bounded size, well-formed, and no key in it twice.

use std::io::Read;
use std::path::Path;

use crate::context::open_file;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// More than the most rows that this program makes.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a file of vectors.
pub(super) fn open(path: &Path) -> Result<Map<String, Value>> {
    let name = path.display();
    let mut bytes = Vec::new();
    let file = open_file(path).with_context(|| format!("{name}"))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("{name}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{name}: got more than {MAX_BYTES} bytes, expected at most that many");
    }
    parse(&bytes).with_context(|| format!("{name}"))
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>> {
    let value: Value = serde_json::from_slice(bytes).context("not well-formed JSON")?;
    if keys_read(&value) != keys_written(bytes) {
        bail!("a key stands twice in one object, and only one of its values could be checked");
    }
    match value {
        Value::Object(sections) => Ok(sections),
        other => bail!("got {}, expected an object of sections", kind(&other)),
    }
}

/// Keys that the parsed value holds.
fn keys_read(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len() + map.values().map(keys_read).sum::<usize>(),
        Value::Array(items) => items.iter().map(keys_read).sum(),
        _ => 0,
    }
}

/// Keys that stand in a well-formed text: the strings that a colon follows.
fn keys_written(text: &[u8]) -> usize {
    let mut keys = 0;
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'"' {
            continue;
        }
        while let Some(inside) = rest.next().filter(|byte| **byte != b'"') {
            if *inside == b'\\' {
                rest.next();
            }
        }
        let after = rest.as_slice().iter().find(|byte| !byte.is_ascii_whitespace());
        keys += usize::from(after == Some(&b':'));
    }
    keys
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) | Value::Null => "a word",
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_key_that_stands_twice_is_noticed_at_any_depth() {
        for good in [r#"{}"#, r#"{"a": {"a" : [{"a": 1}]}}"#, r#"{"\":": "\":", "b": "c:"}"#, "{\"a\"\n:\t\"\\\\\"}"] {
            assert!(parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [r#"{"a": 1, "a": 2}"#, r#"{"b": [{"a": 1, "c": 2, "\u0061": 2}]}"#] {
            assert!(parse(bad.as_bytes()).unwrap_err().to_string().contains("twice"), "{bad}");
        }
    }

    #[test]
    fn anything_but_an_object_is_refused() {
        for bad in ["", "[]", "7", "null", "\"a\"", "{", "{}{}", "{\"a\": 01}", "\u{feff}{}", &"[".repeat(100_000)] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"{\"a\": \"\xff\"}").is_err());
    }
}

//! docs/wallet-vectors.md is what the code makes.

#[path = "../examples/wallet_vectors.rs"]
mod wallet_vectors;

use std::fs;
use std::path::Path;

#[test]
fn the_page_of_known_answers_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wallet-vectors.md");
    let (written, made) = (fs::read_to_string(path).unwrap(), wallet_vectors::page());
    for (line, (written, made)) in written.lines().zip(made.lines()).enumerate() {
        assert_eq!(written, made, "line {}", line + 1);
    }
    assert_eq!(written, made);
    for (word, times) in [("xpub", 5), ("dbloom1q", 20), ("tbloom1q", 20), ("| main |", 24)] {
        assert!(made.matches(word).count() >= times, "{word}");
    }
}

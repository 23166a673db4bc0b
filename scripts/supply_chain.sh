#!/usr/bin/env bash
# Licences, duplicates, sources and build scripts of every dependency, by deny.toml. The advisories need a network and
# are checked where there is one: `cargo deny check advisories`.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo deny --version >/dev/null 2>&1; then
  cargo install --locked --version 0.20.2 cargo-deny
fi
cargo fetch --locked
cargo deny --offline --locked --all-features check licenses bans sources

# What the crates of the tree say `unsafe` for is theirs; ours says it in two files.
echo "unsafe blocks in this repository: $(git grep -cE '\bunsafe \{' -- '*.rs' | awk -F: '{n+=$2} END {print n+0}')"

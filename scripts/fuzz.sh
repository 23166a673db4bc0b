#!/usr/bin/env bash
# Fuzzes everything that reads bytes from the wire, one target after the other.
#
#   scripts/fuzz.sh                    a minute each
#   scripts/fuzz.sh SECONDS            that long each
#   scripts/fuzz.sh SECONDS TARGET...  those
#
# Needs a nightly toolchain and cargo-fuzz 0.13. What fuzzing finds on its way is kept under target/fuzz/corpus and gone on
# from; fuzz/corpus holds what it begins with, and is replayed on the stable toolchain by crates/net/tests/corpora.rs. A
# finding ends it: the file that libFuzzer names goes to fuzz/corpus/TARGET once its cause is gone.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "seconds: got $seconds, expected a number above 0"; exit 2; }
targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(cargo +nightly fuzz list)
fi

export CARGO_TARGET_DIR=$PWD/target/fuzz
cargo +nightly fuzz build
for target in "${targets[@]}"; do
  found=$CARGO_TARGET_DIR/corpus/$target
  mkdir -p "$found" "$CARGO_TARGET_DIR/artifacts/$target"
  echo "== $target, $seconds s"
  # The longest messages are longer than what is tried here: what reads them is the same, and short inputs are many.
  if ! cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- \
      -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$CARGO_TARGET_DIR/artifacts/$target/" >"$CARGO_TARGET_DIR/$target.log" 2>&1; then
    tail -40 "$CARGO_TARGET_DIR/$target.log"
    exit 1
  fi
  grep -E '^Done|number_of_executed_units|average_exec_per_sec|peak_rss_mb' "$CARGO_TARGET_DIR/$target.log"
  grep -E 'cov: ' "$CARGO_TARGET_DIR/$target.log" | tail -1
done

#!/usr/bin/env bash
# Breaks one defence at a time and demands that a test notices.
#
#   scripts/mutants.sh                 all mutants
#   scripts/mutants.sh NAME...         those
#   scripts/mutants.sh --sample N      N of them, another N with each commit
#
# A mutant is a patch of one line under tests/mutants/. Its first lines say what it breaks and which test kills it:
#   # rule: ...
#   # test: -p PACKAGE --test FILE NAME        arguments of `cargo test`, the test's name last
# docs/attacks.md says what each is for. First every test that is to kill a mutant must pass as the code stands; then a
# mutant is killed if it builds and its test runs and fails, or does not end in TIME_LIMIT.
#
# Works on a copy of what git tracks, with build products of its own under target/mutants; what the plain build has made
# of the dependencies is taken over.
set -euo pipefail
cd "$(dirname "$0")/.."

TIME_LIMIT=300s

mapfile -t all < <(git ls-files 'tests/mutants/*.patch' | xargs -rn1 basename -s .patch | sort)
names=("${all[@]}")
if [ "${1-}" = --sample ]; then
  seed=$(git rev-parse HEAD)
  mapfile -t names < <(for name in "${all[@]}"; do echo "$(echo "$seed $name" | sha256sum) $name"; done \
    | sort | head -n "${2:?how many}" | awk '{print $NF}')
elif [ $# -gt 0 ]; then
  names=("$@")
fi
[ ${#names[@]} -gt 0 ] || { echo "no mutants"; exit 1; }

patches=$PWD/tests/mutants
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$target/mutants
if [ ! -d "$work/build/debug/deps" ] && [ -d "$target/debug/deps" ]; then
  mkdir -p "$work/build/debug"
  cp -a "$target"/debug/{deps,build,.fingerprint} "$work/build/debug/"
fi
# Every file is newer than anything built: cargo must not take a mutant of an earlier run for the code as it stands.
rm -rf "$work/tree"
mkdir -p "$work/tree"
git ls-files -z | while IFS= read -rd '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done \
  | xargs -0 cp --parents -t "$work/tree"
cd "$work/tree"
# The copy is no repository of its own, nor part of this one.
export GIT_CEILING_DIRECTORIES=$work CARGO_TARGET_DIR=$work/build CARGO_INCREMENTAL=1

broken() { echo "mutant $1: $2"; tail -30 "$work/log"; exit 1; }
test_of() { sed -n 's/^# test: //p' "$patches/$1.patch"; }
# Builds what a mutant's test needs; all but the last argument say what that is.
build() {
  local -a args
  read -ra args < <(test_of "$1")
  cargo test -q --no-run "${args[@]:0:${#args[@]}-1}" >"$work/log" 2>&1
}
run() {
  local -a args
  read -ra args < <(test_of "$1")
  timeout "$TIME_LIMIT" cargo test "${args[@]}" >"$work/log" 2>&1
}

declare -A sound
for name in "${names[@]}"; do
  [ -f "$patches/$name.patch" ] || { echo "no mutant $name"; exit 1; }
  test=$(test_of "$name")
  [ -z "${sound[$test]-}" ] || continue
  build "$name" || broken "$name" "the code as it stands does not build"
  run "$name" || broken "$name" "its test fails as the code stands"
  grep -q '^test result: ok. [1-9]' "$work/log" || broken "$name" "no test is called ${test##* }"
  sound[$test]=yes
done

survivors=0
for name in "${names[@]}"; do
  git apply "$patches/$name.patch" 2>"$work/log" || broken "$name" "it does not apply"
  build "$name" || broken "$name" "it does not build"
  status=0
  run "$name" || status=$?
  if [ $status = 0 ]; then
    echo "SURVIVED $name"
    survivors=$((survivors + 1))
  elif [ $status = 124 ] || grep -q '^test result: FAILED' "$work/log"; then
    echo "killed $name"
  else
    broken "$name" "its test neither passed nor failed"
  fi
  git apply -R "$patches/$name.patch"
done
echo "${#names[@]} mutants, $survivors survived"
[ "$survivors" -eq 0 ]

#!/usr/bin/env python3
"""Rules of the house that no compiler checks. Prints every breach and exits with 1 if there is one.

- Known answers are what they were: the SHA-256 of each file is pinned here.
- Every file of them, and every section of vectors.json, is named by a test or by the program that checks it, so that
  none goes unread.
- `unsafe` occurs in the kernel's instruction-set files alone.
- Every mutant applies, is one line, and is named in docs/attacks.md with the test that kills it; what that page names
  exists.
- No source file passes 500 lines.
- No link in a document leads nowhere, and no document names a path of somebody's machine.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VECTORS = {
    "tests/vectors/vectors.json": "3ec7222796872dd4ec7d0b78fd2e52a3e9e5f5cb1332eda3b2c659876dcde05a",
    "crates/wallet/tests/vectors/bip32.json": "e3699994a6058518237f9c5a82c726875d36acb66b1abcce5990134499568351",
    "crates/wallet/tests/vectors/bip340.csv": "a21fd7d26ea2114f584882f3b74884b4244dbc3ee9461cc6f4425dc475bcb304",
    "crates/wallet/tests/vectors/bip39.json": "2e7a6bce281e4829fa566cd196851a6d1c8729e1dfff59175d3bbc14eb609de2",
}
UNSAFE_HOME = ("crates/kernel/src/backend/avx2.rs", "crates/kernel/src/backend/avx512.rs")

breaches = []


def breach(where, what):
    breaches.append(f"{where}: {what}")


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def vectors():
    for path, expected in VECTORS.items():
        data = (ROOT / path).read_bytes()
        got = hashlib.sha256(data).hexdigest()
        if got != expected:
            breach(path, f"got SHA-256 {got}, expected {expected}")
        readers = "".join(text(p) for p in tracked("crates/*/tests/*.rs", "crates/*/src/*.rs", "tests/*.rs"))
        if Path(path).name not in readers:
            breach(path, "no test reads it")
        sections = json.loads(data) if path == "tests/vectors/vectors.json" else ()
        for section in sections:
            if section != "about" and f'"{section}"' not in readers:
                breach(path, f"no test reads section {section}")
    for path in tracked("tests/vectors/*", "crates/*/tests/vectors/*"):
        if path not in VECTORS:
            breach(path, "its hash is not pinned in scripts/house.py")


def unsafe_code():
    for path in tracked("*.rs"):
        code = re.sub(r"//.*", "", text(path))
        if re.search(r"\bunsafe\s*(\{|fn|impl|trait|extern)", code) and path not in UNSAFE_HOME:
            breach(path, "unsafe outside the kernel's instruction sets")


def mutants():
    page = text("docs/attacks.md")
    patches = tracked("tests/mutants/*.patch")
    named = set(re.findall(r"`mutants/([\w-]+)`", page))
    for name in sorted(named - {Path(path).stem for path in patches}):
        breach("docs/attacks.md", f"names the mutant {name}, which does not exist")
    proving = {test for _, test in re.findall(r"`([\w/.-]+)::(\w+)`", page)}
    for path in patches:
        mutant(path, named, proving)
    for where, test in re.findall(r"`([\w/.-]+\.rs)::(\w+)`", page):
        files = [path for path in (ROOT / "crates" / where, ROOT / where) if path.is_file()]
        if not any(f"fn {test}(" in path.read_text(encoding="utf-8") for path in files):
            breach("docs/attacks.md", f"names the test {where}::{test}, which does not exist")


def mutant(path, named, proving):
    patch = text(path)
    if Path(path).stem not in named:
        breach(path, "docs/attacks.md does not name it")
    test = re.search(r"\A# rule: .+\n# test: (-p .+ )?(?:\w+::)*(\w+)\n--- ", patch)
    if not test:
        breach(path, "expected to begin with its rule and its test")
    elif test[2] not in proving:
        breach(path, f"docs/attacks.md does not name its test {test[2]}")
    changed = [line[0] for line in patch.splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    if changed.count("-") > 1 or changed.count("+") > 1:
        breach(path, "changes more than one line")
    applies = subprocess.run(["git", "apply", "--check", path], cwd=ROOT, capture_output=True, text=True)
    if applies.returncode:
        breach(path, f"does not apply: {applies.stderr.strip()}")


def sizes():
    for path in tracked("*.rs", "*.py", "*.sh"):
        lines = text(path).count("\n")
        if lines > 500:
            breach(path, f"{lines} lines, expected at most 500")


def documents():
    for path in tracked("*.md"):
        body = text(path)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", body):
            if "://" not in target and not (ROOT / path).parent.joinpath(target).exists():
                breach(path, f"links to {target}, which does not exist")
    for path in tracked("*.md", "*.rs", "*.toml", "*.py", "*.sh", ".ci/*"):
        if re.search(r"(?<![\w.])/(home|root|Users)/\w", text(path)) and path != "scripts/house.py":
            breach(path, "names a path of somebody's machine")


for check in (vectors, unsafe_code, mutants, sizes, documents):
    check()
print("\n".join(breaches))
print(f"{len(breaches)} breaches of the house's rules")
sys.exit(bool(breaches))

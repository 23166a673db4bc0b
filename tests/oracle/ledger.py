#!/usr/bin/env python3
"""The oracle's command line: recomputes the ledger from fields and compares.

    ledger.py check-vectors FILE     the sections `ledger`, `genesis` and `attempts` of the known answers
    ledger.py check-cases            cases as JSON lines on standard input (see README.md), made by the other implementation

Prints "N passed, M failed" and the first mismatches; exits 1 if anything failed or nothing was checked.
"""

import json
import sys

import encoding as law
from curve import verify

SHOWN = 10


class Tally:
    """Counts comparisons that held and failed, and remembers the first that failed."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.shown = []

    def equal(self, what, got, expected):
        if got == expected:
            self.passed += 1
            return
        self.failed += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"{what}\n  expected {expected}\n  got      {got}")

    def report(self):
        for line in self.shown:
            print(line)
        print(f"{self.passed} passed, {self.failed} failed")
        return 0 if self.passed and not self.failed else 1


def outputs_of(rows):
    return [law.Output(int(row["amount"]), bytes.fromhex(row["key"])) for row in rows]


def refusal(decode, data):
    """Why `data` is refused, or None if it is not."""
    try:
        decode(data)
    except law.Refused as reason:
        return str(reason)
    return None


def round_trip(tally, what, decode, data):
    """decode∘encode is the identity, one byte more or less is refused; the decoded value, or None."""
    try:
        value = decode(data)
    except law.Refused as reason:
        tally.equal(f"{what}: decodes", str(reason), None)
        return None
    tally.equal(f"{what}: encode∘decode", value.encode().hex(), data.hex())
    tally.equal(f"{what}: refused when cut short", refusal(decode, data[:-1]) is not None, True)
    tally.equal(f"{what}: refused with a byte left over", refusal(decode, data + b"\0") is not None, True)
    return value


# --- known answers ---------------------------------------------------------------------------------------------------


def check_vector_transactions(tally, ledger):
    network_id = bytes.fromhex(ledger["network_id"])
    wtxids = []
    for number, row in enumerate(ledger["transactions"]):
        what = f"ledger.transactions[{number}]"
        transaction = round_trip(tally, what, law.decode_transaction, bytes.fromhex(row["encoded"]))
        if transaction is None:
            continue
        spent = outputs_of(row["spent"])
        digests = transaction.digests(network_id, spent)
        wtxids.append(transaction.wtxid())
        tally.equal(f"{what}.not_before", transaction.not_before, int(row["not_before"]))
        tally.equal(f"{what}.body", transaction.body().hex(), row["body"])
        tally.equal(f"{what}.txid", transaction.txid().hex(), row["txid"])
        tally.equal(f"{what}.wtxid", wtxids[-1].hex(), row["wtxid"])
        tally.equal(f"{what}.common", transaction.common(network_id, spent).hex(), row["common"])
        tally.equal(f"{what}.digests", [d.hex() for d in digests], row["digests"])
        for i, (output, digest, signature) in enumerate(zip(spent, digests, transaction.signatures)):
            tally.equal(f"{what}: signature {i} holds", verify(output.key, digest, signature), True)
            other = bytes([digest[0] ^ 1]) + digest[1:]
            tally.equal(f"{what}: signature {i} of another digest", verify(output.key, other, signature), False)
    return wtxids


def check_vector_ledger(tally, ledger):
    wtxids = check_vector_transactions(tally, ledger)
    for name in ("coinbase", "coinbase_empty"):
        row = ledger[name]
        coinbase = round_trip(tally, f"ledger.{name}", law.decode_coinbase, bytes.fromhex(row["encoded"]))
        if coinbase is not None:
            tally.equal(f"ledger.{name}.id", coinbase.id().hex(), row["id"])
    ids = [bytes.fromhex(ledger["coinbase"]["id"]), *wtxids]
    for n, root in enumerate(ledger["merkle_roots_of_coinbase_and_first_n"]):
        tally.equal(f"ledger.merkle_roots[{n}]", law.merkle_root(ids[: n + 1]).hex(), root)
    for row in ledger["refused_transactions"]:
        refused = refusal(law.decode_transaction, bytes.fromhex(row["encoded"])) is not None
        tally.equal(f"ledger.refused_transactions: {row['why']}", refused, True)
    for height, amount in ledger["reward"]:
        tally.equal(f"ledger.reward at {height}", law.reward(int(height)), int(amount))


def check_vector_genesis(tally, rows):
    for row in rows:
        what = f"genesis {row['network']}"
        block = round_trip(tally, what, law.decode_block, bytes.fromhex(row["block"]))
        if block is None:
            continue
        template, seal = block.header.template, block.header.seal
        certificate = bytes.fromhex(row["certificate"])
        block_hash = block.header.block_hash()
        tally.equal(f"{what}: header", block.header.encode().hex(), row["header"])
        round_trip(tally, f"{what}: header", law.decode_header, bytes.fromhex(row["header"]))
        tally.equal(
            f"{what}: built from its fields",
            (template.version, template.height, template.prev_hash, template.timestamp, template.difficulty_q24,
             seal.extra_nonce, seal.nonce, seal.bloom_end, block.coinbase, block.transactions),
            (1, 0, bytes(32), int(row["timestamp"]), int(row["difficulty_q24"]),
             int(row["extra_nonce"]), row["nonce"], row["bloom_end"],
             law.Coinbase(0, row["text"].encode("utf-8"), []), []),
        )
        tally.equal(f"{what}: merkle_root of the body", block.merkle_root().hex(), row["merkle_root"])
        tally.equal(f"{what}: merkle_root in the header", template.merkle_root.hex(), row["merkle_root"])
        tally.equal(f"{what}: challenge", template.challenge().hex(), row["challenge"])
        tally.equal(f"{what}: certificate_hash", law.certificate_hash(certificate), seal.certificate_hash)
        tally.equal(f"{what}: attempt", seal.extra_nonce, int(row["attempt"]) // 24)
        tally.equal(f"{what}: block_hash", block_hash.hex(), row["block_hash"])
        tally.equal(f"{what}: magic", block_hash[-4:].hex(), row["magic"])
        wins = law.meets_ticket(block_hash, seal.bloom_end + 1, template.difficulty_q24)
        tally.equal(f"{what}: ticket", wins, True)


def check_vector_attempts(tally, rows):
    """All of an attempt but the oscillators, whose results are taken from the row (attempt.py computes them)."""
    for number, row in enumerate(rows):
        what = f"attempts[{number}]"
        template = law.Template(
            row["version"], int(row["height"]), bytes.fromhex(row["prev_hash"]), bytes.fromhex(row["merkle_root"]),
            int(row["timestamp"]), int(row["difficulty_q24"]),
        )
        challenge = template.challenge()
        extra_nonce, nonce = int(row["extra_nonce"]), row["nonce"]
        certificate = law.certificate(row["bloom_end"], row["order"], row["final_phases"])
        seal = law.Seal(
            extra_nonce, nonce, row["bloom_end"], tuple(row["order"][-1]), law.certificate_hash(certificate)
        )
        header = law.Header(template, seal)
        block_hash = header.block_hash()
        tally.equal(f"{what}.challenge", challenge.hex(), row["challenge"])
        tally.equal(f"{what}.initial_phases", law.initial_phases(challenge, extra_nonce, nonce), row["initial_phases"])
        tally.equal(f"{what}: certificate's length", len(certificate), 316)
        tally.equal(f"{what}.certificate_hash", seal.certificate_hash.hex(), row["certificate_hash"])
        tally.equal(f"{what}.block_hash", block_hash.hex(), row["block_hash"])
        tally.equal(f"{what}: header's length", len(header.encode()), law.HEADER_BYTES)
        wins = law.meets_ticket(block_hash, row["bloom_end"] + 1, template.difficulty_q24)
        tally.equal(f"{what}.wins", wins, row["wins"])


def check_vectors(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    tally = Tally()
    check_vector_ledger(tally, vectors["ledger"])
    check_vector_genesis(tally, vectors["genesis"])
    check_vector_attempts(tally, vectors["attempts"])
    return tally.report()


# --- cases of the other implementation -------------------------------------------------------------------------------


def transaction_case(row):
    inputs = [law.Outpoint(bytes.fromhex(i["txid"]), int(i["index"])) for i in row["inputs"]]
    signatures = [bytes.fromhex(s) for s in row["signatures"]]
    transaction = law.Transaction(int(row["not_before"]), inputs, outputs_of(row["outputs"]), signatures)
    network_id, spent = bytes.fromhex(row["network_id"]), outputs_of(row["spent"])
    common = transaction.common(network_id, spent)
    return {
        "body": transaction.body().hex(),
        "encoded": transaction.encode().hex(),
        "txid": transaction.txid().hex(),
        "wtxid": transaction.wtxid().hex(),
        "common": common.hex(),
        "digests": [d.hex() for d in transaction.digests(network_id, spent)],
    }, transaction


def coinbase_case(row):
    coinbase = law.Coinbase(int(row["height"]), bytes.fromhex(row["data"]), outputs_of(row["outputs"]))
    return {"encoded": coinbase.encode().hex(), "id": coinbase.id().hex()}, coinbase


def merkle_case(row):
    return {"root": law.merkle_root([bytes.fromhex(leaf) for leaf in row["leaves"]]).hex()}, None


CASES = {"transaction": transaction_case, "coinbase": coinbase_case, "merkle": merkle_case}
READERS = {"transaction": law.Reader.transaction, "coinbase": law.Reader.coinbase}


def check_case(row):
    """The first way in which a case disagrees, or None."""
    computed, value = CASES[row["kind"]](row)
    for name, got in computed.items():
        if got != row[name]:
            return f"{name}\n  expected {row[name]}\n  got      {got}"
    if value is not None:
        # Structure only: a case's keys may be random bytes, which lie on the curve half of the time.
        reader = law.Reader(bytes.fromhex(row["encoded"]))
        if READERS[row["kind"]](reader) != value:
            return "decoding gives another value than its fields"
        reader.end()
    return None


def check_cases(lines):
    tally = Tally()
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = json.loads(line)
            try:
                mismatch = check_case(row)
            except law.Refused as reason:
                mismatch = f"refused: {reason}"
            tally.equal(f"line {number}, {row['kind']}", mismatch, None)
    return tally.report()


def main(arguments):
    match arguments:
        case ["check-vectors", path]:
            return check_vectors(path)
        case ["check-cases"]:
            return check_cases(sys.stdin)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Tests of the oracle itself: what it is built on, and that it notices a wrong answer.

    python3 -m unittest discover -s tests/oracle
"""

import contextlib
import copy
import io
import json
import pathlib
import unittest

import encoding as law
import ledger
from blake3_plain import blake3, derive_key
from curve import is_key, verify

VECTORS = pathlib.Path(__file__).parent.parent / "vectors" / "vectors.json"

# From BLAKE3's published test vectors: input length, first 16 bytes of hash and of derive_key, last 8 of 131 bytes of both.
BLAKE3_ANSWERS = (
    (0, "af1349b9f5f9a1a6a0404dea36dcc949", "2cc39783c223154fea8dfb7c1b1660f2", "5363165421cce14d", "1a035ba6689d89a0"),
    (1, "2d3adedff11b61f14c886e35afa03673", "b3e2e340a117a499c6cf2398a19ee0d2", "51f3f1da786545e5", "ae973a64f0c76551"),
    (1023, "10108970eeda3eb932baac1428c7a216", "74a16c1c3d44368a86e1ca6df64be6a2", "9c8d822f2f28f485", "c44ee64b884ef00d"),
    (1024, "42214739f095a406f3fc83deb889744a", "7356cd7720d5b66b6d0697eb3177d9f8", "441427ed9afa684e", "27251808d8ce5bad"),
    (1025, "d00278ae47eb27b34faecf67b4fe263f", "effaa245f065fbf82ac186839a249707", "ae68ff12800ab67a", "46defa2751e7f3ad"),
    (2048, "e776b6028c7cd22a4d0ba182a8bf6220", "7b2945cb4fef70885cc5d78a87bf6f62", "ac75655461cea8f9", "0107f985f4ddc583"),
    (2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3", "2ea477c5515cc3dd606512ee72bb3e0e", "ec2aed3b51073ad3", "bc670f63ae70f4b6"),
    (3073, "7124b49501012f81cc7f11ca069ec922", "72613c9ec9ff7e40f8f5c173784c532a", "4ed72ea952b603bf", "8aa44b2a8e6b14a5"),
    (5121, "628bd2cb2004694adaab7bbd778a25df", "b07f01e518e702f7ccb44a267e9e112d", "f72257484f2b6c95", "359fb6ae30263165"),
    (8193, "bab6c09cb8ce8cf459261398d2e7aef3", "af1e0346e389b17c23200270a64aa4e1", "09d1dbd55f4e1ff6", "8aba07c5fb3c83c0"),
    (31744, "62b6960e1a44bcc1eb1a611a8d6235b6", "39772aef80e0ebe60596361e45b061e8", "a8ec470f4013226f", "7bae8ba85d300a2b"),
)
BLAKE3_CONTEXT = "BLAKE3 2019-12-27 16:29:52 test vectors context"


class Foundations(unittest.TestCase):
    def test_blake3_answers_its_published_vectors(self):
        for length, *expected in BLAKE3_ANSWERS:
            data = bytes(i % 251 for i in range(length))
            outputs = blake3(data, 131).hex(), derive_key(BLAKE3_CONTEXT, data, 131).hex()
            got = [o[:32] for o in outputs] + [o[-16:] for o in outputs]
            self.assertEqual(got, expected, length)
            self.assertEqual((blake3(data).hex(), derive_key(BLAKE3_CONTEXT, data).hex()), tuple(o[:64] for o in outputs))

    def test_bip340_answers_its_published_vectors(self):
        # Vectors 0 and 1 of BIP-340, and vector 5: a key that is not on the curve.
        key = bytes.fromhex("F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9")
        signature = bytes.fromhex(
            "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA8215"
            "25F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0"
        )
        self.assertTrue(verify(key, bytes(32), signature))
        self.assertFalse(verify(key, bytes(31) + b"\1", signature))
        self.assertFalse(verify(key, bytes(32), signature[:63] + b"\0"))
        self.assertTrue(is_key(key))
        self.assertFalse(is_key(bytes.fromhex("EEFDEA4CDB677750A420FEE807EACF21EB9898AE79B9768766E4FAA04A2D4A34")))
        self.assertFalse(is_key(b"\xff" * 32))


def case_of(row, network_id):
    """A transaction of the known answers in the format of the cases."""
    transaction = law.decode_transaction(bytes.fromhex(row["encoded"]))
    return {
        "kind": "transaction",
        "not_before": str(transaction.not_before),
        "inputs": [{"txid": i.txid.hex(), "index": i.index} for i in transaction.inputs],
        "outputs": [{"amount": str(o.amount), "key": o.key.hex()} for o in transaction.outputs],
        "signatures": [s.hex() for s in transaction.signatures],
        "network_id": network_id,
        **{name: row[name] for name in ("spent", "body", "encoded", "txid", "wtxid", "common", "digests")},
    }


class Cases(unittest.TestCase):
    def setUp(self):
        vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["ledger"]
        coinbase = law.decode_coinbase(bytes.fromhex(vectors["coinbase"]["encoded"]))
        self.rows = [case_of(row, vectors["network_id"]) for row in vectors["transactions"]]
        self.rows.append({
            "kind": "coinbase", "height": str(coinbase.height), "data": coinbase.data.hex(),
            "outputs": [{"amount": str(o.amount), "key": o.key.hex()} for o in coinbase.outputs],
            **vectors["coinbase"],
        })
        ids = [vectors["coinbase"]["id"]] + [row["wtxid"] for row in vectors["transactions"]]
        for n, root in enumerate(vectors["merkle_roots_of_coinbase_and_first_n"]):
            self.rows.append({"kind": "merkle", "leaves": ids[: n + 1], "root": root})

    def run_cases(self, rows):
        """(exit status, last line printed)."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            status = ledger.check_cases(json.dumps(row) for row in rows)
        return status, printed.getvalue().splitlines()[-1]

    def test_right_cases_pass(self):
        self.assertEqual(self.run_cases(self.rows), (0, f"{len(self.rows)} passed, 0 failed"))

    def test_nothing_checked_is_a_failure(self):
        self.assertEqual(self.run_cases([]), (1, "0 passed, 0 failed"))

    def test_each_wrong_answer_is_noticed(self):
        for row in (self.rows[1], self.rows[7], self.rows[-1]):
            for name in {"body", "encoded", "txid", "wtxid", "common", "digests", "id", "root"} & row.keys():
                wrong = copy.deepcopy(row)
                text = wrong[name][-1] if name == "digests" else wrong[name]
                text = text[:-1] + ("0" if text[-1] != "0" else "1")
                wrong[name] = wrong[name][:-1] + [text] if name == "digests" else text
                self.assertEqual(self.run_cases([row, wrong]), (1, "1 passed, 1 failed"), name)

    def test_each_field_counts(self):
        row = self.rows[1]
        for name, value in {
            "not_before": "1", "network_id": "00" * 32, "signatures": ["00" * 64] * 2,
            "inputs": [row["inputs"][0], row["inputs"][0]], "outputs": row["outputs"][:-1] or row["spent"],
            "spent": row["spent"][::-1],
        }.items():
            self.assertEqual(self.run_cases([row | {name: value}])[0], 1, name)


class Strictness(unittest.TestCase):
    def setUp(self):
        row = json.loads(VECTORS.read_text(encoding="utf-8"))["genesis"][0]
        self.block = bytes.fromhex(row["block"])

    def test_coinbase_data_beyond_its_limit(self):
        def encoded(length):
            return law.Coinbase(1, b"x" * length, []).encode()

        self.assertEqual(law.decode_coinbase(encoded(96)).data, b"x" * 96)
        with self.assertRaisesRegex(law.Refused, "97"):
            law.decode_coinbase(encoded(97))

    def test_counts_that_lie(self):
        for count in (1, 2**32 - 1):
            with self.assertRaisesRegex(law.Refused, "count"):
                law.decode_block(self.block[:-4] + law.u32(count))

    def test_blocks_that_are_too_long(self):
        with self.assertRaisesRegex(law.Refused, "1048577"):
            law.decode_block(self.block.ljust(law.BLOCK_BYTES_MAX + 1, b"\0"))


if __name__ == "__main__":
    unittest.main()

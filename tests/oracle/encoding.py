"""The encodings and identifiers of docs/spec.md, sections 3 and 7: a second implementation, written from that text.

Values are plain: integers, bytes, lists and the small classes below. Decoding is strict and raises `Refused` with a reason.
"""

import struct
from dataclasses import dataclass

from blake3_plain import derive_key
from curve import is_key

VERSION = 1
COINBASE_DATA_MAX = 96
BLOCK_BYTES_MAX = 1_048_576
HEADER_BYTES = 156
INITIAL_REWARD = 685_410_196
HALVING_INTERVAL = 271_443


class Refused(Exception):
    """The bytes are not the one encoding of anything, or break a rule that a transaction must keep by itself."""


def u32(value):
    return value.to_bytes(4, "little")


def i32(value):
    return value.to_bytes(4, "little", signed=True)


def u64(value):
    return value.to_bytes(8, "little")


def u128(value):
    return value.to_bytes(16, "little")


@dataclass(frozen=True)
class Outpoint:
    txid: bytes
    index: int

    def encode(self):
        return self.txid + u32(self.index)


@dataclass(frozen=True)
class Output:
    amount: int
    key: bytes

    def encode(self):
        return u64(self.amount) + self.key


def encode_list(items):
    return u32(len(items)) + b"".join(item.encode() for item in items)


@dataclass(frozen=True)
class Transaction:
    not_before: int
    inputs: list
    outputs: list
    signatures: list

    def body(self):
        return u32(VERSION) + u64(self.not_before) + encode_list(self.inputs) + encode_list(self.outputs)

    def encode(self):
        return self.body() + b"".join(self.signatures)

    def txid(self):
        return derive_key("bloomcoin v1 txid", self.body())

    def wtxid(self):
        return derive_key("bloomcoin v1 wtxid", self.txid() + b"".join(self.signatures))

    def common(self, network_id, spent):
        """What all signatures share; `spent` are the outputs that the inputs spend, in their order."""
        inputs = b"".join(i.encode() + o.encode() for i, o in zip(self.inputs, spent, strict=True))
        return derive_key(
            "bloomcoin v1 tx common",
            network_id + u32(VERSION) + u64(self.not_before) + u32(len(self.inputs)) + inputs + encode_list(self.outputs),
        )

    def digests(self, network_id, spent):
        common = self.common(network_id, spent)
        return [derive_key("bloomcoin v1 tx sign", common + u32(i)) for i in range(len(self.inputs))]


@dataclass(frozen=True)
class Coinbase:
    height: int
    data: bytes
    outputs: list

    def encode(self):
        return u32(VERSION) + u64(self.height) + u32(len(self.data)) + self.data + encode_list(self.outputs)

    def id(self):
        return derive_key("bloomcoin v1 coinbase", self.encode())


@dataclass(frozen=True)
class Template:
    version: int
    height: int
    prev_hash: bytes
    merkle_root: bytes
    timestamp: int
    difficulty_q24: int

    def encode(self):
        return (
            u32(self.version) + u64(self.height) + self.prev_hash + self.merkle_root
            + u64(self.timestamp) + u128(self.difficulty_q24)
        )

    def challenge(self):
        return derive_key("bloomcoin v1 template", self.encode())


@dataclass(frozen=True)
class Seal:
    extra_nonce: int
    nonce: int
    bloom_end: int
    order: tuple
    certificate_hash: bytes

    def encode(self):
        c, s = self.order
        return (
            u64(self.extra_nonce) + u32(self.nonce) + u32(self.bloom_end) + i32(c) + i32(s) + self.certificate_hash
        )


@dataclass(frozen=True)
class Header:
    template: Template
    seal: Seal

    def encode(self):
        return self.template.encode() + self.seal.encode()

    def block_hash(self):
        return block_hash(self.template.challenge(), self.seal)


@dataclass(frozen=True)
class Block:
    header: Header
    coinbase: Coinbase
    transactions: list

    def encode(self):
        return self.header.encode() + self.coinbase.encode() + encode_list(self.transactions)

    def merkle_root(self):
        return merkle_root([self.coinbase.id()] + [t.wtxid() for t in self.transactions])


def initial_phases(challenge, extra_nonce, nonce):
    """The 63 phases that an attempt starts from."""
    seed = challenge + u64(extra_nonce) + u32(nonce)
    return list(struct.unpack("<63I", derive_key("bloomcoin v1 oscillators", seed, 252)))


def certificate(bloom_end, order, final_phases):
    """The 316 bytes that an attempt's bloom is written down in."""
    rounds = b"".join(i32(c) + i32(s) for c, s in order)
    return u32(bloom_end - 6) + u32(bloom_end) + rounds + b"".join(u32(p) for p in final_phases)


def certificate_hash(certificate_bytes):
    return derive_key("bloomcoin v1 certificate", certificate_bytes)


def block_hash(challenge, seal):
    return derive_key("bloomcoin v1 block", challenge + seal.encode())


def meets_ticket(block_hash, rounds, difficulty_q24):
    """Law §4: the one place where bytes are read big-endian."""
    return int.from_bytes(block_hash, "big") * difficulty_q24 * 5778 < rounds << 280


def merkle_root(ids):
    """The root over the coinbase's id and the wtxids."""
    level = [derive_key("bloomcoin v1 merkle leaf", i) for i in ids]
    while len(level) > 1:
        pairs = range(0, len(level) - 1, 2)
        above = [derive_key("bloomcoin v1 merkle node", level[i] + level[i + 1]) for i in pairs]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def reward(height):
    halvings = height // HALVING_INTERVAL
    return 0 if height == 0 or halvings >= 64 else INITIAL_REWARD >> halvings


class Reader:
    """Bytes taken one field after the other; every count is held against what is left before anything is built."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, length):
        if length > len(self.data) - self.at:
            raise Refused(f"cut short at byte {self.at}: {length} needed, {len(self.data) - self.at} left")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, length, signed=False):
        return int.from_bytes(self.take(length), "little", signed=signed)

    def count(self, unit):
        """A u32 count of parts that take at least `unit` bytes each."""
        count = self.number(4)
        if count * unit > len(self.data) - self.at:
            raise Refused(f"count {count} reaches beyond the bytes")
        return count

    def version(self):
        version = self.number(4)
        if version != VERSION:
            raise Refused(f"version {version}")

    def output(self):
        return Output(self.number(8), self.take(32))

    def outputs(self):
        return [self.output() for _ in range(self.count(40))]

    def transaction(self):
        self.version()
        not_before = self.number(8)
        inputs = [Outpoint(self.take(32), self.number(4)) for _ in range(self.count(36))]
        outputs = self.outputs()
        if not inputs or not outputs:
            raise Refused(f"{len(inputs)} inputs, {len(outputs)} outputs: at least one of each")
        return Transaction(not_before, inputs, outputs, [self.take(64) for _ in inputs])

    def coinbase(self):
        self.version()
        height = self.number(8)
        length = self.number(4)
        if length > COINBASE_DATA_MAX:
            raise Refused(f"coinbase data of {length} bytes")
        return Coinbase(height, self.take(length), self.outputs())

    def header(self):
        template = Template(
            self.number(4), self.number(8), self.take(32), self.take(32), self.number(8), self.number(16)
        )
        seal = Seal(
            self.number(8), self.number(4), self.number(4),
            (self.number(4, signed=True), self.number(4, signed=True)), self.take(32),
        )
        return Header(template, seal)

    def block(self):
        header, coinbase = self.header(), self.coinbase()
        # The smallest transaction there can be: one input, one output, one signature.
        return Block(header, coinbase, [self.transaction() for _ in range(self.count(160))])

    def end(self):
        if self.at != len(self.data):
            raise Refused(f"{len(self.data) - self.at} bytes left over")


def _decode(data, read):
    reader = Reader(data)
    value = read(reader)
    reader.end()
    return value


def check_outputs(outputs):
    """Law §7: what holds for every output that is created."""
    for output in outputs:
        if output.amount == 0:
            raise Refused("amount 0")
        if not is_key(output.key):
            raise Refused(f"no key: {output.key.hex()}")


def check_transaction(transaction):
    """All rules that need nothing but the transaction itself."""
    order = [(i.txid, i.index) for i in transaction.inputs]
    if any(a >= b for a, b in zip(order, order[1:])):
        raise Refused("inputs not in strictly ascending order")
    check_outputs(transaction.outputs)


def decode_transaction(data):
    transaction = _decode(data, Reader.transaction)
    check_transaction(transaction)
    return transaction


def decode_coinbase(data):
    coinbase = _decode(data, Reader.coinbase)
    check_outputs(coinbase.outputs)
    return coinbase


def decode_header(data):
    return _decode(data, Reader.header)


def decode_block(data):
    if len(data) > BLOCK_BYTES_MAX:
        raise Refused(f"block of {len(data)} bytes")
    block = _decode(data, Reader.block)
    check_outputs(block.coinbase.outputs)
    for transaction in block.transactions:
        check_transaction(transaction)
    return block

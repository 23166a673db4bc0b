"""BLAKE3 in plain Python: the plain hash, derive_key and extended output.

Written from the BLAKE3 paper for this oracle, so that nothing is shared with the Rust implementation. No keyed mode: the
specification has no use for it.
"""

from functools import lru_cache

MASK = 0xFFFFFFFF
IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)

BLOCK_BYTES = 64
CHUNK_BYTES = 1024

CHUNK_START = 1
CHUNK_END = 2
PARENT = 4
ROOT = 8
DERIVE_KEY_CONTEXT = 32
DERIVE_KEY_MATERIAL = 64

# The four columns and the four diagonals of the 4 × 4 state, in the order in which they are mixed.
LANES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)


def _schedule():
    """The message words of every mixing step: (a, b, c, d, first word, second word), seven rounds of eight."""
    steps = []
    words = tuple(range(16))
    for _ in range(7):
        for lane, (a, b, c, d) in enumerate(LANES):
            steps.append((a, b, c, d, words[2 * lane], words[2 * lane + 1]))
        words = tuple(words[i] for i in PERMUTATION)
    return tuple(steps)


SCHEDULE = _schedule()


def compress(chaining, words, counter, length, flags):
    """The compression function: all sixteen words of its output."""
    state = [
        *chaining, *IV[:4],
        counter & MASK, counter >> 32, length, flags,
    ]
    for a, b, c, d, first, second in SCHEDULE:
        va, vb, vc, vd = state[a], state[b], state[c], state[d]
        va = (va + vb + words[first]) & MASK
        vd ^= va
        vd = (vd >> 16 | vd << 16) & MASK
        vc = (vc + vd) & MASK
        vb ^= vc
        vb = (vb >> 12 | vb << 20) & MASK
        va = (va + vb + words[second]) & MASK
        vd ^= va
        vd = (vd >> 8 | vd << 24) & MASK
        vc = (vc + vd) & MASK
        vb ^= vc
        state[a], state[b], state[c], state[d] = va, (vb >> 7 | vb << 25) & MASK, vc, vd
    low, high = state[:8], state[8:]
    return [x ^ y for x, y in zip(low, high)] + [x ^ y for x, y in zip(high, chaining)]


def words_of(block):
    """A block of up to 64 bytes as sixteen words, padded with zeros."""
    block = block.ljust(BLOCK_BYTES, b"\0")
    return [int.from_bytes(block[i : i + 4], "little") for i in range(0, BLOCK_BYTES, 4)]


def bytes_of(words):
    """Words as little-endian bytes."""
    return b"".join(word.to_bytes(4, "little") for word in words)


def _chunk(key, data, counter, flags):
    """The last compression of a chunk, not yet done: its arguments."""
    chaining = key
    blocks = [data[i : i + BLOCK_BYTES] for i in range(0, len(data), BLOCK_BYTES)] or [b""]
    start = CHUNK_START
    for block in blocks[:-1]:
        chaining = compress(chaining, words_of(block), counter, BLOCK_BYTES, flags | start)[:8]
        start = 0
    last = blocks[-1]
    return chaining, words_of(last), counter, len(last), flags | start | CHUNK_END


def _tree(key, data, first_chunk, flags):
    """The last compression of a subtree whose first chunk has this number, not yet done."""
    if len(data) <= CHUNK_BYTES:
        return _chunk(key, data, first_chunk, flags)
    # The left side takes the most chunks that are a power of two and leave at least a byte to the right.
    left_chunks = 1 << (((len(data) - 1) // CHUNK_BYTES).bit_length() - 1)
    split = left_chunks * CHUNK_BYTES
    left = compress(*_tree(key, data[:split], first_chunk, flags))[:8]
    right = compress(*_tree(key, data[split:], first_chunk + left_chunks, flags))[:8]
    return key, left + right, 0, BLOCK_BYTES, flags | PARENT


def _hash(key, data, length, flags):
    chaining, words, _, block_length, flags = _tree(key, data, 0, flags)
    output = b""
    while len(output) < length:
        counter = len(output) // BLOCK_BYTES
        output += bytes_of(compress(chaining, words, counter, block_length, flags | ROOT))
    return output[:length]


@lru_cache(maxsize=None)
def _context_key(context):
    key = _hash(IV, context.encode("ascii"), 32, DERIVE_KEY_CONTEXT)
    return tuple(words_of(key)[:8])


def blake3(data, length=32):
    """The plain hash."""
    return _hash(IV, data, length, 0)


def derive_key(context, material, length=32):
    """The key derivation mode."""
    return _hash(_context_key(context), material, length, DERIVE_KEY_MATERIAL)

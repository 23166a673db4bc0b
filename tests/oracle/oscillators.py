"""The oscillators of docs/spec.md, section 2, in Python's integers; floats make the tables and nothing else."""

import math
import struct
from array import array
from functools import lru_cache
from math import isqrt

PHI = (1 + math.sqrt(5)) / 2
OSCILLATORS = 63
BLOOM_ROUNDS = 7
ROUNDS_MAX = 5778
FULL = OSCILLATORS * 32767
DT = 0.01

TAU_Q32 = 2_654_435_769
K_FLOOR_Q32 = 2_654_435_769
K_SPAN_Q32 = 1_314_871_523
STEP = round(DT / (2 * math.pi * OSCILLATORS) * 2**48)
MASK = 0xFFFFFFFF


def _omega():
    gamma = PHI**-5
    angle = [math.pi * (2 * i - OSCILLATORS - 1) / (2 * (OSCILLATORS + 1)) for i in range(1, OSCILLATORS + 1)]
    return [round(gamma * math.tan(a) * DT / (2 * math.pi) * 2**32) for a in angle]


def _gain():
    z_c = math.sqrt(3) / 2
    sharpness = 1 / (1 - z_c) ** 2
    order = [min(1.0, math.sqrt((m + 0.5) * 2**32) / FULL) for m in range(1024)]
    return [round(2**15 * (1 + PHI**-2 * math.exp(-sharpness * (r - z_c) ** 2))) for r in order]


OMEGA = _omega()
GAIN = _gain()


def mulhrs(a, b):
    return (a * b + (1 << 14)) >> 15


def i16(value):
    """The lower 16 bits as two's complement."""
    return (value + 0x8000 & 0xFFFF) - 0x8000


def quarter_sine(w):
    z = 2 * w
    z2 = mulhrs(z, z)
    p = 21024 - mulhrs(z2, 2338)
    q = 18684 - mulhrs(z2, p)
    return z + mulhrs(z, q)


def sin_cos(phase):
    x = i16(phase >> 16) | 1
    return quarter_sine(16384 - abs(i16(x - 16384))), quarter_sine(16384 - abs(x))


# Only the upper 16 bits of a phase count, so the 65 536 answers are all there are.
SIN, COS = (array("h", column) for column in zip(*(sin_cos(a << 16) for a in range(65536))))


def sincos_bytes():
    """sin ‖ cos of every a·2¹⁶, as the specification hashes them."""
    return b"".join(struct.pack("<hh", s, c) for s, c in zip(SIN, COS))


def log2(x):
    """Binary logarithm of an integer ≥ 1, in Q32."""
    top = x.bit_length() - 1
    mantissa = x << (63 - top) if top <= 63 else x >> (top - 63)
    result = top
    for _ in range(32):
        mantissa = mantissa * mantissa >> 63
        bit = mantissa >> 64
        mantissa >>= bit
        result = result << 1 | bit
    return result


def _roots():
    roots = [2 << 62]
    for _ in range(32):
        roots.append(isqrt(roots[-1] << 62))
    return roots


ROOTS = _roots()


def exp2(e, base):
    """base·2^e for e in Q32, floored."""
    whole, fraction = e >> 32, e & MASK
    m = 1 << 62
    for k in range(1, 33):
        if fraction >> (32 - k) & 1:
            m = m * ROOTS[k] >> 62
    shift = whole - 62
    return base * m << shift if shift >= 0 else base * m >> -shift


def coupling(difficulty_q24):
    """κ(D), in Q32."""
    distance = log2(difficulty_q24) - (24 << 32)
    return K_FLOOR_Q32 + exp2(-(TAU_Q32 * distance >> 32), K_SPAN_Q32)


@lru_cache(maxsize=None)
def coupling_table(difficulty_q24):
    """kq[0 … 1023]."""
    kappa = coupling(difficulty_q24)
    return [kappa * gain * STEP >> 59 for gain in GAIN]


def run(phases, table):
    """(bloom_end, seven pairs (C, S), final phases) of the attempt that starts from these phases; None if it is void."""
    phases = list(phases)
    history = []
    streak = 0
    for t in range(ROUNDS_MAX):
        sines = [SIN[p >> 16] for p in phases]
        cosines = [COS[p >> 16] for p in phases]
        c, s = sum(cosines), sum(sines)
        r2 = c * c + s * s
        history.append((c, s))
        streak = streak + 1 if 4 * r2 >= 3 * FULL**2 else 0
        if streak == BLOOM_ROUNDS:
            return t, history[-BLOOM_ROUNDS:], phases
        k = table[r2 >> 32]
        pull_s, pull_c = s * k >> 28, c * k >> 28
        phases = [
            p + w + (pull_s * ci - pull_c * si >> 6) & MASK for p, w, si, ci in zip(phases, OMEGA, sines, cosines)
        ]
    return None

"""secp256k1 as far as the ledger needs it: is this 32-byte string a key, and does this BIP-340 signature hold?

Plain and slow; it verifies public data only and signs nothing.
"""

import hashlib

P = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
GENERATOR = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def lift_x(x):
    """The point with this x and an even y, or None if there is none."""
    if x >= P:
        return None
    square = (x * x * x + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return x, y if y % 2 == 0 else P - y


def is_key(key):
    """Law §7: below the field's prime and on the curve."""
    return lift_x(int.from_bytes(key, "big")) is not None


def _add(a, b):
    """Sum of two affine points; None is the point at infinity."""
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(scalar, point):
    """A point times a number, which leaks through the time that it takes: for published keys only."""
    result = None
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _challenge(data):
    tag = hashlib.sha256(b"BIP0340/challenge").digest()
    return int.from_bytes(hashlib.sha256(tag + tag + data).digest(), "big") % ORDER


def verify(key, message, signature):
    """BIP-340 verification of a 64-byte signature."""
    point = lift_x(int.from_bytes(key, "big"))
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if point is None or r >= P or s >= ORDER:
        return False
    e = _challenge(signature[:32] + key + message)
    found = _add(multiply(s, GENERATOR), multiply(ORDER - e, point))
    return found is not None and found[1] % 2 == 0 and found[0] == r

#!/usr/bin/env python3
"""Recomputes docs/wallet-vectors.md from its words: BIP-39, BIP-32, keys, addresses, and checks its signatures.

    tests/oracle/wallet.py check-page docs/wallet-vectors.md tests/vectors/vectors.json

Written from the text of that page, BIP-32, BIP-39 and BIP-350 alone. The words' own checksum and the parent's
fingerprint inside an xpub are not recomputed: the first needs the list of words, the second RIPEMD-160, which not every
Python has.
"""

import hashlib
import hmac
import json
import re
import sys
import unicodedata

import curve
from blake3_plain import derive_key

HARDENED = 1 << 31
BASE_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BASE_32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32M = 0x2BC830A3
PREFIX = {"main": "bloom", "test": "tbloom", "dev": "dbloom"}


def seed(words, passphrase):
    salt = "mnemonic" + unicodedata.normalize("NFKD", passphrase)
    return hashlib.pbkdf2_hmac("sha512", words.encode(), salt.encode(), 2048)


def master(seed_bytes):
    digest = hmac.digest(b"Bitcoin seed", seed_bytes, "sha512")
    return int.from_bytes(digest[:32], "big"), digest[32:]


def child(key, chain_code, number):
    """BIP-32's CKDpriv."""
    parent = b"\0" + key.to_bytes(32, "big") if number >= HARDENED else compressed(key)
    digest = hmac.digest(chain_code, parent + number.to_bytes(4, "big"), "sha512")
    return (int.from_bytes(digest[:32], "big") + key) % curve.ORDER, digest[32:]


def compressed(key):
    x, y = curve.multiply(key, curve.GENERATOR)
    return bytes([2 + y % 2]) + x.to_bytes(32, "big")


def xpub_parts(text):
    """Version, depth, child number, chain code and key, its checksum being right."""
    number = 0
    for character in text:
        number = number * 58 + BASE_58.index(character)
    data, checksum = (whole := number.to_bytes(82, "big"))[:-4], whole[-4:]
    if hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4] != checksum:
        raise ValueError(f"checksum of {text}")
    return data[:4].hex(), data[4], int.from_bytes(data[9:13], "big"), data[13:45], data[45:]


def address(prefix, key):
    bits = int.from_bytes(key, "big") << 4
    data = [0] + [bits >> 5 * (51 - i) & 31 for i in range(52)]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    checksum = _polymod(expanded + data + [0] * 6) ^ BECH32M
    return prefix + "1" + "".join(BASE_32[value] for value in data + [checksum >> 5 * (5 - i) & 31 for i in range(6)])


def _polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check


def check_wallet(section, networks):
    """Yields for every answer of a section what it is, what it says and what it should."""
    words = re.match("`(.*)`", section)[1]
    passphrase = re.search(r"\| passphrase \| (.*) \|", section)[1]
    passphrase = "" if passphrase == "none" else passphrase.strip("`")
    number = int(re.search(r"\| account \| (\d+) \|", section)[1])
    account = master(seed(words, passphrase))
    for step in (86, 7618, number):
        account = child(*account, step + HARDENED)
    said = xpub_parts(re.search("`(xpub[^`]*)`", section)[1])
    yield "xpub", said, ("0488b21e", 3, number + HARDENED, account[1], compressed(account[0]))
    keys = {}
    for chain, index, key, network, said in re.findall(
        r"\| m/86'/7618'/\d+'/(\d)/(\d+) \| `(\w+)` \| (\w+) \| `(\w+)` \|", section
    ):
        step = child(*child(*account, int(chain)), int(index))
        made = keys[chain, index] = compressed(step[0])[1:]
        yield f"key {chain}/{index}", key, made.hex()
        yield f"address {chain}/{index} on {network}", said, address(PREFIX[network], made)
    message = re.search("“(.*)”", section)[1].encode()
    for network, signature in re.findall(r"\| (\w+) \| `([0-9a-f]{128})` \|", section):
        material = networks[network] + len(message).to_bytes(8, "little") + message
        digest = derive_key("bloomcoin v1 message", material)
        yield f"signature on {network}", curve.verify(keys["0", "0"], digest, bytes.fromhex(signature)), True


def main(arguments):
    match arguments:
        case ["check-page", page, vectors]:
            with open(page, encoding="utf-8") as file:
                sections = file.read().split("\n## ")[1:]
            with open(vectors, encoding="utf-8") as file:
                networks = {known["network"]: bytes.fromhex(known["block_hash"]) for known in json.load(file)["genesis"]}
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    passed = failed = 0
    for section in sections:
        for what, said, expected in check_wallet(section, networks):
            if said == expected:
                passed += 1
                continue
            if not failed:
                print(f"{what}: got {said}, expected {expected}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

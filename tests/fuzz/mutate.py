"""Damages to files, drawn by chance."""

from __future__ import annotations

import random

WORDS = [
    *(b"", b"\0", b"-1", b"NaN", b"inf", b"1e999", b"0", b"99999999999999999999", b"\xff\xfe"),
    *(b"null", b"[]", b"{}", b"&x;", b"<!--", b"-->", b"<", b">", b'"', b": ", b"- ", b"\n"),
    *(b"!!python/name:os.system", b"*a", b"&a ", b"%s", b"../../etc/passwd"),
    *(b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\x01\0\0\0"),
]
"""What has upset readers of such files before."""


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a file with one to eight damages."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        _damage(found, chance)
    return bytes(found)


def _damage(found: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(found) + 1)
    # What a file is built of stands at its beginning as a rule.
    if chance.random() < 0.4:
        place = chance.randrange(min(len(found), 2048) + 1)
    length = chance.choice((1, 2, 4, 8, 64, 1024))
    match chance.randrange(7):
        case 0:
            found[place : place + 1] = bytes([chance.randrange(256)])
        case 1 if place < len(found):
            found[place] ^= 1 << chance.randrange(8)
        case 2:
            del found[place : place + length]
        case 3:
            word = chance.choice(WORDS)
            found[place : place + len(word)] = word
        case 4:
            found[place:place] = chance.choice(WORDS)
        case 5:
            found[place:place] = found[place : place + length] * chance.choice((1, 3, 50))
        case _ if chance.random() < 0.3:
            del found[place:]
        case _:
            found[place : place + length] = chance.randbytes(length)

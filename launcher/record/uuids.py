"""UUIDs as random bytes and as text. The module of that name would hold 0.3 MiB more in every run."""

from __future__ import annotations

import os

_LENGTHS = (8, 4, 4, 4, 12)  # of the groups of hexadecimal digits


def random() -> bytes:
    """The bytes of a random UUID, version 4 (RFC 9562)."""
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    return bytes(digits)


def text(uuid: bytes) -> str:
    """The UUID of these bytes."""
    digits = iter(uuid.hex())
    return "-".join("".join(next(digits) for _ in range(length)) for length in _LENGTHS)


def is_uuid(word: str) -> bool:
    """Whether a word is a UUID as `text` writes it."""
    groups = word.split("-")
    return tuple(map(len, groups)) == _LENGTHS and set("".join(groups)) <= set("0123456789abcdef")

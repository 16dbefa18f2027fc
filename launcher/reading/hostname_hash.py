"""The hashes that are kept instead of a host name."""

from __future__ import annotations

import hashlib


def sha256(name: bytes) -> str:
    """The hash that a record holds (P4), of a name in lower case, in hexadecimal."""
    return hashlib.sha256(name).hexdigest()


def sha1(name: bytes) -> str:
    """How chef-run's own payload names a host: a key to look up, never stored and never sent."""
    return hashlib.sha1(name, usedforsecurity=False).hexdigest()

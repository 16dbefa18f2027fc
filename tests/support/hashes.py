"""Hashes as anybody can compute them."""

from __future__ import annotations

import hashlib


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def sha1(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()

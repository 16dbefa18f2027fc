"""The hashes that are kept instead of a host name.

hashlib is imported when the first is made: with OpenSSL, which comes with it, a run would hold 3.5 MiB more to its end.
"""

from __future__ import annotations


def sha256(name: bytes) -> str:
    """The hash that a record holds (P4), of a name in lower case, in hexadecimal."""
    import hashlib

    return hashlib.sha256(name).hexdigest()


def sha1(name: bytes) -> str:
    """How chef-run's own payload names a host: a key to look up, never stored and never sent."""
    import hashlib

    return hashlib.sha1(name, usedforsecurity=False).hexdigest()

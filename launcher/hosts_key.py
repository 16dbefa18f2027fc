"""The random key that `hosts = "salted"` puts into the sums of host names. It never leaves this machine.

There is one while sessions are recorded that way, and a new one each time that it is begun anew: what was stored before
the key was made has sums without it.
"""

from __future__ import annotations

import os

from launcher import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home import Home

LENGTH = 32  # bytes


def read(home: Home) -> bytes | None:
    """The key; None if there is none."""
    try:
        key = files.read(home.hosts_key, limit=LENGTH)
    except OSError:
        return None
    return key if len(key) == LENGTH else None


def ensure(home: Home) -> bytes:
    """The key; made if there is none. Of many processes that make one at once, one wins. Raises OSError."""
    files.create_once(home.hosts_key, os.urandom(LENGTH))
    key = read(home)
    if key is None:
        raise OSError("not a key")
    return key


def made(home: Home) -> float:
    """When the key was made, in seconds since the epoch; infinity if there is none."""
    try:
        return os.lstat(home.hosts_key).st_mtime
    except OSError:
        return float("inf")


def forget(home: Home) -> None:
    """Remove the key: from now on, sums are recorded without it."""
    files.remove(home.hosts_key)

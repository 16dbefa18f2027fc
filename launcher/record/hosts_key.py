"""The random key that `hosts = "salted"` adds to the hashes of hostnames. It never leaves this machine.

The first run that needs it generates it, and it stays until the installation id is reset.
"""

from __future__ import annotations

import errno
import os

from launcher.home import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

LENGTH = 32  # bytes


def read(home: Home) -> bytes | None:
    """The key; None if there is no valid one."""
    try:
        key = files.read(home.hosts_key, limit=LENGTH)
    except OSError:
        return None
    return key if len(key) == LENGTH else None


def ensure(home: Home) -> bytes:
    """The key; generated if there is no valid one. Of concurrent processes, one wins. Raises OSError."""
    if read(home) is None:
        files.remove(home.hosts_key)
    files.create_once(home.hosts_key, os.urandom(LENGTH))
    key = read(home)
    if key is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return key


def forget(home: Home) -> None:
    """Remove the key, so that hashes made with a later one cannot be linked to the same hosts."""
    files.remove(home.hosts_key)

"""The random key that `hosts = "salted"` puts into the sums of host names. It never leaves this machine.

It is made by the first run that needs it, and stays until the installation id is changed.
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
    """The key; None if there is none."""
    try:
        key = files.read(home.hosts_key, limit=LENGTH)
    except OSError:
        return None
    return key if len(key) == LENGTH else None


def ensure(home: Home) -> bytes:
    """The key; made if there is none that can be used. Of many at once, one makes it. Raises OSError."""
    if read(home) is None:
        files.remove(home.hosts_key)
    files.create_once(home.hosts_key, os.urandom(LENGTH))
    key = read(home)
    if key is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return key


def forget(home: Home) -> None:
    """Remove the key: who sees the sums of a later one cannot tell that they are of the same hosts."""
    files.remove(home.hosts_key)

"""The random key that `hosts = "salted"` adds to the hashes of hostnames. It never leaves this machine.

The first run that needs it generates it, and it stays until the installation id is reset.
"""

from __future__ import annotations

import errno
import os

from launcher.home.layout import HOSTS_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

LENGTH = 32  # bytes


def read(home: Home) -> bytes | None:
    """The key; None if there is no valid one."""
    try:
        key = home.telemetry.read(HOSTS_KEY, limit=LENGTH)
    except OSError:
        return None
    return key if len(key) == LENGTH else None


def ensure(home: Home) -> bytes:
    """The key; generated if there is no valid one. Of concurrent processes, one wins. Raises OSError."""
    home.telemetry.wait_until_written(HOSTS_KEY)
    try:
        found = home.telemetry.version(HOSTS_KEY)
        if read(home) is None:
            home.telemetry.remove(HOSTS_KEY, expected=found)  # and not the valid one that another process makes now
    except FileNotFoundError:
        pass
    home.telemetry.create_once(HOSTS_KEY, os.urandom(LENGTH))
    home.telemetry.wait_until_written(HOSTS_KEY)
    key = read(home)
    if key is None:
        # No FileNotFoundError, which would count as removed by somebody, and each run would be lost without a trace.
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return key


def forget(home: Home) -> None:
    """Remove the key, so that hashes made with a later one cannot be linked to the same hosts."""
    home.telemetry.remove(HOSTS_KEY)

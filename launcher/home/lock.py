"""The sender's lock, which the operating system releases when its holder ends, so that no crash leaves it behind.

Some file systems have no locks. There the lock is a second file, which is made by one process only and removed at the
end; its holder says again and again that it is at work, by the time of that file, or is taken for gone.
"""

from __future__ import annotations

import os
import sys
import time

from launcher.home.layout import LEASE, LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

LEASE_SECONDS = 60  # a sender is ended after 30, and `flush` asks before each request whether its lock is current


def take(home: Home) -> int | None:
    """Take the lock without waiting: a descriptor that holds it until it is released, None if it is taken.

    On POSIX systems a process that inherits the descriptor holds the lock too. Raises OSError.
    """
    descriptor = _open(home, os.O_CREAT)
    try:
        if _lock_without_waiting(descriptor, shared=False):
            return descriptor
    except OSError:
        os.close(descriptor)
        return _take_lease(home)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def release(home: Home, descriptor: int) -> None:
    """Release the lock that the descriptor holds."""
    if _is_lease(home, descriptor):
        home.telemetry.remove(LEASE)
    os.close(descriptor)


def is_current(home: Home, descriptor: int) -> bool:
    """Whether the lock that the descriptor holds is still there: people may remove any of our files."""
    if _is_lease(home, descriptor):
        _renew(home, descriptor)
        return True
    return _is_at(home, LOCK, descriptor)


def is_held(home: Home) -> bool:
    """Whether any process holds the lock. Creates no file. Raises OSError if there is one that cannot be taken."""
    if not home.telemetry.has(LOCK):
        return False
    try:
        descriptor = _open(home)
    except FileNotFoundError:
        return False  # removed meanwhile
    try:
        return not _lock_without_waiting(descriptor, shared=True)
    except OSError:
        return _lease_holds(home)
    finally:
        os.close(descriptor)


def is_ours(home: Home, descriptor: int) -> bool:
    """Whether the descriptor, which was inherited, holds the lock."""
    try:
        return _lock_without_waiting(descriptor, shared=False)
    except OSError:
        return _is_lease(home, descriptor)


def _open(home: Home, more: int = 0) -> int:
    # To be written to, even by who only looks at it: what a sender cannot open, nobody can take.
    return home.telemetry.open_ours(LOCK, os.O_RDWR | more)


def _take_lease(home: Home) -> int | None:
    if _lease_holds(home):
        return None
    try:
        gone = home.telemetry.version(LEASE)
        home.telemetry.remove(LEASE, expected=gone)
    except FileNotFoundError:
        pass
    try:
        descriptor = home.telemetry.open_new(LEASE)
    except FileExistsError:
        return None
    _renew(home, descriptor)
    return descriptor


def _lease_holds(home: Home) -> bool:
    try:
        # Either way: the clock may have been set.
        return abs(time.time() - home.telemetry.status(LEASE).st_mtime) < LEASE_SECONDS
    except OSError:
        return False


def _is_lease(home: Home, descriptor: int) -> bool:
    return _is_at(home, LEASE, descriptor)


def _is_at(home: Home, name: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), home.telemetry.status(name))
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock_without_waiting(descriptor: int, shared: bool) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _renew(home: Home, descriptor: int) -> None:
        """Does nothing: Windows has locks everywhere."""

else:
    import fcntl

    def _lock_without_waiting(descriptor: int, shared: bool) -> bool:
        """Whether nobody else holds it. Raises OSError where there are no locks."""
        # Processes that only look take a shared lock, so that they do not take each other for holders.
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _renew(home: Home, descriptor: int) -> None:
        """Say that the holder of the lease is at work, by the clock of this machine."""
        now = time.time()
        os.utime(descriptor, (now, now))

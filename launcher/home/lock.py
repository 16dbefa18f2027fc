"""A lock that the operating system releases when its holder ends, so that no crash leaves it behind."""

from __future__ import annotations

import os
import sys

from launcher.home import files


def take(path: str) -> int | None:
    """Take the lock at `path` without waiting: a descriptor that holds it until it is closed, None if it is taken.

    On POSIX systems a process that inherits the descriptor holds the lock too. Raises OSError.
    """
    descriptor = files.open_ours(path, os.O_RDWR | os.O_CREAT)
    try:
        if is_ours(descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def is_current(descriptor: int, path: str) -> bool:
    """Whether the lock that the descriptor holds is still the one at `path`: people may remove any of our files."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def is_held(path: str) -> bool:
    """Whether any process holds the lock at `path`. Does not create the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | files.O_NOFOLLOW | files.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not _lock_without_waiting(descriptor, shared=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def is_ours(descriptor: int) -> bool:
    """Whether the descriptor holds its lock already, or has just taken it. Raises OSError if it cannot be locked."""
    return _lock_without_waiting(descriptor, shared=False)


if sys.platform == "win32":
    import msvcrt

    def _lock_without_waiting(descriptor: int, shared: bool) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock_without_waiting(descriptor: int, shared: bool) -> bool:
        # Processes that only look take a shared lock, so that they do not take each other for holders.
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

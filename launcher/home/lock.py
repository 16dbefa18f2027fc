"""A lock that dies with its holder, so that no crash leaves it behind."""

from __future__ import annotations

import os
import sys

from launcher.home import files


def take(path: str) -> int | None:
    """Take the lock at `path`: a descriptor that holds it until it is closed; None, at once, if another has it.

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
    """Whether the lock that the descriptor holds is still that at `path`: people may remove any of our files."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def is_held(path: str) -> bool:
    """Whether somebody holds the lock at `path`. Makes nothing where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | files.O_NOFOLLOW | files.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not _try(descriptor, shared=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def is_ours(descriptor: int) -> bool:
    """Whether the lock that the descriptor stands for is held by it, or can be. Raises OSError if it is none."""
    return _try(descriptor, shared=False)


if sys.platform == "win32":
    import msvcrt

    def _try(descriptor: int, shared: bool) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(descriptor: int, shared: bool) -> bool:
        # Those who just look share it, and so are never taken for holders by each other.
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

"""Sessions waiting on disk, in ~/.chef-workstation/telemetry.

Each session is one file. It is written under a temporary name and renamed, so that a file with a session's name is
complete. chef-run and other programs use the directory too: only regular files with our names are ever touched.
"""

from __future__ import annotations

import errno
import os
import time

from launcher.home.files import is_temporary_name
from launcher.home.layout import DROPPED, LAST_REJECTION, NEXT_ATTEMPT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from launcher.home.files import Directory
    from launcher.home.layout import Home

MAX_WAITING = 500  # sessions
MAX_AGE = 30 * 24 * 3600  # seconds that a session waits before it is dropped
MAX_SESSION_SIZE = 64 * 1024  # bytes; a larger file is not ours
MAX_TEMPORARY_AGE = 24 * 3600  # seconds; the process that wrote an older temporary file has crashed
PARALLEL_RUNS = 100  # that may store a session between two looks at what waits
MAX_NAMES = 2000  # that a run looks at, however many lie in the directory. The sender sees to the rest

_PREFIX, _SUFFIX = "session-", ".json"


def any_waiting(home: Home) -> bool:
    """Whether a session waits. Stops at the first one, so that a full directory costs a run no more than an empty."""
    return next(home.telemetry.regular_files(_is_session_name), None) is not None


def may_be_waiting(home: Home) -> bool:
    """The same, for a run: true as well where so much else lies there that it would take long to know."""
    waiting, is_all = home.telemetry.first_files(_is_session_name, MAX_NAMES)
    return bool(waiting) or not is_all


def oldest_first(home: Home) -> list[tuple[float, str]]:
    """(time stored, file name) of each waiting session; times in seconds since the epoch."""
    return _oldest_first(home.telemetry, _sessions(home.telemetry))


def eviction_order(home: Home) -> list[str]:
    """The waiting sessions, oldest first, if there may soon be too many; an empty list while there is room.

    Computed while chef-run runs, so that nothing has to be listed or sorted at its end, when a user waits.
    """
    waiting = home.telemetry.first_files(_is_session_name, MAX_NAMES)[0]
    if len(waiting) <= MAX_WAITING - PARALLEL_RUNS:
        return []
    return [name for _, name in _oldest_first(home.telemetry, waiting)]


def store(home: Home, session_id: str, content: bytes, eviction_order: Sequence[str] = ()) -> None:
    """Store one session. If there are too many then, drop the first ones of `eviction_order`. Raises OSError."""
    home.telemetry.replace(_PREFIX + session_id + _SUFFIX, content)
    # One that has gone meanwhile has made room as well. The sender, who has the time, counts again.
    _drop(home, home.telemetry, eviction_order[: max(0, min(len(eviction_order) + 1 - MAX_WAITING, PARALLEL_RUNS))])


def tidy(home: Home) -> None:
    """Drop waiting and rejected sessions that are too many or too old, and remove what crashed processes left."""
    now = time.time()
    for directory in (home.telemetry, home.rejected):
        stored = _oldest_first(directory, _sessions(directory))
        expired = sum(written < now - MAX_AGE for written, _ in stored)
        _drop(home, directory, [name for _, name in stored[: max(expired, len(stored) - MAX_WAITING)]])
    for written, name in _oldest_first(home.telemetry, home.telemetry.regular_files(is_temporary_name)):
        if written < now - MAX_TEMPORARY_AGE:
            home.telemetry.remove(name)


def discard_all(home: Home) -> tuple[int, list[str]]:
    """Remove every waiting session unsent, because its owner has turned telemetry off (P12).

    How many that were, and the paths of those that cannot be removed. Removes unfinished temporary files of sessions
    too, and the time of the next attempt to send what is not there any more.
    """
    _discard(home.telemetry, home.telemetry.regular_files(_is_unfinished))
    removed, left = _discard(home.telemetry, _sessions(home.telemetry))
    if not left and home.telemetry.has(NEXT_ATTEMPT):
        home.telemetry.remove(NEXT_ATTEMPT)
    return removed, left


def discard_rejected(home: Home) -> tuple[int, list[str]]:
    """The same for every rejected session."""
    home.telemetry.remove(LAST_REJECTION)
    return _discard(home.rejected, _sessions(home.rejected))


def remove(home: Home, names: Iterable[str]) -> None:
    """Remove sessions that have arrived. If some cannot be removed, removes the others and raises OSError."""
    if _discard(home.telemetry, names)[1]:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def reject(home: Home, name: str, reason: str) -> None:
    """Move a session that will never be accepted to rejected/, where people can look at it, and note why.

    Raises OSError if it could not be moved.
    """
    home.rejected.make()
    try:
        home.telemetry.replace(LAST_REJECTION, f"{reason}\n".encode())
    except OSError:
        pass  # no room for it: the session goes all the same
    try:
        home.telemetry.rename(name, name, into=home.rejected)
    except FileNotFoundError:
        pass


def rejected(home: Home) -> list[str]:
    """The file names of the rejected sessions."""
    return sorted(_sessions(home.rejected))


def last_rejection(home: Home) -> str | None:
    """Why a session was rejected last; None if that is not known, or there is none any more."""
    if not rejected(home):
        return None
    try:
        return home.telemetry.read(LAST_REJECTION, limit=1024).decode("utf-8", "replace").strip()
    except OSError:
        return None


def put_back(home: Home) -> None:
    """Have every rejected session wait again, but for one that waits already. Raises OSError if one cannot be moved."""
    for name in rejected(home):
        if not home.telemetry.has(name):
            try:
                home.rejected.rename(name, name, into=home.telemetry)
            except FileNotFoundError:
                pass  # removed by hand meanwhile


def dropped(home: Home) -> int:
    """How many sessions were dropped unsent: because there were too many, or one was too old or too large."""
    try:
        return home.telemetry.status(DROPPED).st_size
    except OSError:
        return 0


def count_dropped(home: Home, number: int = 1) -> None:
    """Count sessions that will never be sent. Never raises."""
    try:
        home.telemetry.append(DROPPED, b"." * number)  # a byte for each: appending needs no lock
    except OSError:
        pass


def _drop(home: Home, directory: Directory, names: Iterable[str]) -> None:
    removed = sum(directory.remove(name) for name in names)
    if removed:
        count_dropped(home, removed)


def _discard(directory: Directory, names: Iterable[str]) -> tuple[int, list[str]]:
    """Remove files: how many were removed, and the paths of those that cannot be. Others may remove them as well."""
    removed, left = 0, []
    for name in list(names):
        if directory.remove(name):
            removed += 1
        elif directory.has(name):
            left.append(os.path.join(directory.path, name))
    return removed, left


def _oldest_first(directory: Directory, names: Iterable[str]) -> list[tuple[float, str]]:
    stored = []
    for name in names:
        try:
            stored.append((directory.status(name).st_mtime, name))
        except OSError:
            continue  # removed meanwhile, by hand or by the sender: any file may be removed at any time (P10)
    return sorted(stored)


def _sessions(directory: Directory) -> Iterable[str]:
    """The files with a session's name in one of our directories, in any order."""
    return directory.regular_files(_is_session_name)


def _is_unfinished(name: str) -> bool:
    return name.startswith(("." + _PREFIX, ".receipts.")) and is_temporary_name(name)


def _is_session_name(name: str) -> bool:
    if not name.startswith(_PREFIX) or not name.endswith(_SUFFIX):
        return False
    middle = name[len(_PREFIX) : -len(_SUFFIX)]
    return len(middle) == 36 and middle.count("-") == 4

"""Sessions waiting on disk, in ~/.chef-workstation/telemetry.

Each session is one file. It is written under a temporary name and renamed, so that a file with a session's name is
complete. chef-run and other programs use the directory too: only regular files with our names are ever touched.
"""

from __future__ import annotations

import errno
import os
import time
from itertools import islice

from launcher.home import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from launcher.home.layout import Home

MAX_WAITING = 500  # sessions
MAX_AGE = 30 * 24 * 3600  # seconds that a session waits before it is dropped
MAX_SESSION_SIZE = 64 * 1024  # bytes; a larger file is not ours
MAX_TEMPORARY_AGE = 24 * 3600  # seconds; the process that wrote an older temporary file has crashed
PARALLEL_RUNS = 100  # that may store a session between two looks at what waits
# Sessions that a run looks at, however many lie in the directory. The sender sees to the rest.
MAX_EXAMINED = MAX_WAITING + PARALLEL_RUNS

_PREFIX, _SUFFIX = "session-", ".json"


def any_waiting(home: Home) -> bool:
    """Whether a session waits. Stops at the first one, so that a full directory costs a run no more than an empty."""
    return next(_sessions(home.telemetry, home), None) is not None


def oldest_first(home: Home) -> list[tuple[float, str]]:
    """(time stored, path) of each waiting session; times in seconds since the epoch."""
    return _oldest_first(_sessions(home.telemetry, home))


def eviction_order(home: Home) -> list[str]:
    """The waiting sessions, oldest first, if there may soon be too many; an empty list while there is room.

    Computed while chef-run runs, so that nothing has to be sorted at its end, when a user waits.
    """
    waiting = list(islice(_sessions(home.telemetry, home), MAX_EXAMINED))
    return [path for _, path in _oldest_first(waiting)] if len(waiting) > MAX_WAITING - PARALLEL_RUNS else []


def store(home: Home, session_id: str, content: bytes, eviction_order: Sequence[str] = ()) -> None:
    """Store one session. If there are too many then, drop the first ones of `eviction_order`. Raises OSError."""
    files.replace(os.path.join(home.telemetry, _PREFIX + session_id + _SUFFIX), content)
    if eviction_order:
        waiting = {entry.path for entry in islice(_sessions(home.telemetry, home), MAX_EXAMINED)}
        _drop(home, [path for path in eviction_order if path in waiting][: max(0, len(waiting) - MAX_WAITING)])


def tidy(home: Home) -> None:
    """Drop waiting and rejected sessions that are too many or too old, and remove what crashed processes left."""
    now = time.time()
    for directory in (home.telemetry, home.rejected):
        stored = _oldest_first(_sessions(directory, home))
        expired = sum(written < now - MAX_AGE for written, _ in stored)
        _drop(home, [path for _, path in stored[: max(expired, len(stored) - MAX_WAITING)]])
    for written, path in _oldest_first(_files(home.telemetry, home, files.is_temporary_name)):
        if written < now - MAX_TEMPORARY_AGE:
            files.remove(path)


def discard_all(home: Home) -> int:
    """Remove every waiting session unsent, because its owner has turned telemetry off (P12); how many there were.

    Removes unfinished temporary files of sessions too.
    """
    for entry in list(_files(home.telemetry, home, _is_unfinished)):
        files.remove(entry.path)
    return sum(files.remove(entry.path) for entry in list(_sessions(home.telemetry, home)))


def discard_rejected(home: Home) -> int:
    """Remove every rejected session; how many there were."""
    files.remove(home.last_rejection)
    return sum(files.remove(entry.path) for entry in list(_sessions(home.rejected, home)))


def remove(paths: Iterable[str]) -> None:
    """Remove sessions that have arrived. If some cannot be removed, removes the others and raises OSError."""
    if [path for path in paths if not files.remove(path) and os.path.lexists(path)]:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def remaining(home: Home) -> list[str]:
    """The waiting and rejected sessions that are there; a directory that cannot be listed counts as one."""
    found = []
    for directory in (home.telemetry, home.rejected):
        if os.path.isdir(directory) and not os.access(directory, os.R_OK | os.X_OK):
            found.append(directory)
        found += [entry.path for entry in _sessions(directory, home)]
    return found


def reject(home: Home, path: str, reason: str) -> None:
    """Move a session that will never be accepted to rejected/, where people can look at it, and note why.

    Raises OSError if it could not be moved.
    """
    files.make_directory(home.rejected)
    try:
        files.replace(home.last_rejection, f"{reason}\n".encode())
    except OSError:
        pass  # no room for it: the session goes all the same
    try:
        os.replace(path, os.path.join(home.rejected, os.path.basename(path)))
    except FileNotFoundError:
        pass


def rejected(home: Home) -> list[str]:
    """The file names of the rejected sessions."""
    return sorted(entry.name for entry in _sessions(home.rejected, home))


def last_rejection(home: Home) -> str | None:
    """Why a session was rejected last; None if that is not known, or there is none any more."""
    try:
        return (
            files.read(home.last_rejection, limit=1024).decode("utf-8", "replace").strip() if rejected(home) else None
        )
    except OSError:
        return None


def put_back(home: Home) -> None:
    """Have every rejected session wait again, but for one that waits already. Raises OSError if one cannot be moved."""
    for entry in list(_sessions(home.rejected, home)):
        path = os.path.join(home.telemetry, entry.name)
        if not os.path.lexists(path):
            try:
                os.replace(entry.path, path)
            except FileNotFoundError:
                pass  # removed by hand meanwhile


def dropped(home: Home) -> int:
    """How many sessions were dropped unsent: because there were too many, or one was too old or too large."""
    try:
        return os.lstat(home.dropped).st_size
    except OSError:
        return 0


def count_dropped(home: Home, number: int = 1) -> None:
    """Count sessions that will never be sent. Never raises."""
    try:
        files.append(home.dropped, b"." * number)  # a byte for each: appending needs no lock
    except OSError:
        pass


def _drop(home: Home, paths: list[str]) -> None:
    removed = sum(files.remove(path) for path in paths)
    if removed:
        count_dropped(home, removed)


def _oldest_first(entries: Iterable[os.DirEntry[str]]) -> list[tuple[float, str]]:
    stored = []
    for entry in entries:
        try:
            stored.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        except OSError:
            continue  # removed meanwhile, by hand or by the sender: any file may be removed at any time (P10)
    return sorted(stored)


def _sessions(directory: str, home: Home) -> Iterator[os.DirEntry[str]]:
    """The files with a session's name in one of our directories, in any order."""
    return _files(directory, home, _is_session_name)


def _files(directory: str, home: Home, matches: Callable[[str], bool]) -> Iterator[os.DirEntry[str]]:
    """The regular files with such names in one of our directories; nothing if a symlink leads there."""
    if all(files.is_directory(each) for each in {home.directory, home.telemetry, directory}):
        yield from files.regular_files(directory, matches)


def _is_unfinished(name: str) -> bool:
    return name.startswith(("." + _PREFIX, ".receipts.")) and files.is_temporary_name(name)


def _is_session_name(name: str) -> bool:
    if not name.startswith(_PREFIX) or not name.endswith(_SUFFIX):
        return False
    middle = name[len(_PREFIX) : -len(_SUFFIX)]
    return len(middle) == 36 and middle.count("-") == 4

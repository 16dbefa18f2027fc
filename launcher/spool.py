"""Sessions waiting on disk, in ~/.chef-workstation/telemetry.

One file a session, written under another name and renamed, so that a file with a session's name is whole. The folder
is shared with chef-run and with whatever else lies there: only regular files that bear our names are ever touched.
"""

from __future__ import annotations

import os
import time

from launcher import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from launcher.home import Home
    from launcher.session import Session

MOST = 500  # sessions
LONGEST = 30 * 24 * 3600  # seconds that one waits at the most

_PREFIX, _SUFFIX = "session-", ".json"


def waiting(home: Home) -> list[str]:
    """The names of the waiting sessions' files, in no order; none if the folder is not there or is not a folder."""
    return list(_names(home))


def any_waiting(home: Home) -> bool:
    """Whether a session waits. Stops at the first, so that a full folder costs a run no more than an empty one."""
    return next(_names(home), None) is not None


def oldest_first(home: Home) -> list[tuple[float, str]]:
    """(time stored, path) of each waiting session; times in seconds since the epoch."""
    stored = []
    for name in _names(home):
        path = os.path.join(home.telemetry, name)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue  # removed meanwhile, by hand or by the sender: any file may go at any time (P10)
        stored.append((status.st_mtime, path))
    return sorted(stored)


def read(path: str) -> Session:
    """The session in one file. Raises OSError, session.InvalidSession."""
    from launcher import session  # not at the top: runs that read none import this module too

    return session.from_bytes(files.read(path, session.LIMIT))


def store(home: Home, session_id: str, content: bytes) -> None:
    """Keep one session. Where there are too many, the oldest go. Raises OSError."""
    files.make_folder(home.folder)
    files.make_folder(home.telemetry)
    files.replace(os.path.join(home.telemetry, _PREFIX + session_id + _SUFFIX), content)
    surplus = len(waiting(home)) - MOST
    if surplus > 0:
        for _, path in oldest_first(home)[:surplus]:
            _drop(home, path)


def drop_expired(home: Home, now: float | None = None) -> None:
    """Drop the sessions that have waited for too long; counted."""
    limit = (time.time() if now is None else now) - LONGEST
    for stored, path in oldest_first(home):
        if stored < limit:
            _drop(home, path)


def discard_all(home: Home) -> int:
    """Remove every waiting session unsent, because its owner disabled telemetry (P12); how many."""
    return sum(files.remove(os.path.join(home.telemetry, name)) for name in waiting(home))


def reject(home: Home, path: str) -> None:
    """Put a session that will never be accepted out of the way, where it can still be looked at. Raises OSError."""
    files.make_folder(home.rejected)
    os.replace(path, os.path.join(home.rejected, os.path.basename(path)))


def rejected(home: Home) -> list[str]:
    """The names of the rejected sessions' files."""
    try:
        return sorted(os.listdir(home.rejected))
    except OSError:
        return []


def dropped(home: Home) -> int:
    """How many sessions went unsent: because there were too many, they waited too long, or one was too large."""
    try:
        return os.lstat(home.dropped).st_size
    except OSError:
        return 0


def _drop(home: Home, path: str) -> None:
    if files.remove(path):
        count_dropped(home)


def count_dropped(home: Home) -> None:
    """Count one session that will never be sent. Never raises."""
    try:
        # A byte for each: appending needs no lock, and cannot be torn.
        descriptor = os.open(home.dropped, os.O_WRONLY | os.O_CREAT | os.O_APPEND | files.O_NOFOLLOW, 0o600)
    except OSError:
        return
    try:
        os.write(descriptor, b".")
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _names(home: Home) -> Iterator[str]:
    if not files.is_folder(home.folder) or not files.is_folder(home.telemetry):
        return
    try:
        with os.scandir(home.telemetry) as entries:
            for entry in entries:
                if _is_session_name(entry.name) and entry.is_file(follow_symlinks=False):
                    yield entry.name
    except OSError:
        return


def _is_session_name(name: str) -> bool:
    middle = name[len(_PREFIX) : -len(_SUFFIX)]
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX) and len(middle) == 36 and middle.count("-") == 4

"""Sessions waiting on disk, in ~/.chef-workstation/telemetry.

One file a session, written under another name and renamed, so that a file with a session's name is whole. The folder
is shared with chef-run and with whatever else lies there: only regular files that bear our names are ever touched.
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
    from launcher.record.session import Session

MOST = 500  # sessions
LONGEST = 30 * 24 * 3600  # seconds that one waits at the most
PARALLEL = 100  # runs that may store theirs between two looks at what waits
# Sessions that a run looks at, of a folder that somebody else has filled. The sender sees to the rest.
EXAMINED = MOST + PARALLEL
LEFTOVER = 24 * 3600  # seconds; a temporary file of that age is not about to be renamed any more

_PREFIX, _SUFFIX = "session-", ".json"


def any_waiting(home: Home) -> bool:
    """Whether a session waits. Stops at the first, so that a full folder costs a run no more than an empty one."""
    return next(_sessions(home.telemetry, home), None) is not None


def oldest_first(home: Home) -> list[tuple[float, str]]:
    """(time stored, path) of each waiting session; times in seconds since the epoch."""
    return _oldest_first(_sessions(home.telemetry, home))


def read(path: str) -> Session:
    """The session in one file. Raises OSError, session.InvalidSession."""
    from launcher.record import session  # not at the top: runs that read none import this module too

    return session.from_bytes(files.read(path, session.LIMIT))


def next_to_go(home: Home) -> list[str]:
    """The waiting sessions, the oldest first, if there may soon be too many of them; none while there is room.

    Asked while chef-run runs, so that at its end, when a user waits, nothing has to be counted or sorted.
    """
    waiting = list(islice(_sessions(home.telemetry, home), EXAMINED))
    return [path for _, path in _oldest_first(waiting)] if len(waiting) > MOST - PARALLEL else []


def store(home: Home, session_id: str, content: bytes, next_to_go: Sequence[str] = ()) -> None:
    """Keep one session. Where there are too many, the first of those that are next to go do. Raises OSError."""
    files.replace(os.path.join(home.telemetry, _PREFIX + session_id + _SUFFIX), content)
    if next_to_go:
        waiting = {entry.path for entry in islice(_sessions(home.telemetry, home), EXAMINED)}
        _drop(home, [path for path in next_to_go if path in waiting][: max(0, len(waiting) - MOST)])


def tidy(home: Home, now: float | None = None) -> None:
    """Hold the bounds of what waits and of what was rejected, and remove what crashes left behind."""
    now = time.time() if now is None else now
    for folder in (home.telemetry, home.rejected):
        stored = _oldest_first(_sessions(folder, home))
        expired = sum(written < now - LONGEST for written, _ in stored)
        _drop(home, [path for _, path in stored[: max(expired, len(stored) - MOST)]])
    for written, path in _oldest_first(_files(home.telemetry, home, files.is_temporary_name)):
        if written < now - LEFTOVER:
            files.remove(path)


def discard_all(home: Home) -> int:
    """Remove every waiting session unsent, because its owner wants it so (P12); how many.

    What a crash left of one that was being written goes too.
    """
    for entry in list(_files(home.telemetry, home, _is_unfinished)):
        files.remove(entry.path)
    return sum(files.remove(entry.path) for entry in list(_sessions(home.telemetry, home)))


def discard_rejected(home: Home) -> int:
    """Remove every rejected session; how many."""
    return sum(files.remove(entry.path) for entry in list(_sessions(home.rejected, home)))


def remove(paths: Iterable[str]) -> None:
    """Remove sessions that have arrived. Raises OSError if one is still there, once the others are gone."""
    if [path for path in paths if not files.remove(path) and os.path.lexists(path)]:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def left(home: Home) -> list[str]:
    """What is there of waiting and rejected sessions; a folder that cannot be looked into counts."""
    found = []
    for folder in (home.telemetry, home.rejected):
        if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):
            found.append(folder)
        found += [entry.path for entry in _sessions(folder, home)]
    return found


def reject(home: Home, path: str) -> None:
    """Put a session that will never be accepted out of the way, where it can still be looked at.

    Raises OSError if it is still there.
    """
    files.make_directory(home.rejected)
    try:
        os.replace(path, os.path.join(home.rejected, os.path.basename(path)))
    except FileNotFoundError:
        pass


def rejected(home: Home) -> list[str]:
    """The names of the rejected sessions' files."""
    return sorted(entry.name for entry in _sessions(home.rejected, home))


def dropped(home: Home) -> int:
    """How many sessions went unsent: because there were too many, they waited too long, or one was too large."""
    try:
        return os.lstat(home.dropped).st_size
    except OSError:
        return 0


def count_dropped(home: Home, number: int = 1) -> None:
    """Count sessions that will never be sent. Never raises."""
    try:
        # A byte for each: appending needs no lock.
        files.append(home.dropped, b"." * number)
    except OSError:
        pass


def _drop(home: Home, paths: list[str]) -> None:
    gone = sum(files.remove(path) for path in paths)
    if gone:
        count_dropped(home, gone)


def _oldest_first(entries: Iterable[os.DirEntry[str]]) -> list[tuple[float, str]]:
    stored = []
    for entry in entries:
        try:
            stored.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        except OSError:
            continue  # removed meanwhile, by hand or by the sender: any file may go at any time (P10)
    return sorted(stored)


def _sessions(folder: str, home: Home) -> Iterator[os.DirEntry[str]]:
    """The files with a session's name in one of our folders, in no order."""
    return _files(folder, home, _is_session_name)


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

"""How many runs were not recorded though telemetry was on, and why: no failure of ours is shown in a run, and none goes
without a trace.

A byte for each in one file, by the kind of failure, and nothing of the run: appending needs no lock, and where a file
has begun, mostly no room. If there is not even room for the byte, an empty file is left, which says as much. If there
cannot be a file either, `obstacle` still tells what is in the way now.
"""

from __future__ import annotations

import errno
import os
import sys

from launcher.home.layout import LOST
from launcher.home.spool import MAX_SESSION_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

MAX_SIZE = 1 << 20  # bytes that are counted

_NO_ROOM, _QUOTA, _LIMIT, _REFUSED, _FAILED, _DEFECT = b"r", b"q", b"l", b"w", b"f", b"d"
_CODES = {
    **{_NO_ROOM: "no_room", _QUOTA: "quota", _LIMIT: "file_size_limit", _REFUSED: "not_permitted"},
    **{_FAILED: "file_system", _DEFECT: "internal_error"},
}
_NOT_NOTED = "unknown"
# By code, for people.
REASONS = {
    "no_room": "no room on the disk",
    "quota": "disk quota exceeded",
    "file_size_limit": "file size limit (ulimit -f)",
    "not_permitted": "no permission to write",
    "file_system": "file system error",
    "internal_error": "internal error of the launcher",
    "unknown": "no room to store the reason",
}
_KINDS = {
    **{errno.ENOSPC: _NO_ROOM, errno.EFBIG: _LIMIT},
    **dict.fromkeys((errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ELOOP), _REFUSED),
}
if sys.platform != "win32":
    _KINDS[errno.EDQUOT] = _QUOTA


def count(home: Home, error: BaseException) -> None:
    """Count a run whose record was lost by this error. Raises OSError if that cannot be noted either.

    Not what somebody has removed meanwhile: any of our files may be, at any time.
    """
    if not isinstance(error, FileNotFoundError):
        home.telemetry.append(LOST, _kind(error))


def _kind(error: BaseException) -> bytes:
    return _KINDS.get(error.errno or 0, _FAILED) if isinstance(error, OSError) else _DEFECT


def by_reason(home: Home) -> dict[str, int]:
    """How many runs were lost, by the code of the reason; those of which it could not be noted count as one."""
    try:
        noted = home.telemetry.read(LOST, MAX_SIZE)
    except OSError:
        return {}
    if not noted:
        return {_NOT_NOTED: 1}
    return {code: noted.count(kind) for kind, code in _CODES.items() if kind in noted}


def obstacle(home: Home) -> str | None:
    """Why nothing could be stored now, by a process that is started as this one was; None if it could."""
    nearest = next((each for each in (home.telemetry, home.workstation, home.itself) if each.exists()), None)
    return _limit() or (_no_room(nearest.path) if nearest else None)


if sys.platform == "win32":

    def _limit() -> str | None:
        return None

    def _no_room(path: str) -> str | None:
        import shutil

        return "the disk is full" if shutil.disk_usage(path).free < MAX_SESSION_SIZE else None

else:

    def _limit() -> str | None:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and limit < MAX_SESSION_SIZE:
            return f"files may not grow beyond {limit} bytes (ulimit -f)"
        return None

    def _no_room(path: str) -> str | None:
        try:
            disk = os.statvfs(path)
        except OSError:
            return None
        if disk.f_bavail * disk.f_frsize < MAX_SESSION_SIZE:
            return "the disk is full"
        if disk.f_files and not disk.f_favail:  # some file systems do not count them
            return "the disk has no inode left"
        return None

"""chef-run's own session payload: found, read and removed, so that a run is recorded once and in our words.

chef-run writes `telemetry-payload-N.yml` as the last thing before it exits, N being the lowest free number.
Parallel runs write into the same directory, and nothing in a payload names the process that wrote it. One is
taken for this run's if all of this holds:

- it was not there, or not as it is, before this run's chef-run was started;
- it was written at this run's end, before the child was gone;
- it names no host that is not a target of this run;
- it does not say that its run began before ours.

Of several it is the one written last, since chef-run exits at once after it; those that do not tell when they
began come after all that do. All others stay where they are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence

from launcher.reading import payload
from launcher.reading.command_line import Target
from launcher.reading.output import Claims, failed_hosts

# Which file, and as of when: the inode and its modification time in nanoseconds.
Version = tuple[int, int]

EXIT_TIME = 5.0  # seconds that chef-run may take to exit once its last file is written, also on a busy machine
MAX_SIZE = 8 << 20  # bytes. Each host adds two entries of less than 500


def before(telemetry_directory: str, started: float) -> frozenset[Version]:
    """The payloads that were there before `started`, when chef-run was: none of them, as it is, can be this run's.

    To be asked once chef-run has been started, so that it does not wait for us to read a directory, and at once: if the
    clock is set later, times tell nothing any more.
    """
    return frozenset(version for _, version, written in _payloads(telemetry_directory) if written < started)


def adopt(
    telemetry_directory: str,
    targets: Sequence[Target],
    *,
    started: float,
    ended: float,
    earlier: Collection[Version],
) -> Claims:
    """Take this run's payload out of the directory: what it says of the hosts.

    `started` and `ended` are what `time.time()` gave just before the spawn and just after the child was gone,
    `earlier` is what `before` gave. Never raises.
    """
    ours = {target.sha1 for target in targets}
    candidates = []
    for path, version, written in _payloads(telemetry_directory):
        if version not in earlier and _is_at_the_end(written, ended):
            read = payload.parse(_read(path, version), written)
            if read and read.families.keys() <= ours and (read.began is None or read.began >= started):
                candidates.append((read.began is not None, written, path, version, read.families))
    for _, _, path, version, families in sorted(candidates, key=lambda candidate: candidate[:3], reverse=True):
        if _remove(path, version):
            return families
    return {}


def failures(logs_directory: str, *, started: float, ended: float) -> Claims:
    """What this run's errors.txt says of its targets. Never raises."""
    path = os.path.join(logs_directory, "errors.txt")
    try:
        status = os.lstat(path)
    except OSError:
        return {}
    if status.st_mtime < started or not _is_at_the_end(status.st_mtime, ended):
        return {}
    return failed_hosts(_read(path, (status.st_ino, status.st_mtime_ns)).encode())


def _payloads(directory: str) -> list[tuple[str, Version, float]]:
    """Path, version and time of writing of every payload in the directory."""
    found = []
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    for name in names:
        if name.startswith("telemetry-payload-") and name.endswith(".yml"):
            path = os.path.join(directory, name)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            found.append((path, (status.st_ino, status.st_mtime_ns), status.st_mtime))
    return found


def _is_at_the_end(written: float, ended: float) -> bool:
    return ended - EXIT_TIME <= written <= ended


def _read(path: str, version: Version) -> str:
    """The text of a regular file that is still this version; empty for a link, a FIFO, too large a file."""
    # Windows has neither of these kinds of file to beware of.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, os.O_RDONLY | flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or (status.st_ino, status.st_mtime_ns) != version:
                return ""
            data = file.read(MAX_SIZE + 1)
    except OSError:
        return ""
    return data.decode("utf-8", "replace") if len(data) <= MAX_SIZE else ""


def _remove(path: str, version: Version) -> bool:
    """Whether it was this call that removed it: a launcher beside us may take the same file for its own."""
    try:
        status = os.lstat(path)
        if (status.st_ino, status.st_mtime_ns) != version:
            return False
        os.unlink(path)
    except OSError:
        return False
    return True

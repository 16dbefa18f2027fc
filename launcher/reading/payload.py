"""chef-run's own session payload: found, read and removed, so that a run is recorded once and in our words.

chef-run writes `telemetry-payload-N.yml` as the last thing before it exits, N being the lowest free number.
Parallel runs write into the same folder, and nothing in a payload names the process that wrote it. One is
taken for this run's if all of this holds:

- it was not there, or not as it is, before this run's chef-run was started;
- it was written at this run's end, before the child was gone;
- it names no host that is not a target of this run;
- it does not say that its run began before ours (`_began`).

Of several it is the one written last, since chef-run exits at once after it; those that do not tell when they
began come after all that do. All others stay where they are.
"""

from __future__ import annotations

import os
import time

from launcher.reading.output import FAMILIES, failed_hosts, undisputed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from launcher.reading.command_line import Target

    # Which file, and as of when: the inode and its modification time in nanoseconds.
    Version = tuple[int, int]

# Seconds that chef-run may take to exit once its last file is written, also on a busy machine.
EXIT_TIME = 5.0
# Seconds that chef-run may take from its time stamp, which has no fractions, to the start of what it times.
START_TIME = 10
# Seconds by which the time of a file may lag behind: it is that of the kernel's last tick.
TICK = 0.01
UNKNOWN = float("inf")
# Bytes. Each host adds two entries of less than 500.
LARGEST = 8 << 20

# The lines that matter of the one shape that Ruby's YAML gives a payload; all else in it is passed over.
# They are read without re, and their time without datetime: nearly every run has a payload to read at its end, when the
# user waits, and importing the two takes 6 ms.
FIRST_LINE = "---\nversion: "
ENTRY = "\n- :event: :"
RUN_TIMESTAMP = "    :run_timestamp: "
DURATION = "      :duration: "
PLATFORM = "          :name: :"
HOST = "        :hostname_sha1: "
DIGITS = "0123456789"


def before(telemetry_folder: str, started: float) -> frozenset[Version]:
    """The payloads that were there before `started`, when chef-run was: none of them, as it is, can be this run's.

    To be asked once chef-run has been started, so that it does not wait for us to read a folder, and at once: if the
    clock is set later, times tell nothing any more.
    """
    return frozenset(version for _, version, written in _payloads(telemetry_folder) if written < started)


def adopt(
    telemetry_folder: str,
    targets: Sequence[Target],
    *,
    started: float,
    ended: float,
    earlier: Collection[Version],
) -> dict[str, str]:
    """Take this run's payload out of the folder: the platform's family by SHA-1 sum of the host name.

    `started` and `ended` are what `time.time()` gave just before the spawn and just after the child was gone,
    `earlier` is what `before` gave. Never raises.
    """
    ours = {target.sha1 for target in targets}
    candidates = []
    for path, version, written in _payloads(telemetry_folder):
        if version not in earlier and _at_the_end(written, ended):
            entries = _entries(_read(path, version))
            began = _began(entries, written)
            if entries and {sha1 for sha1, _ in _hosts(entries)} <= ours and began >= started:
                candidates.append((began < UNKNOWN, written, path, version, entries))
    for _, _, path, version, entries in sorted(candidates, reverse=True):
        if _remove(path, version):
            return _families(entries)
    return {}


def failures(logs_folder: str, *, started: float, ended: float) -> dict[str, str]:
    """What this run's errors.txt says of its targets, by SHA-1 sum of the host name. Never raises."""
    path = os.path.join(logs_folder, "errors.txt")
    try:
        status = os.lstat(path)
    except OSError:
        return {}
    if status.st_mtime < started or not _at_the_end(status.st_mtime, ended):
        return {}
    return failed_hosts(_read(path, (status.st_ino, status.st_mtime_ns)).encode())


def _payloads(folder: str) -> list[tuple[str, Version, float]]:
    """Path, version and time of writing of every payload in the folder."""
    found = []
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    for name in names:
        if name.startswith("telemetry-payload-") and name.endswith(".yml"):
            path = os.path.join(folder, name)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            found.append((path, (status.st_ino, status.st_mtime_ns), status.st_mtime))
    return found


def _at_the_end(written: float, ended: float) -> bool:
    return ended - EXIT_TIME <= written <= ended


def _read(path: str, version: Version) -> str:
    """The text of a regular file that is still this version; nothing of a link, a FIFO, too large a file."""
    import stat

    # Windows has neither of these kinds of file to beware of.
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, os.O_RDONLY | flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or (status.st_ino, status.st_mtime_ns) != version:
                return ""
            data = file.read(LARGEST + 1)
    except OSError:
        return ""
    return data.decode("utf-8", "replace") if len(data) <= LARGEST else ""


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


def _entries(text: str) -> list[str]:
    """A payload's entries, each from the name of its event on; none of what is no payload."""
    return text.split(ENTRY)[1:] if text.startswith(FIRST_LINE) else []


def _began(entries: list[str], written: float) -> float:
    """When the run of a payload began; UNKNOWN where the payload does not tell.

    It tells twice: by a time stamp, and a little later by a duration up to its writing. Where they do not
    agree (the clock was set, or the machine slept), they prove nothing.
    """
    run = "".join(entry for entry in entries if entry.startswith("run\n")).split("\n")
    stamp, duration = _value(run, RUN_TIMESTAMP, _is_time_stamp), _value(run, DURATION, _is_duration)
    if not stamp or not duration:
        return UNKNOWN
    by_duration = written + TICK - float(duration)
    possible = (time.gmtime(int(by_duration) - age) for age in range(START_TIME))
    agree = stamp in [time.strftime("'%Y-%m-%dT%H:%M:%SZ'", each) for each in possible]
    return by_duration if agree else UNKNOWN


def _hosts(entries: list[str]) -> list[tuple[str, str]]:
    """SHA-1 sum and family (or "") of every host that an entry names."""
    found = []
    for entry in entries:
        lines = entry.split("\n")
        host = _value(lines, HOST, _is_sum)
        if host:
            found.append((host.strip("'"), _value(lines, PLATFORM, _is_name)))
    return found


def _value(lines: Sequence[str], key: str, is_meant: Callable[[str], bool]) -> str:
    """What stands behind `key` in the first line where that is such a value; nothing where there is none."""
    for line in lines:
        if line.startswith(key) and is_meant(line[len(key) :]):
            return line[len(key) :]
    return ""


def _is_time_stamp(value: str) -> bool:
    return len(value) == len("'2000-01-01T00:00:00Z'") and value[0] == value[-1] == "'"


def _is_duration(value: str) -> bool:
    whole, point, part = value.partition(".")
    return _is_made_of(whole, DIGITS, 1, 9) and (not point or _is_made_of(part, DIGITS, 1, 20))


def _is_sum(value: str) -> bool:
    return _is_made_of(value[value.startswith("'") : len(value) - value.endswith("'")], DIGITS + "abcdef", 40, 40)


def _is_name(value: str) -> bool:
    return value.isascii() and value.isalpha() and value.islower()


def _is_made_of(text: str, letters: str, shortest: int, longest: int) -> bool:
    return shortest <= len(text) <= longest and not text.strip(letters)


def _families(entries: list[str]) -> dict[str, str]:
    """Family by SHA-1 sum of the host name."""
    return undisputed((sha1, family) for sha1, family in _hosts(entries) if family in FAMILIES)

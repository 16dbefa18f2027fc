"""chef-run's own session payload: found, read and removed, so that a run is recorded once and in our words.

chef-run writes `telemetry-payload-N.yml` as the last thing before it exits, N being the lowest free number.
Parallel runs write into the same directory, and nothing in a payload names the process that wrote it. One is
taken for this run's if all of this holds:

- it was not there, or not as it is, before this run's chef-run was started;
- it was written at this run's end, before the child was gone;
- it names no host that is not a target of this run, as far as targets are counted, and each of them if chef-run has
  succeeded: then it was connected to all of them;
- it does not say that its run began before ours.

Of several it is one that names a target of this run rather than one that names no host: a run that fails before it
connects names none either, but so does every `chef-run -v` beside it. Of these it is one that tells when it began, and
then the one written last, since chef-run exits at once after it. All others stay where they are.

The user waits for this, so that no more than MAX_READ is read: the newest first, one at a time, until one is found than
which none can be better. What is too large for the rest of it stays too, and chef-run removes it at its next start.
Where the directory is crowded with other files, payloads are looked for by their numbers, the lowest that are free.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from launcher.home import files
from launcher.reading import payload
from launcher.reading.command_line import Target
from launcher.reading.output import Claims, failed_hosts

EXIT_TIME = 5.0  # seconds that chef-run may take to exit once its last file is written, also on a busy machine
MAX_SIZE = 8 << 20  # bytes of a payload. Each host adds two entries of less than 500
MAX_READ = 16 << 20  # bytes of all payloads that are read at the end of a run
BLOCK = 4 << 10  # bytes that the smallest counts for
MAX_NAMES = 1000  # that are looked at, of all that lie in the directory
MAX_NUMBER = 100  # of a payload, where there are more: as many runs at once
MAX_ERRORS_SIZE = 1 << 20  # bytes of errors.txt. Each host that failed adds a line

_PREFIX, _SUFFIX = "telemetry-payload-", ".yml"
_ERRORS = "errors.txt"


def before(telemetry: files.Directory, started: float) -> frozenset[files.Version]:
    """The payloads that were there before `started`, when chef-run was: as it is, none of them can be this run's.

    To be asked once chef-run has been started, so that it does not wait for us to read a directory, and at once: if the
    clock is set later, times tell nothing any more.
    """
    return frozenset(found.version for found in _payloads(telemetry) if found.written < started)


def adopt(
    telemetry: files.Directory,
    targets: Sequence[Target],
    *,
    started: float,
    ended: float,
    succeeded: bool,
    earlier: Collection[files.Version],
) -> Claims:
    """Take this run's payload out of the directory: what it says of the hosts.

    `started` and `ended` are what `time.time()` gave just before the spawn and just after the child was gone,
    `succeeded` whether its exit code was 0, `earlier` what `before` gave. Never raises.
    """
    ours = {target.sha1 for target in targets}
    others = []
    for found, read in _read_newest_first(telemetry, ended, earlier):
        if not read.families.keys() <= ours or (succeeded and read.families.keys() != ours):
            continue
        if read.began is not None and read.began < started:
            continue
        names_ours, tells_when = bool(read.families), read.began is not None
        if names_ours == bool(ours) and tells_when:
            if _remove(telemetry, found):
                return read.families
        else:
            others.append((names_ours, tells_when, found, read.families))
    for _, _, found, families in sorted(others, key=lambda other: other[:2], reverse=True):  # still the newest first
        if _remove(telemetry, found):
            return families
    return {}


def failures(
    logs: files.Directory, targets: Sequence[Target], *, started: float, ended: float, succeeded: bool
) -> Claims:
    """What this run's errors.txt says of its targets.

    chef-run writes it where one of several targets has failed, and replaces that of a parallel run, which names other
    hosts. Never raises.
    """
    try:
        status = logs.status(_ERRORS)
    except OSError:
        return {}
    if succeeded or len(targets) < 2 or status.st_mtime < started or not _is_at_the_end(status.st_mtime, ended):
        return {}
    said = failed_hosts(_read(logs, _ERRORS, files.version_of(status), MAX_ERRORS_SIZE))
    return said if said.keys() <= {target.sha1 for target in targets} else {}


class _Found(NamedTuple):
    name: str
    version: files.Version
    written: float
    size: int


def _payloads(telemetry: files.Directory) -> list[_Found]:
    """Every payload in the directory, or those with the first numbers in a crowded one."""
    names, is_all = telemetry.first_files(_is_payload_name, MAX_NAMES)
    if not is_all:
        names = [f"{_PREFIX}{number}{_SUFFIX}" for number in range(1, MAX_NUMBER + 1)]
    found = []
    for name in names:
        try:
            status = telemetry.status(name)
        except OSError:
            continue  # removed meanwhile, or never there
        found.append(_Found(name, files.version_of(status), status.st_mtime, status.st_size))
    return found


def _is_payload_name(name: str) -> bool:
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def _read_newest_first(
    telemetry: files.Directory, ended: float, earlier: Collection[files.Version]
) -> Iterator[tuple[_Found, payload.Payload]]:
    """What was written at this run's end, as far as MAX_READ goes."""
    left = MAX_READ
    for found in sorted(_payloads(telemetry), key=lambda found: (found.written, found.name), reverse=True):
        size = max(found.size, BLOCK)
        if size > min(left, MAX_SIZE) or found.version in earlier or not _is_at_the_end(found.written, ended):
            continue
        left -= size
        read = payload.parse(_read(telemetry, found.name, found.version, MAX_SIZE), found.written)
        if read is not None:
            yield found, read


def _is_at_the_end(written: float, ended: float) -> bool:
    return ended - EXIT_TIME <= written <= ended


def _read(directory: files.Directory, name: str, version: files.Version, limit: int) -> bytes:
    """The content of a file that is still this version; empty if it cannot be read, or is too large."""
    try:
        return directory.read(name, limit, expected=version)
    except OSError:
        return b""


def _remove(telemetry: files.Directory, found: _Found) -> bool:
    """Whether it was this call that removed it: a launcher beside us may take the same file for its own."""
    return telemetry.remove(found.name, expected=found.version)

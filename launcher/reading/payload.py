"""chef-run's own session payload: when its run began, and which operating systems it names. Pure: bytes in.

Of a payload, which Ruby's YAML writes in one shape, only these lines matter; all else in it is passed over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from launcher.reading.output import FAMILIES, Claims

FIRST_LINE = b"---\nversion: "
# One of these, from a line's beginning to its end: each place of a payload is looked at once.
LINE = re.compile(
    rb"\n(?:- :event: :(?P<event>[^\n]*)"
    rb"|    :run_timestamp: '(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z'"
    rb"|      :duration: (?P<duration>\d{1,9}(?:\.\d{1,20})?)"
    rb"|          :name: :(?P<platform>[a-z]+)"
    rb"|        :hostname_sha1: (?P<quote>'?)(?P<host>[0-9a-f]{40})(?P=quote))$",
    re.MULTILINE,
)

# Seconds that chef-run may take from its time stamp, which has no fractions, to the start of what it times.
START_TIME = 10
# Seconds by which the time of a file may lag behind: it is that of the kernel's last tick.
TICK = 0.01


class Payload(NamedTuple):
    """What a payload tells."""

    began: float | None  # when its run began, in seconds since the epoch, if it tells
    families: Claims  # of each host that it names, whether or not it tells of an operating system


def parse(text: bytes, written: float) -> Payload | None:
    """The payload that was written at that moment (seconds since the epoch); None if the text is not a payload."""
    if not text.startswith(FIRST_LINE):
        return None
    is_payload = False
    run: dict[str, str] = {}
    families: Claims = {}
    for entry in _entries(text):
        is_payload = True
        if entry["event"] == "run":
            run = {**entry, **run}
        if "host" in entry:
            names = families.setdefault(entry["host"], set())
            if entry.get("platform") in FAMILIES:
                names.add(entry["platform"])
    return Payload(_began(run, written), families) if is_payload else None


def _entries(text: bytes) -> Iterator[dict[str, str]]:
    """Of each entry, the first line of each kind."""
    entry: dict[str, str] = {}
    for line in LINE.finditer(text):
        kind = line.lastgroup
        assert kind
        if kind == "event" and entry:
            yield entry
            entry = {}
        if entry or kind == "event":
            entry.setdefault(kind, line[kind].decode("ascii", "replace"))
    if entry:
        yield entry


def _began(run: dict[str, str], written: float) -> float | None:
    """When the run of a payload began; None where the payload does not tell.

    It tells twice: by a time stamp, and a little later by a duration up to its writing. Where they do not
    agree (the clock was set, or the machine slept), they prove nothing.
    """
    if "stamp" not in run or "duration" not in run:
        return None
    by_duration = written + TICK - float(run["duration"])
    possible = (time.gmtime(int(by_duration) - age) for age in range(START_TIME))
    agree = run["stamp"] in [time.strftime("%Y-%m-%dT%H:%M:%S", each) for each in possible]
    return by_duration if agree else None

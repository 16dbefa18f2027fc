"""chef-run's own session payload: when its run began, and which operating systems it names. Pure: text in.

Of a payload, which Ruby's YAML writes in one shape, only these lines matter; all else in it is passed over.
"""

from __future__ import annotations

import re
from datetime import datetime

from launcher.reading.output import FAMILIES, Claims, claims

FIRST_LINE = "---\nversion: "
ENTRY = "\n- :event: :"
RUN_TIMESTAMP = re.compile(r"^    :run_timestamp: '(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z'$", re.ASCII | re.MULTILINE)
DURATION = re.compile(r"^      :duration: (\d{1,9}(?:\.\d{1,20})?)$", re.ASCII | re.MULTILINE)
PLATFORM = re.compile(r"^          :name: :([a-z]+)$", re.MULTILINE)
HOST = re.compile(r"^        :hostname_sha1: ('?)([0-9a-f]{40})\1$", re.MULTILINE)

# Seconds that chef-run may take from its time stamp, which has no fractions, to the start of what it times.
START_TIME = 10
# Seconds by which the time of a file may lag behind: it is that of the kernel's last tick.
TICK = 0.01


class Payload:
    """What a payload tells: when its run began, in seconds since the epoch, if it tells; and families by host."""

    __slots__ = ("began", "families")

    def __init__(self, began: float | None, families: Claims) -> None:
        self.began = began
        self.families = families  # of each host that it names, whether or not it tells of an operating system


def parse(text: str, written: float) -> Payload | None:
    """The payload that was written at that moment (seconds since the epoch); None if the text is none."""
    entries = text.split(ENTRY)[1:] if text.startswith(FIRST_LINE) else []
    if not entries:
        return None
    named = []
    for entry in entries:
        host, platform = HOST.search(entry), PLATFORM.search(entry)
        if host:
            named.append((host[2], platform[1] if platform and platform[1] in FAMILIES else None))
    return Payload(_began(entries, written), claims(named))


def _began(entries: list[str], written: float) -> float | None:
    """When the run of a payload began; None where the payload does not tell.

    It tells twice: by a time stamp, and a little later by a duration up to its writing. Where they do not
    agree (the clock was set, or the machine slept), they prove nothing.
    """
    run = "".join(entry for entry in entries if entry.startswith("run\n"))
    stamp, duration = RUN_TIMESTAMP.search(run), DURATION.search(run)
    if not stamp or not duration:
        return None
    by_duration = written + TICK - float(duration[1])
    try:
        by_stamp = datetime.fromisoformat(f"{stamp[1]}+00:00").timestamp()
    except ValueError:  # no such day
        return None
    return by_duration if 0 <= int(by_duration) - by_stamp < START_TIME else None

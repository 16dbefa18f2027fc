"""When the next attempt to send may be made: exponential backoff with full jitter, honoured across runs.

The state is one file, `.next-attempt`, which exists only while an attempt is in progress, or if the last one failed.
Its modification time is the earliest time of the next attempt, so that a run needs a single stat to know it. Its
content is for people: the number of failed attempts in a row, and a message.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from launcher.home.layout import NEXT_ATTEMPT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

FIRST_DELAY = 60.0  # seconds: the bound of the first delay; the bound doubles with each failure
MAX_DELAY = 24 * 3600.0  # seconds: the bound of every delay, and of what a server may ask for by Retry-After


class Failure(NamedTuple):
    """The last attempt, which failed."""

    attempts: int  # that have failed in a row
    message: str  # why this one did
    not_before: float  # when the next may be made, in seconds since the epoch


def is_due(home: Home) -> bool:
    """Whether an attempt may be made now."""
    try:
        not_before = home.telemetry.status(NEXT_ATTEMPT).st_mtime
    except OSError:
        return True
    return not_before <= time.time() or not _is_heeded(not_before)


def last_failure(home: Home) -> Failure | None:
    """The last attempt; None if it did not fail."""
    try:
        attempts, _, message = home.telemetry.read(NEXT_ATTEMPT, limit=4096).decode().strip().partition(" ")
        not_before = home.telemetry.status(NEXT_ATTEMPT).st_mtime
        return Failure(int(attempts), message, not_before if _is_heeded(not_before) else time.time())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return Failure(1, "its result cannot be read", time.time())


def _is_heeded(not_before: float) -> bool:
    """Whether that is not further away than any delay can be: the clock has been set back since."""
    return not_before - time.time() <= MAX_DELAY


def begin(home: Home) -> None:
    """Start an attempt. Raises OSError: the attempt must not be made then, or every run would repeat it at once.

    It counts as failed until it has ended, so that an attempt that is killed is followed by a delay.
    """
    last = last_failure(home)
    _postpone(home, last.attempts + 1 if last else 1, "interrupted", None)


def fail(home: Home, message: str, *, retry_after: float | None = None, progress: bool = False) -> None:
    """End an attempt that has left sessions waiting. Raises OSError.

    The next one is made after a random delay, and not before `retry_after` seconds if given. `progress` tells that
    something was sent: the delay is that of a first failure then.
    """
    last = last_failure(home)
    _postpone(home, 1 if progress or not last else last.attempts, message, retry_after)


def clear(home: Home) -> None:
    """End an attempt that has sent all there was to send."""
    home.telemetry.remove(NEXT_ATTEMPT)


def _postpone(home: Home, attempts: int, message: str, retry_after: float | None) -> None:
    delay = delay_after(attempts, _random(), retry_after)
    home.telemetry.replace(NEXT_ATTEMPT, f"{attempts} {message}\n".encode(), modified=time.time() + delay)


def delay_after(attempts: int, random: float, retry_after: float | None = None) -> float:
    """Seconds until the next attempt, at least `retry_after` if given; `random` is between 0 and 1."""
    bound = min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(attempts - 1, 20))
    return min(MAX_DELAY, max(retry_after or 0, random * bound))


def _random() -> float:
    """A random number between 0 and 1. Importing the random module takes half as long as starting Python."""
    return int.from_bytes(os.urandom(4), "big") / 2**32

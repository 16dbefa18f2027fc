"""When the next attempt to send may be made: exponential backoff with full jitter, honoured across runs.

The state is one file, `.next-attempt`, which is there only while an attempt is under way, or the last one has failed.
Its modification time is the earliest moment of the next, so that a run needs a single stat to know; its content, the
number of attempts since the last success and a text, tells people why.
"""

from __future__ import annotations

import os
import time

from launcher.home import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

FIRST = 60.0  # seconds: the bound of the first delay; it doubles with each failure
LONGEST = 24 * 3600.0  # seconds: the bound of every delay, that of a server's Retry-After too


class Failure:
    """How many attempts in a row have failed, what the last one met, and when the next may be (seconds, epoch)."""

    __slots__ = ("attempts", "not_before", "says")

    def __init__(self, attempts: int, says: str, not_before: float) -> None:
        self.attempts = attempts
        self.says = says
        self.not_before = not_before


def is_due(home: Home) -> bool:
    """Whether an attempt may be made now. A moment further away than any delay comes of a clock that was set back."""
    try:
        not_before = os.lstat(home.next_attempt).st_mtime
    except OSError:
        return True
    return not 0 < not_before - time.time() <= LONGEST


def last_failure(home: Home) -> Failure | None:
    """The last attempt, unless it did what there was to do."""
    try:
        attempts, _, says = files.read(home.next_attempt, limit=4096).decode().strip().partition(" ")
        return Failure(int(attempts), says, os.lstat(home.next_attempt).st_mtime)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return Failure(1, "its result cannot be read", 0)


def begin(home: Home) -> None:
    """Start an attempt. Raises OSError: then it must not be made, for nothing would keep it from being repeated.

    It counts as failed until it has ended, so that one which is killed is not repeated at once, again and again.
    """
    last = last_failure(home)
    _postpone(home, last.attempts + 1 if last else 1, "interrupted", 0)


def fail(home: Home, says: str, *, retry_after: float = 0, progress: bool = False) -> None:
    """End an attempt that left something to be sent. Raises OSError.

    The next is not made before a random delay, nor before `retry_after` seconds. After `progress`, something having
    been sent, the delay is that of a first failure.
    """
    last = last_failure(home)
    _postpone(home, 1 if progress or not last else last.attempts, says, retry_after)


def clear(home: Home) -> None:
    """End an attempt that did what there was to do."""
    files.remove(home.next_attempt)


def _postpone(home: Home, attempts: int, says: str, retry_after: float) -> None:
    delay = delay_after(attempts, _random(), retry_after)
    files.replace(home.next_attempt, f"{attempts} {says}\n".encode(), modified=time.time() + delay)


def delay_after(attempts: int, random: float, retry_after: float = 0) -> float:
    """Seconds until the next attempt; `random` is between 0 and 1."""
    bound = min(LONGEST, FIRST * 2.0 ** min(attempts - 1, 20))
    return min(LONGEST, max(retry_after, random * bound))


def _random() -> float:
    # Importing the random module takes half as long as starting Python.
    return int.from_bytes(os.urandom(4), "big") / 2**32

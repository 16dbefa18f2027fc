"""When the next attempt to send may be made: exponential backoff with full jitter, honoured across runs.

The state is one file, `.next-attempt`, which is there only while the last attempt has failed. Its modification time is
the earliest moment of the next one, so that a run needs a single stat to know; its content tells people why.
"""

from __future__ import annotations

import os
import time

from launcher import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home import Home

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
    """The last attempt, if it failed."""
    import json

    try:
        content = json.loads(files.read(home.next_attempt, limit=4096))
        return Failure(int(content["attempts"]), str(content["says"]), os.lstat(home.next_attempt).st_mtime)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return Failure(1, "its result cannot be read", 0)


def begin(home: Home) -> int:
    """Start an attempt; its number, counted from the last success. Raises OSError.

    It counts as failed until it has ended, so that one which is killed is not repeated at once, again and again.
    """
    last = last_failure(home)
    attempt = last.attempts + 1 if last else 1
    postpone(home, attempt, "interrupted")
    return attempt


def postpone(home: Home, attempt: int, says: str, retry_after: float = 0) -> None:
    """Note a failed attempt; the next not before a random delay, nor before `retry_after` seconds. Raises OSError."""
    import json
    import random

    bound = min(LONGEST, FIRST * 2 ** min(attempt - 1, 20))
    not_before = time.time() + min(LONGEST, max(retry_after, random.uniform(0, bound)))  # noqa: S311 - no secret
    files.replace(
        home.next_attempt,
        json.dumps({"attempts": attempt, "says": says}).encode() + b"\n",
        modified=not_before,
    )


def clear(home: Home) -> None:
    """Forget the failures: the last attempt did what there was to do."""
    files.remove(home.next_attempt)

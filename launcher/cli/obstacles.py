"""What keeps sessions from being stored or sent: shown by `status` and by `doctor`."""

import os
from typing import Optional, Union

from launcher.cli.output import count
from launcher.home import lock, losses, spool
from launcher.home.files import Directory
from launcher.home.layout import LOCK, Home
from launcher.quiet import in_background
from launcher.record import session

LOCK_SECONDS = 1  # that a lock may take to answer: on a network file system it may never do so


def look_at_lock(home: Home) -> tuple[Optional[bool], Optional[str]]:
    """Whether a sender holds the lock; None, and why, if that cannot be known. Nothing is sent then."""
    path = os.path.join(home.telemetry.path, LOCK)
    held = in_background(_held, home)(LOCK_SECONDS)
    if held is None:
        return None, f"{path} does not respond, and nothing is sent: is its file server reachable?"
    if isinstance(held, OSError):
        return None, f"{path} cannot be opened ({held.strerror}), and nothing is sent: delete it"
    return held, None


def _held(home: Home) -> Union[bool, OSError]:
    try:
        return lock.is_held(home)
    except OSError as error:
        return error


def not_permitted(home: Home) -> int:
    """How many waiting sessions this user may not read, and so cannot send."""
    names = [name for _, name in spool.oldest_first(home)]
    return sum(isinstance(failure_to_read(home.telemetry, name), PermissionError) for name in names)


def failure_to_read(directory: Directory, name: str) -> Optional[Exception]:
    """Why the session in this file cannot be read; None if it can."""
    try:
        session.read(directory, name)
    except (OSError, session.InvalidSession) as error:
        return error
    return None


def rejected_sessions(home: Home) -> str:
    """The sessions in rejected/, with the reason of the last, and what can be done with them."""
    names = spool.rejected(home)
    reason = spool.last_rejection(home)
    text = count(len(names), "session") + (f", the last for this reason: {reason}" if reason else "")
    text += "; once that is corrected, chef-run-launcher flush --rejected sends what is there again"
    invalid = sum(failure_to_read(home.rejected, name) is not None for name in names)
    if invalid:
        text += f"; {count(invalid, 'file')} there without a valid session can only be deleted"
    return text


def lost_runs(lost: dict[str, int]) -> str:
    """The runs that were not recorded, with the reasons."""
    reasons = ", ".join(f"{losses.REASONS[code]} ({number})" for code, number in lost.items())
    return f"{count(sum(lost.values()), 'run')}: {reasons}"

"""The notice that runs are recorded: shown once, on the standard error of the first run that is recorded."""

from __future__ import annotations

from launcher.home.layout import NOTICE
from launcher.quiet import in_background

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.consent.config import Profile
    from launcher.home.layout import Home

LOCK_SECONDS = 1.0
VERSION = b"1\n"  # of what is recorded; with a new version the notice is shown again before anything is sent


def is_current(home: Home) -> bool:
    """Whether the notice of what is recorded now has been shown."""
    try:
        return home.telemetry.read(NOTICE, limit=64) == VERSION
    except OSError:
        return False


def claim(home: Home) -> bool:
    """Whether this process is the one to show the notice. Of concurrent processes, one is; it is noted on disk.

    If it cannot be noted, no process shows the notice, and nothing is sent.
    """
    try:
        if home.telemetry.create_once(NOTICE, VERSION, durable=False):
            return True
        return not is_current(home) and _replace(home)
    except OSError:
        return False


def _replace(home: Home) -> bool:
    """Whether this process has put the new notice in the place of an older or a torn one. Raises OSError."""
    from launcher.home import lock

    # A run waits for this: a lock that does not answer leaves the notice to a later one.
    lock_fd = in_background(lock.take, home)(LOCK_SECONDS)
    if lock_fd is None:
        return False
    try:
        if is_current(home):
            return False
        home.telemetry.replace(NOTICE, VERSION)
    finally:
        lock.release(home, lock_fd)
    return True


def text(profile: Profile) -> str:
    """The text of the notice, in lines of at most 79 columns."""
    # It begins with a newline, as a spinner may have left the cursor anywhere in its line.
    return f"""
{profile.name} keeps a small record of each run of chef-run, and sends it
with the next: a random id of this installation, this machine's operating
system, and of each target the SHA-256 sum of its name, ssh or winrm, and its
operating system. Nothing has been sent yet.
  To see it:       chef-run-launcher show
  To turn it off:  chef-run-launcher disable
                   or, for one run, set CHEF_TELEMETRY_OPT_OUT
  More:            {profile.notice_url}
"""

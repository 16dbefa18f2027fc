"""The notice that runs are recorded: shown once, on the standard error of the first run that is recorded."""

from __future__ import annotations

from launcher.consent.situation import NOTICE_VERSION, notice_is_current
from launcher.home.layout import NOTICE
from launcher.quiet import in_background

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.consent.config import Profile
    from launcher.home.layout import Home

LOCK_SECONDS = 1.0


def claim(home: Home) -> bool:
    """Whether this process is the one to show the notice. Of concurrent processes, one is; it is noted on disk.

    If it cannot be noted, no process shows the notice, and nothing is sent.
    """
    try:
        if home.telemetry.create_once(NOTICE, NOTICE_VERSION, durable=False):
            return True
        return not notice_is_current(home) and _replace(home)
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
        if notice_is_current(home):
            return False
        home.telemetry.replace(NOTICE, NOTICE_VERSION)
    finally:
        lock.release(home, lock_fd)
    return True


# What is recorded of the targets, at each level of decision.HOSTS: at length, and in brief.
_TARGETS = {
    "sha256": (
        """, and for each
                target the SHA-256 hash of its name, its operating system, and
                whether SSH or WinRM was used""",
        "an installation ID, this machine's OS, and for each target a hash of its name, its OS, and SSH or WinRM",
    ),
    "salted": (
        """, and for each
                target a salted hash of its name, its operating system, and
                whether SSH or WinRM was used""",
        "an installation ID, this machine's OS, "
        "and for each target a salted hash of its name, its OS, and SSH or WinRM",
    ),
    "count": (
        """, and for each
                target its operating system, and whether SSH or WinRM was used""",
        "an installation ID, this machine's OS, and for each target its OS, and SSH or WinRM",
    ),
    "off": ("", "an installation ID and this machine's OS"),
}


def text(profile: Profile, receiver: str | None, hosts: str, *, is_brief: bool) -> str:
    """The text of the notice: in lines of at most 79 columns, or in one line for where no person may be reading.

    `receiver` is the host that the records go to (None if the endpoint is refused), `hosts` one of decision.HOSTS.
    """
    targets, in_brief = _TARGETS[hosts]
    if is_brief:
        instead = "in place of chef-run's own telemetry"
        reported = (
            f" and reported to {receiver}, {instead}"
            if receiver
            else f", {instead}, but reported to nobody, as the endpoint is refused"
        )
        return (
            f"chef-run-launcher: each run of chef-run is recorded ({in_brief}){reported}. "
            "To see it: chef-run-launcher show. To turn it off: chef-run-launcher disable, "
            f"or set CHEF_TELEMETRY_OPT_OUT. More: {profile.notice_url}\n"
        )
    receiver = receiver or "nobody: the endpoint is refused"
    # It begins with a newline, as a spinner may have left the cursor anywhere in its line.
    return f"""
chef-run-launcher records each run of chef-run and reports it. This replaces
chef-run's own telemetry, which chef-run announces separately.
  Recorded:     a random installation ID, this machine's OS{targets}
  Sent to:      {receiver}, from the next run on
  To see it:    chef-run-launcher show
  To turn off:  chef-run-launcher disable; for one run, CHEF_TELEMETRY_OPT_OUT=1
  More:         {profile.notice_url}
"""

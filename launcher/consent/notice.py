"""The notice that runs are recorded: shown once, on the standard error of the first run that is."""

from __future__ import annotations

import os

from launcher.home import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.consent.profile import Profile
    from launcher.home.layout import Home

VERSION = b"1\n"  # of what is recorded: a new one shows the notice again, and nothing is sent before


def is_current(home: Home) -> bool:
    """Whether the notice of what is recorded now has been shown."""
    try:
        return files.read(home.notice, limit=64) == VERSION
    except OSError:
        return False


def claim(home: Home) -> bool:
    """Take it upon this process to show the notice. Of many at once, one gets it; none if that cannot be kept."""
    from launcher.home import lock  # not at the top: every run asks whether the notice has been shown, and one shows it

    try:
        held = lock.take(home.lock)
    except OSError:
        return False
    if held is None:
        return False  # one that is at it, or a delivery: then the next run shows it
    try:
        if is_current(home):
            return False
        files.replace(home.notice, VERSION)
    except OSError:
        return False
    finally:
        os.close(held)
    return True


def text(profile: Profile) -> str:
    """What the notice says, in lines of at most 79 columns."""
    # Behind a spinner the cursor may stand anywhere in its line, hence the first newline.
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

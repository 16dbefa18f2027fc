"""The notice that runs are recorded: shown once, on the standard error of the first run that is."""

from __future__ import annotations

from launcher import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.config import Profile
    from launcher.home import Home

VERSION = b"1\n"  # of what is recorded: a new one shows the notice again, and nothing is sent before


def is_current(home: Home) -> bool:
    """Whether the notice of what is recorded now has been shown."""
    try:
        return files.read(home.notice, limit=64) == VERSION
    except OSError:
        return False


def claim(home: Home) -> bool:
    """Take it upon this process to show the notice. Of many at once, one gets it; none if that cannot be kept."""
    try:
        if files.is_file(home.notice) and not is_current(home):
            files.remove(home.notice)
        files.create(home.notice, VERSION)
    except OSError:
        return False
    return True


def text(profile: Profile) -> str:
    """What the notice says."""
    return (
        # Behind a spinner, the cursor may stand anywhere in its line.
        f"\n{profile.name} keeps a record of each run of chef-run: this machine's operating system, and of each\n"
        "target the SHA-256 sum of its name, ssh or winrm, and its operating system. The next run sends it;\n"
        "nothing was sent yet. `chef-run-launcher show` shows it. CHEF_TELEMETRY_OPT_OUT=1 turns it off for one\n"
        "run, `enabled = false` under [telemetry] in ~/.chef-workstation/config.toml for good.\n"
        f"More: {profile.notice_url}\n"
    )

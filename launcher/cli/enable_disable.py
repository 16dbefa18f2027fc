"""`enable` and `disable`: telemetry for good, in config.toml."""

from __future__ import annotations

import os

from launcher.cli.complaint import fail
from launcher.cli.output import count, plain, say, say_what_is_skipped
from launcher.consent import switch
from launcher.consent.situation import Situation
from launcher.delivery import receipts
from launcher.delivery.plan import because
from launcher.home import spool
from launcher.home.layout import Home


def disable() -> None:
    """Turn telemetry off, and delete the waiting sessions.

    Nothing more is recorded or sent. For a single run, set CHEF_TELEMETRY_OPT_OUT instead.

    \b
    Examples:
      chef-run-launcher disable
      CHEF_TELEMETRY_OPT_OUT=1 chef-run web01 directory /tmp/hello
    """
    home, changed, is_new = _set(enabled=False)
    dropped, left = spool.discard_all(home)
    say(f"{'Turned telemetry off' if changed else 'Telemetry is already off'} in {plain(home.config)}.")
    if is_new:
        say_what_is_skipped(home)
    if left:
        fail(f"{left[0]} cannot be deleted; see `chef-run-launcher doctor`")
    say(f"Deleted {count(dropped, 'waiting session')}." if dropped else "No session was waiting.")
    if spool.rejected(home) or receipts.read(home):
        say("To delete rejected sessions and the receipts of sent ones as well, use `purge`.")


def enable() -> None:
    """Turn telemetry on again in config.toml.

    Other settings that turn it off, such as CHEF_TELEMETRY_OPT_OUT or the system policy, still apply.

    \b
    Example:
      chef-run-launcher enable
    """
    home, changed, _ = _set(enabled=True)
    say(f"{'Turned telemetry on' if changed else 'Telemetry is not turned off'} in {plain(home.config)}.")
    reason = Situation(os.environ).decision.reason
    if reason:
        say(f"It is still off, because {plain(because(reason))}.")


def _set(enabled: bool) -> tuple[Home, bool, bool]:
    """The home whose config.toml says so now, whether that had to be changed, and whether its directory is new."""
    situation = Situation(os.environ)
    home = situation.home
    problem = situation.home_problem
    if home is None or problem:
        fail(f"nothing was changed: {problem or 'HOME is not set'}")
    was_there = home.workstation.exists()
    try:
        changed = switch.set_enabled(home, enabled)
    except switch.Unchangeable as error:
        fail(f"{home.config} was not changed: {error}")
    except OSError as error:
        fail(f"{home.config} cannot be changed ({error.strerror})")
    return home, changed, not was_there and home.workstation.exists()

"""`purge`: delete what was kept of earlier runs."""

import os
import sys
from typing import Annotated

import typer

from launcher import fallback
from launcher.cli.complaint import fail
from launcher.cli.output import count, say, say_what_is_skipped
from launcher.consent.situation import Situation
from launcher.delivery import receipts
from launcher.home import spool
from launcher.home.layout import Home
from launcher.record import hosts_key, installation_id


def purge(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    reset_id: Annotated[
        bool, typer.Option("--reset-id", help="Replace the installation ID with a new random one as well.")
    ] = False,
) -> None:
    """Delete the sessions and receipts of earlier runs.

    This covers waiting and rejected sessions, and the receipts of sent ones.

    \b
    Examples:
      chef-run-launcher purge
      chef-run-launcher purge --yes --reset-id
    """
    situation = Situation(os.environ)
    home = situation.home
    if home is None or situation.home_problem:
        fail(f"nothing was deleted: {situation.home_problem or 'HOME is not set'}")
    if not yes:
        _ask(_what(home, reset_id))
    waiting, left = spool.discard_all(home)
    rejected, rejected_left = spool.discard_rejected(home)
    receipts_left = receipts.discard(home)
    deleted = f"{count(waiting, 'waiting session')}, {count(rejected, 'rejected session')}"
    say(f"Deleted {deleted} and all receipts.")
    if reset_id:
        was_there = home.workstation.exists()
        hosts_key.forget(home)
        say(f"The installation ID is now {installation_id.reset(home)}.")
        if not was_there:
            say_what_is_skipped(home)
    left += rejected_left + receipts_left
    if left:
        fail(f"{left[0]} cannot be deleted; see `chef-run-launcher doctor`")


def _what(home: Home, reset_id: bool) -> str:
    return (
        f"{count(len(spool.oldest_first(home)), 'waiting session')}, "
        f"{count(len(spool.rejected(home)), 'rejected session')}, {count(len(receipts.read(home)), 'receipt')}"
        + (", and replace the installation ID" if reset_id else "")
    )


def _ask(what: str) -> None:
    """Ask for confirmation. Ends the command without it."""
    if not sys.stdin or not sys.stdin.isatty():
        fail("nothing was deleted: without a terminal to confirm on, use --yes")
    if not typer.confirm(fallback.folded(f"Delete {what}?"), err=True):
        fail("nothing was deleted")

"""`flush`: send what waits now, and say how that went."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.output import console, count, errors, plain

if TYPE_CHECKING:
    from launcher.delivery.transport import Outcome


def flush(
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Have what was put aside in rejected/ wait again, and send it too.")
    ] = False,
) -> None:
    """Send all waiting sessions now, without waiting for the next run or the next attempt."""
    # Not at the top: the HTTP library opens a socket when it is imported, which no other command may.
    from launcher.delivery import attempt

    try:
        done = attempt.flush(os.environ, _print_outcome, rejected=rejected)
    except OSError as error:
        errors.print(f"chef-run-launcher: stopped: its own files cannot be written ({error.strerror})")
        raise typer.Exit(1) from None
    if done.sent or done.rejected:
        put_aside = f", {done.rejected} put aside in rejected/" if done.rejected else ""
        console.print(f"Sent {count(done.sent, 'session')}{put_aside}.")
    elif not done.problem:
        console.print("No session waits to be sent.")
    if done.problem:
        errors.print(f"chef-run-launcher: not sent: {plain(done.problem)}")
        raise typer.Exit(1)


def _print_outcome(session_id: str, outcome: Outcome) -> None:
    try:
        console.print(f"{session_id}  {outcome.result.value} ({plain(outcome.message)})", soft_wrap=True)
    except (OSError, SystemExit):
        pass  # that nobody can read it is no reason to stop sending

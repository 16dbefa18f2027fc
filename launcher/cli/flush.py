"""`flush`: send what waits now, and say how that went."""

import os
import time

import typer

from launcher.cli.output import console, count, errors, plain
from launcher.delivery import deliver
from launcher.transport import Outcome


def flush() -> None:
    """Send all waiting sessions now, without waiting for the next run or the next attempt."""
    try:
        delivery = deliver(os.environ, stored_before=time.time(), tell=_tell)
    except OSError as error:
        errors.print(f"chef-run-launcher: nothing was sent: its state cannot be written ({error.strerror})")
        raise typer.Exit(1) from None
    if delivery.sent or delivery.rejected:
        rejected = f", {delivery.rejected} put aside in rejected/" if delivery.rejected else ""
        console.print(f"Sent {count(delivery.sent, 'session')}{rejected}.")
    elif not delivery.problem:
        console.print("No session waits to be sent.")
    if delivery.problem:
        errors.print(f"chef-run-launcher: not sent: {plain(delivery.problem)}")
        raise typer.Exit(1)


def _tell(session_id: str, outcome: Outcome) -> None:
    console.print(f"{session_id}  {outcome.result.value} ({plain(outcome.says)})", soft_wrap=True)

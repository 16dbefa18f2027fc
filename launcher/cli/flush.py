"""`flush`: send what is waiting now, and say how that went."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launcher.cli.complaint import fail
from launcher.cli.output import NOTHING_WAITS, console, count, plain, print_json, say

if TYPE_CHECKING:
    from launcher.delivery.attempt import Delivery
    from launcher.delivery.transport import Outcome


def flush(
    rejected: Annotated[bool, typer.Option("--rejected", help="Send the sessions in rejected/ again as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send the waiting sessions now.

    This does not wait for the next run of chef-run, nor for the next attempt after a failure.

    \b
    Examples:
      chef-run-launcher flush
      chef-run-launcher flush --rejected
    """
    # Not at the top: the HTTP library opens a socket when it is imported, which no other command may.
    from launcher.delivery import attempt

    outcomes: list[dict[str, Any]] = []

    def on_result(session_id: str, outcome: "Outcome") -> None:
        outcomes.append({"session": session_id, "result": outcome.result.value, "says": outcome.message})
        if not as_json:
            _print_outcome(session_id, outcome)

    try:
        done = attempt.flush(os.environ, on_result, rejected=rejected)
    except OSError as error:
        done = attempt.Delivery(
            sent=sum(each["result"] == "acknowledged" for each in outcomes),
            rejected=sum(each["result"] == "rejected" for each in outcomes),
            problem=f"the launcher's own files cannot be written ({error.strerror})",
        )
    if as_json:
        print_json({"schema": 1, **done._asdict(), "sessions": outcomes})
    else:
        _print(done)
    if done.problem:
        raise typer.Exit(1)


def _print(done: "Delivery") -> None:
    if done.sent or done.rejected:
        rejected = f", moved {done.rejected} to rejected/" if done.rejected else ""
        say(f"Sent {count(done.sent, 'session')}{rejected}.")
    elif not done.problem:
        say(NOTHING_WAITS)
    if done.problem:
        fail(f"not sent: {done.problem}")


def _print_outcome(session_id: str, outcome: "Outcome") -> None:
    result = {"acknowledged": "sent", "rejected": "rejected"}.get(outcome.result.value)
    if result is None:
        return  # what stopped the delivery is said at its end
    try:
        console.print(f"{session_id}  {result} ({plain(outcome.message)})", soft_wrap=True)
    except (OSError, SystemExit):
        pass  # that nobody can read it is no reason to stop sending

"""Which face the program shows: a wrapped run of chef-run, the sender, or the management commands."""

from __future__ import annotations

import os
import sys

from launcher import quiet
from launcher.consent.decision import DRY_RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def main() -> NoReturn:
    """Start whatever the name and the first word ask for. Ends the process."""
    name = os.path.basename(sys.argv[0])
    arguments = sys.argv[1:]
    if not name.startswith("chef-run-launcher") and name != "__main__.py":
        _wrapped(arguments)
    if arguments[:1] == ["exec"]:
        _wrapped(arguments[1:])
    if arguments[:1] == ["send"] and len(arguments) == 2 and name == "__main__.py":
        from launcher.delivery import sender

        sender.main(arguments[1])
        sys.exit()
    if arguments[:1] == ["shell-init"] and len(arguments) == 2:
        _shell_init(arguments[1])
    from launcher.cli.app import app

    _manage(app)


def _shell_init(shell: str) -> None:
    """Print the text for this shell, and end; return if there is none. Every new shell waits for it: no typer here."""
    from launcher.cli import shell_lines

    if shell in shell_lines.SHELLS:
        _manage(lambda: shell_lines.show(shell))


def _manage(command: Callable[[], object]) -> NoReturn:
    """Run a management command. What goes wrong in it unforeseen is one line."""
    if sys.stdout is None:  # the caller closed it; for the rest of our life
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    output = sys.stdout  # which typer replaces when it finds a closed pipe
    try:
        try:
            command()
        finally:
            output.flush()
    except BrokenPipeError:
        # Who read it, such as `head`, has had enough: that is nothing to complain of.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except OSError as error:
        # Nearly always it is standard output that cannot be written; nor could it be when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        _fail(f"cannot continue: {error.strerror} ({_place(error)})")
    except Exception as error:
        quiet.note(error)
        # Where, and not what: its text may quote anything.
        _fail(f"internal error: {type(error).__name__} at {_place(error)}; please report it")
    sys.exit()


def _place(error: BaseException) -> str:
    """The file and the line in which an error was raised."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    return f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else "nowhere"


def _wrapped(arguments: list[str]) -> NoReturn:
    if os.environ.get(DRY_RUN):
        from launcher.cli.dry_run import dry_run

        _manage(lambda: dry_run(arguments))
    from launcher import real
    from launcher.run import run

    try:
        run(arguments)
    except real.NoChefRun as problem:
        _fail(str(problem), problem.exit_code)


def _fail(problem: str, code: int = 1) -> NoReturn:
    from launcher.cli.complaint import fail

    fail(problem, code)

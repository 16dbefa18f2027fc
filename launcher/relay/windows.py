"""Running a program on Windows: the console is its own, and only its end is seen.

The parameters and methods mean what they mean in posix.py; those about output have nothing to act on here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from launcher.relay.handover import cannot_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from launcher.relay.handover import Command
    from launcher.relay.watcher import Observer


def exec_in_place(command: Command) -> int:
    """Run the program to its end and leave with its exit code: Windows has no exec in place.

    Returns only where it cannot be executed, once that has been said: the exit code that a shell would give.
    """
    try:
        _leave_with(_spawn(command).wait())
    except OSError as error:
        return cannot_run(command, error)


def start(
    command: Command, make_observer: Callable[[], Observer], *, inherit_terminal: bool, keep_stderr: bool
) -> Child:
    """Start the program on our own console and files; nothing of its output is seen."""
    stderr = os.dup(2) if keep_stderr else None
    try:
        return Child(_spawn(command), stderr)
    except OSError as error:
        _leave_with(cannot_run(command, error))


class Child:
    """The program as it runs."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: int | None) -> None:
        self._process = process
        self.stderr = stderr

    def wait(self) -> bool:
        """Wait for its end. True: what could not be started is no child."""
        self._process.wait()
        return True

    @property
    def succeeded(self) -> bool:
        """Whether its exit code was 0. Asked after `wait`."""
        return self._process.returncode == 0

    def drain(self) -> bytes:
        """There is nothing to drain, and nothing to report."""
        return b""

    def exit_the_same_way(self) -> NoReturn:
        """End this process with the child's exit code."""
        _leave_with(self._process.wait())


def _spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start the program. Raises OSError.

    Ctrl-C goes to every process of a console; the program decides what it means. A handler that does
    nothing, rather than ignoring it: the program would inherit that.
    """
    signal.signal(signal.SIGINT, lambda number, frame: None)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, lambda number, frame: None)
    names_and_values = zip(command.environment.keys(), command.environment.values())
    return subprocess.Popen(
        [os.fsdecode(word) for word in command.arguments],
        executable=os.fsdecode(command.program),
        env={os.fsdecode(name): os.fsdecode(value) for name, value in names_and_values},
    )


def _leave_with(code: int) -> NoReturn:
    """Exit with a 32-bit code, such as 0xC000013A, which os._exit wants as a signed number."""
    os._exit(code - (1 << 32) if code >= 1 << 31 else code)

"""Running the real program on Windows: the console is its own, and only its end is seen.

The parameters and methods mean what they mean in posix.py; those about output have nothing to act on here.
"""

from __future__ import annotations

import os

from launcher.relay.handover import cannot_run, leave_with, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from typing import NoReturn

    from launcher.relay.handover import Command
    from launcher.relay.watcher import Observer


def start(
    command: Command, make_observer: Callable[[], Observer], *, inherit_terminal: bool, keep_stderr: bool
) -> Child:
    """Start the program on our own console and files; nothing of its output is seen."""
    stderr = os.dup(2) if keep_stderr else None
    try:
        return Child(spawn(command), stderr)
    except OSError as error:
        leave_with(cannot_run(command, error))


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
        leave_with(self._process.wait())

"""Having the real program take our place, so that no process of ours is left."""

from __future__ import annotations

import errno
import os
import sys

from launcher.relay.handover import restore_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any, NoReturn

    from launcher.relay.handover import Command

# As shells have it.
NOT_FOUND = 127
NOT_EXECUTABLE = 126


def exec_in_place(command: Command) -> int:
    """Become the program, with the signals as the caller had them.

    Returns only where it cannot be executed, once that has been said: the exit code that a shell would give.
    """
    try:
        _exec(command)
    except OSError as error:
        return cannot_run(command, error)


def cannot_run(command: Command, error: OSError) -> int:
    """Say on standard error, in one line, why the program cannot be run; the exit code that a shell would give."""
    reason = os.fsencode(os.strerror(error.errno or 0))
    try:
        os.write(2, b"chef-run-launcher: cannot run %s: %s\n" % (command.program, reason))
    except OSError:
        pass  # the caller closed it
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


if sys.platform == "win32":

    def _exec(command: Command) -> NoReturn:
        """Run the program to its end and leave with its exit code: Windows has no exec in place. Raises OSError."""
        leave_with(spawn(command).wait())

else:

    def _exec(command: Command) -> NoReturn:
        """Raises OSError. A script without an interpreter line goes to the shell, as POSIX execvp has it."""
        restore_signals(command.signals)
        variables: Any = command.environment  # two lists, where the type asks for a mapping without duplicates
        try:
            os.execve(command.program, command.arguments, variables)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        os.execve(b"/bin/sh", [b"/bin/sh", command.program, *command.arguments[1:]], variables)


# On Windows, where a program is always a child.


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start the program. Raises OSError.

    Ctrl-C goes to every process of a console; the program decides what it means. A handler that does
    nothing, rather than ignoring it: the program would inherit that.
    """
    import signal
    import subprocess

    signal.signal(signal.SIGINT, lambda number, frame: None)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, lambda number, frame: None)
    names_and_values = zip(command.environment.keys(), command.environment.values())
    return subprocess.Popen(
        [os.fsdecode(word) for word in command.arguments],
        executable=os.fsdecode(command.program),
        env={os.fsdecode(name): os.fsdecode(value) for name, value in names_and_values},
    )


def leave_with(code: int) -> NoReturn:
    """Exit with a 32-bit code, such as 0xC000013A, which os._exit wants as a signed number."""
    os._exit(code - (1 << 32) if code >= 1 << 31 else code)

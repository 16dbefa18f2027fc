"""Running the real program on Windows: the console is its own, and only its end is seen."""

from __future__ import annotations

import os
import sys

from launcher.relay.ended import Ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from launcher.relay.child import Observer
    from launcher.relay.handover import Environment

_CANNOT_EXECUTE = 126
_NOT_FOUND = 127


def run(
    program: bytes,
    argv: list[bytes],
    environment: Environment,
    *,
    inherit_terminal: bool,
    observer: Callable[[], Observer],
    at_once: Callable[[], None],
    meanwhile: Callable[[], None],
    at_end: Callable[[], None],
    keep_stderr: bool = False,
) -> Ended:
    """Run the program on our own console and files; nothing of its output is seen.

    The parameters mean what they mean elsewhere; those about output have nothing to act on here.
    """
    import contextlib

    stderr = os.dup(2) if keep_stderr else None
    try:
        wait = start(program, argv, environment)
    except OSError as error:
        print(f"chef-run-launcher: cannot run {os.fsdecode(program)}: {error.strerror}", file=sys.stderr)
        code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _CANNOT_EXECUTE
        return Ended(code << 8, report=b"", ran=False, stderr=stderr)
    for what in (at_once, meanwhile):
        with contextlib.suppress(Exception):
            what()
    status = wait() << 8
    with contextlib.suppress(Exception):
        at_end()
    return Ended(status, report=b"", ran=True, stderr=stderr)


def start(program: bytes, argv: list[bytes], environment: Environment) -> Callable[[], int]:
    """Start the program, and return what waits for its 32-bit exit code.

    Ctrl-C goes to every process of a console; the program decides what it means. A handler that does
    nothing, rather than ignoring it: the program would inherit that.
    """
    import signal
    import subprocess

    signal.signal(signal.SIGINT, lambda number, frame: None)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, lambda number, frame: None)
    names_and_values = zip(environment.keys(), environment.values())
    return subprocess.Popen(
        [os.fsdecode(word) for word in argv],
        executable=os.fsdecode(program),
        env={os.fsdecode(name): os.fsdecode(value) for name, value in names_and_values},
    ).wait


def end_like(ended: Ended) -> NoReturn:
    """End this process with the child's exit code."""
    leave_with(ended.status >> 8)


def leave_with(code: int) -> NoReturn:
    """Exit with a 32-bit code, such as 0xC000013A, which os._exit wants as a signed number."""
    os._exit(code - (1 << 32) if code >= 1 << 31 else code)

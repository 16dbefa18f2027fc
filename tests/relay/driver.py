"""Runs a program through the relay: python -I -S driver.py LIBRARY inherit|relay|elsewhere PROGRAM [ARGUMENT...]

LIBRARY is where the launcher lies. With "elsewhere" it is as with "relay", on a system that does not tell who has sent
a signal.

DRIVER_REPORT names a file for the observer's report, DRIVER_MEANWHILE one to be written meanwhile and at the end.
DRIVER_OBSERVER asks for an observer that is "broken", "failing" or "slow", DRIVER_LAST_WORDS for kept standard error.
"""

import os
import signal
import sys
import time

sys.path.insert(0, sys.argv[1])

from launcher.quiet import in_background, quietly
from launcher.relay import handover, posix

assert sys.platform == "linux"


class Counter:
    """Counts bytes, and remembers the last few."""

    def __init__(self) -> None:
        if os.environ.get("DRIVER_OBSERVER") == "broken":
            raise RuntimeError("an observer that cannot be made")
        self.count = 0
        self.last = b""

    def feed(self, data: memoryview) -> None:
        if os.environ.get("DRIVER_OBSERVER") == "failing":
            raise RuntimeError("an observer that cannot look")
        self.count += len(data)
        self.last = (self.last + data)[-20:]

    def report(self) -> bytes:
        if os.environ.get("DRIVER_OBSERVER") == "slow":
            time.sleep(0.1)
        return b"%d\0%s" % (self.count, self.last)


def note(what: str) -> None:
    path = os.environ.get("DRIVER_MEANWHILE")
    if path:
        with open(path, "a") as file:
            file.write(what)
        raise RuntimeError("what goes wrong here is nobody's business")


if sys.argv[2] == "elsewhere":
    posix._wait_for_signal = lambda awaited: (signal.sigwait(awaited), None)

signals = handover.caller_signals()
arguments = handover.caller_arguments(sys.argv[3:])
command = handover.Command(arguments[0], arguments, handover.caller_environment(), signals)
child = posix.start(
    command, Counter, inherit_terminal=sys.argv[2] == "inherit", keep_stderr="DRIVER_LAST_WORDS" in os.environ
)
thoughts = in_background(note, "thought, ")
ran = child.wait()
thoughts()
if ran:
    quietly(note, "ended")
report = child.drain()
if "DRIVER_REPORT" in os.environ:
    with open(os.environ["DRIVER_REPORT"], "wb") as file:
        file.write(report)
if child.stderr is not None:
    os.write(child.stderr, b"last words\n")
child.exit_the_same_way()

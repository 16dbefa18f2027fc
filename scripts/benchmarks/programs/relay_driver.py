"""Runs a program through the launcher's relay: relay_driver.py LIBRARY observed|unobserved PROGRAM [ARGUMENT...]

LIBRARY is the directory in which the package lies.
"""

from __future__ import annotations

import sys

sys.path.insert(0, sys.argv[1])

from launcher.reading.output import Observer
from launcher.relay import handover
from launcher.relay.posix import start


class Blind(Observer):
    """An observer that looks at nothing."""

    def feed(self, data: bytes | memoryview) -> None:
        """Let a chunk of output go by."""


signals = handover.caller_signals()
arguments = handover.caller_arguments(sys.argv[3:])
command = handover.Command(arguments[0], arguments, handover.caller_environment(), signals)
observer = Observer if sys.argv[2] == "observed" else Blind
child = start(command, observer, inherit_terminal=False, keep_stderr=False)
child.wait()
child.drain()
child.exit_the_same_way()

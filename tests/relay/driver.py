"""Runs a program through the relay: python -I -S driver.py inherit|relay PROGRAM [ARGUMENT...]"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from launcher import handover, relay

assert sys.platform != "win32"


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def feed(self, data: bytes) -> None:
        self.count += len(data)

    def report(self) -> bytes:
        return b"%d" % self.count


handover.hold_signals()
words = handover.caller_arguments(sys.argv[2:])
ended = relay.run(
    words[0],
    words,
    handover.caller_environment(),
    inherit_terminal=sys.argv[1] == "inherit",
    observer=Counter,
    meanwhile=lambda: None,
)
if os.environ.get("DRIVER_REPORT"):
    with open(os.environ["DRIVER_REPORT"], "wb") as file:
        file.write(ended.report)
relay.end_like(ended)
